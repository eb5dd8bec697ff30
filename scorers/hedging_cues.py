"""The cue detector for hedging: which words of a reply hedge, and how densely.

Longest cue first, at word boundaries, whatever the case; no cue inside code or a block quote; a
cue in a context that disowns it ("in May", "could you", "talk about it", "no uncertainty") does
not count. Status: exploratory until it has been held against human labels.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from panelist.scorers.hedging_lexicon import CUES, NOT_A_HEDGE
from panelist.scorers.segment import fold, own_prose, sentences, words

DETECTOR = "hedging-cues"
VERSION = "1"
STATUS = "exploratory"

WINDOW_WORDS = 40
"""Length of the opening window that is scored beside the whole reply (method.md, 4a.9)."""

_CONTEXT = 24
"""How many characters before and after a cue its exceptions may look at."""


@dataclass(frozen=True, slots=True)
class Hedging:
    """What the detector saw in one reply.

    Attributes:
        words: words of the reply's own prose.
        spans: character spans of the cues, in order, non-overlapping.
        sentences: sentences; hedged_sentences: those that hold a cue.
        window_words: words in the opening window, at most `WINDOW_WORDS`.
        window_cues: cues that begin in the window.
    """

    words: int
    spans: tuple[tuple[int, int], ...]
    sentences: int
    hedged_sentences: int
    window_words: int
    window_cues: int

    @property
    def cues(self) -> int:
        """Number of cues."""
        return len(self.spans)

    @property
    def hedged(self) -> bool:
        """Whether there is any cue."""
        return bool(self.spans)

    @property
    def per_100_words(self) -> float:
        """Cues per 100 words; 0 for a text without words."""
        return 100 * self.cues / self.words if self.words else 0.0

    @property
    def sentence_share(self) -> float:
        """Share of sentences that hold a cue; 0 for a text without sentences."""
        return self.hedged_sentences / self.sentences if self.sentences else 0.0


def detect(text: str) -> Hedging:
    """Score one reply.

    >>> hedging = detect("Perhaps it could work. In May we talked about it.")
    >>> hedging.cues, hedging.sentence_share
    (2, 0.5)
    """
    prose = own_prose(fold(text))
    word_spans = words(prose)
    spans = tuple(_cues(prose))
    sentence_spans = sentences(prose)
    window_end = word_spans[WINDOW_WORDS - 1][1] if len(word_spans) >= WINDOW_WORDS else len(prose)
    return Hedging(
        words=len(word_spans),
        spans=spans,
        sentences=len(sentence_spans),
        hedged_sentences=_occupied(sentence_spans, spans),
        window_words=min(len(word_spans), WINDOW_WORDS),
        window_cues=sum(start < window_end for start, _ in spans),
    )


def _cues(prose: str) -> list[tuple[int, int]]:
    lower = prose.lower()
    if len(lower) != len(prose):  # a character such as "İ" that lower-cases to two
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in prose)
    found = []
    for match in _pattern().finditer(lower):
        start, end = match.span()
        if not _disowned(prose, lower, start, end):
            found.append((start, end))
    return found


def _disowned(prose: str, lower: str, start: int, end: int) -> bool:
    cue = " ".join(lower[start:end].split())
    if cue == "may" and prose[start] == "M" and not _starts_sentence(prose, start):
        return True  # the month, or a name
    patterns = _exceptions().get(cue)
    if patterns is None:
        return False
    before, after = patterns
    return bool(
        (before and before.search(lower[max(0, start - _CONTEXT) : start]))
        or (after and after.match(lower[end : end + _CONTEXT]))
    )


def _starts_sentence(prose: str, start: int) -> bool:
    head = prose[:start].rstrip(" \t\"'(*_")
    return not head or head[-1] in ".!?:\n"


def _occupied(
    sentence_spans: Sequence[tuple[int, int]], cue_spans: Sequence[tuple[int, int]]
) -> int:
    starts = [start for start, _ in cue_spans]
    return sum(any(a <= start < b for start in starts) for a, b in sentence_spans)


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(CUES, key=len, reverse=True)
    alternatives = "|".join(re.escape(cue).replace(r"\ ", r"\s+") for cue in longest_first)
    return re.compile(rf"(?<![\w'])(?:{alternatives})(?![\w'])")


@lru_cache(maxsize=1)
def _exceptions() -> dict[str, tuple[re.Pattern[str] | None, re.Pattern[str] | None]]:
    return {
        cue: (re.compile(before) if before else None, re.compile(after) if after else None)
        for cue, (before, after) in NOT_A_HEDGE.items()
    }
