"""Words, sentences, and what of a reply is its own prose."""

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:['\-][^\W_]+)*")
_BREAK = re.compile(r"(?<=[.!?])[\"')\]\u201d]*\s+|\n+")
_FOLD = str.maketrans(
    {
        "\u2019": "'",
        "\u2018": "'",
        "\u02bc": "'",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2010": "-",
        "\u2011": "-",
    }
)

QUOTE_LIMIT = 400
"""The longest quotation, in characters: a quotation mark that finds no partner is punctuation."""

_INSIDE = rf"{{1,{QUOTE_LIMIT}}}?"
_REASONING_CODE = (
    r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)"
    r"|```.*?(?:```|\Z)"
    r"|`[^`\n]+`"
    r"|^[ \t]*>[^\n]*"
)
_QUOTATION = (
    rf'|"[^"\n]{_INSIDE}"'
    # No opening mark inside: a row of them would be searched again from each.
    rf"|\u201c[^\u201c\u201d\n]{_INSIDE}\u201d"
    rf"|\u00ab[^\u00ab\u00bb\n]{_INSIDE}\u00bb"
)
_FOREIGN = re.compile(_REASONING_CODE + _QUOTATION, re.DOTALL | re.MULTILINE)
_NOT_PROSE = re.compile(_REASONING_CODE, re.DOTALL | re.MULTILINE)


def fold(text: str) -> str:
    """Curly apostrophes, narrow spaces and hyphens made plain, one character for one."""
    return text.translate(_FOLD)


def own_prose(text: str) -> str:
    """The text with what is not the speaker's own prose blanked, at the same offsets.

    Reasoning blocks, code, block quotes and quotations ("double", “curly” or «angle» marks, on one
    line): a hedge inside a quotation of the partner is not the speaker's hedge. Marks around the
    whole text are not a quotation.

    >>> own_prose('You say "perhaps it is", I say no.').split()
    ['You', 'say', ',', 'I', 'say', 'no.']
    """
    own = _FOREIGN.sub(_blank, text)
    return own if _WORD.search(own) else _NOT_PROSE.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\s]", " ", match.group())


def words(text: str) -> list[tuple[int, int]]:
    """The spans of the words of a folded text: "don't" and "well-known" are one word each."""
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


def pieces(text: str, spans: Sequence[Sequence[int]]) -> list[tuple[str, bool]]:
    """A text cut at its spans: (text, is it a span) in reading order."""
    made, at = [], 0
    for start, end in spans:
        made += [(text[at:start], False), (text[start:end], True)]
        at = end
    return [piece for piece in [*made, (text[at:], False)] if piece[0]]
