"""What a detector is: one interface for the whole ladder of cues, learned model and judge."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import pandas as pd


Behaviour = Literal["hedging", "repair", "challenge"]

BEHAVIOURS: tuple[Behaviour, ...] = ("hedging", "repair", "challenge")

DEFAULTS: dict[Behaviour, str] = {
    "hedging": "hedging-learned",
    "repair": "repair-cues",
    "challenge": "challenge-cues",
}
"""The detector of each behaviour, unless another is asked for."""

COLUMNS = ("probability", "label", "spans", "version")
"""Columns of a detector's table, one row a text.

| column | type | meaning |
|---|---|---|
| probability | float, 0 to 1 | that the behaviour is there; NaN for a text without words |
| label | bool | whether the detector says so: by its threshold, or by a cue |
| spans | list of (start, end) | characters of the cues, in order, non-overlapping; may be empty |
| version | str | the detector's version |
"""


class Detector(Protocol):
    """Text, and the turn before it, to a score."""

    @property
    def behaviour(self) -> Behaviour:
        """What it detects."""

    @property
    def name(self) -> str:
        """Such as "hedging-cues"; the same name and version always give the same scores."""

    @property
    def version(self) -> str:
        """Changes whenever a score could."""

    def score(self, texts: Sequence[str], contexts: Sequence[str] | None = None) -> "pd.DataFrame":
        """Score replies.

        Args:
            texts: N replies.
            contexts: for each, the turn before it, by another speaker; "" where there is none.

        Returns:
            N rows in the order of `texts`, with `COLUMNS`.

        Raises:
            ValueError: contexts are given, but not one for each text.
        """


def paired(texts: Sequence[str], contexts: Sequence[str] | None) -> list[tuple[str, str]]:
    """Each text with its context, "" where there is none.

    Raises:
        ValueError: as `Detector.score` says.
    """
    if contexts is None:
        return [(text, "") for text in texts]
    if len(contexts) != len(texts):
        raise ValueError(f"{len(contexts)} contexts for {len(texts)} texts; give one for each")
    return list(zip(texts, contexts, strict=True))
