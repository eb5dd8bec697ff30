"""Rank intervals: which places of a board the data leave open, for all of its rows at once.

A rank is a count of differences, and two rows differ only where a simultaneous test of all pairs
says so: a row's interval runs from 1 + the rows that are shown to stand above it to n - the rows
that are shown to stand below (confidence sets for ranks: Mogstad, Romano, Shaikh, Wilhelm 2024,
Review of Economic Studies 91; one-step max-T over pairs, as in method.md 4a.5). Seeds are
resampled, together for all rows, so that what seeds share cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import check_level
from panelist.analysis.shift import MIN_SEEDS, identified
from panelist.analysis.sufficient import Cells, Floats

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 1000
"""Draws of the max-T reference: the Monte-Carlo error of a 5 % tail is 0.7 points."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Places of n rows, the largest value first."""

    names: tuple[str, ...]
    values: Floats
    """(n,) estimates that were ranked."""
    low: NDArray[np.intp]
    high: NDArray[np.intp]
    """(n,) ends of the simultaneous rank intervals, 1 the largest value."""
    tied: NDArray[np.intp]
    """(n,) rows that cannot be told from each, itself included."""
    n_seeds: int
    critical: float
    """What |t| of a difference has to exceed."""
    level: float

    @property
    def top(self) -> tuple[str, ...]:
        """The rows that may be first, the largest value first."""
        order = np.argsort(-self.values, kind="stable")
        return tuple(self.names[i] for i in order if self.low[i] == 1)

    def to_frame(self) -> pd.DataFrame:
        """One row a name: value, low, high, tied."""
        import pandas as pd

        return pd.DataFrame(
            {
                "name": self.names,
                "value": self.values,
                "low": self.low,
                "high": self.high,
                "tied": self.tied,
            }
        )

    def summary(self) -> str:
        """One paragraph."""
        n = len(self.names)
        if len(self.top) == n:
            return f"None of {n} can be told from all others on {self.n_seeds} seeds: all are tied."
        return (
            f"{len(self.top)} of {n} may be first on {self.n_seeds} seeds "
            f"({', '.join(self.top[:5])}{', …' if len(self.top) > 5 else ''}); "
            f"all rank intervals hold together with {100 * self.level:g} % confidence."
        )


