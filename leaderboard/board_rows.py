"""Rows of the board: what one submission's scored replies say, as JSON-ready numbers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from panelist.analysis.cells import Cells
from panelist.analysis.detection import detection_of_cells
from panelist.analysis.errors import NotIdentified
from panelist.analysis.interval import Value
from panelist.analysis.level import by_partner, overall
from panelist.analysis.shift import brief_shift, hotelling, identified
from panelist.analysis.table import NO_OUTCOME, STATUSES
from panelist.leaderboard.rescoring import Scored, bank_of
from panelist.leaderboard.submission import MANIFEST, RUN
from panelist.leaderboard.weights import CLOSED
from panelist.panels.checkpoint import Checkpoint
from panelist.panels.partner import Partner
from panelist.panels.seed import nested, shipped_seeds
from panelist.scorers.cues import detect
from panelist.scorers.segment import pieces

SHOWN_SEEDS = 2
"""Seeds of each panel whose first replies stand on a checkpoint's page."""

TRUST = ("rescored", "spot-checked", "reproduced")


@dataclass(frozen=True)
class Entry:
    """A submission on its way to the board.

    Attributes:
        id: name of its folder.
        manifest, run: what the files of these names say.
        checkpoint: its row in the registry.
        cells: by behaviour, label cells of the partners without their A/A twins.
        row: as `board.json` has it, without ranks.
        chains: the first in sampling order, for its page.
    """

    id: str
    manifest: Mapping[str, Any]
    run: Mapping[str, Any]
    checkpoint: Checkpoint
    cells: Mapping[str, Cells]
    row: dict[str, Any]
    chains: list[dict[str, Any]]

    @property
    def date(self) -> str:
        """Day on which its last run ended."""
        return str(self.row["date"])

    @property
    def trust(self) -> int:
        """How far it was checked, as a place in `TRUST`."""
        return TRUST.index(self.row["trust"])

    @property
    def submitter(self) -> str:
        """Who gave it."""
        return str(self.row["submitter"])


def figure(value: float) -> float:
    """A number as the board says it: six significant digits."""
    return float(f"{value:.6g}")


def record(value: Value) -> dict[str, Any]:
    """An interval, or why there is none."""
    if isinstance(value, NotIdentified):
        return {"why": value.because}
    return {
        "estimate": figure(value.estimate),
        "low": figure(value.low),
        "high": figure(value.high),
    }


def entry(folder: Path, panels: Mapping[str, Scored], checkpoint: Checkpoint, trust: str) -> Entry:
    """What a submission says.

    Args:
        folder: of the submission.
        panels: its replies, scored.
        checkpoint: its row in the registry.
        trust: one of `TRUST`.
    """
    manifest = json.loads((folder / MANIFEST).read_bytes())
    run = json.loads((folder / RUN).read_bytes())
    name = manifest["checkpoint"]["name"]
    cells = {}
    said = {}
    for behaviour, scored in panels.items():
        failed = sum(one["panel"] == behaviour for one in run["failed"])
        cells[behaviour], said[behaviour] = _panel(
            name, scored, manifest["panels"][behaviour], failed
        )
    runtime = manifest["runtime"]
    provider = manifest["checkpoint"]["model"].partition("/")[0]
    kind = "api" if provider in CLOSED else "open"
    row = {
        "id": folder.name,
        "name": name,
        "family": checkpoint.family,
        "base": checkpoint.base,
        "recipe": checkpoint.recipe,
        "parameters": checkpoint.parameters,
        "model": manifest["checkpoint"]["model"],
        "weights": manifest["checkpoint"]["weights"],
        "class": "calibration" if checkpoint.recipe.startswith("calibration-") else kind,
        "trust": trust,
        "engine": runtime["engine_version"] or runtime["engine"],
        "dtype": runtime["dtype"],
        "quantization": runtime["quantization"],
        "template": runtime["chat_template_sha256"],
        "package": manifest["package"]["version"],
        "submitter": manifest["submitter"],
        "date": _day(run["runs"]),
        "licence": manifest["licence"],
        "source": manifest["source"],
        "hardware": manifest["hardware"],
        "superseded_by": None,
        "panels": said,
    }
    chains = [found for scored in panels.values() for found in _chains(scored)]
    return Entry(folder.name, manifest, run, checkpoint, cells, row, chains)


def _day(runs: Sequence[Mapping[str, Any]]) -> str:
    """Day on which the last of some runs ended, in UTC."""
    ends = (datetime.fromisoformat(str(one["completed"] or one["started"])) for one in runs)
    return max(ends).astimezone(UTC).date().isoformat()


