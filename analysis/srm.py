"""Round-robins: the Social Relations Model on seed-level cells (method.md 4b.5).

``Y_fp = mu + actor_f + partner_p + relationship_fp``. All cells of one seed share its noise, so
mean squares of the averaged grid are not enough: every square is over pairs of *different* seeds,
``U(x, y) = (sum x . sum y - sum x . y) / (S (S - 1))``, which leaves no noise in.

Held against TripleR's published example `liking_a` (54 x 54, no self-play) by hand: its printed
components .172, .105, .609, .014 and .080 come out as .1717, .1053, .6088, .0141 and .0795. The
data are GPL and not part of this package, so no test repeats it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from panelist.analysis.diversity import diversity, jackknife_t
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import Interval, Value, check_level, columns
from panelist.analysis.profiles import Profiles
from panelist.analysis.shift import MIN_SEEDS
from panelist.analysis.sufficient import Cells, Floats, checked

if TYPE_CHECKING:
    import pandas as pd

COMPONENTS = ("actor", "partner", "relationship", "actor-partner covariance", "reciprocity")
SPLIT = ("actor by recipe", "actor by family", "partner by recipe", "partner by family")

_Forms = tuple[Floats, Floats]
"""A U-statistic on all seeds, and with each seed left out (S,)."""


@dataclass(frozen=True, eq=False)
class SocialRelations:
    """Variance components of a round-robin, with seed-jackknife intervals."""

    names: tuple[str, ...]
    n_seeds: int
    self_play: bool
    """Whether the diagonal was used."""
    components: Mapping[str, Interval]
    """Keys as in `COMPONENTS`; variances are unbiased and may be negative."""
    split: Mapping[str, Value]
    """Keys as in `SPLIT`: what recipe and family make of actor and partner variance."""
    level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a component."""
        import pandas as pd

        named: dict[str, Value] = {**self.components, **self.split}
        return pd.DataFrame([{"component": k} | columns(v) for k, v in named.items()])

    def summary(self) -> str:
        """One paragraph."""
        share = {k: max(self.components[k].estimate, 0.0) for k in COMPONENTS[:3]}
        total = sum(share.values())
        text = f"Round-robin of {len(self.names)} checkpoints on {self.n_seeds} seeds: "
        if total > 0:
            a, p, r = (100 * share[k] / total for k in COMPONENTS[:3])
            text += (
                f"{a:.0f} % of the variance between conversations is who speaks, {p:.0f} % is "
                f"who is spoken to, {r:.0f} % is the particular pair. "
            )
        else:
            text += "no variance between conversations is seen beyond noise. "
        for side in ("actor", "partner"):
            recipe, family = self.split[f"{side} by recipe"], self.split[f"{side} by family"]
            if isinstance(recipe, NotIdentified) or isinstance(family, NotIdentified):
                text += f"How recipe and family share the {side} part is not identified. "
            else:
                text += (
                    f"Of the {side} part, recipe makes {recipe.text(1, 4, named=False)} and "
                    f"family {family.text(1, 4, named=False)}. "
                )
        return text + f"Intervals are {100 * self.level:g} % over seeds."


