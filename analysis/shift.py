"""How far one focal checkpoint moves with its partner (method.md 4a)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.extent import SPLITS, Reference, RelativeRange, relative_range
from panelist.analysis.interval import Interval, check_level, level_interval
from panelist.analysis.pairs import Pairs, log_ratios
from panelist.analysis.quadratic import quadratic_interval
from panelist.analysis.sufficient import UNITS, Cells, Floats, as_cells

if TYPE_CHECKING:
    import pandas as pd

MIN_SEEDS = 20
"""Below this the interval of tau2 and the max-T reference are not to be trusted."""


@dataclass(frozen=True, eq=False)
class Shift:
    """Partner-conditioned shift of one focal, one behaviour, one measure."""

    focal: str
    behaviour: str
    measure: str
    partners: tuple[str, ...]
    n_seeds: int
    n_replies: int
    n_dropped: int
    """Seeds left out because some partner has no scored reply there."""
    levels: tuple[Interval, ...]
    """Level with each partner: a share's Wilson interval for labels, Student's t otherwise."""
    shrunken: tuple[float, ...] | None
    """James-Stein levels; None under four partners."""
    tau2: Interval
    """Noise-corrected variance between partners; the estimate may be negative."""
    rel_sd: Interval | NotIdentified
    """The headline: sqrt(tau2) / mean level, as a fraction."""
    F: float
    df: tuple[int, int]
    p: float
    """Omnibus Hotelling test of "no partner differs"."""
    range: RelativeRange | NotIdentified
    pairs: Pairs | NotIdentified
    level: float

    @property
    def mean(self) -> float:
        """Mean of the levels."""
        return float(np.mean([v.estimate for v in self.levels]))

    def to_frame(self) -> pd.DataFrame:
        """One row a partner: level, se, interval, shrunken level."""
        import pandas as pd

        shrunken = self.shrunken or (float("nan"),) * len(self.levels)
        return pd.DataFrame(
            [
                {
                    "focal": self.focal,
                    "behaviour": self.behaviour,
                    "measure": self.measure,
                    "partner": p,
                    "level": v.estimate,
                    "se": v.se,
                    "low": v.low,
                    "high": v.high,
                    "shrunken": s,
                }
                for p, v, s in zip(self.partners, self.levels, shrunken, strict=True)
            ]
        )

    def summary(self) -> str:
        """One paragraph in plain words."""
        unit = UNITS.get(self.measure, self.measure)
        text = (
            f"{self.focal} was measured with {len(self.partners)} partners on {self.n_seeds} "
            f"seeds ({self.behaviour}, {unit}; {self.n_replies} replies). "
        )
        if isinstance(self.rel_sd, NotIdentified):
            text += self.rel_sd.summary()
        elif self.rel_sd.high == 0:
            text += (
                "Its level varies less between partners than noise alone usually makes it vary, "
                "so no shift is estimated"
            )
        else:
            text += (
                "Beyond noise, its level varies between partners by "
                f"{self.rel_sd.text(100, 1, ' %')} of its mean"
            )
        verdict = "moves" if self.p < 1 - self.level else "is not shown to move"
        text += (
            f". The checkpoint {verdict} with its partner (F({self.df[0]}, {self.df[1]}) = "
            f"{self.F:.2f}, p = {self.p:.2g})."
        )
        if isinstance(self.range, RelativeRange):
            text += " " + self.range.summary()
        if self.n_dropped:
            text += f" {self.n_dropped} seeds lack a reply to some partner and are left out."
        return text


def tau2_estimate(d: ArrayLike) -> float:
    """Noise-corrected variance of the levels between partners: an unbiased U-statistic.

    With ``u_s = D_s - mean(D_s)``: ``(|sum u|^2 - sum |u|^2) / (S (S-1) (k-1))`` (method.md
    4a.2). Negative values are kept, or an average of many would be biased.

    Parameters
    ----------
    d : array (S, k)

    Examples
    --------
    u = (-1, 1), (0, 0), (-2, 2); |sum u|^2 = 18, sum |u|^2 = 10, so (18 - 10) / (3 x 2 x 1):

    >>> round(tau2_estimate([[1, 3], [2, 2], [0, 4]]), 4)
    1.3333
    """
    d = np.asarray(d, float)
    n, k = d.shape
    u = d - d.mean(axis=1, keepdims=True)
    return float(((u.sum(axis=0) ** 2).sum() - (u**2).sum()) / (n * (n - 1) * (k - 1)))


def noise_variance(d: ArrayLike) -> float:
    """Variance between levels that noise alone makes: v = trace(H Sig H) / (k - 1).

    >>> round(noise_variance([[1, 3], [2, 2], [0, 4]]), 4)
    0.6667
    """
    d = np.asarray(d, float)
    n, k = d.shape
    u = d - d.mean(axis=1, keepdims=True)
    return float(((u - u.mean(axis=0)) ** 2).sum() / (n * (n - 1) * (k - 1)))


def hotelling(d: ArrayLike) -> tuple[float, tuple[int, int], float]:
    """Omnibus test that all k levels are equal: F, its degrees of freedom, p (method.md 4a.1).

    With two partners it is the square of the paired t test:

    >>> F, df, p = hotelling([[1, 3], [2, 2], [0, 4]])
    >>> round(F, 4), df, round(p, 4)
    (3.0, (1, 2), 0.2254)
    """
    d = np.asarray(d, float)
    n, k = d.shape
    c = d[:, 1:] - d[:, :1]
    mean = c.mean(axis=0)
    t2 = n * mean @ np.linalg.solve(np.atleast_2d(np.cov(c, rowvar=False)), mean)
    df = (k - 1, n - k + 1)
    f = float(t2 * df[1] / ((n - 1) * df[0]))
    return f, df, float(special.fdtrc(*df, max(f, 0.0)))


def shrink(levels: Floats, v: float) -> Floats | None:
    """James-Stein levels towards their mean, None under four partners (method.md 4b.6).

    Levels that agree are shrunken already:

    >>> shrink(np.array([0.5, 0.5, 0.5, 0.5]), 0.1).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    k = len(levels)
    if k < 4:
        return None
    noise, spread = (k - 3) * v, (k - 1) * float(levels.var(ddof=1))
    weight = 1 - noise / spread if spread > noise else 0.0
    out: Floats = levels.mean() + weight * (levels - levels.mean())
    return out