def _panel(
    focal: str, scored: Scored, asked: Mapping[str, Any], failed: int
) -> tuple[Cells, dict[str, Any]]:
    behaviour = scored.behaviour
    tally = scored.tally(focal)
    own = tally.cells(behaviour)[focal]
    order = [p.name for p in columns(behaviour)]
    own = own.select([name for name in order if name in own.partners])
    moved = brief_shift(own)
    counts = {s: int((scored.status == s).sum()) for s in STATUSES}
    shown = int(np.isin(scored.partner, order).sum())
    level = overall(own)
    numbers = {
        "tier": asked["tier"],
        "seeds": asked["seeds"],
        "complete_seeds": len(own.common().seeds),
        # Those that the numbers are of; `chains`, `statuses` and `lost` count A/A twins too.
        "replies": shown,
        "expected": asked["chains"] * len(order) // len(bank_of(behaviour).partners),
        "aa_replies": len(scored.text) - shown,
        "chains": asked["chains"],
        "statuses": {status: n for status, n in counts.items() if n},
        "lost": failed + sum(counts[status] for status in NO_OUTCOME),
        "level": record(level),
        "levels": {partner: record(v) for partner, v in by_partner(own).items()},
        "shift": record(moved if isinstance(moved, NotIdentified) else moved[0]),
        "shift_p": None if isinstance(moved, NotIdentified) else figure(moved[1]),
        "floor_p": _floor(tally.cells(behaviour, list(tally.partners))[focal], behaviour),
        "words": record(overall(scored.lengths(focal, own.partners))),
        "detection": {
            pair: _detected(own, planted, clean)
            | {"replies": int(np.isin(scored.partner, planted + clean).sum())}
            for pair, (planted, clean) in sides(behaviour).items()
        },
        "ranks": {},
    }
    return own, numbers


def columns(behaviour: str) -> list[Partner]:
    """The partners of a behaviour's bank as the board shows them: A/A twins left out."""
    partners = [p for p in bank_of(behaviour).partners if not p.same_turns_as]
    return sorted(partners, key=lambda p: (p.dose is None, p.dose or 0))


def sides(behaviour: str) -> dict[str, tuple[list[str], list[str]]]:
    """By matched pair, the planted partners and their clean twins; {} where nothing is planted."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for partner in columns(behaviour):
        if partner.planted is not None:
            pair = found.setdefault(partner.pair or "", ([], []))
            pair[0 if partner.planted else 1].append(partner.name)
    return found


def _floor(cells: Cells, behaviour: str) -> float | None:
    """p of the A/A check; None where it says nothing."""
    for partner in bank_of(behaviour).partners:
        twin = partner.same_turns_as
        if twin and {twin, partner.name} <= set(cells.partners):
            both = cells.select([twin, partner.name]).common()
            return None if identified(both) else figure(hotelling(both.matrix())[2])
    return None


def _detected(cells: Cells, planted: list[str], clean: list[str]) -> dict[str, Any]:
    found = detection_of_cells(cells.select(planted), cells.select(clean))
    values: dict[str, Value] = {}
    for name in ("d_prime", "hit", "false_alarm", "criterion"):
        values[name] = found if isinstance(found, NotIdentified) else getattr(found, name)
    return {name: record(value) for name, value in values.items()}


def _chains(scored: Scored) -> list[dict[str, Any]]:
    """Replies to all partners but A/A twins on the first seeds in sampling order: not picked."""
    seeds = {seed.id: seed for seed in nested(shipped_seeds())}
    there = set(scored.seed)
    shown = [seed for seed in seeds if seed in there][:SHOWN_SEEDS]
    place = {seed: number for number, seed in enumerate(shown)}
    partners = [partner.name for partner in columns(scored.behaviour)]
    wanted = np.isin(scored.seed, shown) & np.isin(scored.partner, partners)
    rows = np.flatnonzero(wanted & (scored.replicate == 1))
    found = []
    for row in sorted(rows.tolist(), key=lambda r: (scored.partner[r], place[str(scored.seed[r])])):
        text, seed = scored.text[row].as_py(), seeds[scored.seed[row]]
        label, probability = scored.label[row], scored.probability[row]
        found.append(
            {
                "panel": scored.behaviour,
                "partner": str(scored.partner[row]),
                "seed": seed.id,
                "replicate": int(scored.replicate[row]),
                "question": seed.text,
                "partner_text": scored.before[row].as_py(),
                "status": str(scored.status[row]),
                "label": None if np.isnan(label) else int(label),
                "probability": None if np.isnan(probability) else figure(probability),
                "pieces": [list(p) for p in pieces(text, detect(text, scored.behaviour).spans)],
            }
        )
    return found
