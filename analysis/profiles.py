"""Behaviour profiles: several checkpoints on the same seeds, with the same partners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from panelist.analysis.errors import AnalysisError
from panelist.analysis.sufficient import Cells, Floats, checked


@dataclass(frozen=True, eq=False)
class Profiles:
    """Seed-level behaviour vectors of n checkpoints: what distances are made of."""

    values: Floats
    """(S, n, P): seeds, checkpoints, behaviours, in within-seed standard deviations."""
    names: tuple[str, ...]
    behaviours: tuple[str, ...]
    family: tuple[str, ...]
    recipe: tuple[str, ...]
    base: tuple[str, ...]
    """The pretrained model; the family where it is not known."""

    @classmethod
    def from_arrays(
        cls,
        values: ArrayLike,
        *,
        names: Sequence[str] | None = None,
        family: Sequence[str] | None = None,
        recipe: Sequence[str] | None = None,
        base: Sequence[str] | None = None,
        behaviours: Sequence[str] | None = None,
        scale: ArrayLike | None = None,
    ) -> Profiles:
        """Profiles from an (S, n, P) or (S, n) array.

        Each behaviour is divided by `scale` (P,), by default its pooled within-seed standard
        deviation: the spread of what is left of the values once seeds and checkpoints are taken
        out. Never the spread between models, which is the thing to be measured (method.md 4b.1).
        Pass ``scale=1`` for values that are on their scale already.
        """
        x = np.asarray(values, float)
        x = x[:, :, None] if x.ndim == 2 else x
        if x.ndim != 3 or 0 in x.shape:
            raise AnalysisError(f"values must be seeds x checkpoints x behaviours, got {x.shape}")
        checked("values", x)
        _, n, p = x.shape
        label = [f"m{i + 1}" for i in range(n)] if names is None else [str(v) for v in names]
        fam = label if family is None else [str(v) for v in family]
        rec = label if recipe is None else [str(v) for v in recipe]
        bas = fam if base is None else [str(v) for v in base]
        beh = [f"b{j + 1}" for j in range(p)] if behaviours is None else list(behaviours)
        for what, v, size in (
            ("names", label, n),
            ("family", fam, n),
            ("recipe", rec, n),
            ("base", bas, n),
            ("behaviours", beh, p),
        ):
            if len(v) != size:
                raise AnalysisError(f"{what} has {len(v)} entries, values has {size}")
        if len(set(label)) != n:
            raise AnalysisError(f"names must differ, got {label}")
        if scale is None:
            unit = within_seed_sd(x)
            flat = [b for b, u in zip(beh, unit, strict=True) if not u > 0]
            if flat:
                raise AnalysisError(
                    f"behaviours {flat} do not vary within seeds, so they have no scale; "
                    "leave them out"
                )
        else:
            unit = np.broadcast_to(np.asarray(scale, float), (p,))
            if not ((unit > 0) & np.isfinite(unit)).all():
                raise AnalysisError(f"scale must be above 0, got {scale}")
        return cls(x / unit, tuple(label), tuple(beh), tuple(fam), tuple(rec), tuple(bas))

    @classmethod
    def from_cells(
        cls,
        cells: Mapping[str, Mapping[str, Cells]],
        labels: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Profiles:
        """Profiles from ``{behaviour: {focal: Cells}}`` as `cells_by_focal` gives them.

        Every focal is averaged over the partners that all of them met with that behaviour, on the
        seeds complete for all. `labels` maps a focal to its ``family``, ``recipe`` and ``base``.
        """
        if not cells or not all(cells.values()):
            raise AnalysisError("cells is empty; give one behaviour and two focals or more")
        names = list(next(iter(cells.values())))
        if any(set(per) != set(names) for per in cells.values()):
            raise AnalysisError("every behaviour needs the same focals")
        reduced = {b: _shared(per) for b, per in cells.items()}
        seeds: set[Any] = set.intersection(
            *(set(c.seeds) for per in reduced.values() for c in per.values())
        )
        if not seeds:
            raise AnalysisError("no seed is complete for every focal and partner")
        layers = []
        for per in reduced.values():
            columns = []
            for f in names:
                keep = np.array([s in seeds for s in per[f].seeds])
                columns.append(per[f].rows(keep).matrix().mean(axis=1))
            layers.append(np.stack(columns, axis=1))
        of = labels or {}

        def label(key: str) -> list[str]:
            return [str(of.get(f, {}).get(key, f)) for f in names]

        known = all("base" in of.get(f, {}) for f in names)
        return cls.from_arrays(
            np.stack(layers, axis=2),
            names=names,
            family=label("family"),
            recipe=label("recipe"),
            base=label("base") if known else None,
            behaviours=list(cells),
        )

    def keep(self, which: ArrayLike) -> Profiles:
        """Only the checkpoints where the boolean array (n,) is true; the scale stays."""
        mask = np.asarray(which, bool)
        pick = [i for i in range(len(self.names)) if mask[i]]

        def of(v: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(v[i] for i in pick)

        return replace(
            self,
            values=self.values[:, pick],
            names=of(self.names),
            family=of(self.family),
            recipe=of(self.recipe),
            base=of(self.base),
        )


def _shared(per: Mapping[str, Cells]) -> dict[str, Cells]:
    """The focals' cells with the partners that all of them met."""
    first = next(iter(per.values()))
    shared = [p for p in first.partners if all(p in c.partners for c in per.values())]
    if not shared:
        raise AnalysisError("no partner was met by every focal; profiles need a common bank")
    return {f: c.select(shared).common() for f, c in per.items()}


