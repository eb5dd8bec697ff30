"""Seed-level sums: the sufficient statistics of everything that follows.

The seed is the unit of resampling (method.md, section 4). A `Cells` holds, for one focal
checkpoint, what its replies add up to in every seed x partner cell; after that the cost of every
statistic grows with seeds x partners and no longer with replies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panelist.analysis.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Measure = Literal["label", "score", "rate", "window_rate", "words"]

UNITS = {
    "label": "share of replies",
    "score": "mean detector score",
    "rate": "cues per 100 words",
    "window_rate": "cues per 100 words of the opening window",
    "words": "words per reply",
}
"""What one unit of each measure is."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Seed x partner sums for one focal checkpoint, one behaviour and one measure.

    All arrays have shape (S, k): S seeds by k partners. A cell without a scored reply has
    ``replies == 0``; `common` drops the seeds that have one.
    """

    focal: str
    behaviour: str
    measure: str
    seeds: tuple[Any, ...]
    partners: tuple[str, ...]
    total: Floats
    """Sum of labels, scores, cues or words over the cell's replies."""
    exposure: Floats
    """Replies (label, score, words) or words (rates), so that level = total / exposure."""
    replies: Floats
    """Scored replies in the cell."""
    sumsq: Floats
    """Sum of squares of the reply-level numerators, for the within-cell variance."""
    missing: Mapping[str, int] = field(default_factory=dict)
    """Rows without an outcome, by status."""
    dropped_seeds: int = 0
    """Seeds that `common` left out."""

    @classmethod
    def from_arrays(
        cls,
        total: ArrayLike,
        exposure: ArrayLike | None = None,
        *,
        replies: ArrayLike | None = None,
        sumsq: ArrayLike | None = None,
        seeds: Sequence[Any] | None = None,
        partners: Sequence[str] | None = None,
        focal: str = "focal",
        behaviour: str = "hedging",
        measure: str = "score",
    ) -> Cells:
        """Cells from (S, k) arrays; without `exposure`, `total` holds one value a cell.

        Raises
        ------
        AnalysisError
            On a shape other than (S, k), NaN, infinite or negative sums, or names that do not fit.

        Examples
        --------
        >>> c = Cells.from_arrays([[1, 0], [2, 1], [1, 1]], [[2, 2], [2, 2], [2, 2]])
        >>> c.levels().round(4).tolist()
        [0.6667, 0.3333]
        """
        y = _array("total", total)
        if y.ndim != 2 or 0 in y.shape:
            raise AnalysisError(
                f"total has shape {y.shape}; give seeds x partners, at least one of each"
            )
        ones = np.ones_like(y)
        x = ones if exposure is None else _array("exposure", exposure, y.shape)
        n = ones if replies is None else _array("replies", replies, y.shape)
        if exposure is not None and replies is None and measure not in ("rate", "window_rate"):
            n = x
        q = np.divide(y**2, n, out=np.zeros_like(y), where=n > 0)
        q = q if sumsq is None else _array("sumsq", sumsq, y.shape)
        for name, a in (("exposure", x), ("replies", n), ("sumsq", q)):
            if (a < 0).any():
                raise AnalysisError(f"{name} has a negative value {a.min():g}; counts start at 0")
        if measure != "score" and (y < 0).any():
            raise AnalysisError(
                f"total has a negative value {y.min():g}; a {measure} is a count and starts at 0"
            )
        if ((n > 0) & (x <= 0)).any():
            raise AnalysisError("exposure is 0 where there are replies; an empty reply is missing")
        s = tuple(range(len(y))) if seeds is None else tuple(seeds)
        p = tuple(f"p{j + 1}" for j in range(y.shape[1])) if partners is None else tuple(partners)
        for name, names, size in (("seeds", s, y.shape[0]), ("partners", p, y.shape[1])):
            if len(names) != size or len(set(names)) != size:
                raise AnalysisError(f"{name} must be {size} different names, got {len(set(names))}")
        return cls(focal, behaviour, measure, s, p, y, x, n, q)

    @property
    def complete(self) -> bool:
        """Whether every seed has a scored reply to every partner."""
        return bool((self.replies > 0).all())

    @property
    def unit(self) -> str:
        """What one unit of a level is."""
        return UNITS.get(self.measure, self.measure)

    @property
    def scale(self) -> float:
        """100 for rates (cues per 100 words), 1 otherwise."""
        return 100.0 if self.measure in ("rate", "window_rate") else 1.0

    def common(self) -> Cells:
        """Only the seeds with a scored reply to every partner (the primary analysis)."""
        keep = np.asarray((self.replies > 0).all(axis=1))
        return self if keep.all() else self.rows(keep)

    def rows(self, keep: NDArray[np.bool_]) -> Cells:
        """Only the seeds where the boolean array (S,) is true; the others count as dropped."""
        return replace(
            self,
            seeds=tuple(s for s, ok in zip(self.seeds, keep, strict=True) if ok),
            total=self.total[keep],
            exposure=self.exposure[keep],
            replies=self.replies[keep],
            sumsq=self.sumsq[keep],
            dropped_seeds=self.dropped_seeds + int((~keep).sum()),
        )

    def select(self, partners: Sequence[str]) -> Cells:
        """The same cells for some partners only, in the order given."""
        unknown = [p for p in partners if p not in self.partners]
        if unknown or len(set(partners)) != len(partners):
            raise AnalysisError(
                f"partners {unknown or list(partners)} are unknown or repeated; "
                f"choose among {list(self.partners)}"
            )
        j = [self.partners.index(p) for p in partners]
        return replace(
            self,
            partners=tuple(partners),
            total=self.total[:, j],
            exposure=self.exposure[:, j],
            replies=self.replies[:, j],
            sumsq=self.sumsq[:, j],
        )

    def levels(self) -> Floats:
        """Level of each partner, shape (k,): the column means of `matrix`."""
        m: Floats = self.matrix().mean(axis=0)
        return m

    def matrix(self) -> Floats:
        """Seed-level values D, shape (S, k), whose column means are the levels.

        Means of replies for labels, scores and words. For a rate the level is a ratio of sums,
        lam_p = 100 sum H / sum W, and D is its linearisation (section 4a):
        ``D[s, p] = lam_p + (100 H_sp - lam_p W_sp) / mean_s(W_sp)``.

        >>> Cells.from_arrays([[1], [3]], [[50], [150]], measure="rate").matrix().tolist()
        [[2.0], [2.0]]
        """
        if not self.seeds:
            raise AnalysisError("no seed has a scored reply to every partner")
        if not self.complete:
            raise AnalysisError("some cells have no scored reply; call common() first")
        if self.scale == 1.0:
            d: Floats = self.total / self.exposure
            return d
        return linearise(self.scale * self.total, self.exposure)

    def to_frame(self) -> pd.DataFrame:
        """One row a cell: seed, partner, total, exposure, replies, sumsq."""
        import pandas as pd

        shape = self.total.shape
        return pd.DataFrame(
            {
                "seed": np.repeat(np.asarray(self.seeds, dtype=object), shape[1]),
                "partner": np.tile(np.asarray(self.partners, dtype=object), shape[0]),
                "total": self.total.ravel(),
                "exposure": self.exposure.ravel(),
                "replies": self.replies.ravel(),
                "sumsq": self.sumsq.ravel(),
            }
        )

    def summary(self) -> str:
        """One paragraph: what was counted, and what was not."""
        lost = sum(self.missing.values())
        why = ", ".join(f"{n} {s}" for s, n in sorted(self.missing.items()) if n)
        text = (
            f"{self.focal}: {int(self.replies.sum())} scored replies to {len(self.partners)} "
            f"partners on {len(self.seeds)} seeds ({self.behaviour}, {self.unit})."
        )
        if lost:
            text += f" {lost} replies carry no score ({why})."
        if self.dropped_seeds:
            text += f" {self.dropped_seeds} seeds lack a reply to some partner and are left out."
        return text


