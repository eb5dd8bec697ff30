"""What a design's replies say, as sections of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd

from panelist.analysis import plots
from panelist.analysis.cells import Cells
from panelist.analysis.contrasts import Contrasts, contrasts, joint_p
from panelist.analysis.detection import Detection, detection_of_cells
from panelist.analysis.diversity import Diversity, diversity
from panelist.analysis.errors import NotIdentified
from panelist.analysis.interval import Interval, Value
from panelist.analysis.level import overall
from panelist.analysis.profiles import Profiles
from panelist.analysis.shift import shift
from panelist.analysis.srm import social_relations
from panelist.analysis.table import NO_OUTCOME
from panelist.analysis.tally import Tally
from panelist.leaderboard.report import Section, records
from panelist.panels.checkpoint import Checkpoint

Found = tuple[Section, dict[str, Any]]
"""A section, and its numbers for programs."""


def percent(value: Value, digits: int = 0) -> str:
    """A share or a difference of shares as text."""
    if isinstance(value, NotIdentified):
        return "not identified"
    return value.text(100, digits, " %", named=False)


def short_names(names: Sequence[str]) -> list[str]:
    """Names without the words that all of them begin with, for pictures.

    >>> short_names(["smollm2-135m-direct", "smollm2-135m-hedged"])
    ['direct', 'hedged']
    """
    parts = [name.split("-") for name in names]
    shared = list(takewhile(lambda words: len(set(words)) == 1, zip(*parts, strict=False)))
    cut = min(len(shared), *(len(p) - 1 for p in parts)) if len(names) > 1 else 0
    return ["-".join(p[cut:]) for p in parts]


def without_twins(table: pd.DataFrame) -> pd.DataFrame:
    """The replies without those to A/A partners, which would count their twins' words twice."""
    return table[table["same_turns_as"] == ""]


def levels(cells: Mapping[str, Cells], behaviour: str) -> Found:
    """Level of every checkpoint over the partners it met."""
    found = {name: overall(c) for name, c in cells.items()}
    labels = dict(zip(found, short_names(list(found)), strict=True))
    known = [
        (labels[n], v.estimate, v.low, v.high) for n, v in found.items() if isinstance(v, Interval)
    ]
    figure = ""
    if known:
        figure = plots.forest(
            known,
            title=f"Replies with {behaviour}",
            unit=" %",
            scale=100,
            digits=0,
            xlabel=f"% of replies with {behaviour}, 95 % interval",
        )
    table = pd.DataFrame(
        [
            {
                "checkpoint": name,
                f"replies with {behaviour}": percent(value),
                "seeds": len(cells[name].common().seeds),
                "partners": len(cells[name].partners),
            }
            for name, value in found.items()
        ]
    )
    values = {name: _record(value) for name, value in found.items()}
    return Section(f"Levels: {behaviour}", (), table, figure, main=True), {"levels": values}


def differences(found: Contrasts | NotIdentified, behaviour: str) -> Found:
    """Paired differences between checkpoints."""
    heading = f"Differences of checkpoints: {behaviour}"
    if isinstance(found, NotIdentified):
        return Section(heading, (found.summary(),)), {"differences": records(found.to_frame())}
    frame = found.to_frame()
    table = pd.DataFrame(
        {
            "first minus second": [f"{a} − {b}" for a, b in found.pairs],
            "points": [v.text(100, 1, named=False) for v in found.differences],
            "p": [f"{v.p:.2g}" for v in found.differences],
            "p (Holm)": [f"{p:.2g}" for p in found.p_holm],
        }
    )
    text = (
        found.summary(),
        f"Percentage points, paired by seed, mean over {', '.join(found.partners)}.",
    )
    return Section(heading, text, table, main=True), {"differences": records(frame)}


def shifts(cells: Mapping[str, Cells], behaviour: str) -> Found:
    """How far every checkpoint moves with its partner."""
    rows, values = [], {}
    for name, c in cells.items():
        moved = shift(c)
        if isinstance(moved, NotIdentified):
            rows.append({"checkpoint": name, "relative SD": moved.summary(), "omnibus p": ""})
            values[name] = records(moved.to_frame())
            continue
        rel = moved.rel_sd
        said = rel.text(100, 0, " %", named=False) if isinstance(rel, Interval) else rel.summary()
        rows.append({"checkpoint": name, "relative SD": said, "omnibus p": f"{moved.p:.2g}"})
        values[name] = {"relative_sd": _record(rel), "omnibus_p": moved.p}
    text = ("Noise-corrected standard deviation between partners, relative to the level.",)
    section = Section(f"Shift with the partner: {behaviour}", text, pd.DataFrame(rows))
    return section, {"shifts": values}