def ranking(
    influence: ArrayLike,
    values: ArrayLike | None = None,
    *,
    variance: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Ranking | NotIdentified:
    """Simultaneous rank intervals from seed-level values.

    Parameters
    ----------
    influence : array (S, n)
        Seed-level values of n rows, or the jackknife's pseudo-values of a statistic
        (`level_values`, `shift_values`, `detection_values`); NaN where a row lacks a seed.
    values : array (n,), optional
        The statistics themselves; default the means of `influence`.
    variance : array (n,), optional
        Of each statistic, beside what seeds show; independent between rows. Default none.
    names : sequence of n str, optional
    level : float
        Of all rank intervals together.
    draws, seed : int
        Of the reference.

    Returns
    -------
    Ranking, or NotIdentified under two rows, or where a row has fewer than 20 seeds.

    Raises
    ------
    AnalysisError
        On shapes that do not fit, or infinite values.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal([0, 0, 5], 1, (40, 3))
    >>> made = ranking(x, names=["a", "b", "c"])
    >>> made.low.tolist(), made.high.tolist(), made.top
    ([2, 2, 1], [3, 3, 1], ('c',))
    """
    check_level(level)
    x = np.asarray(influence, float)
    if x.ndim != 2 or np.isinf(x).any():
        raise AnalysisError(f"influence must be finite seeds x rows, got {x.shape}")
    s, n = x.shape
    label = tuple(f"r{i + 1}" for i in range(n)) if names is None else tuple(names)
    seen = ~np.isnan(x)
    counts = seen.sum(axis=0)
    fewest = int(counts.min()) if n else 0
    if n < 2 or fewest < MIN_SEEDS:
        return NotIdentified(
            "ranks",
            f"there are {n} rows, the one with the fewest seeds has {fewest}",
            f"two rows and {MIN_SEEDS} seeds or more",
        )
    mean = np.nanmean(x, axis=0)
    value = mean if values is None else np.asarray(values, float)
    own = np.zeros(n) if variance is None else np.asarray(variance, float)
    if value.shape != (n,) or own.shape != (n,) or len(label) != n:
        raise AnalysisError(
            f"values, variance and names must have {n} entries, as influence has columns"
        )
    if not (own >= 0).all():
        raise AnalysisError("variance must be 0 or more")
    # A lacking seed moves nothing; the others weigh more in its place.
    psi = np.where(seen, x - mean, 0.0) / counts
    gram = psi.T @ psi
    norm = np.diag(gram)
    # The t of a mean has S - 1 below its variance.
    shown = np.maximum(norm[:, None] + norm - 2 * gram, 0.0) * s / (s - 1)
    spread = np.sqrt(shown + own[:, None] + own)
    apart = spread > 1e-12 * max(1e-300, float(np.sqrt((norm + own).max())))
    scale = np.where(apart, spread, np.inf)
    critical = _critical(psi, np.sqrt(own), scale, level, draws, seed)
    gap = value[:, None] - value
    # Where no seed sets two rows apart from their difference, any difference is one.
    bound = np.where(apart, critical * spread, 1e-12)
    above, below = (gap > bound).sum(axis=0), (gap < -bound).sum(axis=0)
    return Ranking(label, value, 1 + above, n - below, n - above - below, s, critical, level)


def _critical(
    psi: Floats, own: Floats, scale: Floats, level: float, draws: int, seed: int
) -> float:
    """Quantile of the largest |t| over pairs, where nothing differs."""
    s = len(psi)
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((draws, s)) @ (psi * np.sqrt(s / (s - 1)))
    t = np.sqrt(rng.chisquare(s - 1, draws) / (s - 1))
    if own.any():
        z = z + rng.standard_normal((draws, len(own))) * own
    # A row against all later ones, in all draws at once.
    z, weight, largest = np.ascontiguousarray(z.T), 1 / scale, np.zeros(draws)
    room = np.empty_like(z)
    for i in range(len(z) - 1):
        gap = np.subtract(z[i + 1 :], z[i], out=room[i + 1 :])
        np.abs(gap, out=gap)
        gap *= weight[i, i + 1 :, None]
        np.maximum(largest, gap.max(axis=0), out=largest)
    return float(np.quantile(largest / t, level))


def level_values(cells: Cells) -> Floats:
    """Seed-level values (S,) of a checkpoint's level over its partners."""
    return np.asarray(cells.common().matrix().mean(axis=1))


def shift_values(cells: Cells) -> tuple[float, Floats] | NotIdentified:
    """Squared relative shift, tau2 / level^2, and its jackknife pseudo-values (S,).

    The square keeps its sign, so that noise around no shift at all does not pile up at 0.
    """
    c = cells.common()
    refusal = identified(c)
    if refusal:
        return refusal
    d = c.matrix()
    s, k = d.shape
    u = d - d.mean(axis=1, keepdims=True)
    own = (u**2).sum(axis=1)
    mean = d.mean(axis=1)

    def statistic(total: Floats, squares: Floats, level: Floats, n: int) -> Floats:
        tau2 = ((total**2).sum(axis=-1) - squares) / (n * (n - 1) * (k - 1))
        made: Floats = tau2 / level**2
        return made

    total, level = u.sum(axis=0), mean.sum()
    left = (level - mean) / (s - 1)
    if level <= 0 or (left <= 0).any():
        return NotIdentified(
            "relative shift",
            "the behaviour occurs with one seed at most",
            "replies in which the behaviour occurs",
        )
    whole = float(statistic(total, own.sum(), level / s, s))
    without = statistic(total - u, own.sum() - own, left, s - 1)
    return whole, s * whole - (s - 1) * without


def detection_values(planted: Cells, clean: Cells) -> tuple[float, Floats, float]:
    """d' of planted turns against their clean twins, its jackknife pseudo-values, and the variance
    that these do not show (`detection.unseen_variance`).

    The cells must be of the same seeds.

    Raises
    ------
    AnalysisError
        Their seeds differ.
    """
    from panelist.analysis.detection import d_prime, unseen_variance

    if planted.seeds != clean.seeds:
        raise AnalysisError("planted and clean must have the same seeds; take those of both")
    sums = np.stack(
        [c.sum(axis=1) for side in (planted, clean) for c in (side.total, side.replies)]
    )
    whole = float(d_prime(sums.sum(axis=1)))
    without = d_prime(sums.sum(axis=1, keepdims=True) - sums)
    size = len(planted.seeds)
    return whole, size * whole - (size - 1) * without, unseen_variance(sums)