def shift(
    values: Cells | ArrayLike,
    *,
    level: float = 0.95,
    ref: Reference = "mean",
    splits: int = SPLITS,
    seed: int = 0,
) -> Shift | NotIdentified:
    """Does the focal's behaviour move with its partner, and by how much?

    Parameters
    ----------
    values : Cells or array (S, k)
        Seeds with a missing cell are left out and counted.
    level : float
        Of every interval.
    ref : {"mean", "min", "self"}
        What the relative range is relative to.
    splits : int
        Random halvings behind the cross-fitted range.
    seed : int
        Of the random numbers behind max-T and the splits: the same data give the same digits.

    Returns
    -------
    Shift, or NotIdentified under two partners, under 20 complete seeds, or when contrasts between
    partners have no variance.
    """
    check_level(level)
    if splits < 1:
        raise AnalysisError(f"splits must be 1 or more, got {splits}")
    whole = as_cells(values)
    c = whole.common()
    refusal = identified(c)
    if refusal:
        return refusal
    d = c.matrix()
    n, k = d.shape
    m = d.mean(axis=0)
    v = noise_variance(d)
    tau2 = _tau2(d, level)
    f, df, p = hotelling(d)
    shrunken = shrink(m, v)
    own = c.partners.index(c.focal) if c.focal in c.partners else None
    return Shift(
        focal=c.focal,
        behaviour=c.behaviour,
        measure=c.measure,
        partners=c.partners,
        n_seeds=n,
        n_replies=int(c.replies.sum()),
        n_dropped=c.dropped_seeds,
        levels=tuple(level_interval(d[:, j], c.measure, level) for j in range(k)),
        shrunken=None if shrunken is None else tuple(shrunken.tolist()),
        tau2=tau2,
        rel_sd=relative_sd(tau2, float(m.mean())),
        F=f,
        df=df,
        p=p,
        range=relative_range(d, ref=ref, self_column=own, level=level, splits=splits, seed=seed),
        pairs=log_ratios(c, level=level, seed=seed),
        level=level,
    )


def brief_shift(
    values: Cells | ArrayLike, *, level: float = 0.95
) -> tuple[Interval | NotIdentified, float] | NotIdentified:
    """Relative SD and omnibus p alone, as `shift` has them: for boards of many checkpoints."""
    check_level(level)
    c = as_cells(values).common()
    refusal = identified(c)
    if refusal:
        return refusal
    d = c.matrix()
    return relative_sd(_tau2(d, level), float(d.mean())), hotelling(d)[2]


def _tau2(d: Floats, level: float) -> Interval:
    n, k = d.shape
    u = d - d.mean(axis=1, keepdims=True)
    low, high = quadratic_interval(u.mean(axis=0), np.cov(u, rowvar=False) / n, level)
    return Interval(tau2_estimate(d), low / (k - 1), high / (k - 1), level)


def relative_sd(tau2: Interval, mean: float) -> Interval | NotIdentified:
    """sqrt of a tau2 interval over the mean level; negative variances print as 0."""
    if mean <= 0:
        return NotIdentified(
            "relative shift",
            f"the mean level is {mean:g}, and a share of nothing is not a number",
            "replies in which the behaviour occurs",
        )
    root = [float(np.sqrt(max(x, 0.0))) / mean for x in (tau2.estimate, tau2.low, tau2.high)]
    return Interval(root[0], root[1], root[2], tau2.level)


def identified(c: Cells, quantity: str = "shift") -> NotIdentified | None:
    """Why these complete cells cannot give a shift, or None if they can."""
    n, k = len(c.seeds), len(c.partners)
    if k < 2:
        return NotIdentified(quantity, f"{c.partners[0]} is the only partner", "two or more")
    if n < MIN_SEEDS:
        return NotIdentified(
            quantity,
            f"only {n} seeds have a scored reply to every partner",
            f"at least {MIN_SEEDS}",
        )
    d = c.matrix()
    contrasts = d[:, 1:] - d[:, :1]
    sd = contrasts.std(axis=0)
    # Rounding leaves specks of variance in a rate that is the same everywhere.
    tiny = 1e-12 * max(float(np.abs(d).max()), 1e-300)
    if (d.std(axis=0) <= tiny).all():
        return NotIdentified(
            quantity,
            "every seed has the same value with a given partner, so there is no noise to judge by",
            "replies that vary between seeds",
        )
    for i in range(k):
        for j in range(i + 1, k):
            if (d[:, i] - d[:, j]).std() <= tiny:
                return NotIdentified(
                    quantity,
                    f"the replies to {c.partners[i]} and {c.partners[j]} differ by the same amount "
                    "on every seed (identical replies, as at temperature 0 or from a cache)",
                    "independent replies, or leaving one of the two out",
                )
    singular = np.linalg.svd((contrasts - contrasts.mean(axis=0)) / sd, compute_uv=False)
    if singular[-1] <= 1e-8 * singular[0]:
        return NotIdentified(
            quantity,
            "the contrasts between partners are linearly dependent",
            "fewer partners or more seeds",
        )
    return None
