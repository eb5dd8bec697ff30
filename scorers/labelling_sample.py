"""Draw replies for two raters to label: who said what, and what a detector made of it, hidden.

    panelist label sample LOGS --behaviour hedging -n 300 -o labels/hedging

writes the folder that `labelling_folder` describes; `labelling_agreement` reads it again.
"""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from panelist.analysis.table import KEY, NO_OUTCOME, replies
from panelist.panels.errors import PanelistError
from panelist.scorers.detector import BEHAVIOURS, Behaviour, Detector
from panelist.scorers.labelling_folder import KEY_COLUMNS, write_folder
from panelist.scorers.logs import read_logs


def sample(
    logs: Sequence[Path],
    behaviour: Behaviour,
    n: int,
    seed: int,
    folder: Path,
    detector: Detector | None = None,
) -> pd.DataFrame:
    """Draw n replies of the logs, write the folder, and return the key.

    Args:
        logs: Inspect logs, or folders of them.
        behaviour: what is to be labelled.
        n: replies in all.
        seed: another seed draws other replies; a larger n with the same seed keeps those drawn.
        folder: new or empty.
        detector: scores all the replies; default: the scores that stand in the logs.

    Raises:
        PanelistError: as `draw`; the folder holds something; the logs lack scores of this
            behaviour and no detector is given.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PanelistError(
            f"{folder}: is there already and not empty; labels may be in it. Give a new folder"
        )
    runs, table = read_logs(logs)
    table = replies(table)
    if detector is not None:
        table = _rescored(table, behaviour, detector)
        name, version = detector.name, detector.version
    elif behaviour in table:
        name, version = runs[0].detector["name"], runs[0].detector["version"]
    else:
        raise PanelistError(f"logs: hold no scores of {behaviour}; name a detector that gives them")
    key = draw(table, behaviour, n, seed).assign(detector=name, detector_version=version)
    texts = table.set_index(KEY)[["partner_text", "text"]]
    drawn = key[key["drawn"]].sort_values("id")  # ids are hashes: an order that says nothing
    said = texts.loc[pd.MultiIndex.from_frame(drawn[KEY])]
    items = [
        {"id": id_, "partner": partner, "reply": reply}
        for id_, (partner, reply) in zip(drawn["id"], said.to_numpy(), strict=True)
    ]
    write_folder(folder, items, key)
    return key


def draw(table: pd.DataFrame, behaviour: Behaviour, n: int, seed: int) -> pd.DataFrame:
    """The key (see `KEY_COLUMNS`, less detector and version) of n replies drawn from a tidy table.

    Every focal x partner has the same number of drawn replies, or one more, or all it has. Which
    replies are drawn depends on their names and the seed only, not on the order of the rows.

    Args:
        table: the tidy table, one row a reply (one turn a chain), with the behaviour's column.
        behaviour: its column, and `<behaviour>_score` if there, go into the key.
        n: replies in all.
        seed: of the draw.

    Raises:
        PanelistError: n is more than there are scored replies, or fewer than focal x partner.
    """
    if behaviour not in BEHAVIOURS:
        raise PanelistError(f"behaviour: {behaviour!r}; choose among {', '.join(BEHAVIOURS)}")
    scored = table[~table["status"].isin(NO_OUTCOME) & table[behaviour].notna()]
    names = [tuple(str(v) for v in row) for row in scored[KEY].itertuples(index=False, name=None)]
    order = [_hash("draw", seed, *name) for name in names]
    key = scored[[*KEY, "status"]].assign(
        id=["r" + _hash("id", seed, *name)[:12] for name in names],
        detector_label=scored[behaviour].astype(int),
        detector_probability=scored.get(f"{behaviour}_score", np.nan),
        behaviour=behaviour,
    )
    key = key.iloc[np.argsort(order, kind="stable")]
    stratum = key.groupby(["focal", "partner"], sort=True)
    size = stratum.size()
    if not len(size) <= n <= len(key):
        raise PanelistError(
            f"n: {n}; there are {len(key)} scored replies in {len(size)} strata (focal x partner): "
            f"give at least {len(size)}, one for each, and at most {len(key)}"
        )
    first = [_hash("stratum", seed, *map(str, name)) for name in size.index]
    quota = pd.Series(_shares(size.to_numpy(), n, np.argsort(first)), index=size.index)
    at = pd.MultiIndex.from_frame(key[["focal", "partner"]])
    key["drawn"] = stratum.cumcount().to_numpy() < quota.loc[at].to_numpy()
    key["sampling_probability"] = (quota / size).loc[at].to_numpy()
    key = key.sort_values("id", ignore_index=True)
    return key[[column for column in KEY_COLUMNS if column in key]]


def _shares(sizes: Any, n: int, order: Any) -> Any:
    """n spread over strata of these sizes, as equally as they allow; the rest goes by `order`."""
    level = 0
    while level < sizes.max() and np.minimum(sizes, level + 1).sum() <= n:
        level += 1
    given = np.minimum(sizes, level)
    larger = [i for i in order if sizes[i] > level][: n - int(given.sum())]
    given[larger] += 1
    return given


def _hash(*parts: object) -> str:
    # Hashes, not a random generator: the draw is the same on every machine and NumPy, and nested.
    return blake2b("\x1f".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()


def _rescored(table: pd.DataFrame, behaviour: Behaviour, detector: Detector) -> pd.DataFrame:
    if detector.behaviour != behaviour:
        raise PanelistError(
            f"detector {detector.name!r}: it detects {detector.behaviour}, not {behaviour}"
        )
    scored = table[~table["status"].isin(NO_OUTCOME)]
    found = detector.score(scored["text"].tolist(), scored["partner_text"].tolist())
    # NaN, which is no label, where the detector could not score: the reply is not drawn.
    label = found["label"].astype(float).where(found["probability"].notna())
    columns = {
        behaviour: label.to_numpy(),
        f"{behaviour}_score": found["probability"].to_numpy(),
    }
    return scored.assign(**columns)
