"""The cue detectors: which words of a reply hedge, repair or challenge, and how densely.

What counts is in `data/<behaviour>.lexicon`; how it is matched in `lexicon`. `cues_fast` does the
same on columns of a million replies.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import exp, nan
from typing import TYPE_CHECKING

from panelist.scorers.detector import COLUMNS, Behaviour, paired
from panelist.scorers.lexicon import shipped, source, tokenize
from panelist.scorers.segment import fold, own_prose, sentences

if TYPE_CHECKING:
    import pandas as pd

VERSION = "2"

WINDOW_WORDS = 40
"""Length of the opening window that is scored beside the whole reply (method.md, 4a.9)."""

DAMPING = 20
"""Words that a reply's strength is spread over before its own: one cue in a line is not density."""


@dataclass(frozen=True, slots=True)
class Cues:
    """What the lexicon shows in one reply.

    Attributes:
        words: words of the reply's own prose.
        spans: character spans of the cues, in order, non-overlapping.
        sentences: sentences; cued_sentences: those in which a cue begins.
        window_words: words in the opening window, at most `WINDOW_WORDS`.
        window_cues: cues that begin in the window.
        strength: sum of the grades of all classes, the quiet ones included.
    """

    words: int
    spans: tuple[tuple[int, int], ...]
    sentences: int
    cued_sentences: int
    window_words: int
    window_cues: int
    strength: float

    @property
    def cues(self) -> int:
        """Number of cues."""
        return len(self.spans)

    @property
    def per_100_words(self) -> float:
        """Cues per 100 words; 0 for a text without words."""
        return 100 * self.cues / self.words if self.words else 0.0

    @property
    def sentence_share(self) -> float:
        """Share of sentences that hold a cue; 0 for a text without sentences."""
        return self.cued_sentences / self.sentences if self.sentences else 0.0

    @property
    def intensity(self) -> float:
        """Strength for the reply's length, in (0, 1); NaN for a text without words."""
        if not self.words:
            return nan
        return 1 / (1 + exp(-self.strength / (1 + self.words / DAMPING)))


def detect(text: str, behaviour: Behaviour = "hedging") -> Cues:
    """Find the cues of one reply.

    >>> found = detect("Perhaps it could work. In May we talked about it.")
    >>> found.cues, found.sentence_share
    (2, 0.5)
    """
    lexicon = shipped(behaviour)
    prose = own_prose(fold(text))
    tokens = tokenize(prose)
    seen = lexicon.cues(prose, tokens)
    loud = [cue for cue in seen if not lexicon.classes[cue.name].quiet]
    spans = sentences(prose)
    return Cues(
        words=len(tokens),
        spans=tuple((cue.start, cue.end) for cue in loud),
        sentences=len(spans),
        cued_sentences=_occupied(spans, [cue.start for cue in loud]),
        window_words=min(len(tokens), WINDOW_WORDS),
        window_cues=sum(cue.first < WINDOW_WORDS for cue in loud),
        strength=sum(lexicon.classes[cue.name].grade for cue in seen),
    )


def _occupied(spans: Sequence[tuple[int, int]], starts: Sequence[int]) -> int:
    """How many spans hold one of the starts; both in order."""
    return sum(bisect_left(starts, a) < bisect_left(starts, b) for a, b in spans)


class CueDetector:
    """A reply shows the behaviour if it holds a cue; the probability is its `intensity`."""

    trained_on: frozenset[str] = frozenset()

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour: Behaviour = behaviour
        self.name = f"{behaviour}-cues"

    @cached_property
    def version(self) -> str:
        """Changes with the lexicon."""
        return f"{VERSION}.{sha256(source(self.behaviour).encode()).hexdigest()[:8]}"

    def score(self, texts: Sequence[str], contexts: Sequence[str] | None = None) -> "pd.DataFrame":
        """See `Detector.score`; the turn before is not looked at."""
        found = [detect(text, self.behaviour) for text, _ in paired(texts, contexts)]
        import pandas as pd

        return pd.DataFrame(
            {
                "probability": [seen.intensity for seen in found],
                "label": [seen.cues > 0 for seen in found],
                "spans": [list(seen.spans) for seen in found],
                "version": self.version,
            },
            columns=list(COLUMNS),
        )
