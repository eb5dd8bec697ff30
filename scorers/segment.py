"""Words, sentences, and what of a reply is its own prose."""

import re

_WORD = re.compile(r"[^\W_]+(?:['\u2019\-][^\W_]+)*")
_BREAK = re.compile(r"(?<=[.!?])[\"')\]\u201d\u2019]*\s+|\n+")
_FOREIGN = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`|^[ \t]*>.*$", re.DOTALL | re.MULTILINE)
_FOLD = str.maketrans({"\u2019": "'", "\u2018": "'", "\u00a0": " ", "\u2011": "-"})


def fold(text: str) -> str:
    """Curly apostrophes, non-breaking spaces and hyphens made plain, one character for one."""
    return text.translate(_FOLD)


def own_prose(text: str) -> str:
    """The text with code and block quotes blanked, at the same offsets."""
    return _FOREIGN.sub(lambda m: re.sub(r"\S", " ", m.group()), text)


def words(text: str) -> list[tuple[int, int]]:
    """The spans of the words: "don't" and "well-known" are one word each."""
    return [match.span() for match in _WORD.finditer(text)]


def sentences(text: str) -> list[tuple[int, int]]:
    """The spans of the sentences that hold a word; list items and lines end a sentence.

    >>> [("One. Two?\\nThree"[a:b]) for a, b in sentences("One. Two?\\nThree")]
    ['One.', 'Two?', 'Three']
    """
    spans, start = [], 0
    for stop in [*_BREAK.finditer(text), None]:
        end = stop.start() if stop else len(text)
        if _WORD.search(text, start, end):
            spans.append((start, end))
        start = stop.end() if stop else end
    return spans