def social_relations(
    grid: ArrayLike | Mapping[str, Cells],
    *,
    names: Sequence[str] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    self_play: bool | None = None,
    level: float = 0.95,
) -> SocialRelations | NotIdentified:
    """Actor, partner and relationship variance of an n x n round-robin, and its split by class.

    Parameters
    ----------
    grid : array (S, n, n) or mapping focal -> Cells
        Seed-level values, focal by partner. The diagonal of an array may be NaN: no self-play.
    names : sequence of str, optional
        For an array.
    labels : mapping name -> {family, recipe, base}, optional
        For the split; without it the split is not identified.
    self_play : bool, optional
        Use the diagonal (the closed two-way form) or not (Kenny's round-robin formulas, n >= 4).
        Default: use it if it is there.

    With the diagonal, relationship variance and reciprocity are solved for jointly: the simple
    ``U(r) / (n-1)^2`` of method.md is off by reciprocity / (n (n-1)).
    """
    check_level(level)
    y, who = _grid(grid, names)
    s, n, _ = y.shape
    diagonal = y[:, np.arange(n), np.arange(n)]
    if self_play is None:
        self_play = bool(np.isfinite(diagonal).all())
    off = ~np.eye(n, dtype=bool)
    checked("grid, off its diagonal,", y[:, off])
    if self_play:
        checked("grid, on its diagonal,", diagonal)
    if n < (3 if self_play else 4) or s < MIN_SEEDS:
        return NotIdentified(
            "social relations",
            f"there are {n} checkpoints on {s} complete seeds",
            f"{3 if self_play else 4} checkpoints and {MIN_SEEDS} seeds or more",
        )
    forms, actor, partner = _with_self(y) if self_play else _round_robin(y)
    components = {
        k: jackknife_t(float(full), left, level)
        for k, (full, left) in zip(COMPONENTS, forms, strict=True)
    }
    return SocialRelations(
        names=who,
        n_seeds=s,
        self_play=self_play,
        components=components,
        split=_split(actor, partner, who, labels, level),
        level=level,
    )


def u_product(x: Floats, y: Floats) -> _Forms:
    """U(x, y) over (S, d) arrays, and with each seed left out.

    x = 1, 2, 3 in one dimension: (36 - 14) / 6.

    >>> full, left = u_product(np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [3.0]]))
    >>> round(float(full), 4), left.tolist()
    (3.6667, [6.0, 3.0, 2.0])
    """
    s = len(x)
    x, y = x.reshape(s, -1), y.reshape(s, -1)
    mx, my, own = x.sum(axis=0), y.sum(axis=0), (x * y).sum(axis=1)
    full = (mx @ my - own.sum()) / (s * (s - 1))
    left = (((mx - x) * (my - y)).sum(axis=1) - (own.sum() - own)) / ((s - 1) * (s - 2))
    return np.asarray(full), left


def _sum(*terms: tuple[float, _Forms]) -> _Forms:
    return (
        np.asarray(sum(w * f[0] for w, f in terms)),
        np.asarray(sum(w * f[1] for w, f in terms)),
    )


def _with_self(y: Floats) -> tuple[list[_Forms], Floats, Floats]:
    n = y.shape[1]
    grand = y.mean(axis=(1, 2), keepdims=True)
    rows, cols = y.mean(axis=2), y.mean(axis=1)
    r = y - rows[:, :, None] - cols[:, None, :] + grand
    a, b = rows - grand[:, :, 0], cols - grand[:, :, 0]
    same, swapped = u_product(r, r), u_product(r, r.transpose(0, 2, 1))
    # E U(r, r) = (n-1)^2 s2 + (n-1)/n c and E U(r, r') = (n-1) s2 + (n-1)^3/n c: solve for both.
    inverse = np.linalg.inv(
        np.array([[(n - 1) ** 2, (n - 1) / n], [n - 1, (n - 1) ** 3 / n]], dtype=float)
    )
    s2 = _sum((inverse[0, 0], same), (inverse[0, 1], swapped))
    c = _sum((inverse[1, 0], same), (inverse[1, 1], swapped))
    spread = [(-1 / n, s2), (1 / n**2, c)]
    actor = _sum((1 / (n - 1), u_product(a, a)), *spread)
    partner = _sum((1 / (n - 1), u_product(b, b)), *spread)
    both = _sum((1 / (n - 1), u_product(a, b)), (-(n - 1) / n**2, c))
    return [actor, partner, s2, both, c], a, b


