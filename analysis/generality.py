"""Recipe against family *in general*: families and recipes are the sample (4b.3, estimand ii).

A parametric bootstrap of "recipes move behaviour as much as families do" with the same checkpoints,
pairs and noise, and behaviours as correlated as these, corrected for its own fitting. Mann-Whitney
on pairs rejects a true null in 10 to 22 % of cases, since pairs share checkpoints; a jackknife over
levels never rejects.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from panelist.analysis.diversity import pair_classes, pair_sums
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.profiles import Profiles, second_moment, squared_distances
from panelist.analysis.shift import MIN_SEEDS
from panelist.analysis.sufficient import Floats

if TYPE_CHECKING:
    import pandas as pd

MIN_LEVELS = 3
"""Families, and recipes, under which nothing is said about families and recipes in general."""


@dataclass(frozen=True)
class Generality:
    """Test of A = B for families and recipes at large."""

    statistic: float
    """(A - B) / (|A| + |B|): 1 all recipe, -1 all family."""
    p: float
    """Two-sided, equal-tailed, from the parametric bootstrap under family = recipe; 1 where
    `shared` is not above 0."""
    shared: float
    """Variance of the two main effects together, (2C - A - B) / 4, in within-seed variances. Below
    0, sharing a base or a recipe brings checkpoints no closer: what sets A and B apart is then no
    effect of either."""
    families: int
    recipes: int
    behaviours: int
    effective_behaviours: float
    """Behaviours once their correlation is counted: trace^2 / sum of squared eigenvalues."""
    draws: int

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        import pandas as pd

        return pd.DataFrame([{"estimand": "families and recipes in general", **asdict(self)}])

    def summary(self) -> str:
        """One paragraph."""
        side = "recipe" if self.statistic > 0 else "family"
        if self.shared <= 0:
            verdict = (
                "neither axis is shown to be the stronger, as checkpoints that share a base or a "
                "recipe lie no closer together than those that share neither"
            )
        elif self.p < 0.05:
            verdict = f"{side} is the stronger axis"
        else:
            verdict = "neither axis is shown to be the stronger"
        text = (
            f"For families and recipes in general, {verdict} ((A - B) / (A + B) = "
            f"{self.statistic:.2f}, p = {self.p:.2g}; {self.families} families, {self.recipes} "
            f"recipes, {self.behaviours} behaviours worth {self.effective_behaviours:.1f} "
            "independent ones)."
        )
        if self.families < 6 or self.effective_behaviours < 3:
            text += " With so few levels or behaviours the test misses all but large differences."
        return text


def general_claim(
    profiles: Profiles, *, draws: int = 2000, seed: int = 0
) -> Generality | NotIdentified:
    """Is recipe a stronger axis than family, beyond these checkpoints?

    Refused, in words, with one behaviour, under three families or recipes, or without pairs of
    classes A, B and C.
    """
    if draws < 100:
        raise AnalysisError(f"draws must be 100 or more, got {draws}")
    s, n, p = profiles.values.shape
    families, recipes = len(set(profiles.family)), len(set(profiles.recipe))
    classes = pair_classes(profiles)
    refusal = _refusal(s, p, families, recipes, [c for c, m in classes.items() if not m.any()])
    if refusal:
        return refusal
    world = _World.of(profiles)
    e = profiles.values - profiles.values.mean(axis=1, keepdims=True)
    flat, mean = e.reshape(s * n, p), e.sum(axis=0)
    covariance = (mean.T @ mean - flat.T @ flat) / (s * (s - 1))
    distances = squared_distances(second_moment(profiles.values))
    means = tuple(np.atleast_1d(distances[m].mean()) for m in classes.values())
    observed = float(_index(means[0], means[1])[0])
    rng = np.random.default_rng(seed)
    fitted = world.fit(means, covariance[None])
    drawn, refitted = world.draw(*fitted, draws, rng)
    # Each draw is refitted and drawn from once: how far fitting misleads here is how far it misled
    # at first (the fast double bootstrap).
    inner, _ = world.draw(*refitted, draws, rng)
    tails = [_calibrated(v * observed, v * drawn, v * inner) for v in (1.0, -1.0)]
    spread = np.linalg.eigvalsh(fitted[2][0])
    a, b, c = (float(m[0]) for m in means)
    shared = (2 * c - a - b) / 4
    return Generality(
        statistic=observed,
        p=min(1.0, 2 * min(tails)) if shared > 0 else 1.0,
        shared=shared,
        families=families,
        recipes=recipes,
        behaviours=p,
        effective_behaviours=float(spread.sum() ** 2 / (spread**2).sum()),
        draws=draws,
    )


def _calibrated(observed: float, drawn: Floats, inner: Floats) -> float:
    """Upper-tail p-value, corrected by what the same procedure makes of its own draws."""
    draws = len(drawn)
    plain = (1 + int((drawn >= observed).sum())) / (1 + draws)
    cut = np.quantile(inner, max(0.0, 1 - plain))
    corrected = (1 + int((drawn >= cut).sum())) / (1 + draws)
    # Far out in the tail the inner quantile is itself noise; never let it sharpen the claim.
    return max(plain, corrected)


@dataclass(frozen=True, eq=False)
class _World:
    """What stays the same in every draw: who is of which family and recipe, pairs, and noise."""

    family: NDArray[np.intp]
    recipe: NDArray[np.intp]
    cross: NDArray[np.intp]
    classes: dict[str, NDArray[np.bool_]]
    noise: Floats
    """P x P covariance of a checkpoint's mean over seeds."""

    @classmethod
    def of(cls, profiles: Profiles) -> _World:
        cross = [f"{b}\n{r}" for b, r in zip(profiles.base, profiles.recipe, strict=True)]
        codes = (np.unique(v, return_inverse=True)[1] for v in (profiles.family, profiles.recipe))
        family, recipe = codes
        noise = _noise(profiles.values) / len(profiles.values)
        return cls(
            family, recipe, np.unique(cross, return_inverse=True)[1], pair_classes(profiles), noise
        )

    def fit(self, means: tuple[Floats, ...], covariance: Floats) -> tuple[Floats, Floats, Floats]:
        """Main and interaction variance (B,) under the null, shape of effects (B, P, P)."""
        a, b, c = means
        # The two main effects are equal under the null, so they are pooled; a negative is no
        # variance.
        main = np.maximum((2 * c - a - b) / 4, 0.0)
        inter = np.maximum((a + b - c) / 2, 0.0)
        levels = self.family.max(), self.recipe.max()
        rest = max(len(self.family) - 1 - sum(levels), 1)
        # Degrees of freedom behind the estimated covariance of effects (Satterthwaite).
        parts = main**2 / levels[0] + main**2 / levels[1] + inter**2 / rest
        df = (2 * main + inter) ** 2 / np.maximum(parts, 1e-300)
        return main, inter, _effect_shape(covariance, np.maximum(df, 1.0))

    def draw(
        self, main: Floats, inter: Floats, shape: Floats, draws: int, rng: np.random.Generator
    ) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
        """Statistics (draws,) of new families, recipes and noise, and the fit to each draw."""
        n, p = len(self.family), len(self.noise)
        root = _root(shape)

        def effect(codes: NDArray[np.intp]) -> Floats:
            z = rng.standard_normal((draws, int(codes.max()) + 1, p)) @ root
            picked: Floats = z[:, codes]
            return picked

        x = np.sqrt(main)[:, None, None] * (effect(self.family) + effect(self.recipe))
        x = x + np.sqrt(inter)[:, None, None] * effect(self.cross)
        x = x + rng.standard_normal((draws, n, p)) @ _root(self.noise)
        noise = 2 * np.trace(self.noise)
        means = tuple((pair_sums(x, m) / m.sum() - noise) / p for m in self.classes.values())
        e = x - x.mean(axis=1, keepdims=True)
        covariance = e.transpose(0, 2, 1) @ e - (n - 1) * self.noise
        return _index(means[0], means[1]), self.fit(means, covariance)


