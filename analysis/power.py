"""How many seeds and replies a design needs, and what they cost (method.md 4c)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from panelist.analysis.errors import AnalysisError
from panelist.analysis.shift import MIN_SEEDS

if TYPE_CHECKING:
    import pandas as pd

Target = Literal["contrast", "pairs", "omnibus"]

TARGETS = {
    "contrast": "one pair of partners named in advance",
    "pairs": "any pair of partners (Bonferroni)",
    "omnibus": "the omnibus test, levels evenly spaced between the extremes",
}


@dataclass(frozen=True)
class Noise:
    """What a reply and a cell vary by; defaults are the assumptions of method.md 4c.

    With ``counts=False`` the outcome is a label with share `base`, and `w` is a standard
    deviation of shares; with ``counts=True`` it is a count with mean ``base * words / 100`` (base
    being cues per 100 words), and `w` is on the log scale.
    """

    base: float
    counts: bool = False
    icc: float = 0.25
    """Share of a label's variance that lies between seeds."""
    w: float | None = None
    """Seed x partner standard deviation; default 0.03 base / 0.4 for labels, 0.06 for counts."""
    words: float = 80.0
    theta: float = 3.0
    """Overdispersion of counts: variance = mu + mu^2 / theta."""

    def __post_init__(self) -> None:
        if not (0 < self.base < 1 or (self.counts and 0 < self.base < np.inf)):
            raise AnalysisError(f"base must lie in (0, 1) for labels and above 0, got {self.base}")
        if not 0 <= self.icc < 1:
            raise AnalysisError(f"icc must lie in [0, 1), got {self.icc}")
        if self.w is not None and not 0 <= self.w < np.inf:
            raise AnalysisError(f"w must be 0 or more, got {self.w}")
        if not self.words > 0 or not self.theta > 0:
            raise AnalysisError(f"words and theta must be above 0, got {self.words}, {self.theta}")

    @property
    def between(self) -> float:
        """w2, the variance between seed x partner cells that replies do not wash out."""
        w = self.w
        if w is None:
            w = 0.06 if self.counts else 0.03 * self.base / 0.4
        return w * w

    @property
    def within(self) -> float:
        """Variance of one reply inside its cell."""
        if self.counts:
            return 100 / (self.base * self.words) + 1 / self.theta
        return self.base * (1 - self.base) * (1 - self.icc)

    def effect(self, shift: float) -> float:
        """A relative shift on the scale on which `within` and `between` stand."""
        return float(np.log1p(shift)) if self.counts else shift * self.base


@dataclass(frozen=True)
class Plan:
    """Seeds for every number of replies a cell, with tokens and costs."""

    shift: float
    partners: int
    power: float
    alpha: float
    target: Target
    noise: Noise
    replies: tuple[int, ...]
    seeds: tuple[int, ...]
    """Seeds needed, for each entry of `replies`."""
    tokens: tuple[float, ...]
    """Generated tokens of one focal checkpoint on the whole design."""
    cost: tuple[float, ...] | None
    hours: tuple[float, ...] | None
    optimal_replies: float
    """sqrt(within c_cell / (w2 c_reply)): the cheapest R, infinite where w is 0. At least 2."""
    assumed: bool
    """Whether the noise is assumed rather than refitted from a pilot."""

    @property
    def best(self) -> int:
        """Index of the cheapest entry with two replies or more, or of the cheapest of all.

        One reply a cell leaves w and sampling noise inseparable, so it is never advised.
        """
        usable = [i for i, r in enumerate(self.replies) if r >= 2] or range(len(self.replies))
        return min(usable, key=lambda i: self.tokens[i])

    def to_frame(self) -> pd.DataFrame:
        """One row a number of replies."""
        import pandas as pd

        frame = pd.DataFrame(
            {
                "replies": self.replies,
                "seeds": self.seeds,
                "chains": [
                    s * r * self.partners for s, r in zip(self.seeds, self.replies, strict=True)
                ],
                "tokens": self.tokens,
            }
        )
        if self.cost is not None:
            frame["cost"] = self.cost
        if self.hours is not None:
            frame["hours"] = self.hours
        return frame

    def summary(self) -> str:
        """One paragraph."""
        i = self.best
        kind = "cues per 100 words" if self.noise.counts else "share of replies"
        chains = self.seeds[i] * self.replies[i] * self.partners
        text = (
            f"To see a shift of {100 * self.shift:g} % around a base of {self.noise.base:.3g} "
            f"({kind}) with {self.partners} partners, power {self.power:g} and alpha "
            f"{self.alpha:g}, for {TARGETS[self.target]}: {self.seeds[i]} seeds with "
            f"{self.replies[i]} replies a cell, that is {chains:,} replies and "
            f"{self.tokens[i]:,.0f} tokens"
        )
        if self.cost is not None:
            text += f", at a cost of {self.cost[i]:,.2f}"
        if self.hours is not None:
            text += f", in {self.hours[i]:,.1f} hours"
        if self.assumed:
            text += (
                ". These figures assume the noise of a typical checkpoint; run a pilot of 100 "
                "seeds with 2 replies and refit"
            )
        return text + "."


