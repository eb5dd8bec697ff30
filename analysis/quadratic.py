"""How large a vector is, seen through noise: intervals for |delta|^2 from |delta + noise|^2.

The interval of tau2 (method.md 4a.3) inverts the noncentral chi-square, which holds where noise is
alike in all directions. It is not where one partner's replies vary twice as much as another's: the
nominal 95 % then cover 91 %. Here the noise keeps its covariance, and the distribution is drawn.

What matters is the noise along delta, whose direction is not known. The direction of the mean
stands in for it, but never with less noise than directions have on average (weighted by their
noise): a mean that noise pulled down also looks precise. In simulations both tails then stay at or
under their level, from equal noise (.95) to noise four times as large with one partner (.98).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from panelist.analysis.interval import check_level, ncx2_interval
from panelist.analysis.simultaneous import DRAWS, standard
from panelist.analysis.sufficient import Floats


def tail_share(mean: ArrayLike, covariance: ArrayLike, theta: float) -> float:
    """P(|delta + noise|^2 <= |mean|^2) when |delta|^2 is theta, by 20,000 draws.

    `mean` (k,) is centred, `covariance` (k, k) its own. The draws are the same for every theta, so
    this falls smoothly. With one direction of noise it is the noncentral chi-square.

    >>> h = np.eye(2) - 0.5
    >>> round(tail_share([1.0, -1.0], h, 0.0), 4)  # chi-square with 1 df, at 2
    0.8427
    """
    q, eigen, direction = _axes(np.asarray(mean, float), np.asarray(covariance, float))
    if len(eigen) == 1:
        return float(special.chndtr(q / eigen[0], 1, theta / eigen[0]))
    return _share(*_draws(eigen, direction), q, theta)


def quadratic_interval(
    mean: ArrayLike, covariance: ArrayLike, level: float = 0.95
) -> tuple[float, float]:
    """Equal-tailed interval of |delta|^2 from a centred mean (k,) and its covariance (k, k).

    An end without a solution is 0. Both are where the mean is smaller than noise alone usually
    makes it, which happens in (1 - level) / 2 of the cases without any effect; it is not certainty.

    Noise alike in all directions: the noncentral chi-square's 0.22 and 23.68, up to the draws.

    >>> h = np.eye(4) - 0.25
    >>> low, high = quadratic_interval(np.sqrt(2.5) * np.array([1.0, 1.0, -1.0, -1.0]), h)
    >>> abs(low - 0.22) < 0.2, abs(high - 23.68) < 0.3
    (True, True)
    """
    tail = (1 - check_level(level)) / 2
    q, eigen, direction = _axes(np.asarray(mean, float), np.asarray(covariance, float))
    if len(eigen) == 1:
        low, high = ncx2_interval(q / eigen[0], 1, level)
        return float(low * eigen[0]), float(high * eigen[0])
    along, square = _draws(eigen, direction)

    def excess(root: float, target: float) -> float:
        return _share(along, square, q, root * root) - target

    ends = []
    for target in (1 - tail, tail):
        if excess(0.0, target) <= 0:
            ends.append(0.0)
            continue
        far = np.sqrt(q) + 2 * np.sqrt(square.max()) + 2 * np.abs(along).max()
        ends.append(float(optimize.brentq(excess, 0.0, far, args=(target,), xtol=1e-9 * far)) ** 2)
    return ends[0], ends[1]


def _axes(mean: Floats, covariance: Floats) -> tuple[float, Floats, Floats]:
    """|mean|^2, noise variances along their own axes, and the mean's direction in these axes."""
    eigen, vectors = np.linalg.eigh(covariance)
    real = eigen > 1e-12 * eigen[-1]
    along = vectors[:, real].T @ mean
    q = float(along @ along)
    return q, eigen[real], along / np.sqrt(q) if q > 0 else np.eye(len(along))[0]


def _draws(eigen: Floats, direction: Floats) -> tuple[Floats, Floats]:
    """Noise along delta, and its squared length: (DRAWS,) each."""
    z = standard(DRAWS, len(eigen), 1, 0)[0] * np.sqrt(eigen)
    here, average = (eigen * direction**2).sum(), (eigen**2).sum() / eigen.sum()
    return z @ direction * np.sqrt(max(1.0, average / here)), (z**2).sum(axis=1)


def _share(along: Floats, square: Floats, q: float, theta: float) -> float:
    return np.count_nonzero(theta + 2 * np.sqrt(theta) * along + square <= q) / len(square)