def identical(
    cells: Mapping[str, Mapping[str, Cells]], pairs: Sequence[tuple[str, str]]
) -> tuple[Found, tuple[str, str, str]]:
    """Pairs that are one checkpoint under two names: a live check of the type-I error.

    Args:
        cells: by behaviour and checkpoint.
        pairs: the names.

    Returns:
        The section, and the answer: question, short answer, what stands behind it.
    """
    rows: list[dict[str, str]] = []
    values: list[dict[str, Any]] = []
    said: list[str] = []
    apart_at: list[float] = []
    for a, b in pairs:
        p = joint_p(cells, a, b)
        row = {"pair": f"{a} − {b}"}
        entry: dict[str, Any] = {"first": a, "second": b}
        for behaviour, by_name in cells.items():
            found = contrasts(by_name, pairs=[(a, b)])
            value = found.differences[0] if isinstance(found, Contrasts) else found
            row[f"{behaviour}, points"] = (
                value.text(100, 1, named=False) if isinstance(value, Interval) else "not identified"
            )
            entry[behaviour] = _record(value)
        row["joint p"] = p.summary() if isinstance(p, NotIdentified) else f"{p:.2g}"
        entry["joint_p"] = None if isinstance(p, NotIdentified) else p
        rows.append(row)
        values.append(entry)
        said.append(f"{row['pair']}: {row[f'{next(iter(cells))}, points']}, p = {row['joint p']}")
        if not isinstance(p, NotIdentified):
            apart_at.append(p)
    text = (
        "Two names of the same weights, sampled independently: their difference is noise. The "
        "joint p tests all behaviours at once; one run in twenty falls below 0.05.",
    )
    section = Section("Identical checkpoints", text, pd.DataFrame(rows), main=True)
    question = "Is nothing found between copies of one checkpoint?"
    if len(apart_at) < len(pairs):
        answer = "cannot say"
    else:
        clear = min(apart_at) < 0.05 / len(pairs)
        answer = "a difference was found" if clear else "nothing, as it should be"
    return (section, {"identical": values}), (question, answer, "; ".join(said))


def apart(profiles: Profiles, heading: str = "Recipe and family") -> Found:
    """Noise-corrected distances by pair class, and what recipe and family make of them."""
    found = diversity(profiles)
    if isinstance(found, NotIdentified):
        return Section(heading, (found.summary(),)), {"diversity": records(found.to_frame())}
    rows = [
        {"quantity": name, "estimate": _said(value)}
        for name, value in {**found.quantities, "rho": found.rho}.items()
    ]
    return (
        Section(heading, (found.summary(), _distances_said(found)), pd.DataFrame(rows), main=True),
        {"diversity": records(found.to_frame())},
    )


def _distances_said(found: Diversity) -> str:
    return (
        "Classes: A, one base and different recipes; B, one recipe and different families; C, both "
        f"differ. Squared distances in within-seed variances, of {', '.join(found.behaviours)}."
    )


def _said(value: Value) -> str:
    return value.summary() if isinstance(value, NotIdentified) else value.text(1, 3, named=False)


def round_robin(cells: Mapping[str, Cells], rows: Sequence[Checkpoint]) -> Found:
    """Who speaks, who is spoken to, and the particular pair."""
    labels = {r.name: {"family": r.family, "recipe": r.recipe, "base": r.base} for r in rows}
    found = social_relations(cells, labels=labels)
    heading = "Round-robin (Social Relations Model)"
    if isinstance(found, NotIdentified):
        return Section(heading, (found.summary(),)), {"round_robin": records(found.to_frame())}
    table = pd.DataFrame(
        [
            {"component": name, "variance": _said(value)}
            for name, value in {**found.components, **found.split}.items()
        ]
    )
    names = list(cells)
    figure = plots.heatmap(
        np.array([cells[f].select(names).levels() for f in names]),
        short_names(names),
        short_names(names),
        title="Level by focal and partner, %",
        scale=100,
        row_name="focal",
        column_name="partner",
    )
    section = Section(heading, (found.summary(),), table, figure)
    return section, {"round_robin": records(found.to_frame())}


def detections(tally: Tally, behaviour: str) -> Found:
    """Hits, false alarms, d' and criterion of every checkpoint, at each matched pair."""
    rows, values = [], []
    facts = {name: tally.partners[name] for name in tally.single}
    sides = {
        pair: [
            tally.cells(
                behaviour, [n for n, f in facts.items() if (f.pair, f.planted) == (pair, p)]
            )
            for p in (1.0, 0.0)
        ]
        for pair in sorted({f.pair for f in facts.values()})
    }
    for focal in tally.focals:
        for pair, (planted, clean) in sides.items():
            found = detection_of_cells(planted.get(focal), clean.get(focal))
            name = {"checkpoint": focal, **({"partner": pair} if pair else {})}
            rows.append(name | _detected(found))
            values += [name | row for row in records(found.to_frame())]
    text = (
        "Hits: the behaviour in reply to planted turns; false alarms: in reply to clean twins. "
        "d' above 0 tells the two apart; a criterion above 0 is reluctant. Pairs without a planted "
        "turn are left out.",
    )
    frame = pd.DataFrame(rows)
    return Section(f"Signal detection: {behaviour}", text, frame, main=True), {"detection": values}


def _detected(found: Detection | NotIdentified) -> dict[str, str]:
    if isinstance(found, NotIdentified):
        return {"hits": found.summary(), "false alarms": "", "d'": "", "criterion": ""}
    return {
        "hits": percent(found.hit),
        "false alarms": percent(found.false_alarm),
        "d'": found.d_prime.text(1, 2, named=False),
        "criterion": found.criterion.text(1, 2, named=False),
    }


def failures(counts: pd.DataFrame) -> Found:
    """Replies by focal (rows) and status (columns): nothing is dropped in silence."""
    frame = counts.reset_index().rename(columns={"focal": "checkpoint"})
    total = int(counts.to_numpy().sum())
    lost = int(sum(counts[s].sum() for s in NO_OUTCOME if s in counts))
    text = (f"{total:,} replies, {lost:,} of them without an outcome.",)
    return Section("Replies by status", text, frame), {"statuses": records(frame)}


def _record(value: Value) -> dict[str, float] | None:
    if isinstance(value, NotIdentified):
        return None
    return {k: v for k, v in asdict(value).items() if k in ("estimate", "low", "high", "p")}
