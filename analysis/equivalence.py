"""Does the runtime move the checkpoint as its partners do? Shift over runtimes, and TOST.

Engine, precision, batch size and temperature are one more "partner-like" factor. A difference that
is not significant proves nothing; equivalence has to be shown, within a stated margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from panelist.analysis.cells import Cells, cells
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import Interval
from panelist.analysis.pairs import Pairs
from panelist.analysis.shift import Shift, shift
from panelist.analysis.sufficient import Measure

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Equivalence:
    """Shift over runtimes beside shift over partners, and two one-sided tests a pair."""

    runtimes: tuple[str, ...]
    margin: float
    alpha: float
    over_runtimes: Shift
    over_partners: Shift | None
    pairs: Pairs
    """Ratios of levels between runtimes."""
    p: tuple[float, ...]
    """TOST p-value of each pair: small means equivalent."""

    @property
    def verdict(self) -> str:
        """equivalent (every pair within the margin), different (omnibus test), or undecided.

        Runtimes may differ detectably and still be equivalent; then they are equivalent.
        """
        if max(self.p) < self.alpha:
            return "equivalent"
        return "different" if self.over_runtimes.p < self.alpha else "undecided"

    @property
    def smallest_margin(self) -> float:
        """The smallest relative margin within which every pair would be equivalent."""
        df = self.over_runtimes.n_seeds - 1
        reach = np.abs(self.pairs.log_ratio) + stats.t.ppf(1 - self.alpha, df) * self.pairs.se
        return float(np.expm1(reach.max()))

    def to_frame(self) -> pd.DataFrame:
        """One row a pair of runtimes, with `p_tost`."""
        return self.pairs.to_frame().assign(p_tost=self.p, margin=self.margin)

    def summary(self) -> str:
        """One paragraph."""
        tau = self.over_runtimes.rel_sd
        said = {
            "equivalent": "are equivalent",
            "different": "differ",
            "undecided": "can be called neither equivalent nor different",
        }[self.verdict]
        text = f"The runtimes {', '.join(self.runtimes)} {said} "
        text += f"(margin {100 * self.margin:g} %, largest TOST p = {max(self.p):.2g}); "
        text += f"they would be equivalent within {100 * self.smallest_margin:.0f} %."
        if isinstance(tau, Interval):
            text += f" Shift over runtimes: {tau.text(100, 1, ' %')} of the mean."
        other = self.over_partners.rel_sd if self.over_partners else None
        if isinstance(other, Interval):
            text += f" Shift over partners: {other.text(100, 1, ' %', named=False)}."
        if self.verdict == "undecided":
            text += " More seeds would decide."
        return text


def equivalence(
    runtimes: Cells,
    *,
    margin: float = 0.05,
    alpha: float = 0.05,
    partners: Shift | NotIdentified | None = None,
) -> Equivalence | NotIdentified:
    """TOST of every pair of runtimes within ``log(1 + margin)`` on the log scale.

    Parameters
    ----------
    runtimes : Cells
        Runtimes in the place of partners, as `runtime_cells` makes them.
    margin : float
        Relative: 0.05 means levels within 5 % of each other. Stated in advance.
    partners : Shift, optional
        The same checkpoint's shift over partners, to print beside.
    """
    if not 0 < margin < np.inf:
        raise AnalysisError(f"margin must be above 0, got {margin}")
    if not 0 < alpha < 0.5:
        raise AnalysisError(f"alpha must lie in (0, 0.5), got {alpha}")
    over = shift(runtimes, level=1 - alpha)
    if isinstance(over, NotIdentified):
        return NotIdentified("runtime equivalence", over.reason, over.remedy)
    if isinstance(over.pairs, NotIdentified):
        return NotIdentified("runtime equivalence", over.pairs.reason, over.pairs.remedy)
    ratio, se, bound = over.pairs.log_ratio, over.pairs.se, np.log1p(margin)
    df = over.n_seeds - 1
    p = np.maximum(stats.t.sf((ratio + bound) / se, df), stats.t.cdf((ratio - bound) / se, df))
    return Equivalence(
        runtimes=over.partners,
        margin=margin,
        alpha=alpha,
        over_runtimes=over,
        over_partners=partners if isinstance(partners, Shift) else None,
        pairs=over.pairs,
        p=tuple(p.tolist()),
    )


def runtime_cells(
    table: pd.DataFrame,
    *,
    behaviour: str = "hedging",
    measure: Measure = "label",
    focal: str | None = None,
    partners: Sequence[str] | None = None,
) -> Cells:
    """Cells with runtimes in the place of partners: means over the partners all runtimes met.

    The table needs the column `runtime`; within one runtime its keys are unique.
    """
    if "runtime" not in table.columns:
        raise AnalysisError("the table lacks the column runtime")
    if focal is not None:
        table = table[table["focal"] == focal]
    names = sorted(table["runtime"].dropna().unique())
    if not names:
        raise AnalysisError("column runtime is empty")
    every = {
        r: cells(table[table["runtime"] == r], behaviour=behaviour, measure=measure, focal=focal)
        for r in names
    }
    first = every[names[0]]
    met = [p for p in first.partners if all(p in c.partners for c in every.values())]
    shared = list(partners) if partners is not None else met
    if not shared:
        raise AnalysisError("no partner was met under every runtime")
    complete = {r: c.select(shared).common() for r, c in every.items()}
    seeds = sorted(set.intersection(*(set(c.seeds) for c in complete.values())))
    if not seeds:
        raise AnalysisError("no seed is complete under every runtime")
    at = set(seeds)
    levels = [
        c.rows(np.array([s in at for s in c.seeds], dtype=bool)).matrix().mean(axis=1)
        for c in complete.values()
    ]
    return Cells.from_arrays(
        np.stack(levels, axis=1),
        seeds=seeds,
        partners=[str(r) for r in names],
        focal=first.focal,
        behaviour=behaviour,
        measure="score",
    )
