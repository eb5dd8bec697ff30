"""Shift with and without length: a reply, 100 words, the first words (method.md 4a.9).

Length is itself an effect of the partner, so the adjusted figures stand beside the plain one and
never in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from panelist.analysis.cells import cells
from panelist.analysis.errors import NotIdentified
from panelist.analysis.interval import Interval, columns
from panelist.analysis.shift import Shift, shift
from panelist.analysis.sufficient import UNITS, Measure

if TYPE_CHECKING:
    import pandas as pd

MEASURES: tuple[Measure, ...] = ("label", "rate", "window_rate", "words")


@dataclass(frozen=True, eq=False)
class LengthControl:
    """The same shift by every measure of amount, and the shift of length itself."""

    focal: str
    behaviour: str
    by_measure: Mapping[str, Shift | NotIdentified]
    """Keys: label, rate, window_rate, words; those whose columns the table has."""

    def to_frame(self) -> pd.DataFrame:
        """One row a measure: relative shift with interval, p, or a note."""
        import pandas as pd

        rows = []
        for measure, s in self.by_measure.items():
            tau = s.rel_sd if isinstance(s, Shift) else s
            p = s.p if isinstance(s, Shift) else float("nan")
            rows.append({"measure": measure, "unit": UNITS[measure], "p": p} | columns(tau))
        return pd.DataFrame(rows)

    def summary(self) -> str:
        """One paragraph."""
        text = f"{self.focal}, {self.behaviour}, relative shift by measure, with interval: "
        parts = []
        for measure, s in self.by_measure.items():
            tau = s.rel_sd if isinstance(s, Shift) else s
            said = (
                tau.text(100, 1, " %", named=False)
                if isinstance(tau, Interval)
                else f"({tau.reason})"
            )
            parts.append(f"{UNITS[measure]} {said}")
        return text + "; ".join(parts) + ". Length is itself moved by the partner."


def length_control(
    table: pd.DataFrame,
    *,
    behaviour: str = "hedging",
    focal: str | None = None,
    partners: Sequence[str] | None = None,
    level: float = 0.95,
) -> LengthControl:
    """`shift` by label, per 100 words, in the opening window, and of words themselves."""
    needed = {
        "label": {behaviour},
        "rate": {f"{behaviour}_cues", "words"},
        "window_rate": {f"{behaviour}_window_cues", "window_words"},
        "words": {"words"},
    }
    out: dict[str, Shift | NotIdentified] = {}
    name = focal or ""
    for measure in MEASURES:
        if measure == "label" or needed[measure] <= set(table.columns):
            c = cells(table, behaviour=behaviour, measure=measure, focal=focal, partners=partners)
            name, out[measure] = c.focal, shift(c, level=level)
    return LengthControl(name, behaviour, out)