def plan(
    shift: float = 0.18,
    base: float = 0.4,
    partners: int = 4,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    icc: float = 0.25,
    w: float | None = None,
    replies: Sequence[int] = (1, 2, 4, 8),
    target: Target = "pairs",
    counts: bool = False,
    words: float = 80.0,
    theta: float = 3.0,
    tokens_per_reply: float = 120.0,
    tokens_per_cell: float = 0.0,
    price: float | None = None,
    tokens_per_second: float | None = None,
    noise: Noise | None = None,
) -> Plan:
    """Seeds, tokens and costs to see a relative shift.

    Parameters
    ----------
    shift : float
        Relative distance between the highest and the lowest partner, 0.18 for 18 %.
    base : float
        Share of replies with the behaviour or, with `counts`, cues per 100 words.
    partners, power, alpha, icc, w, words, theta
        See `Noise`.
    replies : sequence of int
        Replies a cell to tabulate.
    target : {"contrast", "pairs", "omnibus"}
        What has to come out significant.
    tokens_per_reply, tokens_per_cell : float
        Tokens of each reply; tokens paid once a seed and partner, such as a live partner's turn
        (none with a frozen bank).
    price : float, optional
        Per million tokens, in any currency.
    tokens_per_second : float, optional
        Of the engine, for the hours.
    noise : Noise, optional
        From `panelist.analysis.pilot.refit`, instead of base, icc, w, words, theta and counts.

    Examples
    --------
    >>> plan(0.18, 0.4, 4, target="contrast").seeds
    (548, 276, 139, 71)
    >>> plan(0.18, 0.4, 4, target="pairs").seeds
    (846, 425, 215, 110)
    """
    for name, value in (("shift", shift), ("tokens_per_reply", tokens_per_reply)):
        if not 0 < value < np.inf:
            raise AnalysisError(f"{name} must be above 0, got {value}")
    for name, value in (("power", power), ("alpha", alpha)):
        if not 0 < value < 1:
            raise AnalysisError(f"{name} must lie in (0, 1), got {value}")
    if power <= alpha:
        raise AnalysisError(f"power must be above alpha = {alpha}, got {power}")
    for name, optional in (("price", price), ("tokens_per_second", tokens_per_second)):
        if optional is not None and not 0 < optional < np.inf:
            raise AnalysisError(f"{name} must be above 0, got {optional}")
    if noise is None and not counts and base * (1 + shift) > 1:
        raise AnalysisError(
            f"a shift of {shift} above a base of {base} is a share above 1; lower one of them"
        )
    if partners < 2:
        raise AnalysisError(f"partners must be 2 or more, got {partners}")
    if not replies or min(replies) < 1:
        raise AnalysisError(f"replies must be 1 or more, got {list(replies)}")
    if target not in TARGETS:
        raise AnalysisError(f"target {target!r} is unknown; choose among {list(TARGETS)}")
    assumed = noise is None
    if noise is None:
        noise = Noise(base, counts=counts, icc=icc, w=w, words=words, theta=theta)
    seeds = tuple(
        max(MIN_SEEDS, _seeds(noise, shift, partners, r, power, alpha, target)) for r in replies
    )
    tokens = tuple(
        float(s * partners * (tokens_per_cell + r * tokens_per_reply))
        for s, r in zip(seeds, replies, strict=True)
    )
    gain, price_of_reply = noise.within * tokens_per_cell, noise.between * tokens_per_reply
    best = np.sqrt(gain / price_of_reply) if price_of_reply else (np.inf if gain else 0.0)
    return Plan(
        shift=shift,
        partners=partners,
        power=power,
        alpha=alpha,
        target=target,
        noise=replace(noise),
        replies=tuple(replies),
        seeds=seeds,
        tokens=tokens,
        cost=None if price is None else tuple(t * price / 1e6 for t in tokens),
        hours=None
        if not tokens_per_second
        else tuple(t / tokens_per_second / 3600 for t in tokens),
        optimal_replies=float(best),
        assumed=assumed,
    )


def _seeds(
    noise: Noise, shift: float, partners: int, replies: int, power: float, alpha: float, target: str
) -> int:
    v = noise.within / replies + noise.between
    effect = noise.effect(shift)
    if target == "omnibus":
        levels = np.linspace(0, effect, partners)
        spread = float(((levels - levels.mean()) ** 2).sum())
        cut, df = stats.chi2.ppf(1 - alpha, partners - 1), partners - 1

        def short(noncentrality: float) -> float:
            return float(stats.ncx2.sf(cut, df, noncentrality)) - power

        return int(np.ceil(optimize.brentq(short, 1e-9, 1e4) * v / spread))
    tests = partners * (partners - 1) / 2 if target == "pairs" else 1
    z = stats.norm.ppf(1 - alpha / 2 / tests) + stats.norm.ppf(power)
    return int(np.ceil(z**2 * 2 * v / effect**2))


def omnibus_power(
    levels: ArrayLike,
    seeds: int,
    replies: int,
    *,
    noise: Noise | None = None,
    alpha: float = 0.05,
) -> float:
    """Power of the omnibus test when the partners' levels (k,) are these.

    `noise` defaults to labels with the mean of `levels` as base. With counts, levels are logs.

    >>> round(omnibus_power([0.32, 0.34, 0.36, 0.38], 500, 2), 2)
    0.83
    """
    mu = np.asarray(levels, float)
    if mu.ndim != 1 or len(mu) < 2 or not np.isfinite(mu).all():
        raise AnalysisError(f"levels must be two or more finite numbers, got {levels!r}")
    if seeds < 2 or replies < 1:
        raise AnalysisError(f"seeds must be 2 or more and replies 1 or more: {seeds}, {replies}")
    noise = noise or Noise(float(mu.mean()))
    spread = seeds * ((mu - mu.mean()) ** 2).sum() / (noise.within / replies + noise.between)
    df = len(mu) - 1
    cut = stats.chi2.ppf(1 - alpha, df)
    return float(stats.ncx2.sf(cut, df, spread)) if spread > 0 else alpha