def within_seed_sd(values: Floats) -> Floats:
    """Pooled within-seed standard deviation of each behaviour, shape (P,), of (S, n, P) values."""
    s, n, _ = values.shape
    if s < 2 or n < 2:
        raise AnalysisError(f"a scale needs two seeds and two checkpoints, got {s} and {n}")
    r = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True)
    r = r + values.mean(axis=(0, 1))
    variance = (r**2).sum(axis=(0, 1)) / ((s - 1) * (n - 1))
    # Rounding leaves specks of variance in constant values.
    variance[variance < 1e-24 * np.maximum((values**2).max(axis=(0, 1)), 1e-300)] = 0.0
    sd: Floats = np.sqrt(variance)
    return sd


def second_moment(values: Floats, weights: ArrayLike | None = None) -> Floats:
    """Unbiased second moments between columns: U-statistics over pairs of different seeds.

    ``T_ij = (sum_s x_is . sum_s x_js - sum_s x_is . x_js) / (S (S-1) P)`` estimates the product of
    the true means, so that ``T_ii + T_jj - 2 T_ij`` is the noise-corrected squared distance of
    method.md 4b.1, and any panel's diversity is linear in T.

    Parameters
    ----------
    values : array (S, n, P)
    weights : array (S,), optional
        Bootstrap counts of the seeds. A seed drawn twice is not paired with itself, which would
        bring the noise back in.
    """
    s, n, p = values.shape
    w = np.ones(s) if weights is None else np.asarray(weights, float)
    mean = np.einsum("s,snp->np", w, values)
    flat = (w[:, None, None] * values).transpose(1, 0, 2).reshape(n, s * p)
    pairs = w.sum() ** 2 - (w**2).sum()
    out: Floats = (mean @ mean.T - flat @ flat.T) / (pairs * p)
    return out


def squared_distances(moment: Floats) -> Floats:
    """Noise-corrected squared distances (n, n) from second moments; negatives are kept.

    Two checkpoints whose difference is 1, 2, 3 over three seeds:
    (6^2 - 14) / (3 x 2) = 3.6667.

    >>> x = np.array([[[1.0], [0.0]], [[2.0], [0.0]], [[3.0], [0.0]]])
    >>> round(float(squared_distances(second_moment(x))[0, 1]), 4)
    3.6667
    """
    diagonal = np.diag(moment)
    out: Floats = diagonal[:, None] + diagonal[None, :] - 2 * moment
    return out
