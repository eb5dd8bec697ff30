"""What a board says of its checkpoints as a set: ranks, recipe against family, panels."""

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any, Literal

import numpy as np

from panelist.analysis.cells import Cells
from panelist.analysis.composition import MAX_PANELS, compose
from panelist.analysis.diversity import CLASSES, diversity
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.generality import general_claim
from panelist.analysis.profiles import Profiles, second_moment, squared_distances
from panelist.analysis.ranking import detection_values, level_values, ranking, shift_values
from panelist.analysis.shift import MIN_SEEDS
from panelist.analysis.sufficient import Floats
from panelist.leaderboard.board_rows import Entry, figure, record, sides

RankedBy = Literal["level", "shift", "d_prime"]

ENOUGH_SEEDS = 200
"""Seeds of a row that is ranked, once some row has so many: those of the tier quick."""

ENOUGH_COMPLETE = 0.9
"""Share of a row's seeds that must be complete for it to stand beside others, seed by seed."""

CANDIDATES = 25
"""Checkpoints that panels are composed of; of more, those that lie furthest apart."""

SIZES = (2, 3, 4, 5)

TIED = 50
"""Tied panels that are listed."""


def rank(
    entries: Sequence[Entry], behaviour: str, by: RankedBy
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Rank intervals of the rows that have a behaviour, closed-API models apart.

    Returns:
        What is said of the ranking as a whole (that of open weights, where there are any), and by
        id the rank of every row or why it has none.
    """
    places: dict[str, dict[str, Any]] = {}
    said: dict[str, Any] = {"why": "no row"}
    own = [one for one in entries if behaviour in one.cells]
    for closed in (True, False):
        group = [one for one in own if (one.row["class"] == "api") == closed]
        if group:
            said, more = _rank(group, behaviour, by)
            places |= more
    return said, places


def _rank(
    group: Sequence[Entry], behaviour: str, by: RankedBy
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    most = max(len(one.cells[behaviour].common().seeds) for one in group)
    # A group in which nobody answered has none to compare with.
    enough = max(min(ENOUGH_SEEDS, most) * ENOUGH_COMPLETE, MIN_SEEDS)
    places: dict[str, dict[str, Any]] = {}
    estimates: dict[str, float] = {}
    unseen: dict[str, float] = {}
    found: dict[str, dict[Any, float]] = {}
    for one in group:
        cells = one.cells[behaviour].common()
        if len(cells.seeds) < enough:
            why = f"{len(cells.seeds)} complete seeds, too few to be ranked beside the others"
            places[one.id] = {"why": why}
            continue
        value = _seed_values(cells, behaviour, by)
        if isinstance(value, NotIdentified):
            places[one.id] = {"why": value.because}
            continue
        estimates[one.id], values, unseen[one.id] = value
        found[one.id] = dict(zip(cells.seeds, values.tolist(), strict=True))
    seeds = sorted({seed for own in found.values() for seed in own})
    ids = list(found)
    influence = np.array([[found[i].get(s, np.nan) for i in ids] for s in seeds])
    influence = influence.reshape(len(seeds), len(ids))
    made = ranking(
        influence, [estimates[i] for i in ids], variance=[unseen[i] for i in ids], names=ids
    )
    if isinstance(made, NotIdentified):
        return {"why": made.because}, places | {i: {"why": made.because} for i in ids}
    for at, i in enumerate(ids):
        places[i] = {
            "low": int(made.low[at]),
            "high": int(made.high[at]),
            "tied": int(made.tied[at]),
        }
    names = {one.id: str(one.row["name"]) for one in group}
    tied = len(made.top)
    note = (
        f"{tied} of {len(ids)} may be first on {len(seeds)} seeds; all rank intervals hold "
        "together with 95 % confidence."
        if tied < len(ids)
        else f"None of {len(ids)} can be told from all others on {len(seeds)} seeds."
    )
    top = sorted(made.top, key=lambda i: (names[i], i))
    return {"top": top, "seeds": len(seeds), "note": note}, places


def _seed_values(
    cells: Cells, behaviour: str, by: RankedBy
) -> tuple[float, Floats, float] | NotIdentified:
    if by == "level":
        values = level_values(cells)
        return float(values.mean()), values, 0.0
    if by == "shift":
        found = shift_values(cells)
        return found if isinstance(found, NotIdentified) else (*found, 0.0)
    # The pair that the table shows. Pooled over pairs, d' would be that of neither: a checkpoint
    # may be readier to react in one of them.
    planted, clean = next(iter(sides(behaviour).values()))
    return detection_values(cells.select(planted), cells.select(clean))


def comparable(entries: Sequence[Entry], behaviours: Sequence[str]) -> list[Entry]:
    """One row of each checkpoint that has all behaviours: the most trusted, of these that with
    most seeds, of these the newest.

    Calibration standards are left out where two other checkpoints are there.
    """
    whole = [one for one in entries if set(behaviours) <= set(one.cells)]
    real = [one for one in whole if one.row["class"] != "calibration"]
    if len({one.row["name"] for one in real}) > 1:
        whole = real
    best: dict[str, Entry] = {}
    for one in sorted(
        whole, key=lambda one: (one.trust, _complete(one, behaviours), one.date, one.id)
    ):
        best[str(one.row["name"])] = one
    most = max((_complete(one, behaviours) for one in best.values()), default=0)
    enough = min(ENOUGH_SEEDS, most) * ENOUGH_COMPLETE
    return [one for _, one in sorted(best.items()) if _complete(one, behaviours) >= enough]


def _complete(one: Entry, behaviours: Sequence[str]) -> int:
    return min(len(one.cells[b].common().seeds) for b in behaviours)


def profiles_of(entries: Sequence[Entry], behaviours: Sequence[str]) -> Profiles | str:
    """Seed-level profiles of rows, by their checkpoints' names; or why there are none."""
    rows = comparable(entries, behaviours)
    if len(rows) < 2:
        return (
            f"Not identified: {len(rows)} checkpoint{'s' if len(rows) != 1 else ''} with all of "
            f"{', '.join(behaviours)} on enough seeds; two or more are needed."
        )
    labels = {
        str(one.row["name"]): {k: str(one.row[k]) for k in ("family", "recipe", "base")}
        for one in rows
    }
    varied = [
        b for b in behaviours
        if 0 < sum(one.cells[b].total.sum() for one in rows)
        < sum(one.cells[b].replies.sum() for one in rows)
    ]  # fmt: skip
    try:
        return Profiles.from_cells(
            {b: {str(one.row["name"]): one.cells[b] for one in rows} for b in varied or behaviours},
            labels=labels,
        )
    except AnalysisError as ex:
        return f"Not identified: {ex}."


def decomposition(entries: Sequence[Entry], behaviours: Sequence[str]) -> dict[str, Any]:
    """Recipe against family, over all behaviours of the board."""
    profiles = profiles_of(entries, behaviours)
    if isinstance(profiles, str):
        return {"why": profiles}
    found = diversity(profiles, leave_out=False)
    if isinstance(found, NotIdentified):
        return {"why": found.because}
    return {
        "summary": found.summary(),
        "general": general_claim(profiles).summary(),
        "n": len(profiles.names),
        "calibration": sum(
            one.row["class"] == "calibration" for one in comparable(entries, behaviours)
        ),
        "seeds": found.n_seeds,
        "behaviours": list(found.behaviours),
        "pairs": dict(found.n_pairs),
        "quantities": {
            **{name: record(value) for name, value in found.quantities.items()},
            "rho": record(found.rho),
        },
        "legend": CLASSES,
    }


def composer(
    entries: Sequence[Entry], behaviours: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Distances between the candidates, and the most diverse panels of each size."""
    profiles = profiles_of(entries, behaviours)
    if isinstance(profiles, str):
        return {"why": profiles}, {"why": profiles}
    ids = {str(one.row["name"]): one.id for one in comparable(entries, behaviours)}
    matrix = squared_distances(second_moment(profiles.values))
    if len(profiles.names) > CANDIDATES:
        keep = np.zeros(len(profiles.names), bool)
        keep[apart(matrix, CANDIDATES)] = True
        profiles, matrix = profiles.keep(keep), matrix[np.ix_(keep, keep)]
    distances = {
        "ids": [ids[name] for name in profiles.names],
        "matrix": [[figure(float(value)) for value in line] for line in matrix],
    }
    panels: dict[str, Any] = {}
    for k in SIZES:
        if k <= len(profiles.names) and comb(len(profiles.names), k) <= MAX_PANELS:
            panels[str(k)] = _panel(profiles, k, ids)
    return distances, panels


def _panel(profiles: Profiles, k: int, ids: Mapping[str, str]) -> dict[str, Any]:
    found = compose(profiles, k)
    if isinstance(found, NotIdentified):
        return {"why": found.because}
    return {
        "members": [ids[name] for name in found.members],
        "value": record(found.value),
        "tied": [[ids[name] for name in members] for members in found.tied[:TIED]],
        "tied_total": len(found.tied),
        "selection": {ids[name]: figure(v) for name, v in found.selection.items()},
        "summary": found.summary(),
        "gain_random": record(found.gain_random),
        "gain_one_per_family": record(found.gain_one_per_family),
    }


def apart(distances: Floats, count: int) -> list[int]:
    """So many of n that lie far from each other: the farthest pair, then always the farthest left.

    >>> apart(np.array([[0, 1, 9], [1, 0, 8], [9, 8, 0.0]]), 2)
    [0, 2]
    """
    first, second = np.unravel_index(int(np.argmax(distances)), distances.shape)
    chosen = [int(first), int(second)]
    while len(chosen) < count:
        nearest = distances[:, chosen].min(axis=1)
        nearest[chosen] = -np.inf
        chosen.append(int(np.argmax(nearest)))
    return sorted(chosen)
