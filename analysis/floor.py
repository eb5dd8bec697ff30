"""The A/A floor: what the machinery reports where there is nothing to find (method.md 4a.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from panelist.analysis.errors import NotIdentified
from panelist.analysis.interval import Interval
from panelist.analysis.shift import shift
from panelist.analysis.sufficient import Cells

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Floor:
    """Shift between two names of one partner; it should be nought."""

    focal: str
    partners: tuple[str, str]
    n_seeds: int
    tau2: Interval
    rel_sd: Interval | NotIdentified
    p: float
    """Paired test that the two names differ. Over many runs it should be uniform."""

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        import pandas as pd

        rel = self.rel_sd if isinstance(self.rel_sd, Interval) else None
        return pd.DataFrame(
            [
                {
                    "focal": self.focal,
                    "first": self.partners[0],
                    "second": self.partners[1],
                    "n_seeds": self.n_seeds,
                    "tau2": self.tau2.estimate,
                    "rel_sd": rel.estimate if rel else np.nan,
                    "rel_sd_low": rel.low if rel else np.nan,
                    "rel_sd_high": rel.high if rel else np.nan,
                    "p": self.p,
                }
            ]
        )

    def summary(self) -> str:
        """One or two sentences."""
        text = f"A/A check ({self.partners[0]} against {self.partners[1]}, the same turns): "
        if isinstance(self.rel_sd, Interval) and self.rel_sd.high == 0:
            text += "the two differ less than noise alone usually makes them"
        elif isinstance(self.rel_sd, Interval):
            text += f"the apparent shift is {self.rel_sd.text(100, 1, ' %')} of the mean"
        else:
            text += "no relative shift can be given"
        if self.p < 1 - self.tau2.level:
            return text + (
                f", and the two names differ (p = {self.p:.2g}). One run in "
                f"{round(1 / (1 - self.tau2.level))} does so by chance; if it recurs, "
                "something other than the partner moves the replies."
            )
        return text + f"; the two names do not differ (p = {self.p:.2g}), as they should not."


def floor(cells: Cells, a: str, b: str, *, level: float = 0.95) -> Floor | NotIdentified:
    """Shift between the two names `a` and `b` of the same partner.

    Returns NotIdentified, "not informative", when the replies under both names are the same: at
    temperature 0 or out of a response cache an A/A pair agrees whatever the noise is.
    """
    two = cells.select([a, b]).common()
    if two.seeds and bool((two.total[:, 0] == two.total[:, 1]).all()):
        return NotIdentified(
            "A/A floor",
            f"it is not informative: the scores with {a} and {b} are the same on every seed "
            "(temperature 0, or one answer served twice)",
            "replies sampled independently under both names",
        )
    result = shift(two, level=level)
    if isinstance(result, NotIdentified):
        return NotIdentified("A/A floor", result.reason, result.remedy)
    return Floor(cells.focal, (a, b), result.n_seeds, result.tau2, result.rel_sd, result.p)
