"""The relative range: how far apart the highest and the lowest partner are (method.md 4a.4).

The raw maximum minus minimum is never a result: 200 seeds, one reply and four identical partners
make it 18 % with no effect at all. It is printed only inside its simultaneous interval, beside a
cross-fitted value that picks the extremes on one half of the seeds and measures on the other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.simultaneous import max_t, pair_index
from panelist.analysis.sufficient import Floats, linearise

if TYPE_CHECKING:
    import pandas as pd

Reference = Literal["mean", "min", "self"]
SPLITS = 40
"""Random halvings of the seeds behind a cross-fitted range."""


@dataclass(frozen=True)
class RelativeRange:
    """(highest - lowest level) / reference, all as fractions of the reference."""

    raw: float
    """Biased upwards; never to be quoted without the interval."""
    low: float
    high: float
    """Simultaneous over all pairs, so picking the extremes is paid for."""
    crossfit: float
    """Extremes picked on half the seeds, measured on the other half. No winner's curse."""
    reference: str
    """mean (grand mean of levels), min (lowest level) or self (level in self-play)."""
    level: float

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        import pandas as pd

        return pd.DataFrame([asdict(self)])

    def summary(self) -> str:
        """One sentence."""
        return (
            f"The highest and the lowest partner lie between {100 * self.low:.1f} and "
            f"{100 * self.high:.1f} % of the {self.reference} level apart (simultaneous "
            f"{100 * self.level:g} % interval; cross-fitted value {100 * self.crossfit:.1f} %)."
        )


def relative_range(
    d: Floats,
    *,
    ref: Reference = "mean",
    self_column: int | None = None,
    level: float = 0.95,
    splits: int = SPLITS,
    seed: int = 0,
) -> RelativeRange | NotIdentified:
    """Relative range of the levels of D (S, k), with its simultaneous interval.

    The reference is estimated too, so seed-level values are linearised against it first; with
    ``ref="min"`` the range is a ratio, and the interval is taken on the log scale.
    """
    m = d.mean(axis=0)
    base = _reference(d, ref, self_column)
    if (m <= 0).any() if ref == "min" else base.mean() <= 0:
        return NotIdentified(
            "relative range",
            f"the {ref} level is not above zero",
            "replies in which the behaviour occurs",
        )
    first, second = pair_index(d.shape[1])
    if ref == "min":
        z = d / m
        diff = np.log(m[first] / m[second])
    else:
        # Level over reference is a ratio of sums over seeds: the same linearisation as a rate.
        z = linearise(d, np.repeat(base[:, None], d.shape[1], axis=1))
        diff = z.mean(axis=0)[first] - z.mean(axis=0)[second]
    pairs = z[:, first] - z[:, second]
    se = pairs.std(axis=0, ddof=1) / np.sqrt(len(d))
    c = float(np.quantile(max_t(pairs, seed=seed), level))
    low = max(0.0, float((np.abs(diff) - c * se).max()))
    high = float((np.abs(diff) + c * se).max())
    raw = float(np.abs(diff).max())
    if ref == "min":
        raw, low, high = (float(np.expm1(v)) for v in (raw, low, high))
    cross = crossfit_range(d, splits=splits, seed=seed, ratio=ref == "min")
    cross = cross if ref == "min" else cross / float(base.mean())
    return RelativeRange(raw, low, high, cross, ref, level)


def _reference(d: Floats, ref: str, self_column: int | None) -> Floats:
    if ref == "self":
        if self_column is None:
            raise AnalysisError("ref='self' needs the focal among its own partners (self-play)")
        base: Floats = d[:, self_column]
        return base
    if ref not in ("mean", "min"):
        raise AnalysisError(f"ref {ref!r} is unknown; choose 'mean', 'min' or 'self'")
    return np.asarray(d.mean(axis=1))


def crossfit_range(d: Floats, *, splits: int = SPLITS, seed: int = 0, ratio: bool = False) -> float:
    """Highest minus lowest level, picked on half the seeds and measured on the other half.

    Every split is used both ways; conservative, and 0 on average without any effect. With `ratio`
    the value is exp(mean log ratio) - 1.

    >>> crossfit_range(np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]))
    1.0
    """
    n = len(d)
    rng = np.random.default_rng(seed)
    half = np.argsort(rng.random((splits, n)), axis=1) < n // 2
    one = half.astype(np.float64) @ d / (n // 2)
    two = (~half).astype(np.float64) @ d / (n - n // 2)
    row = np.arange(splits)
    values = []
    for pick, measure in ((one, two), (two, one)):
        top, bottom = measure[row, pick.argmax(axis=1)], measure[row, pick.argmin(axis=1)]
        if ratio:
            usable = (top > 0) & (bottom > 0)
            values.append(np.log(top[usable] / bottom[usable]))
        else:
            values.append(top - bottom)
    mean = float(np.concatenate(values).mean())
    return float(np.expm1(mean)) if ratio else mean
