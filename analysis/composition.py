"""Which k of n checkpoints make the most diverse panel (method.md 4d).

The best of many panels looks better than it is: twelve identical checkpoints show a "best" panel of
three with a diversity of 1.18 if distances are naive. So distances are noise-corrected, the value
is cross-fitted (chosen on half of the seeds, measured on the other), and panels that cannot be told
from the best are listed with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import Interval, check_level, t_from_se
from panelist.analysis.profiles import Profiles, second_moment
from panelist.analysis.shift import MIN_SEEDS
from panelist.analysis.sufficient import Floats, checked

if TYPE_CHECKING:
    import pandas as pd

MAX_PANELS = 60_000
"""Panels that are enumerated: 25 choose 5 is 53,130."""
GROUPS = 10
"""Groups of seeds left out in turn for the intervals."""

_Panels = NDArray[np.intp]
_Worth = Callable[[Floats], Floats]
"""Seed weights (S,) to the diversity of every panel."""


@dataclass(frozen=True, eq=False)
class Panel:
    """The panel to pick, how sure that is, and what it gains."""

    members: tuple[str, ...]
    """Best panel on all seeds."""
    value: Interval
    """Cross-fitted mean pairwise squared distance, in within-seed variances, a behaviour."""
    tied: tuple[tuple[str, ...], ...]
    """All panels within the simultaneous margin of the best, the best first."""
    selection: Mapping[str, float]
    """How often each checkpoint is in the best panel, over seed bootstraps."""
    gain_random: Interval
    """Cross-fitted value less that of a panel drawn at random."""
    gain_one_per_family: Interval | NotIdentified
    """Cross-fitted value less that of a random panel with one checkpoint a family."""
    n_panels: int
    n_seeds: int
    level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a checkpoint: whether it is in, and how often it is chosen."""
        import pandas as pd

        return pd.DataFrame(
            {
                "checkpoint": list(self.selection),
                "in_best": [c in self.members for c in self.selection],
                "selection": list(self.selection.values()),
                "in_tied": [sum(c in t for t in self.tied) for c in self.selection],
            }
        )

    def summary(self) -> str:
        """One paragraph."""
        text = (
            f"Of {self.n_panels} panels, {', '.join(self.members)} is the most diverse on "
            f"{self.n_seeds} seeds: a mean squared distance of {self.value.text(1, 2)} when chosen "
            "on half of the seeds and measured on the other half. "
        )
        if len(self.tied) > 1:
            text += f"{len(self.tied) - 1} other panels cannot be told from it. "
        text += f"Against a random panel it gains {self.gain_random.text(1, 2, named=False)}"
        if isinstance(self.gain_one_per_family, Interval):
            gain = self.gain_one_per_family.text(1, 2, named=False)
            text += f", against one checkpoint a family {gain}"
        return text + ". Diversity is not quality: this says nothing of how good the answers are."


