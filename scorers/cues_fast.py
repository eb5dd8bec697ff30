"""The cue detectors on columns of a million replies: the numbers of `cues`, compiled.

Needs numba (`pip install 'panelist[fast]'`). About a microsecond a reply.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from panelist.panels.errors import PanelistError
from panelist.scorers.cues import WINDOW_WORDS
from panelist.scorers.lexicon import ANY, NOT, NUMBER, NUMBER_WORDS, Lexicon
from panelist.scorers.segment import QUOTE_LIMIT

if TYPE_CHECKING:
    import pyarrow as pa

Ints = NDArray[np.int32]

STACK = 64
"""Open branches of the trie; an entry's length bounds them, and few entries have wild cards."""


@dataclass(frozen=True)
class CueColumns:
    """Counts for N texts; the same as `cues.detect`, text by text.

    Attributes:
        classes: names of the C classes, those without `not`.
        words, cues, sentences, cued_sentences, window_words, window_cues: N each.
        counts: N x C, cues of each class, quiet ones too.
        strength: N, sum of the grades of all cues.
    """

    classes: tuple[str, ...]
    words: Ints
    cues: Ints
    sentences: Ints
    cued_sentences: Ints
    window_words: Ints
    window_cues: Ints
    counts: Ints
    strength: NDArray[np.float64]


@dataclass(frozen=True)
class Tables:
    """A lexicon as arrays for the kernels: see `scan`. Class 0 is `not`."""

    word_keys: NDArray[np.uint64]
    word_values: Ints
    step_keys: NDArray[np.uint64]
    step_values: Ints
    named: Ints
    branches: NDArray[np.uint8]
    roots: Ints
    always: NDArray[np.uint8]
    steps: NDArray[np.uint8]
    quiet: NDArray[np.bool_]
    grades: NDArray[np.float64]
    classes: tuple[str, ...]

    def arrays(self) -> tuple[Any, ...]:
        """What the kernels take, in their order."""
        words = (self.word_keys, self.word_values)
        return (
            *words,
            self.step_keys,
            self.step_values,
            self.named,
            self.branches,
            self.roots,
            self.always,
            self.steps,
        )


def columns(texts: "Sequence[str] | pa.Array", lexicon: Lexicon) -> CueColumns:
    """Count the cues of N texts.

    Args:
        texts: strings, or an Arrow array of them; a null counts as "".
        lexicon: as `lexicon.shipped` gives it.

    Raises:
        PanelistError: numba is not installed.
    """
    from panelist.scorers.kernels import count_cues

    data, offsets = utf8(texts)
    t = tables(lexicon)
    numbers, counts, strength = count_cues(
        data,
        offsets,
        character_kinds(),
        *t.arrays(),
        t.quiet,
        t.grades,
        WINDOW_WORDS,
        QUOTE_LIMIT,
        STACK,
    )
    words, cues, sentences, cued, window_words, window_cues = numbers.T
    return CueColumns(
        t.classes, words, cues, sentences, cued, window_words, window_cues, counts, strength
    )


def utf8(texts: "Sequence[str] | pa.Array") -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Bytes of all texts, and N + 1 offsets into them; no copy of an Arrow array's bytes."""
    import pyarrow as pa

    if not isinstance(texts, pa.Array | pa.ChunkedArray):
        try:
            texts = pa.array(texts, pa.large_string())
        except UnicodeEncodeError:  # a lone surrogate, which UTF-8 has no bytes for
            each = [text.encode("utf-8", "surrogatepass") for text in texts]
            ends = np.cumsum([0, *map(len, each)], dtype=np.int64)
            return np.frombuffer(b"".join(each) or b"\0", np.uint8), ends
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    array = texts.cast(pa.large_string())
    if array.null_count:
        array = array.fill_null("")
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    if data is None or not data.size:
        return np.zeros(1, np.uint8), np.zeros(len(array) + 1, np.int64)
    return np.frombuffer(data, np.uint8), starts


@lru_cache(maxsize=1)
def character_kinds() -> NDArray[np.uint8]:
    """By code point: part of a word, white space; what `re` says, asked once."""
    from panelist.scorers.kernels import SPACE, WORD

    every = [chr(c) for c in range(0x110000)]
    word = np.fromiter(map(str.isalnum, every), np.bool_, len(every))
    space = np.fromiter(map(str.isspace, every), np.bool_, len(every))
    return (word * np.uint8(WORD) + space * np.uint8(SPACE)).astype(np.uint8)


_TABLES: dict[int, tuple[Lexicon, Tables]] = {}