def _refusal(
    seeds: int, behaviours: int, families: int, recipes: int, empty: list[str]
) -> NotIdentified | None:
    quantity = "recipe against family in general"
    if empty:
        return NotIdentified(
            quantity, f"no pair of checkpoints is of class {' or '.join(empty)}", "a crossed set"
        )
    if behaviours < 2:
        return NotIdentified(
            quantity,
            "it rests on one behaviour, and one behaviour of a dozen checkpoints cannot tell",
            "several validated behaviours and six families or more",
        )
    if families < MIN_LEVELS or recipes < MIN_LEVELS:
        return NotIdentified(
            quantity,
            f"there are {families} families and {recipes} recipes",
            f"{MIN_LEVELS} or more of each, six for any power",
        )
    if seeds < MIN_SEEDS:
        return NotIdentified(quantity, f"there are {seeds} seeds", f"{MIN_SEEDS} or more")
    return None


def _index(a: Floats, b: Floats) -> Floats:
    """(A - B) / (|A| + |B|), which stays in [-1, 1] where noise makes a distance negative."""
    size = np.abs(a) + np.abs(b)
    out: Floats = np.divide(a - b, size, out=np.zeros_like(size), where=size > 0)
    return out


def _effect_shape(covariance: Floats, df: Floats) -> Floats:
    """Covariances (B, P, P) of true differences between checkpoints, scaled to trace P.

    Behaviours that go together carry less evidence than their number suggests. From a few levels
    the eigenvalues of an estimate spread far more than the true ones, as if behaviours were all but
    one, so it is drawn towards the identity until its effective number of behaviours is right: a
    Wishart matrix with `df` degrees of freedom has E tr(S^2) = (1 + 1/df) tr(Sigma^2) +
    tr(Sigma)^2 / df and E tr(S)^2 = tr(Sigma)^2 + 2 tr(Sigma^2) / df, solved for the two traces.
    """
    p = covariance.shape[-1]
    eigen, vectors = np.linalg.eigh((covariance + covariance.transpose(0, 2, 1)) / 2)
    eigen = np.clip(eigen, 0, None)
    total = eigen.sum(axis=1, keepdims=True)
    eigen = np.where(total > 0, eigen * p / np.where(total > 0, total, 1.0), 1.0)
    square = (eigen**2).sum(axis=1)
    of_square = (square - p * p / df) / ((1 + 2 / df) * np.maximum(1 - 1 / df, 0.1))
    of_trace = np.maximum(p * p - 2 * of_square / df, 1e-300)
    unbiased = np.clip(p * p * of_square / of_trace, p, square)
    wide = square > p * (1 + 1e-9)
    keep = np.sqrt(np.where(wide, (unbiased - p) / np.where(wide, square - p, 1.0), 0.0))
    eigen = keep[:, None] * eigen + 1 - keep[:, None]
    out: Floats = (vectors * eigen[:, None, :]) @ vectors.transpose(0, 2, 1)
    return out


def _noise(values: Floats) -> Floats:
    """P x P covariance of one checkpoint's seed-level noise, seeds' common part taken out."""
    s, n, p = values.shape
    r = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True)
    flat = (r + values.mean(axis=(0, 1))).reshape(s * n, p)
    out: Floats = flat.T @ flat / ((s - 1) * (n - 1))
    return out


def _root(covariance: Floats) -> Floats:
    """R with R'R = covariance (..., P, P), for rows of standard normals from the left."""
    eigen, vectors = np.linalg.eigh(covariance)
    out: Floats = np.sqrt(np.clip(eigen, 0, None))[..., :, None] * np.swapaxes(vectors, -1, -2)
    return out
