"""An estimate with its interval, and the three interval constructions that modules share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.sufficient import Floats


@dataclass(frozen=True)
class Interval:
    """A point estimate, its standard error where it has one, and its interval."""

    estimate: float
    low: float
    high: float
    level: float = 0.95
    se: float | None = None
    p: float | None = None
    """Two-sided p-value against 0, where there is one."""

    def text(
        self, scale: float = 1.0, digits: int = 1, unit: str = "", *, named: bool = True
    ) -> str:
        """``12.3 % (95 % interval 10.1 to 14.5 %)``; not `named`, ``12.3 % (10.1 to 14.5 %)``."""
        said = (f"{scale * v:.{digits}f}" for v in (self.estimate, self.low, self.high))
        e, low, high = (s.lstrip("-") if float(s) == 0 else s for s in said)  # no -0.0
        name = f"{100 * self.level:g} % interval " if named else ""
        return f"{e}{unit} ({name}{low} to {high}{unit})"


Value = Interval | NotIdentified
"""A quantity, or why there is none."""


def columns(v: Value) -> dict[str, object]:
    """Columns of a frame for one quantity: numbers, or the reason why there are none."""
    if isinstance(v, NotIdentified):
        return {"estimate": np.nan, "low": np.nan, "high": np.nan, "note": v.summary()}
    return {"estimate": v.estimate, "low": v.low, "high": v.high, "note": ""}


def check_level(level: float) -> float:
    """The level itself, if it lies strictly between 0 and 1."""
    if not 0 < level < 1:
        raise AnalysisError(f"level must lie between 0 and 1, got {level!r}")
    return float(level)


def t_interval(seed_values: ArrayLike, level: float = 0.95) -> Interval:
    """Mean of seed-level values (S,) with its t interval on S - 1 degrees of freedom.

    >>> t_interval([1.0, 2.0, 3.0]).text(digits=2)
    '2.00 (95 % interval -0.48 to 4.48)'
    """
    x = np.asarray(seed_values, float)
    if x.ndim != 1 or len(x) < 2:
        raise AnalysisError(f"a t interval needs two seeds or more, got shape {x.shape}")
    mean, se = float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x)))
    return t_from_se(mean, se, len(x) - 1, level)


def share_interval(seed_values: ArrayLike, level: float = 0.95) -> Interval:
    """Mean of seed-level shares (S,), in [0, 1], with a Wilson interval clustered by seed.

    Wilson's interval with the number of replies that would give the seed-clustered standard error,
    p (1 - p) / se^2, and a t quantile on S - 1 degrees of freedom, as Inspect's ``ci_wilson``
    does. Where all seeds agree there is no such number: every seed then counts as one reply. It
    never leaves [0, 1] and never has width 0.

    >>> share_interval([1.0] * 15).text(digits=2)
    '1.00 (95 % interval 0.77 to 1.00)'
    """
    x = np.asarray(seed_values, float)
    if x.ndim != 1 or len(x) < 2 or (x < 0).any() or (x > 1).any():
        raise AnalysisError(f"shares must be two or more numbers in 0..1, got shape {x.shape}")
    n, p = len(x), float(x.mean())
    se = float(x.std(ddof=1) / np.sqrt(n))
    size = p * (1 - p) / se**2 if se > 1e-12 else float(n)
    t2 = float(special.stdtrit(n - 1, (1 + check_level(level)) / 2)) ** 2
    centre = (p + t2 / (2 * size)) / (1 + t2 / size)
    half = np.sqrt(t2 * (p * (1 - p) / size + t2 / (4 * size**2))) / (1 + t2 / size)
    low, high = min(p, max(0.0, centre - half)), max(p, min(1.0, centre + half))
    return Interval(p, float(low), float(high), level, se)


def level_interval(seed_values: ArrayLike, measure: str, level: float = 0.95) -> Interval:
    """Interval of a level: for a label that of a share, for anything else Student's t."""
    return (share_interval if measure == "label" else t_interval)(seed_values, level)


def t_from_se(estimate: float, se: float, df: float, level: float = 0.95) -> Interval:
    """Interval and two-sided p-value from an estimate, its standard error and its df."""
    half = float(special.stdtrit(df, (1 + check_level(level)) / 2)) * se
    t = abs(estimate) / se if se > 0 else (np.inf if estimate else 0.0)
    p = float(2 * special.stdtr(df, -t))
    return Interval(estimate, estimate - half, estimate + half, level, se, p)


def ncx2_interval(q: ArrayLike, df: float, level: float = 0.95) -> tuple[Floats, Floats]:
    """Interval for the noncentrality of a chi-square variable seen at `q` (any shape).

    Equal-tailed inversion of the noncentral chi-square; an end that has no solution is 0
    (method.md 4a.3). Both ends are 0 where `q` is smaller than noise alone usually makes it, which
    happens in (1 - level) / 2 of the cases without any effect; it does not mean certainty.

    >>> low, high = ncx2_interval(10.0, 3)
    >>> round(float(low), 2), round(float(high), 2)
    (0.22, 23.68)
    """
    q = np.asarray(q, float)
    a = (1 - check_level(level)) / 2
    ends = []
    for target in (1 - a, a):
        solvable = special.chdtr(df, q) > target
        # Where it is not solvable, ask about a point that is: chndtrinc would search for nothing.
        safe = np.where(solvable, q, special.chdtri(df, (1 - target) / 2))
        ends.append(np.where(solvable, special.chndtrinc(safe, df, target), 0.0))
    return ends[0], ends[1]
