"""The focal's level over all its partners, and the dose that each partner's words carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import Interval, level_interval
from panelist.analysis.sufficient import Cells, Floats

if TYPE_CHECKING:
    import pandas as pd


def overall(cells: Cells, *, level: float = 0.95) -> Interval | NotIdentified:
    """Mean level over partners, each partner counting once, with its interval over seeds.

    Seeds with a missing cell are left out, so that no partner weighs more.

    Seed means 1, 2 and 3:

    >>> overall(Cells.from_arrays([[0, 2], [2, 2], [2, 4]])).text(digits=2)
    '2.00 (95 % interval -0.48 to 4.48)'
    """
    complete = cells.common()
    if len(complete.seeds) < 2:
        return NotIdentified(
            "level", f"{len(complete.seeds)} complete seeds were seen", "two complete seeds or more"
        )
    return level_interval(complete.matrix().mean(axis=1), cells.measure, level)


def by_partner(cells: Cells, *, level: float = 0.95) -> dict[str, Interval]:
    """Level with each partner on the complete seeds; empty under two of them.

    >>> [v.estimate for v in by_partner(Cells.from_arrays([[0, 2], [2, 4]])).values()]
    [1.0, 3.0]
    """
    complete = cells.common()
    if len(complete.seeds) < 2:
        return {}
    columns = zip(complete.partners, complete.matrix().T, strict=True)
    return {p: level_interval(values, cells.measure, level) for p, values in columns}


def partner_turns(table: pd.DataFrame, cells: Cells) -> tuple[Floats, Floats]:
    """What was replied to: hedges per 100 words, and words, both (S, k) as in `cells`.

    Replicates that met different words (a live partner) count by their sums.

    Raises
    ------
    AnalysisError
        The table does not say what was replied to in some cell.
    """
    lacking = {"partner_hedging_cues", "partner_words"} - set(table.columns)
    if lacking:
        raise AnalysisError(f"the table lacks the columns {sorted(lacking)}")
    rows = table[(table["focal"] == cells.focal) & table["partner"].isin(cells.partners)]
    rows = rows[rows["turn"] == rows.groupby("partner")["turn"].transform("min")]
    heard = rows.groupby(["seed", "partner"])[["partner_hedging_cues", "partner_words"]].mean()
    grid = heard.unstack("partner").reindex(index=list(cells.seeds))
    cues = grid["partner_hedging_cues"][list(cells.partners)].to_numpy(float)
    words = grid["partner_words"][list(cells.partners)].to_numpy(float)
    if not (words > 0).all():
        raise AnalysisError("column partner_words has zeros or gaps; a partner's turn has words")
    rates: Floats = 100 * cues / words
    return rates, words
