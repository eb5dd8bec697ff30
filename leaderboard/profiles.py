"""Behaviour profiles of the checkpoints in a set of runs, labelled from their run records."""

from collections.abc import Sequence

import pandas as pd

from panelist.analysis.cells import cells_by_focal
from panelist.analysis.profiles import Profiles
from panelist.analysis.table import BEHAVIOURS
from panelist.scorers.logs import Run

LABELS = ("family", "recipe", "base")
"""Taken from the registry; an unregistered checkpoint is a family, recipe and base of its own."""


def profiles_of(runs: Sequence[Run], table: pd.DataFrame) -> Profiles:
    """Every behaviour in the table as a dimension; A/A twins are left out.

    Raises:
        AnalysisError: fewer than two checkpoints, or no seed that all of them met.
    """
    table = table[table["same_turns_as"] == ""]
    labels = {
        run.record["focal"]: {key: run.record["checkpoint"][key] for key in LABELS}
        for run in runs
        if run.record["checkpoint"]
    }
    measured = [behaviour for behaviour in BEHAVIOURS if behaviour in table.columns]
    return Profiles.from_cells(
        {behaviour: cells_by_focal(table, behaviour=behaviour) for behaviour in measured},
        labels=labels,
    )
