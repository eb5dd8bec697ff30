"""Missing cells: does the answer hang on the seeds that were dropped? (method.md 4a.6)

The primary analysis keeps complete seeds. Here every seed with two scored partners or more speaks,
in a Poisson regression with a fixed effect for each seed and errors clustered by seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from panelist.analysis.errors import NotIdentified
from panelist.analysis.interval import check_level
from panelist.analysis.shift import MIN_SEEDS
from panelist.analysis.sufficient import Cells, Floats

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Log-ratios of levels to the first partner's, from all seeds that can speak."""

    focal: str
    reference: str
    partners: tuple[str, ...]
    """The others."""
    log_ratio: Floats
    se: Floats
    low: Floats
    high: Floats
    F: float
    df: tuple[int, int]
    p: float
    """Hotelling-scaled Wald test that all levels are equal."""
    n_seeds: int
    n_incomplete: int
    """Seeds used here that the primary analysis drops."""
    level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a partner."""
        import pandas as pd

        return pd.DataFrame(
            {
                "first": self.partners,
                "second": self.reference,
                "log_ratio": self.log_ratio,
                "se": self.se,
                "low": self.low,
                "high": self.high,
            }
        )

    def summary(self) -> str:
        """One sentence."""
        verdict = "differ" if self.p < 1 - self.level else "are not shown to differ"
        return (
            f"With seed fixed effects on {self.n_seeds} seeds, {self.n_incomplete} of them "
            f"incomplete, the levels of {self.focal} {verdict} between partners (F({self.df[0]}, "
            f"{self.df[1]}) = {self.F:.2f}, p = {self.p:.2g})."
        )


def fixed_effects(cells: Cells, *, level: float = 0.95) -> Sensitivity | NotIdentified:
    """Poisson regression of cell sums with offset log(exposure) and seed fixed effects.

    A seed's effect is profiled out in closed form, so the cost does not grow with the square of
    seeds as a dummy for each would make it; coefficients and the cluster sandwich are those of
    ``statsmodels GLM(..., cov_type="cluster")`` with the dummies, up to its small-sample factor.
    For labels this is "modified Poisson": the log-ratio is of shares, and the sandwich makes up
    for the variance.
    """
    check_level(level)
    y, x, seen = cells.total, cells.exposure, cells.replies > 0
    if (y < 0).any():
        return NotIdentified("seed fixed effects", "some scores are negative", "counts or labels")
    use = (seen.sum(axis=1) >= 2) & (np.where(seen, y, 0.0).sum(axis=1) > 0)
    y, x, seen = (np.where(seen, v, 0.0)[use] for v in (y, x, seen))
    s, k = y.shape
    if k < 2 or s < MIN_SEEDS:
        return NotIdentified(
            "seed fixed effects",
            f"{s} seeds have two partners and the behaviour at least once, among {k} partners",
            f"two partners and {MIN_SEEDS} such seeds or more",
        )
    if (y.sum(axis=0) == 0).any() or not _linked(seen > 0):
        return NotIdentified(
            "seed fixed effects",
            "with some partner the behaviour never occurs, or no seed links it to the others",
            "more replies",
        )
    fit = _fit(y, x)
    if fit is None:
        return NotIdentified(
            "seed fixed effects",
            "in the seeds that link two partners the behaviour occurs with one of them only",
            "more replies",
        )
    b, influence = fit
    size = np.sqrt((influence**2).sum(axis=0))
    spread = np.linalg.svd(influence / np.where(size > 1e-9, size, 1.0), compute_uv=False)
    if (size <= 1e-9).any() or spread[-1] <= 1e-8 * spread[0]:
        return NotIdentified(
            "seed fixed effects",
            "the partners stand in the same ratio on every seed, so there is no noise to judge by",
            "replies that vary between seeds",
        )
    # Seed effects are nested in the clusters and cost no degrees of freedom: statsmodels counts
    # them in (N - 1) / (N - K), which makes the test reject a true null in 1 % instead of 5 %.
    covariance = influence.T @ influence * s / (s - 1)
    se = np.sqrt(np.diag(covariance))
    half = stats.t.ppf((1 + level) / 2, s - 1) * se
    f = float(b @ np.linalg.solve(covariance, b)) * (s - k + 1) / ((s - 1) * (k - 1))
    complete = int((seen.sum(axis=1) == k).sum())
    return Sensitivity(
        focal=cells.focal,
        reference=cells.partners[0],
        partners=cells.partners[1:],
        log_ratio=b,
        se=se,
        low=b - half,
        high=b + half,
        F=f,
        df=(k - 1, s - k + 1),
        p=float(stats.f.sf(f, k - 1, s - k + 1)),
        n_seeds=s,
        n_incomplete=s - complete,
        level=level,
    )


def _linked(seen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> bool:
    """Whether seeds link every partner to the first, directly or through others."""
    reached = np.zeros(seen.shape[1], bool)
    reached[0] = True
    for _ in range(seen.shape[1]):
        reached = reached | seen[(seen & reached).any(axis=1)].any(axis=0)
    return bool(reached.all())


def _fit(y: Floats, x: Floats) -> tuple[Floats, Floats] | None:
    """Coefficients (k-1,) and seeds' influence on them (S, k-1), by Newton's method.

    Given a seed's sum, its cells are multinomial with shares proportional to exposure x exp(b).
    None if the likelihood has no maximum.
    """
    total = y.sum(axis=1, keepdims=True)
    b = np.zeros(y.shape[1])
    for _ in range(100):
        weight = x * np.exp(b)
        share = weight / weight.sum(axis=1, keepdims=True)
        score = (y - total * share)[:, 1:]
        mean = (total * share)[:, 1:]
        information = np.diag(mean.sum(axis=0)) - mean.T @ share[:, 1:]
        flat = np.diag(information).min() <= 1e-12 * total.sum()
        if flat or np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, score.sum(axis=0))
        # A long first step can overshoot where some partner is rare.
        b[1:] += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10 * max(1.0, float(np.abs(b).max())):
            influence: Floats = np.linalg.solve(information, score.T).T
            return b[1:], influence
    return None
