"""What two raters said: how far they agree, where they do not, and what that says of the detector.

    panelist label agree labels/hedging

Kappa is Cohen's (1960), with a percentile interval over resampled seeds. Where both raters agree,
or a third look has decided, the labels give the detector's sensitivity and specificity and correct
its levels (`panelist.analysis.detector_error`; method.md, 4a.10).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from panelist.analysis.cells import cells
from panelist.analysis.detector_error import DetectorError, corrected_cells, detector_error
from panelist.analysis.level import by_partner
from panelist.panels.errors import PanelistError
from panelist.scorers.agreement import Estimate, Floats, conversation_weights, summarise
from panelist.scorers.labelling_folder import (
    ADJUDICATED,
    RATERS,
    adjudicate,
    rater_file,
    read_items,
    read_key,
)
from panelist.scorers.labelling_raters import Label, read_rater


@dataclass(frozen=True, eq=False)
class Agreement:
    """Two raters, and a detector held against what they agree on.

    Attributes:
        behaviour, detector, detector_version: what was labelled, and what is held against it.
        labels: a row a drawn reply: focal, partner, seed, rater_1, rater_2, adjudicated (None where
            not decided) and human (1, 0 or NaN).
        raw: share of replies with the same label, unsure being a label.
        kappa: over the replies that both labelled 1 or 0.
        kappa_unsure: over all replies, unsure being a third label.
        undecided: replies on which the raters differ, or are both unsure, and nobody has decided.
        error: sensitivity and specificity of the detector in each focal x partner, and overall:
            in all of them, each drawn reply counting once; None where nothing is decided.
        levels: a row for each focal x partner: the level as detected and as corrected, with
            intervals; see `corrected_levels`.
    """

    behaviour: str
    detector: str
    detector_version: str
    labels: pd.DataFrame
    raw: Estimate
    kappa: Estimate
    kappa_unsure: Estimate
    undecided: int
    error: DetectorError | None
    overall: DetectorError | None
    levels: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row for each measure of the raters' agreement."""
        measures = {
            "raw agreement": self.raw,
            "kappa (1 or 0)": self.kappa,
            "kappa (with unsure)": self.kappa_unsure,
        }
        rows = [{"measure": name, **e.to_dict()} for name, e in measures.items()]
        return pd.DataFrame(rows)[["measure", "estimate", "low", "high"]].astype(
            {"estimate": float, "low": float, "high": float}
        )

    def summary(self) -> str:
        """A few sentences."""
        differ = int((self.labels["rater_1"] != self.labels["rater_2"]).sum())
        unsure = int((self.labels[["rater_1", "rater_2"]] == "unsure").any(axis=1).sum())
        text = (
            f"{len(self.labels)} replies labelled for {self.behaviour}; the raters differ on "
            f"{differ}, one or both are unsure of {unsure}. "
        )
        if np.isnan(self.kappa.estimate):
            text += "Kappa is not defined: both raters gave one and the same label throughout."
        else:
            text += f"Kappa {self.kappa.text(digits=2)}."
        if self.undecided:
            text += (
                f" {self.undecided} replies are not decided. What follows leaves them out, and is "
                "provisional: they are the hard ones."
            )
        return text


def agree(folder: Path, raters: Sequence[Path] = ()) -> Agreement:
    """Read a sample's folder and its two raters' labels.

    Writes the replies to be decided into adjudicated.csv, or adds those that it lacks; labels that
    stand there are kept, and used.

    Args:
        folder: what `panelist label sample` wrote.
        raters: the two files; default: rater-1 and rater-2 in the folder, .json or .csv.

    Raises:
        PanelistError: a file of the folder is missing or not as it was written; a rater's file is
            not as `read_rater` asks.
    """
    items, sample_id = read_items(folder / "items.jsonl")
    key = read_key(folder / "key.jsonl", [item["id"] for item in items])
    files = [rater_file(folder, rater) for rater in RATERS] if not raters else list(raters)
    if len(files) != 2 or files[0].resolve() == files[1].resolve():
        raise PanelistError(
            f"raters: {', '.join(map(str, files))}; give two different files, one of each rater"
        )
    ids = [item["id"] for item in items]
    first, second = (read_rater(file, ids, sample_id=sample_id) for file in files)
    disputed = [i for i in ids if first[i] != second[i] or first[i] == "unsure"]
    decided = adjudicate(folder / ADJUDICATED, items, disputed, first, second)
    labels = key[key["drawn"]].set_index("id").loc[ids, ["focal", "partner", "seed"]]
    labels = labels.assign(
        rater_1=[first[i] for i in ids],
        rater_2=[second[i] for i in ids],
        adjudicated=pd.Series([decided.get(i) for i in ids], index=labels.index, dtype=object),
        human=[_human(decided.get(i) if i in disputed else first[i]) for i in ids],
    )
    human = key["id"].map(labels["human"]).to_numpy(float)
    return Agreement(
        behaviour=key["behaviour"].iloc[0],
        detector=key["detector"].iloc[0],
        detector_version=key["detector_version"].iloc[0],
        labels=labels.reset_index(),
        undecided=int(labels["human"].isna().sum()),
        error=_error(key, human, by_stratum=True),
        overall=_error(key, human, by_stratum=False),
        levels=corrected_levels(key, human),
        **_measures(labels),
    )


