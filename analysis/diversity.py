"""Recipe against family in *these checkpoints* (method.md 4b.1 to 4b.3, estimand i).

Pairs of checkpoints fall into three classes, A (same base, different recipe), B (different family,
same recipe) and C (both differ), and their noise-corrected distances give three components:
``sF2 = (C - A) / 2``, ``sR2 = (C - B) / 2``, ``sFR2 = (A + B - C) / 2``. Whether the same holds for
families and recipes in general is another question, asked in `panelist.analysis.generality`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from panelist.analysis.errors import NotIdentified
from panelist.analysis.interval import Interval, Value, check_level, columns, t_from_se
from panelist.analysis.profiles import Profiles, second_moment, squared_distances
from panelist.analysis.shift import MIN_SEEDS
from panelist.analysis.sufficient import Floats

if TYPE_CHECKING:
    import pandas as pd

CLASSES = {
    "A": "same base, different recipe",
    "B": "different family, same recipe",
    "C": "different family, different recipe",
}

FORMULAS: dict[str, dict[str, float]] = {
    "A": {"A": 1.0},
    "B": {"B": 1.0},
    "C": {"C": 1.0},
    "A-B": {"A": 1.0, "B": -1.0},
    "family": {"C": 0.5, "A": -0.5},
    "recipe": {"C": 0.5, "B": -0.5},
    "family x recipe": {"A": 0.5, "B": 0.5, "C": -0.5},
}
"""Every quantity as a weighted sum of the class means."""


@dataclass(frozen=True, eq=False)
class Diversity:
    """Pair classes and variance components of these checkpoints, with seed-jackknife intervals."""

    names: tuple[str, ...]
    behaviours: tuple[str, ...]
    n_seeds: int
    distances: Floats
    """Noise-corrected squared distances (n, n), a behaviour, in within-seed variances."""
    n_pairs: Mapping[str, int]
    quantities: Mapping[str, Value]
    """Keys as in `FORMULAS`."""
    rho: Value
    """(recipe - family) / (recipe + family + family x recipe): 1 all recipe, -1 all family."""
    leave_out: Mapping[str, Value]
    """A - B without one family or one recipe at a time."""
    level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a quantity; a note where it is not identified."""
        import pandas as pd

        rows = []
        named = {**self.quantities, "rho": self.rho}
        named |= {f"A-B without {k}": v for k, v in self.leave_out.items()}
        for q, v in named.items():
            row = {"quantity": q, "estimand": "these checkpoints", "pairs": self.n_pairs.get(q)}
            rows.append(row | columns(v))
        return pd.DataFrame(rows)

    def summary(self) -> str:
        """One paragraph."""
        gap = self.quantities["A-B"]
        text = (
            f"Among these {len(self.names)} checkpoints ({', '.join(self.behaviours)}; "
            f"{self.n_seeds} seeds): "
        )
        if isinstance(gap, NotIdentified):
            return f"{text}recipe against family is {gap.because}"
        a, b = self.quantities["A"], self.quantities["B"]
        assert isinstance(a, Interval) and isinstance(b, Interval)
        if gap.low > 0:
            verdict = "recipes set checkpoints of one base further apart than families do"
        elif gap.high < 0:
            verdict = "families set checkpoints of one recipe further apart than recipes do"
        else:
            verdict = "neither recipe nor family is shown to set checkpoints further apart"
        return text + (
            f"{verdict}. Squared distance between recipes of one base {a.text(1, 2)}, between "
            f"families of one recipe {b.text(1, 2, named=False)}, difference "
            f"{gap.text(1, 2, named=False)}. This holds for "
            "these checkpoints; it says nothing about families and recipes in general."
        )


def pair_classes(profiles: Profiles) -> dict[str, NDArray[np.bool_]]:
    """Masks (n, n) of the pairs i < j in each class; two sizes of one family are in none."""
    family, recipe, base = (np.array(v) for v in (profiles.family, profiles.recipe, profiles.base))
    upper = np.triu(np.ones((len(family), len(family)), bool), 1)
    same_family, same_recipe = (v[:, None] == v[None, :] for v in (family, recipe))
    same_base = base[:, None] == base[None, :]
    return {
        "A": upper & same_base & ~same_recipe,
        "B": upper & ~same_family & same_recipe,
        "C": upper & ~same_family & ~same_recipe,
    }


def class_means(distances: Floats, classes: Mapping[str, NDArray[np.bool_]]) -> dict[str, float]:
    """Mean distance of every class that has a pair."""
    return {k: float(distances[m].mean()) for k, m in classes.items() if m.any()}


