"""Dose response: does the focal do more of it, the more of it the partner does?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import (
    Interval,
    check_level,
    level_interval,
    t_from_se,
    t_interval,
)
from panelist.analysis.shift import MIN_SEEDS
from panelist.analysis.sufficient import UNITS, Cells, Floats, as_cells, checked

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Dose:
    """Within-seed slope of the focal's behaviour on the partner's dose."""

    focal: str
    behaviour: str
    measure: str
    partners: tuple[str, ...]
    """From the lowest to the highest mean dose."""
    doses: Floats
    """Mean dose of each partner, shape (k,)."""
    levels: tuple[Interval, ...]
    """The focal's level with each partner, in the same order."""
    n_seeds: int
    slope: Interval
    """Change of the level per unit of dose: seed fixed effects, t interval clustered by seed."""
    standardised: Interval
    """Slope in within-seed standard deviations: between -1 and 1, like a correlation."""
    trend: Interval
    """Change of the level per rank of the partner, whatever the spacing of doses."""
    monotone: bool
    """Whether the levels never fall (or never rise) from dose to dose, noise and all."""
    level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a partner: dose, level, interval."""
        import pandas as pd

        return pd.DataFrame(
            {
                "focal": self.focal,
                "partner": self.partners,
                "dose": self.doses,
                "level": [v.estimate for v in self.levels],
                "low": [v.low for v in self.levels],
                "high": [v.high for v in self.levels],
            }
        )

    def summary(self) -> str:
        """One paragraph."""
        unit = UNITS.get(self.measure, self.measure)
        if self.slope.low > 0:
            verdict = f"shows more {self.behaviour} the higher the partner's dose"
        elif self.slope.high < 0:
            verdict = f"shows less {self.behaviour} the higher the partner's dose"
        else:
            verdict = "does not clearly follow the partner's dose"
        steps = "never change direction" if self.monotone else "change direction"
        return (
            f"{self.focal} {verdict}: {self.slope.text(1, 3)} ({unit}) per unit of dose, within "
            f"{self.n_seeds} seeds. From the lowest to the highest of {len(self.partners)} doses "
            f"the levels {steps}; per rank of dose they change by {self.trend.text(1, 3)}."
        )


def dose_response(
    values: Cells | ArrayLike,
    dose: Mapping[str, float] | ArrayLike,
    *,
    level: float = 0.95,
) -> Dose | NotIdentified:
    """Slope of the focal's level on the partner's dose, within seeds (method.md 4a.8).

    Parameters
    ----------
    values : Cells or array (S, k)
        Seeds with a missing cell are left out.
    dose : mapping partner -> number, array (k,), or array (S, k)
        One dose a partner, or one a seed and partner (the hedge rate of the partner's very words).
        An (S, k) array is in the order of the seeds of `values`.

    Returns
    -------
    Dose, or NotIdentified under 20 complete seeds, under two partners, or if the dose does not
    vary within seeds.
    """
    check_level(level)
    c = as_cells(values)
    x = _doses(c, dose)
    keep = (c.replies > 0).all(axis=1)
    c, x = c.common(), x[keep]
    n, k = x.shape
    if k < 2 or n < MIN_SEEDS:
        return NotIdentified(
            "dose response",
            f"there are {n} complete seeds and {k} partners",
            f"two or more partners on {MIN_SEEDS} or more seeds",
        )
    d = c.matrix()
    xw, dw = x - x.mean(axis=1, keepdims=True), d - d.mean(axis=1, keepdims=True)
    if not (np.abs(xw) > 1e-12 * max(float(np.abs(x).max()), 1e-300)).any():
        return NotIdentified(
            "dose response", "every partner has the same dose", "partners with different doses"
        )
    if not dw.any():
        return NotIdentified(
            "dose response",
            "every reply scores the same whoever the partner is",
            "replies that vary between partners",
        )
    slope = within_slope(xw, dw, level)
    sd = float(np.sqrt((xw**2).mean() / (dw**2).mean()))
    order = np.argsort(x.mean(axis=0), kind="stable")
    rank = np.arange(k) - (k - 1) / 2
    means = d.mean(axis=0)[order]
    steps = np.diff(means)
    return Dose(
        focal=c.focal,
        behaviour=c.behaviour,
        measure=c.measure,
        partners=tuple(c.partners[j] for j in order),
        doses=x.mean(axis=0)[order],
        levels=tuple(level_interval(d[:, j], c.measure, level) for j in order),
        n_seeds=n,
        slope=slope,
        standardised=_scaled(slope, sd),
        trend=t_interval(d[:, order] @ rank / (rank**2).sum(), level),
        monotone=bool((steps >= 0).all() or (steps <= 0).all()),
        level=level,
    )


def within_slope(x: Floats, y: Floats, level: float = 0.95) -> Interval:
    """Slope of y on x, both (S, k) and centred within seeds, clustered by seed.

    The variance is the sandwich with the factor S / (S - 1); where every seed has the same doses
    it is exactly the variance of the mean of per-seed slopes.

    Per-seed slopes 1, 2 and 3 average 2, with standard error 1 / sqrt(3):

    >>> x = np.array([[-1.0, 1.0]] * 3)
    >>> slope = within_slope(x, x * np.array([[1.0], [2.0], [3.0]]))
    >>> round(slope.estimate, 4), round(slope.se, 4)
    (2.0, 0.5774)
    """
    sxx = float((x**2).sum())
    b = float((x * y).sum()) / sxx
    score = (x * (y - b * x)).sum(axis=1)
    n = len(x)
    se = float(np.sqrt(n / (n - 1) * (score**2).sum())) / sxx
    return t_from_se(b, se, n - 1, level)


def _scaled(v: Interval, by: float) -> Interval:
    se = None if v.se is None else v.se * by
    return Interval(v.estimate * by, v.low * by, v.high * by, v.level, se, v.p)


def _doses(c: Cells, dose: Mapping[str, float] | ArrayLike) -> Floats:
    """Doses as an (S, k) array in the order of the cells."""
    if isinstance(dose, Mapping):
        absent = [p for p in c.partners if p not in dose]
        if absent:
            raise AnalysisError(f"dose lacks the partners {absent}")
        dose = [float(dose[p]) for p in c.partners]
    x = np.asarray(dose, float)
    if x.ndim == 1 and x.shape == (len(c.partners),):
        x = np.tile(x, (len(c.seeds), 1))
    if x.shape != c.total.shape:
        raise AnalysisError(
            f"dose has shape {x.shape}; give {(len(c.partners),)} or {c.total.shape}"
        )
    return checked("dose", x)
