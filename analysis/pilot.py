"""Noise from a pilot run: what `power.plan` should assume about this checkpoint (method.md 4c)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from panelist.analysis.errors import NotIdentified
from panelist.analysis.power import Noise
from panelist.analysis.sufficient import Cells

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Pilot:
    """Variance components of one focal's replies."""

    focal: str
    n_seeds: int
    base: float
    icc: float
    """1 - within-cell variance / p(1 - p); labels only, 0 for counts."""
    w2: float
    """Seed x partner variance, unbiased: it may be negative. On the log scale for counts."""
    theta: float
    """Overdispersion of counts, infinite where they vary no more than Poisson; labels: infinite."""
    words: float
    counts: bool

    @property
    def noise(self) -> Noise:
        """Ready for ``plan(noise=...)``: negative components are taken as 0."""
        return Noise(
            self.base,
            counts=self.counts,
            icc=min(max(self.icc, 0.0), 0.999),
            w=float(np.sqrt(max(self.w2, 0.0))),
            words=self.words,
            theta=self.theta,
        )

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        import pandas as pd

        return pd.DataFrame([asdict(self)])

    def summary(self) -> str:
        """One sentence."""
        if self.counts:
            what = f"{self.base:.2f} cues per 100 words, overdispersion theta {self.theta:.1f}"
        else:
            what = f"base {self.base:.2f}, icc {self.icc:.2f}"
        w = np.sqrt(max(self.w2, 0.0))
        return f"{self.focal}, from {self.n_seeds} seeds: {what}, seed x partner sd {w:.3f}."


def refit(cells: Cells) -> Pilot | NotIdentified:
    """Base, icc and w of a pilot with two replies or more a cell.

    Labels give shares; rates give counts (`theta`, and w on the log scale).

    Two seeds x two partners x two replies, all cells split 1 : 1, so that nothing lies between
    seeds:

    >>> pilot = refit(Cells.from_arrays([[1, 1], [1, 1]], [[2, 2], [2, 2]], measure="label"))
    >>> pilot.base, pilot.icc
    (0.5, -1.0)
    """
    c = cells.common()
    s, k = c.total.shape
    if c.measure not in ("label", "rate", "window_rate"):
        return NotIdentified("pilot", f"the measure is {c.measure}", "labels or rates")
    if s < 2 or k < 2:
        return NotIdentified("pilot", f"there are {s} complete seeds, {k} partners", "two of each")
    n = c.replies
    if (n.sum() - n.size) < 1:
        return NotIdentified(
            "pilot",
            "every cell holds one reply, so noise and seed x partner variance look alike",
            "two replies or more a cell",
        )
    mean = float(c.total.sum() / n.sum())
    if mean <= 0:
        return NotIdentified("pilot", "the behaviour never occurs", "replies in which it does")
    sumsq = c.total if c.measure == "label" else c.sumsq  # 0/1: y^2 = y, whatever was stored
    within = float((sumsq - c.total**2 / n).sum() / (n.sum() - n.size))
    m = c.total / n
    r = m - m.mean(axis=0) - m.mean(axis=1, keepdims=True) + m.mean()
    w2 = float((r**2).sum() / ((s - 1) * (k - 1)) - within * (1 / n).mean())
    if c.measure == "label":
        return Pilot(
            c.focal,
            s,
            mean,
            1 - within / (mean * (1 - mean)) if mean < 1 else 0.0,
            w2,
            np.inf,
            80.0,
            False,
        )
    extra = within - mean
    theta = mean**2 / extra if extra > 0 else np.inf
    words = float(c.exposure.sum() / n.sum())
    return Pilot(c.focal, s, 100 * mean / words, 0.0, w2 / mean**2, theta, words, True)
