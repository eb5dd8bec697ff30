"""The tidy table, one row a reply, to one `Cells` a focal checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from panelist.analysis.errors import AnalysisError
from panelist.analysis.sufficient import Cells, Floats, Measure, as_cells, linearise
from panelist.analysis.table import BEHAVIOURS, NO_OUTCOME, STATUSES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cells", "as_cells", "cells", "cells_by_focal", "linearise"]

_SCORED = tuple(s for s in STATUSES if s not in NO_OUTCOME)


def cells(
    table: pd.DataFrame,
    *,
    behaviour: str = "hedging",
    measure: Measure = "label",
    focal: str | None = None,
    partners: Sequence[str] | None = None,
    turn: int | None = None,
) -> Cells:
    """Seed x partner sums of one focal checkpoint.

    Parameters
    ----------
    table : DataFrame
        One row a reply, with the columns of the tidy table.
    behaviour : {"hedging", "repair", "challenge"}
    measure : {"label", "score", "rate", "window_rate", "words"}
        Share of replies, mean score, cues per 100 words, the same in the opening window, words.
    focal : str, optional
        May be left out when the table holds one focal only.
    partners : sequence of str, optional
        Which partners, in which order; default all of them, sorted.
    turn : int, optional
        Default the focal's first reply to each partner, the primary outcome.

    Raises
    ------
    AnalysisError
        On missing columns, an unknown focal or partner, duplicated keys, or outcomes that are
        NaN, infinite, negative or without words although the reply counts as scored.
    """
    _check_request(table, behaviour, measure)
    names = [str(f) for f in table["focal"].unique()]
    if focal is None:
        if len(names) != 1:
            raise AnalysisError(f"focal must be named, the table holds {names}")
        focal = names[0]
    elif focal not in names:
        raise AnalysisError(f"focal {focal!r} is not in the table, which holds {names}")
    if len(names) > 1:
        table = table[(table["focal"] == focal).to_numpy()]
    return _tally(table, behaviour, measure, partners, turn)[focal]


def cells_by_focal(
    table: pd.DataFrame,
    *,
    behaviour: str = "hedging",
    measure: Measure = "label",
    partners: Sequence[str] | None = None,
    turn: int | None = None,
) -> dict[str, Cells]:
    """`cells` of every focal in the table, in one pass; arguments as there.

    A focal keeps only the partners it met, unless `partners` names them.
    """
    _check_request(table, behaviour, measure)
    return _tally(table, behaviour, measure, partners, turn)


def _check_request(table: pd.DataFrame, behaviour: str, measure: str) -> None:
    if behaviour not in BEHAVIOURS:
        raise AnalysisError(f"behaviour {behaviour!r} is unknown; choose among {BEHAVIOURS}")
    if measure not in get_args(Measure):
        raise AnalysisError(f"measure {measure!r} is unknown; choose among {get_args(Measure)}")
    y, x = _columns(behaviour, measure)
    keys = ["focal", "partner", "seed", "replicate", "turn", "status"]
    lacking = [c for c in (*keys, y, *([x] if x else [])) if c not in table.columns]
    if lacking:
        raise AnalysisError(f"the table lacks the columns {lacking}; see the tidy table's schema")
    if not len(table):
        raise AnalysisError("the table has no rows")


def _columns(behaviour: str, measure: str) -> tuple[str, str | None]:
    """Numerator and exposure column of a measure; None where a reply is its own exposure."""
    return {
        "label": (behaviour, None),
        "score": (f"{behaviour}_score", None),
        "rate": (f"{behaviour}_cues", "words"),
        "window_rate": (f"{behaviour}_window_cues", "window_words"),
        "words": ("words", None),
    }[measure]


def _codes(table: pd.DataFrame, column: str) -> tuple[NDArray[np.int64], list[Any]]:
    import pandas as pd

    codes, names = pd.factorize(table[column], sort=True)
    if (codes < 0).any():
        raise AnalysisError(f"column {column} has missing values; every reply needs its {column}")
    return codes.astype(np.int64), list(names)


def _numbers(table: pd.DataFrame, column: str) -> Floats:
    try:
        values: Floats = table[column].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as e:
        raise AnalysisError(f"column {column} does not hold numbers: {e}") from None
    return values


def _tally(
    table: pd.DataFrame,
    behaviour: str,
    measure: str,
    partners: Sequence[str] | None,
    turn: int | None,
) -> dict[str, Cells]:
    focal, focals = _codes(table, "focal")
    at = _numbers(table, "turn")
    if np.isnan(at).any():
        raise AnalysisError("column turn has missing values; every reply needs its turn")
    if turn is None:
        # The first reply of the pair, not of the chain: a chain that lost its first reply must
        # not have a later one stand in for it.
        whom, _ = _codes(table, "partner")
        pair = focal * (whom.max() + 1) + whom
        first = np.full(pair.max() + 1, np.inf)
        np.minimum.at(first, pair, at)
        keep = at == first[pair]
    else:
        keep = at == turn
    if not keep.any():
        raise AnalysisError(f"turn {turn} has no replies; the table holds {sorted(set(at))[:9]}")
    if not keep.all():
        table, focal = table[keep], focal[keep]
    if partners is not None:
        partners = [str(p) for p in partners]
        here = set(table["partner"].unique())
        absent = [p for p in partners if p not in here]
        if absent or len(set(partners)) != len(partners) or not partners:
            raise AnalysisError(
                f"partners {absent or partners} are absent or repeated; "
                f"the table holds {sorted(map(str, here))}"
            )
        inside = table["partner"].isin(partners).to_numpy()
        table, focal = table[inside], focal[inside]
    partner, names = _codes(table, "partner")
    seed, seeds = _codes(table, "seed")
    replicate, replicates = _codes(table, "replicate")
    k, size = len(names), len(seeds)
    cell = (focal * k + partner) * size + seed
    _check_unique(table, cell * len(replicates) + replicate)

    status = table["status"].to_numpy(dtype=object)
    scored = table["status"].isin(_SCORED).to_numpy()
    unknown = set(status[~scored]) - set(NO_OUTCOME)
    if unknown:
        raise AnalysisError(f"status {sorted(map(str, unknown))} unknown; use {STATUSES}")
    y, x = _outcomes(table, scored, behaviour, measure)
    at_cell, shape = cell[scored], (len(focals), k, size)

    def add(weights: Floats | None) -> Floats:
        sums = np.bincount(at_cell, weights, minlength=len(focals) * k * size)
        return sums.astype(np.float64).reshape(shape).transpose(0, 2, 1)

    n, total, sumsq = add(None), add(y), add(y * y)
    exposure = n if x is None else add(x)
    met = np.bincount(cell, minlength=len(focals) * k * size).reshape(shape) > 0
    out = {}
    for f, name in enumerate(focals):
        if not met[f].any():
            continue
        if partners is not None:
            columns = [names.index(p) for p in partners]
        else:
            columns = list(np.flatnonzero(met[f].any(axis=1)))
        rows = np.flatnonzero(met[f].any(axis=0))
        pick = np.ix_(rows, np.asarray(columns))
        lost = status[(focal == f) & ~scored]
        out[str(name)] = Cells(
            focal=str(name),
            behaviour=behaviour,
            measure=measure,
            seeds=tuple(seeds[s] for s in rows),
            partners=tuple(str(names[j]) for j in columns),
            total=total[f][pick],
            exposure=exposure[f][pick],
            replies=n[f][pick],
            sumsq=sumsq[f][pick],
            missing={s: int((lost == s).sum()) for s in NO_OUTCOME},
        )
    return out


def _check_unique(table: pd.DataFrame, key: NDArray[np.int64]) -> None:
    dense = key.max() < 4 * len(key) + 1000
    if dense and np.bincount(key).max() == 1:
        return
    values, first, counts = np.unique(key, return_index=True, return_counts=True)
    if len(values) == len(key):
        return
    row = table.iloc[first[counts > 1][0]]
    where = {c: row[c] for c in ("focal", "partner", "seed", "replicate", "turn")}
    raise AnalysisError(
        f"{int((counts > 1).sum())} replies are in the table twice, the first is {where}; "
        "keep one row a reply, or number the replicates"
    )


def _outcomes(
    table: pd.DataFrame, scored: NDArray[np.bool_], behaviour: str, measure: str
) -> tuple[Floats, Floats | None]:
    """Numerators and exposures of the scored rows, checked."""
    y_name, x_name = _columns(behaviour, measure)

    def column(name: str) -> Floats:
        values = _numbers(table, name)[scored]
        if not np.isfinite(values).all():
            raise AnalysisError(
                f"column {name} is NaN or infinite in {int((~np.isfinite(values)).sum())} scored "
                f"replies; score them, or give them a status among {NO_OUTCOME}"
            )
        if name != f"{behaviour}_score" and (values < 0).any():
            raise AnalysisError(f"column {name} has a negative value {values.min():g}")
        return values

    y = column(y_name)
    if measure == "label" and not np.isin(y, (0.0, 1.0)).all():
        raise AnalysisError(f"column {y_name} must be 0 or 1, got {y[~np.isin(y, (0.0, 1.0))][0]}")
    if measure == "words" and (y == 0).any():
        raise AnalysisError("column words is 0 in a scored reply; its status should be 'empty'")
    if x_name is None:
        return y, None
    x = column(x_name)
    if (x == 0).any():
        raise AnalysisError(f"column {x_name} is 0 in a scored reply; its status should be 'empty'")
    return y, x