def _round_robin(y: Floats) -> tuple[list[_Forms], Floats, Floats]:
    """Kenny's formulas for a round-robin without self-play."""
    n = y.shape[1]
    off = ~np.eye(n, dtype=bool)
    z = np.where(off, y, 0.0)
    rows, cols = z.sum(axis=2) / (n - 1), z.sum(axis=1) / (n - 1)
    grand = z.sum(axis=(1, 2))[:, None] / (n * (n - 1))
    own, other, all_ = (n - 1) ** 2 / (n * (n - 2)), (n - 1) / (n * (n - 2)), (n - 1) / (n - 2)
    a = own * rows + other * cols - all_ * grand
    b = own * cols + other * rows - all_ * grand
    g = np.where(off, y - a[:, :, None] - b[:, None, :] - grand[:, :, None], 0.0)
    i, j = np.triu_indices(n, 1)
    plus, minus = (g[:, i, j] + g[:, j, i]) / np.sqrt(2), (g[:, i, j] - g[:, j, i]) / np.sqrt(2)
    df = (n - 1) * (n - 2) / 2
    between = _sum((1 / (df - 1), u_product(plus, plus)))
    within = _sum((1 / df, u_product(minus, minus)))
    s2, c = _sum((0.5, between), (0.5, within)), _sum((0.5, between), (-0.5, within))
    near, far = (n - 1) / (n * (n - 2)), 1 / (n * (n - 2))
    actor = _sum((1 / (n - 1), u_product(a, a)), (-near, s2), (-far, c))
    partner = _sum((1 / (n - 1), u_product(b, b)), (-near, s2), (-far, c))
    both = _sum((1 / (n - 1), u_product(a, b)), (-near, c), (-far, s2))
    return [actor, partner, s2, both, c], a, b


def _split(
    actor: Floats,
    partner: Floats,
    names: tuple[str, ...],
    labels: Mapping[str, Mapping[str, str]] | None,
    level: float,
) -> dict[str, Value]:
    """Recipe and family components of actor and of partner effects, through pair classes.

    What relationships add to a mean over n partners is the same in classes A, B and C, so it
    cancels in these components.
    """
    if labels is None or any(not {"family", "recipe"} <= set(labels.get(f, {})) for f in names):
        reason = "the family or the recipe of some checkpoint is not given"
        return {k: NotIdentified(k, reason, "labels for every checkpoint") for k in SPLIT}
    of = {k: [labels[f].get(k, labels[f]["family"]) for f in names] for k in ("family", "base")}
    recipe = [labels[f]["recipe"] for f in names]
    out: dict[str, Value] = {}
    for side, effects in (("actor", actor), ("partner", partner)):
        parts = diversity(
            Profiles.from_arrays(
                effects, names=names, family=of["family"], recipe=recipe, base=of["base"], scale=1.0
            ),
            level=level,
        )
        for axis in ("recipe", "family"):
            key = f"{side} by {axis}"
            out[key] = parts if isinstance(parts, NotIdentified) else parts.quantities[axis]
    return out


def _grid(
    grid: ArrayLike | Mapping[str, Cells], names: Sequence[str] | None
) -> tuple[Floats, tuple[str, ...]]:
    if not isinstance(grid, Mapping):
        y = np.asarray(grid, float)
        if y.ndim != 3 or y.shape[1] != y.shape[2] or 0 in y.shape:
            raise AnalysisError(f"grid must be seeds x focals x partners, got {y.shape}")
        who = tuple(f"m{i + 1}" for i in range(y.shape[1])) if names is None else tuple(names)
        if len(who) != y.shape[1]:
            raise AnalysisError(f"names has {len(who)} entries, grid has {y.shape[1]}")
        return y, who
    who = tuple(grid)
    if not who:
        raise AnalysisError("grid is empty; give the Cells of every focal")
    with_self = all(f in c.partners for f, c in grid.items())
    chosen = [c.select([p for p in who if with_self or p != f]).common() for f, c in grid.items()]
    shared = set.intersection(*(set(c.seeds) for c in chosen))
    y = np.full((len(shared), len(who), len(who)), np.nan)
    for i, c in enumerate(chosen):
        kept = c.rows(np.array([s in shared for s in c.seeds], dtype=bool))
        y[:, i, [who.index(p) for p in kept.partners]] = kept.matrix() if shared else 0.0
    return y, who
