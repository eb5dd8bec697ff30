"""A lexicon of cues, and where they stand in a text: the reference implementation.

A lexicon is a plain text file. `[class grade]` opens a class; the lines after it are its cues, in
lower case, alternatives in brackets, `?` after those that may be missing: `not (entirely|quite)?
sure`. `#` is any number, `*` any one word. Class `not` holds word sequences that look like a cue
and are none ("in may", "as possible"): they take their words away from shorter cues. A class marked
`quiet` is seen by the learned detector but is no cue by itself. A cue named in two classes belongs
to the first.

Matching is by whole words with nothing but white space between them, leftmost first, longest first,
without overlap. `cues_fast` does the same on columns of a million replies.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import product
from typing import NamedTuple

from panelist.scorers.segment import words

NOT = "not"
"""The class whose entries are no cues."""

NUMBER = "#"
ANY = "*"

_HEAD = re.compile(r"\[(?P<name>[a-z][a-z_]*)(?: (?P<grade>-?\d+(?:\.\d+)?))?(?P<quiet> quiet)?\]")
_GROUP = re.compile(r"\(([^()]*)\)(\??)|([^()]+)")
_GAP = re.compile(r"[\s$£€]+")
NUMBER_WORDS = frozenset(
    "half two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty "
    "fifty sixty seventy eighty ninety hundreds hundred thousands thousand millions million "
    "billions billion several dozens dozen".split()
)


class Token(NamedTuple):
    """One word: lower case where it is ASCII, and its span."""

    word: str
    start: int
    end: int


class Cue(NamedTuple):
    """A cue found: its class and span, and the index of its first word."""

    name: str
    start: int
    end: int
    first: int


@dataclass(frozen=True)
class CueClass:
    """A class of cues: its grade (strength, in steps of the lexicon) and whether it counts."""

    name: str
    grade: float
    quiet: bool


@dataclass
class _Node:
    next: dict[str, "_Node"] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True)
class Lexicon:
    """Classes in file order, and the cues of each as sequences of words."""

    classes: Mapping[str, CueClass]
    entries: Mapping[tuple[str, ...], str]
    root: _Node = field(repr=False, compare=False)

    def cues(self, text: str, tokens: list[Token]) -> list[Cue]:
        """The cues of a text that `tokens` came from, in order.

        Args:
            text: folded, own prose only; gaps between words are looked up in it.
            tokens: `tokenize(text)`.
        """
        found, at = [], 0
        first = self.root.next
        while at < len(tokens):
            word = tokens[at].word
            # With most words no entry begins.
            if word not in first and ANY not in first and not (NUMBER in first and is_number(word)):
                at += 1
                continue
            name, length = self._longest(text, tokens, at)
            if name is None:
                at += 1
                continue
            if name != NOT:
                last = tokens[at + length - 1]
                found.append(Cue(name, tokens[at].start, last.end, at))
            at += length
        return found

    def _longest(self, text: str, tokens: list[Token], at: int) -> tuple[str | None, int]:
        """The longest entry that begins at a token; of two readings the more literal one wins."""
        best: tuple[str | None, int] = (None, 0)
        open_nodes = [(self.root, at)]
        while open_nodes:
            node, here = open_nodes.pop()
            if node.name is not None and here - at > best[1]:
                best = (node.name, here - at)
            if here == len(tokens) or not node.next:
                continue
            if here > at and not _GAP.fullmatch(text, tokens[here - 1].end, tokens[here].start):
                continue
            word = tokens[here].word
            # Last pushed is tried first, and only a longer reading replaces an earlier one.
            for key in (ANY, NUMBER if is_number(word) else None, word):
                if key is not None and (after := node.next.get(key)) is not None:
                    open_nodes.append((after, here + 1))
        return best


def is_number(word: str) -> bool:
    """Whether a word is a quantity: digits, or a number word."""
    return "0" <= word[0] <= "9" or word in NUMBER_WORDS


def tokenize(text: str) -> list[Token]:
    """The words of a folded text; "May" inside a sentence is a month or a name, never "may"."""
    found = []
    for start, end in words(text):
        word = text[start:end]
        if word.isascii():
            name = word == "May" and not _starts_sentence(text, start)
            word = word if name else word.lower()
        found.append(Token(word, start, end))
    return found


def _starts_sentence(text: str, start: int) -> bool:
    head = text[max(0, start - 8) : start].rstrip(" \t\"'(*_")
    return not head or head[-1] in ".!?:\n"


def parse(text: str, name: str = "lexicon") -> Lexicon:
    """Read a lexicon.

    Raises:
        ValueError: a line that is no run of words, or a class that opens twice; with line number.
    """
    classes: dict[str, CueClass] = {}
    entries: dict[tuple[str, ...], str] = {}
    current: str | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("//")[0].strip()
        if not line:
            continue
        if line.startswith("["):
            head = _HEAD.fullmatch(line)
            if head is None:
                raise ValueError(f"{name}, line {number}: {line!r} is no [class grade] line")
            current = head["name"]
            if current in classes:
                raise ValueError(f"{name}, line {number}: class {current!r} opens a second time")
            classes[current] = CueClass(current, float(head["grade"] or 0), bool(head["quiet"]))
            continue
        if current is None:
            raise ValueError(f"{name}, line {number}: a cue before the first [class grade] line")
        for entry in _expand(line):
            if not entry or any(not _is_key(word) for word in entry):
                raise ValueError(f"{name}, line {number}: {' '.join(entry)!r} is no run of words")
            entries.setdefault(entry, current)
    return Lexicon(classes, entries, _trie(entries))


def _expand(line: str) -> Iterator[tuple[str, ...]]:
    parts = [
        [plain] if plain else group.split("|") + [""] * bool(optional)
        for group, optional, plain in _GROUP.findall(line)
    ]
    for choice in product(*parts):
        yield tuple("".join(choice).split())


def _is_key(word: str) -> bool:
    if word in (NUMBER, ANY):
        return True
    return word.isascii() and word == word.lower() and words(word) == [(0, len(word))]


def _trie(entries: Mapping[tuple[str, ...], str]) -> _Node:
    root = _Node()
    for entry, name in entries.items():
        node = root
        for word in entry:
            node = node.next.setdefault(word, _Node())
        node.name = name
    return root


@lru_cache(maxsize=4)
def shipped(behaviour: str) -> Lexicon:
    """The lexicon of a behaviour that comes with the package."""
    return parse(source(behaviour), f"{behaviour}.lexicon")


def source(behaviour: str) -> str:
    """Its text."""
    path = files("panelist.scorers") / "data" / f"{behaviour}.lexicon"
    return path.read_text(encoding="utf-8")
