"""Which partners differ: log-ratios of levels, pair by pair, and corrections for many tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import check_level
from panelist.analysis.simultaneous import max_t, pair_index
from panelist.analysis.sufficient import Cells, Floats, as_cells

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Pairs:
    """All k(k-1)/2 contrasts of one focal between two partners, on the log scale."""

    partners: tuple[tuple[str, str], ...]
    log_ratio: Floats
    """log(level with the first partner / level with the second)."""
    se: Floats
    low: Floats
    high: Floats
    """Pointwise t interval on S - 1 degrees of freedom."""
    p: Floats
    """Pointwise two-sided p-value."""
    p_max_t: Floats
    """p-value adjusted for looking at every pair of this focal (max-T)."""
    level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a pair; `ratio` is exp(log_ratio)."""
        import pandas as pd

        return pd.DataFrame(
            {
                "first": [a for a, _ in self.partners],
                "second": [b for _, b in self.partners],
                "ratio": np.exp(self.log_ratio),
                "log_ratio": self.log_ratio,
                "se": self.se,
                "low": self.low,
                "high": self.high,
                "p": self.p,
                "p_max_t": self.p_max_t,
            }
        )

    def summary(self) -> str:
        """One sentence: how many pairs differ once all are looked at, and the clearest."""
        alpha = 1 - self.level
        clear = int((self.p_max_t < alpha).sum())
        if not clear:
            return f"None of the {len(self.p)} pairs of partners differs beyond chance (max-T)."
        j = int(np.argmin(self.p))
        a, b = self.partners[j]
        return (
            f"{clear} of {len(self.p)} pairs of partners differ (max-T); the clearest is {a} "
            f"against {b}, a ratio of {np.exp(self.log_ratio[j]):.2f} "
            f"({np.exp(self.low[j]):.2f} to {np.exp(self.high[j]):.2f})."
        )


def log_ratios(
    values: Cells | ArrayLike, *, level: float = 0.95, seed: int = 0
) -> Pairs | NotIdentified:
    """Pairwise log-ratios of levels with paired, seed-clustered errors (method.md 4a.5).

    ``z_s = D_sp / m_p - D_sq / m_q`` and ``se = sd(z) / sqrt(S)``.

    >>> r = log_ratios([[1.0, 2.0], [2.0, 2.0], [3.0, 5.0]])
    >>> round(float(np.exp(r.log_ratio[0])), 4), round(float(r.se[0]), 4)
    (0.6667, 0.1667)
    """
    c = as_cells(values).common()
    check_level(level)
    d = c.matrix() if c.seeds else np.zeros((0, len(c.partners)))
    n, k = d.shape
    if n < 2 or k < 2:
        return NotIdentified(
            "ratios between partners",
            f"there are {n} complete seeds and {k} partners",
            "two or more of each",
        )
    m = d.mean(axis=0)
    if (m <= 0).any():
        zero = [p for p, v in zip(c.partners, m, strict=True) if v <= 0]
        return NotIdentified(
            "ratios between partners",
            f"the level is not above zero with {', '.join(zero)}",
            "a measure or more replies in which the behaviour occurs with every partner",
        )
    first, second = pair_index(k)
    z = d[:, first] / m[first] - d[:, second] / m[second]
    estimate = np.log(m[first] / m[second])
    se = z.std(axis=0, ddof=1) / np.sqrt(n)
    # Two identical columns differ by exactly nothing: t = 0, not 0 / 0.
    t = np.divide(np.abs(estimate), se, out=np.zeros_like(se), where=se > 0)
    t[(se == 0) & (estimate != 0)] = np.inf
    half = special.stdtrit(n - 1, (1 + level) / 2) * se
    peaks = np.sort(max_t(z, seed=seed))
    beyond = len(peaks) - np.searchsorted(peaks, t, side="left")
    return Pairs(
        partners=tuple((c.partners[i], c.partners[j]) for i, j in zip(first, second, strict=True)),
        log_ratio=estimate,
        se=se,
        low=estimate - half,
        high=estimate + half,
        p=2 * special.stdtr(n - 1, -t),
        p_max_t=(1 + beyond) / (1 + len(peaks)),
        level=level,
    )


def adjust(
    p_values: Mapping[str, float] | Sequence[float], method: Literal["holm", "bh"] = "holm"
) -> Floats:
    """Adjusted p-values: Holm across focal x validated metrics, BH for exploratory ones.

    >>> adjust([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    from statsmodels.stats.multitest import multipletests

    values = p_values.values() if isinstance(p_values, Mapping) else p_values
    p = np.asarray(list(values), float)
    if not len(p) or not ((p >= 0) & (p <= 1)).all():
        raise AnalysisError(f"p-values must lie between 0 and 1, got {p}")
    names = {"holm": "holm", "bh": "fdr_bh"}
    if method not in names:
        raise AnalysisError(f"method {method!r} is unknown; choose 'holm' or 'bh'")
    adjusted: Floats = multipletests(p, method=names[method])[1]
    return adjusted