def _human(label: Label | None) -> float:
    return float(label) if label in ("1", "0") else np.nan


def _measures(labels: pd.DataFrame) -> dict[str, Estimate]:
    first, second = labels["rater_1"].to_numpy(), labels["rater_2"].to_numpy()
    cluster = pd.factorize(labels["seed"])[0]
    weights = conversation_weights(int(cluster.max()) + 1, "labelling")
    both = (first != "unsure") & (second != "unsure")
    same = (first == second).astype(float)
    return {
        "raw": summarise((weights[cluster] * same[:, None]).sum(0) / weights[cluster].sum(0)),
        "kappa": summarise(kappa(weights, cluster[both], first[both], second[both])),
        "kappa_unsure": summarise(kappa(weights, cluster, first, second)),
    }


def kappa(weights: Floats, cluster: ArrayLike, first: ArrayLike, second: ArrayLike) -> Floats:
    """Cohen's kappa of two raters in every resample of clusters.

    Args:
        weights: (K, R) how often each cluster stands in a resample.
        cluster: (N,) its index, for each reply.
        first, second: (N,) labels, any.

    Returns:
        (R,); NaN where a resample is empty, or both raters gave one and the same label throughout.
    """
    a, b = np.asarray(first), np.asarray(second)
    row = weights[np.asarray(cluster, np.intp)]
    n = row.sum(axis=0)
    seen = ((a == b)[:, None] * row).sum(axis=0) / np.maximum(n, 1)
    chance = np.zeros_like(n)
    for label in np.unique(np.concatenate([a, b])):
        shares = [((x == label)[:, None] * row).sum(axis=0) / np.maximum(n, 1) for x in (a, b)]
        chance += shares[0] * shares[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((n > 0) & (chance < 1), (seen - chance) / (1 - chance), np.nan)


def _error(key: pd.DataFrame, human: Floats, *, by_stratum: bool) -> DetectorError | None:
    known = ~np.isnan(human)
    if not known.any():
        return None
    y, f = human[known], key.loc[known, "detector_label"].to_numpy(float)
    stratum = (key["focal"] + " x " + key["partner"])[known].to_numpy(str)
    return detector_error(y, f, stratum if by_stratum else None)


def corrected_levels(key: pd.DataFrame, human: ArrayLike) -> pd.DataFrame:
    """The level of every focal x partner, as detected and as corrected by the labels.

    Args:
        key: as `panelist.scorers.labelling_folder.KEY_COLUMNS` says.
        human: (N,) 1, 0 or NaN, for each row of the key.

    Returns:
        focal, partner, replies, labelled, detected, detected_low, detected_high, corrected,
        corrected_low, corrected_high; shares of replies. The corrected level is unbiased whatever
        the detector gets wrong, so it may leave [0, 1] where labels are few. It is NaN without two
        complete seeds, or without a labelled reply.
    """
    y = np.asarray(human, float)
    strata = key.assign(labelled=~np.isnan(y)).groupby(["focal", "partner"], sort=True)["labelled"]
    counts = strata.agg(["size", "sum"])
    # Of the labelled replies, not of the drawn ones: what nobody decided is as if not drawn.
    probability = strata.transform("mean").to_numpy()
    behaviour = str(key["behaviour"].iloc[0])
    table = key.assign(**{behaviour: key["detector_label"]})
    levels = []
    for focal in sorted(key["focal"].unique()):
        own = (key["focal"] == focal).to_numpy()
        detected = by_partner(cells(table[own], behaviour=behaviour))
        can = own & (probability > 0)
        corrected = {}
        if can.any():
            corrected = by_partner(
                corrected_cells(table[can], y[can], probability[can], behaviour=behaviour)
            )
        for partner in sorted(key.loc[own, "partner"].unique()):
            row: dict[str, Any] = {"focal": focal, "partner": partner}
            row["replies"], row["labelled"] = (int(v) for v in counts.loc[(focal, partner)])
            for name, known in (("detected", detected), ("corrected", corrected)):
                value = known.get(partner)
                row[name] = value.estimate if value else np.nan
                row[f"{name}_low"] = value.low if value else np.nan
                row[f"{name}_high"] = value.high if value else np.nan
            levels.append(row)
    return pd.DataFrame(levels)