def compose(
    profiles: Profiles,
    k: int = 3,
    *,
    cost: Mapping[str, float] | None = None,
    max_cost: float | None = None,
    conversations: ArrayLike | None = None,
    splits: int = 10,
    draws: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Panel | NotIdentified:
    """Exact search over all panels of `k` checkpoints.

    Parameters
    ----------
    profiles : Profiles
        Of the n candidates; ``n choose k`` may be 60,000 at most (n = 25, k = 5).
    cost, max_cost
        Cost of each checkpoint, and the most a panel may cost together.
    conversations : array (S, n, n, P), optional
        Seed-level value of each focal with each partner, on the scale of the profiles. With it a
        member's vector is its mean over the *other members*, not over the bank.
    splits, draws : int
        Halvings of the seeds, seed bootstraps.
    """
    check_level(level)
    s, n, p = profiles.values.shape
    if not 2 <= k <= n or comb(n, k) > MAX_PANELS:
        raise AnalysisError(
            f"k = {k} of n = {n} checkpoints: k must lie in 2..n, and {MAX_PANELS} panels at most "
            "are searched; leave out candidates that cost too much or are near-copies"
        )
    if splits < 1 or draws < 1:
        raise AnalysisError(f"splits and draws must be 1 or more, got {splits} and {draws}")
    if s < 2 * MIN_SEEDS:
        return NotIdentified(
            "panel", f"there are {s} common seeds", f"{2 * MIN_SEEDS}, to choose on half of them"
        )
    panels = _affordable(profiles, k, cost, max_cost)
    if not len(panels):
        return NotIdentified("panel", f"none of {k} costs at most {max_cost:g}", "a larger budget")
    values = profiles.values
    if conversations is not None:
        y = np.asarray(conversations, float)
        if y.shape != (s, n, n, p):
            raise AnalysisError(f"conversations must have shape {(s, n, n, p)}, got {y.shape}")
        values = checked("conversations", y).reshape(s, n * n, p)

    def worth(weights: Floats) -> Floats:
        t = second_moment(values, weights)
        return panel_values(t, panels) if conversations is None else conditioned(t, panels, n)

    rng = np.random.default_rng(seed)
    all_seeds = worth(np.ones(s))
    order = np.argsort(-all_seeds, kind="stable")
    tied, frequency = _uncertainty(worth, all_seeds, panels, n, s, draws, level, rng)
    apart = np.array([len({profiles.family[i] for i in row}) == k for row in panels])
    gains = _crossfit(worth, s, apart, splits, level, rng)

    def named(row: NDArray[np.intp]) -> tuple[str, ...]:
        return tuple(profiles.names[i] for i in row)

    return Panel(
        members=named(panels[order[0]]),
        value=gains[0],
        tied=tuple(named(panels[i]) for i in order if tied[i]),
        selection=dict(zip(profiles.names, frequency.tolist(), strict=True)),
        gain_random=gains[1],
        gain_one_per_family=gains[2]
        if apart.any()
        else NotIdentified(
            "gain over one per family", f"no panel of {k} has {k} families", "more families"
        ),
        n_panels=len(panels),
        n_seeds=s,
        level=level,
    )


def panel_values(moment: Floats, panels: _Panels) -> Floats:
    """Mean pairwise squared distance of each panel (m, k) of checkpoint numbers.

    Linear in the second moments: ``2 (k sum_f T_ff - sum_fg T_fg) / (k (k-1))``.

    >>> panel_values(np.diag([1.0, 2.0, 3.0]), np.array([[0, 1], [1, 2]])).tolist()
    [3.0, 5.0]
    """
    k = panels.shape[1]
    member = np.zeros((len(panels), len(moment)))
    member[np.arange(len(panels))[:, None], panels] = 1.0
    total = ((member @ moment) * member).sum(axis=1)
    out: Floats = 2 * (k * (member @ np.diag(moment)) - total) / (k * (k - 1))
    return out


def conditioned(moment: Floats, panels: _Panels, n: int) -> Floats:
    """The same when a member is what it is *with the other members*: x_f = mean of Y_fp over them.

    `moment` (n^2, n^2) is over conversations, focal-major.
    """
    k = panels.shape[1]
    focal, partner = (v.ravel() for v in np.nonzero(~np.eye(k, dtype=bool)))
    out = np.empty(len(panels))
    for start in range(0, len(panels), 4096):
        part = panels[start : start + 4096]
        cell = part[:, focal] * n + part[:, partner]
        block = moment[cell[:, :, None], cell[:, None, :]]
        block = block.reshape(len(part), k, k - 1, k, k - 1).mean(axis=(2, 4))
        own, total = np.einsum("mff->m", block), block.sum(axis=(1, 2))
        out[start : start + 4096] = 2 * (k * own - total) / (k * (k - 1))
    return out


def _affordable(
    profiles: Profiles, k: int, cost: Mapping[str, float] | None, max_cost: float | None
) -> _Panels:
    panels = np.array(list(combinations(range(len(profiles.names)), k)), dtype=np.intp)
    if max_cost is None:
        return panels
    absent = [f for f in profiles.names if f not in (cost or {})]
    if cost is None or absent:
        raise AnalysisError(f"max_cost needs the cost of every checkpoint; lacking {absent}")
    price = np.array([float(cost[f]) for f in profiles.names])
    if not (price >= 0).all() or not np.isfinite(price).all():
        raise AnalysisError("cost must be finite and 0 or more")
    kept: _Panels = panels[price[panels].sum(axis=1) <= max_cost]
    return kept


def _uncertainty(
    worth: _Worth,
    all_seeds: Floats,
    panels: _Panels,
    n: int,
    s: int,
    draws: int,
    level: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.bool_], Floats]:
    """Which panels are tied with the best, and how often each checkpoint is chosen.

    A panel that is truly the best falls behind by at most ``max(error) - its own error``; its
    bootstrap quantile is the panel's margin (multiple comparisons with the best).
    """
    counts = rng.multinomial(s, np.full(s, 1 / s), size=draws).astype(np.float64)
    error = np.empty((draws, len(panels)), dtype=np.float32)
    chosen = np.zeros(n)
    for b in range(draws):
        drawn = worth(counts[b])
        chosen[panels[int(drawn.argmax())]] += 1
        error[b] = drawn - all_seeds
    error = error.max(axis=1, keepdims=True) - error
    margin = np.quantile(error, level, axis=0)
    return all_seeds.max() - all_seeds <= margin, chosen / draws


def _crossfit(
    worth: _Worth,
    s: int,
    apart: NDArray[np.bool_],
    splits: int,
    level: float,
    rng: np.random.Generator,
) -> list[Interval]:
    """Cross-fitted value, gain over random, gain over one a family; delete-a-group jackknife."""
    half = np.argsort(rng.random((splits, s)), axis=1) < s // 2
    group = rng.permutation(s) % GROUPS

    def estimate(keep: NDArray[np.bool_]) -> Floats:
        found = []
        for row in half:
            sides = [worth((side & keep).astype(np.float64)) for side in (row, ~row)]
            for pick, measure in (sides, sides[::-1]):
                value = measure[int(pick.argmax())]
                mixed = measure[apart].mean() if apart.any() else np.nan
                found.append((value, value - measure.mean(), value - mixed))
        mean: Floats = np.mean(found, axis=0)
        return mean

    whole = estimate(np.ones(s, bool))
    left = np.array([estimate(group != g) for g in range(GROUPS)])
    se = np.sqrt((GROUPS - 1) / GROUPS * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    df = GROUPS - 1
    return [t_from_se(float(e), float(v), df, level) for e, v in zip(whole, se, strict=True)]
