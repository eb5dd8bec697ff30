"""Does recipe matter? Does family? Restricted permutation tests (method.md 4b.4).

Recipe labels are shuffled within a base, family labels within a recipe: under the null of no effect
of the shuffled label these arrangements are exchangeable, whatever the other axis does. The tests
say that an axis matters, not that it matters more than the other; no exact permutation says that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import permutations, product
from math import factorial, prod
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.profiles import Profiles, second_moment, squared_distances
from panelist.analysis.sufficient import Floats

if TYPE_CHECKING:
    import pandas as pd

EXACT_LIMIT = 20_000
"""Arrangements up to which all are enumerated."""

_Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Permutation:
    """A restricted permutation test of one axis."""

    axis: str
    statistic: float
    """Mean squared distance of pairs that differ in the axis, less that of pairs that share it,
    both across levels of the other axis."""
    p: float
    """One-sided; the arrangement observed is among those counted."""
    arrangements: int
    exact: bool
    """Whether these are all arrangements, or a random sample of them."""

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        import pandas as pd

        return pd.DataFrame([asdict(self)])

    def summary(self) -> str:
        """One sentence."""
        verdict = "matters" if self.p < 0.05 else "is not shown to matter"
        how = "all" if self.exact else "a random sample of"
        return (
            f"{self.axis.capitalize()} {verdict} in this set (p = {self.p:.2g}, {how} "
            f"{self.arrangements} restricted arrangements; the smallest p they allow is "
            f"{1 / self.arrangements:.2g})."
        )


def permutation_test(
    profiles: Profiles,
    axis: Literal["recipe", "family"],
    *,
    draws: int = 4999,
    seed: int = 0,
) -> Permutation | NotIdentified:
    """Permutation test of one axis with the other held fixed.

    Enumerated where there are at most 20,000 arrangements, otherwise `draws` random ones.
    """
    if axis not in ("recipe", "family"):
        raise AnalysisError(f"axis {axis!r} is unknown; choose 'recipe' or 'family'")
    if len(profiles.values) < 2:
        return NotIdentified(f"effect of {axis}", "there is one seed", "two or more")
    d2 = squared_distances(second_moment(profiles.values))
    labels, blocks = (
        (profiles.recipe, profiles.base) if axis == "recipe" else (profiles.base, profiles.recipe)
    )
    shuffled, block = (np.unique(v, return_inverse=True)[1] for v in (labels, blocks))
    # Two bases of one family are shuffled as bases, and compared as families.
    names = np.unique(labels)
    of = dict(zip(profiles.base, profiles.family, strict=True))
    compare = names if axis == "recipe" else np.array([of[b] for b in names])
    other = np.array(profiles.family if axis == "recipe" else profiles.recipe)
    across = np.triu(other[:, None] != other[None, :], 1)
    same = compare[shuffled][:, None] == compare[shuffled][None, :]
    if not (across & same).any() or not (across & ~same).any():
        return NotIdentified(
            f"effect of {axis}",
            f"no pair shares its {axis} across levels of the other axis",
            "a crossed set of checkpoints",
        )
    i, j = np.nonzero(across)
    arrangements, exact = _arrange(shuffled, block, draws, seed)
    if len(arrangements) < 2:
        return NotIdentified(
            f"effect of {axis}", "the labels can be arranged in one way only", "a crossed set"
        )
    codes = np.unique(compare, return_inverse=True)[1][arrangements]
    statistics = _statistic(d2[i, j], codes[:, i] == codes[:, j])
    observed = statistics[0]
    # Equal arrangements differ by rounding: count near ties as ties.
    slack = 1e-9 * max(1e-300, float(np.abs(statistics).max()))
    p = float((statistics >= observed - slack).mean())
    return Permutation(axis, float(observed), p, len(arrangements), exact)


def _statistic(distances: Floats, same: NDArray[np.bool_]) -> Floats:
    """Different minus same, a row of `same` each; the observed arrangement comes first."""
    n_same = same.sum(axis=1)
    n_other = same.shape[1] - n_same
    total = same @ distances
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (distances.sum() - total) / n_other - total / n_same
    # An arrangement without pairs of both kinds says nothing; it counts as if it were nought.
    out: Floats = np.nan_to_num(value, nan=0.0, posinf=0.0, neginf=0.0)
    return out


def _arrange(labels: _Codes, block: _Codes, draws: int, seed: int) -> tuple[_Codes, bool]:
    """Label codes rearranged within blocks, the observed first: (arrangements, n), and if all."""
    groups = [np.flatnonzero(block == b) for b in np.unique(block)]
    groups = [g for g in groups if len(set(labels[g])) > 1]
    # Renaming all levels alike changes nothing: a block with every level once may stand still.
    levels = len(set(labels))
    still = next((g for g in groups if len(g) == levels == len(set(labels[g]))), None)
    moving = [g for g in groups if g is not still]
    if prod(factorial(len(g)) for g in moving) <= EXACT_LIMIT:
        options = [sorted(set(permutations(labels[g].tolist()))) for g in moving]
        out = [labels]
        for choice in product(*options):
            row = labels.copy()
            for g, values in zip(moving, choice, strict=True):
                row[g] = values
            if (row != labels).any():
                out.append(row)
        return np.array(out), True
    rng = np.random.default_rng(seed)
    rows = np.tile(labels, (draws + 1, 1))
    for g in moving:
        rows[1:, g] = rng.permuted(rows[1:, g], axis=1)
    return rows, False
