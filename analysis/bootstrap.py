"""Seed bootstrap on sufficient statistics: a check on the intervals that need no drawing.

Resampling seeds is a multinomial weight for each, so thousands of replicates are one matrix product
of weights and sums. For levels and ratios only: the bootstrap of tau2 is biased upwards, since a
seed drawn twice is paired with itself (method.md 4a.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import check_level
from panelist.analysis.shift import MIN_SEEDS
from panelist.analysis.sufficient import Cells, Floats

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 2000


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Levels over resampled seeds, with percentile intervals."""

    focal: str
    partners: tuple[str, ...]
    draws: Floats
    """(B, k) levels; pairing between partners is kept, so any contrast may be formed."""
    estimate: Floats
    low: Floats
    high: Floats
    level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a partner."""
        import pandas as pd

        return pd.DataFrame(
            {
                "focal": self.focal,
                "partner": self.partners,
                "level": self.estimate,
                "se": self.draws.std(axis=0, ddof=1),
                "low": self.low,
                "high": self.high,
            }
        )

    def summary(self) -> str:
        """One sentence."""
        said = ", ".join(
            f"{p} {e:.3g} ({a:.3g} to {b:.3g})"
            for p, e, a, b in zip(self.partners, self.estimate, self.low, self.high, strict=True)
        )
        return f"{self.focal}, {len(self.draws)} seed bootstraps, levels by partner: {said}."


def seed_bootstrap(
    cells: Cells, *, draws: int = DRAWS, level: float = 0.95, seed: int = 0
) -> Bootstrap | NotIdentified:
    """Percentile intervals of levels; seeds are resampled whole, with all their cells.

    Labels, scores and words average cell means over seeds, rates divide sums, as `Cells.levels`.
    """
    check_level(level)
    if draws < 100:
        raise AnalysisError(f"draws must be 100 or more, got {draws}")
    c = cells.common()
    s = len(c.seeds)
    if s < MIN_SEEDS:
        return NotIdentified("seed bootstrap", f"there are {s} complete seeds", f"{MIN_SEEDS}")
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(s, np.full(s, 1 / s), size=draws).astype(np.float64)
    if c.scale == 1.0:
        drawn = weights @ c.matrix() / s
    else:
        drawn = c.scale * (weights @ c.total) / (weights @ c.exposure)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Bootstrap(c.focal, c.partners, drawn, c.levels(), low, high, level)
