"""Simulated panels whose truth is known: what the statistics are judged against.

Generators are vectorised over replications, so that a thousand runs of an experiment cost about
as much as reading one.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

SEED_SD, CELL_SD, BASE = 0.9, 0.25, 0.35
"""Seed and seed x partner spread on the logit scale, and base rate: as in method.md 4a, [sim]."""


def marginal(offset):
    """Share of hedged replies, averaged over seeds, of a partner with this logit."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    sd = np.hypot(SEED_SD, CELL_SD)
    return (weights * expit(np.asarray(offset)[..., None] + sd * nodes)).sum(-1) / weights.sum()


def offsets(partners, rel_range):
    """Logits of partners whose true levels are evenly spaced over a relative range."""
    grid = np.linspace(-4, 4, 4001)
    levels = BASE * (1 + rel_range * np.linspace(-0.5, 0.5, partners))
    return np.interp(levels, marginal(grid), grid)


def hedging(rng, reps, seeds, replies, partners, rel_range):
    """Cell means (reps, seeds, partners), true levels (partners,), of binary hedging."""
    at = offsets(partners, rel_range)
    p = expit(
        at
        + SEED_SD * rng.standard_normal((reps, seeds, 1))
        + CELL_SD * rng.standard_normal((reps, seeds, partners))
    )
    return rng.binomial(replies, p) / replies, marginal(at)


def cue_counts(rng, reps, seeds, replies, partners, rel_range):
    """Cues and words (reps, seeds, partners), true rates per 100 words.

    Lengths differ between partners and seeds and are heavy-tailed; counts are negative binomial.
    """
    true = 2.0 * (1 + rel_range * np.linspace(-0.5, 0.5, partners))
    typical = 80 * np.linspace(0.7, 1.5, partners)
    shape = (reps, seeds, partners, replies)
    words = np.ceil(typical[:, None] * np.exp(0.5 * rng.standard_normal(shape) - 0.125))
    spread = np.exp(0.4 * rng.standard_normal((reps, seeds, 1, 1)) - 0.08)
    mean = true[:, None] / 100 * words * spread
    cues = rng.poisson(mean * rng.gamma(3.0, 1 / 3.0, shape))
    return cues.sum(-1).astype(float), words.sum(-1), true


def crossed(rng, reps, cells, behaviours, seeds, s_family, s_recipe, s_cross, noise, corr=0.0):
    """Profiles (reps, seeds, n, behaviours) of checkpoints at (family, recipe) `cells`."""
    f, r = np.array(cells).T
    mix = np.linalg.cholesky(np.full((behaviours,) * 2, corr) + (1 - corr) * np.eye(behaviours))

    def effect(levels):
        return rng.standard_normal((reps, levels, behaviours)) @ mix.T

    x = s_family * effect(f.max() + 1)[:, f] + s_recipe * effect(r.max() + 1)[:, r]
    x = x + s_cross * effect(len(cells))
    common = rng.standard_normal((reps, seeds, 1, behaviours))
    own = noise * (rng.standard_normal((reps, seeds, len(cells), behaviours)) @ mix.T)
    return x[:, None] + common + own


def round_robin(rng, reps, n, seeds, actor, partner, relation, reciprocity=0.0, covariance=0.0):
    """Grids (reps, seeds, n, n) with given variances and strong seed x actor noise."""
    ab = rng.multivariate_normal([0, 0], [[actor, covariance], [covariance, partner]], (reps, n))
    a, b = ab[..., 0], ab[..., 1]
    z = rng.standard_normal((2, reps, n, n)) * np.sqrt(relation)
    c = reciprocity / relation
    upper = np.triu(z[0], 1)
    lower = np.triu(c * z[0] + np.sqrt(1 - c**2) * z[1], 1)
    g = upper + lower.transpose(0, 2, 1)
    g[:, np.arange(n), np.arange(n)] = z[0][:, np.arange(n), np.arange(n)]
    truth = a[:, :, None] + b[:, None, :] + g
    noise = rng.standard_normal((reps, seeds, n, 1)) * 1.5 + rng.standard_normal(
        (reps, seeds, 1, n)
    )
    return truth[:, None] + noise + 1.5 * rng.standard_normal((reps, seeds, n, n))


def mcse(values):
    """Monte-Carlo standard error of a mean."""
    return np.std(values, ddof=1) / np.sqrt(len(values))


__all__ = [
    "BASE",
    "crossed",
    "cue_counts",
    "hedging",
    "logit",
    "marginal",
    "mcse",
    "offsets",
    "round_robin",
]