def linearise(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Seed-level values of a ratio of sums, first-order (delta method), along axis 0.

    >>> linearise([1.0, 3.0], [1.0, 1.0]).tolist()
    [1.0, 3.0]
    """
    y, x = np.asarray(numerator, float), np.asarray(denominator, float)
    ratio = y.sum(axis=0) / x.sum(axis=0)
    out: Floats = ratio + (y - ratio * x) / x.mean(axis=0)
    return out


def as_cells(values: Cells | ArrayLike) -> Cells:
    """Cells as they are; an (S, k) array of seed-level values becomes cells of one value each."""
    return values if isinstance(values, Cells) else Cells.from_arrays(values)


def _array(name: str, values: ArrayLike, shape: tuple[int, ...] | None = None) -> Floats:
    try:
        a = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as e:
        raise AnalysisError(f"{name} is not an array of numbers: {e}") from None
    if shape is not None and a.shape != shape:
        raise AnalysisError(f"{name} has shape {a.shape}, total has {shape}; they must agree")
    return checked(name, a)


def checked(name: str, a: Floats) -> Floats:
    """The array itself, if its entries are numbers that can be squared without loss.

    Raises AnalysisError on NaN, infinities, and sizes outside 1e-100 to 1e100, which no behaviour
    has and whose squares over- or underflow silently.
    """
    if not np.isfinite(a).all():
        raise AnalysisError(f"{name} has NaN or infinite values; drop those seeds or mend them")
    size = np.abs(a[a != 0])
    if size.size and (size.max() > 1e100 or size.min() < 1e-100):
        raise AnalysisError(f"{name} has values outside 1e-100 to 1e100 in size; mend the units")
    return a