def diversity(
    profiles: Profiles, *, level: float = 0.95, leave_out: bool = True
) -> Diversity | NotIdentified:
    """Pair classes A, B, C, components and A - B for these checkpoints.

    Without `leave_out` the sensitivity to single families and recipes is not computed, which takes
    most of the time where there are hundreds of checkpoints.

    Intervals are jackknife-t over seeds: the checkpoints are fixed, the seeds are the sample.
    Returns NotIdentified under 20 seeds or two checkpoints; a quantity whose pair class is empty is
    itself NotIdentified.
    """
    check_level(level)
    s, n, _ = profiles.values.shape
    if n < 2 or s < MIN_SEEDS:
        return NotIdentified(
            "diversity",
            f"there are {n} checkpoints on {s} common seeds",
            f"two checkpoints and {MIN_SEEDS} seeds or more",
        )
    distances = squared_distances(second_moment(profiles.values))
    classes = pair_classes(profiles)
    left = jackknife_class_means(profiles.values, classes)
    full = class_means(distances, classes)
    quantities = {q: _combine(q, w, full, left, level) for q, w in FORMULAS.items()}
    return Diversity(
        names=profiles.names,
        behaviours=profiles.behaviours,
        n_seeds=s,
        distances=distances,
        n_pairs={k: int(m.sum()) for k, m in classes.items()},
        quantities=quantities,
        rho=_rho(full, left, level),
        leave_out=_leave_out(profiles, level) if leave_out else {},
        level=level,
    )


def jackknife_class_means(
    values: Floats, classes: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Floats]:
    """Class means with each seed left out in turn, (S,) a class, without recomputing distances."""
    s, _, p = values.shape
    out = {}
    for name, mask in classes.items():
        if not mask.any():
            continue
        whole = values.sum(axis=0)
        square, along = pair_sums(values, mask), pair_sums(values, mask, whole)
        # Over pairs, |whole - own|^2 less the squares of the seeds that are left.
        total = pair_sums(whole, mask) - 2 * along + 2 * square - square.sum()
        out[name] = total / (mask.sum() * (s - 1) * (s - 2) * p)
    return out


def pair_sums(values: Floats, mask: NDArray[np.bool_], others: Floats | None = None) -> Floats:
    """Sum over pairs (i, j) of the inner products of x_i - x_j and y_i - y_j.

    Parameters
    ----------
    values : array (..., n, P)
        x.
    mask : array (n, n)
        Which pairs.
    others : array (..., n, P), optional
        y; default x itself, and the sum is one of squared distances.

    Examples
    --------
    >>> pair_sums(np.array([[0.0], [1.0], [5.0]]), np.triu(np.ones((3, 3), bool), 1))
    array(42.)
    """
    # The Laplacian of the graph of pairs: of n x n numbers it makes one in a product of matrices,
    # and of all leading axes a single product.
    both = mask.astype(float) + mask.T
    laplacian = np.diag(both.sum(axis=0)) - both
    # What all have in common is in no difference, and would cost digits.
    x = values - values.mean(axis=-2, keepdims=True)
    y = x if others is None else others - others.mean(axis=-2, keepdims=True)
    spread = np.tensordot(y, laplacian, axes=(-2, 0))
    return np.asarray(np.einsum("...np,...pn->...", x, spread))


def _combine(
    quantity: str,
    weights: Mapping[str, float],
    full: Mapping[str, float],
    left: Mapping[str, Floats],
    level: float,
) -> Value:
    lacking = [c for c in weights if c not in full]
    if lacking:
        reasons = " and ".join(f"no pair has {CLASSES[c]}" for c in lacking)
        return NotIdentified(quantity, reasons, "checkpoints that make such pairs")
    estimate = sum(w * full[c] for c, w in weights.items())
    loo = np.asarray(sum(w * left[c] for c, w in weights.items()))
    return jackknife_t(estimate, loo, level)


def jackknife_t(estimate: float, left_out: Floats, level: float) -> Interval:
    """Delete-one jackknife interval from an estimate and its S leave-one-out values."""
    s = len(left_out)
    se = float(np.sqrt((s - 1) / s * ((left_out - left_out.mean()) ** 2).sum()))
    return t_from_se(estimate, se, s - 1, level)


def _rho(full: Mapping[str, float], left: Mapping[str, Floats], level: float) -> Value:
    if len(full) < 3:
        lacking = [CLASSES[c] for c in CLASSES if c not in full]
        return NotIdentified("rho", f"no pair has {' or '.join(lacking)}", "a crossed set")

    def ratio(m: Mapping[str, float] | Mapping[str, Floats]) -> Floats:
        a, b, c = (np.asarray(m[k]) for k in "ABC")
        out: Floats = (a - b) / c
        return out

    # recipe + family + family x recipe = C / 2, and recipe - family = (A - B) / 2.
    whole = _combine("C", {"C": 1.0}, full, left, level)
    assert isinstance(whole, Interval)
    if whole.low <= 0:
        return NotIdentified(
            "rho",
            "these checkpoints are not shown to differ at all",
            "more seeds",
        )
    v = jackknife_t(float(ratio(full)), ratio(left), level)
    # Negative components would carry an index of shares beyond its ends.
    e, low, high = (min(max(x, -1.0), 1.0) for x in (v.estimate, v.low, v.high))
    return Interval(e, low, high, level, v.se)


def _leave_out(profiles: Profiles, level: float) -> dict[str, Value]:
    out: dict[str, Value] = {}
    for kind, labels in (("family", profiles.family), ("recipe", profiles.recipe)):
        levels = sorted(set(labels))
        for value in levels if len(levels) > 1 else []:
            kept = profiles.keep([v != value for v in labels])
            classes = pair_classes(kept)
            full = class_means(squared_distances(second_moment(kept.values)), classes)
            left = jackknife_class_means(kept.values, classes)
            out[f"{kind} {value}"] = _combine("A-B", FORMULAS["A-B"], full, left, level)
    return out
