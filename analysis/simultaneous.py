"""Critical values for many contrasts at once (single-step max-T)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from panelist.analysis.sufficient import Floats

DRAWS = 20_000
"""Draws of the max-T reference: the Monte-Carlo error of a 5 % tail is 0.15 points."""


def pair_index(k: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column numbers of the k(k-1)/2 pairs, in reading order."""
    first, second = np.triu_indices(k, 1)
    return first, second


def max_t(contrasts: Floats, *, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Draws of max |T| over contrasts whose seed-level values are given, shape (draws,).

    Parameters
    ----------
    contrasts : array (S, m)
        Seed-level values of m contrasts; only their correlation matters. A constant column takes
        no part.

    The reference is multivariate t with S - 1 degrees of freedom: method.md 4a.4 draws from the
    normal, which is this for many seeds and a little short for few.
    """
    n = len(contrasts)
    z = contrasts - contrasts.mean(axis=0)
    sd = np.sqrt((z**2).sum(axis=0))
    z = z[:, sd > 0] / sd[sd > 0]
    if not z.shape[1]:
        return np.zeros(draws)
    # The thin factor of the correlation matrix: m contrasts of k partners have rank k - 1.
    _, s, vt = np.linalg.svd(z, full_matrices=False)
    rank = s > 1e-10 * s[0]
    normal, scale = standard(draws, int(rank.sum()), n - 1, seed)
    out: Floats = np.abs(normal @ (s[rank, None] * vt[rank])).max(axis=1) / scale
    return out


@lru_cache(maxsize=16)
def standard(draws: int, rank: int, df: int, seed: int) -> tuple[Floats, Floats]:
    """Standard normals (draws, rank) and the scale of t: the same for one seed, so drawn once."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((draws, rank))
    return normal, np.sqrt(rng.chisquare(df, draws) / df)
