"""The focal's level over all its partners, and the dose that each partner's words carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import Interval, t_interval
from panelist.analysis.sufficient import Cells, Floats

if TYPE_CHECKING:
    import pandas as pd


def overall(cells: Cells, *, level: float = 0.95) -> Interval | NotIdentified:
    """Mean level over partners, each partner counting once, with its t interval over seeds.

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
    return t_interval(complete.matrix().mean(axis=1), level)


def partner_rates(table: pd.DataFrame, cells: Cells) -> Floats:
    """Hedges per 100 words of the turns that were replied to, shape (S, k), as in `cells`.

    Raises
    ------
    AnalysisError
        The table does not say what was replied to in some cell.
    """
    rows = table[(table["focal"] == cells.focal) & table["partner"].isin(cells.partners)]
    sums = rows.groupby(["seed", "partner"])[["partner_hedging_cues", "partner_words"]].sum()
    grid = sums.unstack("partner").reindex(index=list(cells.seeds))
    cues = grid["partner_hedging_cues"][list(cells.partners)].to_numpy(float)
    words = grid["partner_words"][list(cells.partners)].to_numpy(float)
    if not (words > 0).all():
        raise AnalysisError("column partner_words has zeros or gaps; a partner's turn has words")
    rates: Floats = 100 * cues / words
    return rates
