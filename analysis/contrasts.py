"""Which checkpoints differ: paired differences of their levels on shared seeds and partners.

Every checkpoint meets the same seeds and, with a frozen bank, the same words, so the difference is
taken seed by seed (method.md 4e: paired differences on shared items). The unit is the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import Interval, check_level, t_from_se
from panelist.analysis.pairs import adjust
from panelist.analysis.shift import MIN_SEEDS, hotelling
from panelist.analysis.sufficient import Cells, Floats

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Differences of levels between pairs of checkpoints, in the units of the measure."""

    pairs: tuple[tuple[str, str], ...]
    differences: tuple[Interval, ...]
    """First minus second, with the paired t interval over seeds and its p-value."""
    p_holm: Floats
    """p-values adjusted for the number of pairs (Holm)."""
    n_seeds: int
    partners: tuple[str, ...]
    """Whom all of them met."""

    def find(self, a: str, b: str) -> Interval:
        """The difference a minus b.

        Raises
        ------
        AnalysisError
            There is no such pair.
        """
        for pair, v in zip(self.pairs, self.differences, strict=True):
            if pair == (a, b):
                return v
            if pair == (b, a):
                return Interval(-v.estimate, -v.high, -v.low, v.level, v.se, v.p)
        raise AnalysisError(f"no contrast of {a!r} and {b!r}; there are {list(self.pairs)}")

    def to_frame(self) -> pd.DataFrame:
        """One row a pair."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "first": a,
                    "second": b,
                    "difference": v.estimate,
                    "low": v.low,
                    "high": v.high,
                    "p": v.p,
                    "p_holm": p,
                }
                for (a, b), v, p in zip(self.pairs, self.differences, self.p_holm, strict=True)
            ]
        )

    def summary(self) -> str:
        """One sentence: how many pairs differ once all are looked at, and the clearest."""
        alpha = 1 - self.differences[0].level
        clear = int((self.p_holm < alpha).sum())
        text = (
            f"{clear} of {len(self.pairs)} pairs of checkpoints differ (Holm, {self.n_seeds} seeds)"
        )
        if not clear:
            return text + "."
        j = int(
            np.argmin(
                np.where(self.p_holm < alpha, [-abs(v.estimate) for v in self.differences], np.inf)
            )
        )
        (a, b), v = self.pairs[j], self.differences[j]
        return text + f"; the largest is {a} minus {b}, {v.text(1, 3)}."


def contrasts(
    checkpoints: Mapping[str, Cells],
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    level: float = 0.95,
) -> Contrasts | NotIdentified:
    """Paired differences between checkpoints, averaged over the partners that all of them met.

    Parameters
    ----------
    checkpoints : mapping of name to Cells
        As `cells_by_focal` gives them.
    pairs : sequence of (first, second), optional
        Default: all of them.
    """
    check_level(level)
    names = list(checkpoints)
    wanted = list(combinations(names, 2)) if pairs is None else list(pairs)
    absent = sorted({n for pair in wanted for n in pair} - set(names))
    if absent:
        raise AnalysisError(f"no replies of {absent}; there are {names}")
    first = checkpoints[names[0]] if names else None
    shared = [
        p
        for p in (first.partners if first else ())
        if all(p in c.partners for c in checkpoints.values())
    ]
    if not wanted or not shared:
        reason = (
            "there is no pair of checkpoints" if not wanted else "they met no partner in common"
        )
        return NotIdentified("differences of checkpoints", reason, "checkpoints that met one bank")
    complete = {name: c.select(shared).common() for name, c in checkpoints.items()}
    seeds = sorted(set.intersection(*(set(c.seeds) for c in complete.values())))
    if len(seeds) < MIN_SEEDS:
        return NotIdentified(
            "differences of checkpoints",
            f"{len(seeds)} seeds are complete for all of them",
            f"{MIN_SEEDS} or more",
        )
    levels = {}
    for name, c in complete.items():
        place = {seed: i for i, seed in enumerate(c.seeds)}
        levels[name] = c.matrix().mean(axis=1)[[place[seed] for seed in seeds]]
    found = []
    for a, b in wanted:
        d = levels[a] - levels[b]
        se = float(d.std(ddof=1) / np.sqrt(len(d)))
        found.append(t_from_se(float(d.mean()), se, len(d) - 1, level))
    p = [1.0 if v.p is None else v.p for v in found]
    return Contrasts(tuple(wanted), tuple(found), adjust(p), len(seeds), tuple(shared))


def joint_p(
    checkpoints: Mapping[str, Mapping[str, Cells]], first: str, second: str
) -> float | NotIdentified:
    """p-value that two checkpoints differ in any behaviour: one Hotelling test over all of them.

    Looking at P behaviours one by one would find a difference between two copies of one checkpoint
    in more than one run in twenty; this finds it in one.

    Parameters
    ----------
    checkpoints : mapping of behaviour to mapping of name to Cells
    first, second : str
        The pair.
    """
    columns: list[dict[object, float]] = []
    for cells in checkpoints.values():
        a, b = cells[first], cells[second]
        shared = [p for p in a.partners if p in b.partners]
        if not shared:
            return NotIdentified("joint test", "they met no partner in common", "one bank")
        levels = []
        for c in (a, b):
            complete = c.select(shared).common()
            levels.append(dict(zip(complete.seeds, complete.matrix().mean(axis=1), strict=True)))
        columns.append({s: levels[0][s] - levels[1][s] for s in levels[0] if s in levels[1]})
    seeds = sorted(set.intersection(*(set(column) for column in columns)), key=str)
    d = np.array([[column[s] for column in columns] for s in seeds])
    # A behaviour in which they never differ says nothing, and has no variance to divide by.
    d = d[:, d.any(axis=0)] if len(seeds) else d
    if len(seeds) < max(MIN_SEEDS, d.shape[1] + 2):
        return NotIdentified("joint test", f"there are {len(seeds)} complete seeds", "20 or more")
    if not d.shape[1]:
        return 1.0
    return hotelling(np.column_stack([np.zeros(len(seeds)), d]))[2]


def equivalent(difference: Interval, margin: float, df: int) -> float:
    """p-value of two one-sided tests that a difference lies within +- margin (TOST).

    >>> round(equivalent(Interval(0.0, -0.1, 0.1, se=0.02), 0.05, 30), 3)
    0.009
    """
    if not 0 < margin < np.inf:
        raise AnalysisError(f"margin must be above 0, got {margin}")
    if not difference.se:
        return 0.0 if abs(difference.estimate) < margin else 1.0
    low = stats.t.sf((difference.estimate + margin) / difference.se, df)
    high = stats.t.cdf((difference.estimate - margin) / difference.se, df)
    return float(max(low, high))