def tables(lexicon: Lexicon) -> Tables:
    """The arrays of a lexicon, made once."""
    known = _TABLES.get(id(lexicon))
    if known is None or known[0] is not lexicon:
        _TABLES[id(lexicon)] = known = (lexicon, _tables(lexicon))
    return known[1]


def _tables(lexicon: Lexicon) -> Tables:
    from panelist.scorers.kernels import ANY_NUMBER, ANY_WORD, FILTER, LITERAL, filter_steps

    classes = tuple(name for name in lexicon.classes if name != NOT)
    number = {name: i for i, name in enumerate((NOT, *classes))}
    ids: dict[str, int] = {ANY: 1, NUMBER: 2}
    steps: dict[tuple[int, int], int] = {}
    named = [-1]
    for entry, name in lexicon.entries.items():
        node = 0
        for word in entry:
            step = (node, ids.setdefault(word, len(ids) + 1))
            if step not in steps:
                steps[step] = len(named)
                named.append(-1)
            node = steps[step]
        named[node] = number[name]
    values = {word: -i if is_number_word(word) else i for word, i in ids.items() if i > 2}
    values.update({word: 2 for word in NUMBER_WORDS if word not in values})
    word_keys, word_values = table(
        [word_hash(word) for word in values], list(values.values()), room=8
    )
    # The key of a step is that of `scan.step_key`.
    keys = [(node + 1) << 32 | word + 1 for node, word in steps]
    step_keys, step_values = table(keys, list(steps.values()))
    named.append(-1)  # the last node stands for none: index -1
    roots = np.full(len(ids) + 1, -1, np.int32)
    branches = np.zeros(len(named), np.uint8)
    for (node, i), after in steps.items():
        branches[node] |= {1: ANY_WORD, 2: ANY_NUMBER}.get(i, LITERAL)
        if node == 0:
            roots[i] = after
    if roots[1] >= 0:
        raise ValueError("an entry begins with *: it would begin at every word")
    # Where an entry can begin: at these words always, else only before certain next words.
    always = np.zeros(len(ids) + 1, np.uint8)
    first = {int(root): i for i, root in enumerate(roots) if root >= 0}
    for root, i in first.items():
        always[i] = named[root] >= 0 or branches[root] & (ANY_WORD | ANY_NUMBER) != 0
    if roots[2] >= 0:
        always[[2, *(-i for i in values.values() if i < 0)]] = 1
    pairs = [(first[node], i) for node, i in steps if node in first]
    step_filter = np.zeros(FILTER, np.uint8)
    filter_steps(np.array(pairs, np.int64).reshape(-1, 2), step_filter)
    quiet = [True, *(lexicon.classes[name].quiet for name in classes)]
    grades = [0.0, *(lexicon.classes[name].grade for name in classes)]
    return Tables(
        word_keys, word_values, step_keys, step_values,
        np.array(named, np.int32), branches, roots, always, step_filter,
        np.array(quiet), np.array(grades), classes,
    )  # fmt: skip


def is_number_word(word: str) -> bool:
    """As `lexicon.is_number`."""
    return "0" <= word[0] <= "9" or word in NUMBER_WORDS


def word_hash(word: str) -> int:
    """As `scan.exact_hash` makes it."""
    value = len(word)
    for start in range(0, len(word), 8):
        packed = 0
        for k, c in enumerate(word[start : start + 8]):
            packed ^= ord(c) << 8 * k & 0xFFFFFFFFFFFFFFFF
        value = (value ^ packed) * 1099511628211 & 0xFFFFFFFFFFFFFFFF
        value ^= value >> 32
    return value


def table(
    keys: Sequence[int], values: Sequence[int], room: int = 2
) -> tuple[NDArray[np.uint64], Ints]:
    """An open-addressing table with at least `room` slots for each key.

    Raises:
        ValueError: two keys are the same, or one is 0, which marks an empty slot.
    """
    from panelist.scorers.kernels import fill_all

    if len(set(keys)) < len(keys) or 0 in keys:
        raise ValueError("two words have one hash; change the hash")
    size = 1 << max(4, (room * len(keys)).bit_length())
    slots, numbers = np.zeros(size, np.uint64), np.zeros(size, np.int32)
    fill_all(slots, numbers, np.array(keys, np.uint64), np.array(values, np.int32))
    return slots, numbers


def require_numba() -> None:
    """Raises PanelistError with what to install."""
    try:
        import numba  # noqa: F401
    except ImportError as ex:
        raise PanelistError(
            "the compiled detectors need numba; install it with: pip install 'panelist[fast]'"
        ) from ex
