"""The card: what one checkpoint's runs say; every number in it comes from `panelist.analysis`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pandas as pd

from panelist.analysis import plots
from panelist.analysis.cells import Cells, cells
from panelist.analysis.dose import Dose, dose_response
from panelist.analysis.errors import NotIdentified
from panelist.analysis.floor import Floor, floor
from panelist.analysis.interval import Interval
from panelist.analysis.length import LengthControl, length_control
from panelist.analysis.level import by_partner, overall, partner_turns
from panelist.analysis.shift import Shift, shift
from panelist.analysis.table import NO_OUTCOME, STATUSES, replies
from panelist.panels.errors import PanelistError
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier
from panelist.scorers.logs import SAMPLING_FIELDS, Run

EXAMPLES = 5
"""Replies shown in full."""


ENOUGH_SEEDS = 40
"""Below this the interval of the shift is approximate (method.md 4a.3): fewer claims are made."""


@dataclass(frozen=True)
class Example:
    """A reply with its cues: `pieces` are (text, is it a cue) in reading order."""

    partner: str
    seed: str
    partner_text: str
    pieces: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Card:
    """Everything that a card shows, in no particular format."""

    focal: str
    runs: Sequence[Run]
    counts: Mapping[str, int]
    n_seeds: int
    """Seeds complete for every partner: what the numbers rest on."""
    n_seen: int
    """Seeds with any scored reply."""
    partners: tuple[str, ...]
    level: Interval | NotIdentified
    levels: Mapping[str, Interval]
    shift: Shift | NotIdentified
    floor: Floor | NotIdentified
    dose: Dose | NotIdentified
    length: LengthControl
    words: Mapping[str, Interval]
    examples: tuple[Example, ...]

    @property
    def run(self) -> Run:
        """The first run; all are comparable."""
        return self.runs[0]

    @property
    def answers(self) -> list[tuple[str, str, str]]:
        """Question, short answer, and what stands behind it."""
        return [
            ("How much does it hedge?", *self._how_much()),
            ("Does it move with the partner?", *self._moves()),
            ("Can I believe it?", *self._believe()),
        ]

    def _how_much(self) -> tuple[str, str]:
        if isinstance(self.level, NotIdentified):
            return "cannot say", self.level.summary()
        return (
            f"{100 * self.level.estimate:.0f} % of replies",
            f"95 % interval {100 * self.level.low:.0f} to {100 * self.level.high:.0f} %, "
            f"mean over {_count(len(self.partners), 'partner')}",
        )

    def _moves(self) -> tuple[str, str]:
        if isinstance(self.shift, NotIdentified):
            return "cannot say", self.shift.summary()
        test = f"omnibus p = {self.shift.p:.2g}"
        if isinstance(self.shift.rel_sd, NotIdentified):
            return "cannot say", f"{self.shift.rel_sd.summary()} {test}"
        rel = self.shift.rel_sd
        span = f"between 95 % limits {100 * rel.low:.0f} and {100 * rel.high:.0f} % of its level"
        if rel.high == 0:
            return "not shown", f"its level varies less than noise alone usually makes it; {test}"
        if self.shift.p >= 0.05:
            return "not shown", f"a noise-corrected SD anywhere {span} fits; {test}"
        if rel.low > 0 and self.n_seeds >= ENOUGH_SEEDS:
            return f"yes, by {100 * rel.estimate:.0f} %", f"noise-corrected SD {span}; {test}"
        return "a sign of it", f"{test}, but its size is open: noise-corrected SD {span}"

    def _believe(self) -> tuple[str, str]:
        total = sum(self.counts.values())
        failed = sum(self.counts[status] for status in NO_OUTCOME)
        doubts = []
        tier = find_tier(self.run.record["tier"])
        if tier.name == "demo":
            doubts.append("the demo tier is too small to rank anything")
        elif self.n_seen < (tier.seeds or len(shipped_seeds())):
            doubts.append(
                f"the {tier.name} tier has more seeds than the {self.n_seen} that were run"
            )
        if self.n_seeds < self.n_seen:
            doubts.append(f"{self.n_seen - self.n_seeds} seeds lack a reply to some partner")
        if self.run.detector["status"] != "validated":
            doubts.append(f"the detector is {self.run.detector['status']}")
        if isinstance(self.floor, NotIdentified):
            doubts.append("there is no A/A check")
        elif self.floor.p < 0.05:
            doubts.append(f"the A/A check failed (p = {self.floor.p:.2g})")
        if failed:
            doubts.append(f"{failed} of {total} replies have no outcome")
        expected = sum(run.expected for run in self.runs)
        if total < expected:
            doubts.append(f"{expected - total} of {expected} replies were never made")
        behind = f"{self.n_seeds} seeds, {total} replies, {failed} without outcome"
        if not isinstance(self.floor, NotIdentified):
            behind += f"; A/A check p = {self.floor.p:.2g}"
        if not doubts:
            return "yes, within its intervals", behind
        return "with care", "; ".join(doubts) + f" ({behind})"


def make_card(runs: Sequence[Run], table: pd.DataFrame, focal: str | None = None) -> Card:
    """The card of one focal checkpoint.

    Raises:
        PanelistError: the logs hold several focals and none is named, or not the one named.
    """
    found = sorted(set(table["focal"]))
    if focal is None and len(found) > 1:
        raise PanelistError(
            f"the logs hold several checkpoints ({', '.join(found)}); name one with --focal"
        )
    name = focal or found[0]
    if name not in found:
        raise PanelistError(
            f"focal: no replies of {name!r} in the logs; they hold {', '.join(found)}"
        )
    table = table[table["focal"] == name]
    table = replies(table)
    scored = cells(table, behaviour="hedging", measure="label")
    twins = {
        str(partner): str(of)
        for partner, of in zip(table["partner"], table["same_turns_as"], strict=True)
        if of
    }
    if not scored.seeds:
        raise PanelistError(f"{name}: no seed has a scored reply to every partner; see the logs")
    partners = tuple(p for p in _by_dose(table, scored.partners) if p not in twins)
    apart = scored.select(partners)
    pairs = [(of, twin) for twin, of in twins.items() if of in scored.partners]
    doses = table["dose"].notna().all()
    lengths = cells(table, behaviour="hedging", measure="words").select(partners)
    moved = shift(apart)
    return Card(
        focal=name,
        runs=[run for run in runs if run.record["focal"] == name],
        counts={status: int((table["status"] == status).sum()) for status in STATUSES},
        n_seeds=len(apart.common().seeds),
        n_seen=table.loc[~table["status"].isin(NO_OUTCOME), "seed"].nunique(),
        partners=partners,
        level=overall(apart),
        levels=by_partner(apart),
        shift=moved,
        floor=_floor(scored, pairs, runs),
        dose=(
            dose_response(apart.common(), partner_turns(table, apart.common())[0])
            if doses
            else NotIdentified(
                "dose response", "not every partner is scripted", "the scripted partners of a bank"
            )
        ),
        length=length_control(table, behaviour="hedging", partners=partners),
        words=by_partner(lengths),
        examples=_examples(table, partners),
    )


def _floor(
    scored: Cells, pairs: Sequence[tuple[str, str]], runs: Sequence[Run]
) -> Floor | NotIdentified:
    """The A/A floor of the first pair, unless it would say nothing."""
    if not pairs:
        return NotIdentified("A/A check", "no A/A partner was in the run", "the whole bank")
    if any(run.record["sampling"].get("temperature") == 0 for run in runs):
        return NotIdentified(
            "A/A check",
            "at temperature 0 the same turns get the same reply",
            "a temperature above 0",
        )
    return floor(scored, *pairs[0])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _by_dose(table: pd.DataFrame, partners: Sequence[str]) -> list[str]:
    dose = table.drop_duplicates("partner").set_index("partner")["dose"].to_dict()
    return sorted(partners, key=lambda p: (pd.isna(dose[p]), dose[p], p))


def _examples(table: pd.DataFrame, partners: Sequence[str]) -> tuple[Example, ...]:
    """The first replies in sampling order, one partner after another: no picking."""
    scored = table[~table["status"].isin(NO_OUTCOME) & (table["replicate"] == 1)]
    seeds = list(dict.fromkeys(scored["seed"]))
    shown = []
    for number in range(EXAMPLES):
        partner = partners[number % len(partners)]
        of_seed = scored[(scored["partner"] == partner) & (scored["seed"].isin(seeds[number:]))]
        if of_seed.empty:
            continue
        row = of_seed.iloc[0]
        shown.append(
            Example(
                partner,
                row["seed"],
                row["partner_text"],
                tuple(_pieces(row["text"], row["spans"])),
            )
        )
    return tuple(shown)


def _pieces(text: str, spans: Sequence[Sequence[int]]) -> list[tuple[str, bool]]:
    pieces, at = [], 0
    for start, end in spans:
        pieces += [(text[at:start], False), (text[start:end], True)]
        at = end
    return [piece for piece in [*pieces, (text[at:], False)] if piece[0]]


def facts(card: Card) -> list[tuple[str, str]]:
    """What was run, for the foot of a card."""
    record, run = card.run.record, card.run
    runtime = record["runtime"]
    checkpoint = record["checkpoint"] or {}
    sampling = ", ".join(
        f"{key} {value}" for key, value in record["sampling"].items() if key in SAMPLING_FIELDS
    )
    sampling += f", base seed {record['base_seed']}" if record["base_seed"] is not None else ""
    statuses = ", ".join(f"{n} {status}" for status, n in card.counts.items() if n)
    return [
        ("checkpoint", f"{card.focal} ({record['model']})"),
        (
            "registry",
            f"family {checkpoint['family']}, base {checkpoint['base']}, recipe "
            f"{checkpoint['recipe']}, revision {checkpoint['revision']}"
            if checkpoint
            else "not registered: family and recipe unknown",
        ),
        (
            "engine",
            f"{runtime['engine_version'] or runtime['engine']}; dtype "
            f"{runtime['dtype'] or 'not visible'}; quantization "
            f"{runtime['quantization'] or 'not visible'}",
        ),
        ("chat template sha256", runtime["chat_template_sha256"] or "not visible"),
        ("sampling", sampling),
        ("system prompt", record["system_prompt"]),
        (
            "benchmark",
            f"version {record['benchmark']}, tier {record['tier']}, {record['turns']} turns",
        ),
        (
            "partner bank",
            f"{record['bank']}, sha256 {record['bank_sha256']}"
            if record["bank"]
            else "none (live)",
        ),
        (
            "detector",
            f"{run.detector['name']} version {run.detector['version']}, {run.detector['status']}",
        ),
        (
            "replies",
            f"{statuses}; {sum(run.expected for run in card.runs)} set out for; {card.n_seeds} of "
            f"{_count(card.n_seen, 'seed')} complete for every partner",
        ),
        ("tokens generated", f"{sum(r.output_tokens or 0 for r in card.runs):,}"),
        ("package", f"panelist {record['package']}"),
        ("runs", ", ".join(f"{r.path.name} ({r.status}, {r.created})" for r in card.runs)),
        ("earlier tries", ", ".join(p.name for r in card.runs for p in r.superseded) or "none"),
    ]


def figures(card: Card) -> dict[str, str]:
    """The card's pictures as SVG, by name; those that cannot be drawn are absent."""
    drawn: dict[str, str] = {}
    if card.levels and isinstance(card.level, Interval):
        drawn["levels"] = plots.forest(
            _rows(tuple(card.levels), tuple(card.levels.values())),
            title="Replies that hedge, by partner",
            reference=card.level.estimate,
            unit=" %",
            scale=100,
            digits=0,
            xlabel="% of replies with a hedge; dashed: mean",
        )
    if isinstance(card.dose, Dose):
        drawn["dose"] = plots.dose(
            _rows(card.dose.partners, card.dose.levels),
            list(card.dose.doses),
            title="Dose response",
            xlabel="hedges per 100 words of the partner's turn",
            ylabel="% of replies with a hedge",
            slope=card.dose.slope.estimate,
            unit=" %",
            scale=100,
            digits=0,
        )
    if card.words:
        drawn["words"] = plots.forest(
            _rows(tuple(card.words), tuple(card.words.values())),
            title="Words per reply, by partner",
            digits=0,
            xlabel="words",
        )
    return drawn


def _rows(names: Sequence[str], values: Sequence[Interval]) -> list[plots.Row]:
    return [
        plots.Row(name, v.estimate, v.low, v.high) for name, v in zip(names, values, strict=True)
    ]


def summaries(card: Card) -> list[tuple[str, str]]:
    """Each result in words, under its heading."""
    return [
        ("Shift", card.shift.summary()),
        ("A/A floor", card.floor.summary()),
        ("Dose response", card.dose.summary()),
        ("Length", card.length.summary()),
    ]


def to_json(card: Card) -> str:
    """The card's numbers, for programs."""
    return json.dumps(
        {
            "focal": card.focal,
            "answers": [
                dict(zip(("question", "answer", "behind"), a, strict=True)) for a in card.answers
            ],
            "level": _record(card.level),
            "levels": {name: _record(value) for name, value in card.levels.items()},
            "shift": _record(card.shift),
            "tau2": _record(card.shift.tau2) if isinstance(card.shift, Shift) else None,
            "relative_sd": _record(card.shift.rel_sd) if isinstance(card.shift, Shift) else None,
            "omnibus_p": card.shift.p if isinstance(card.shift, Shift) else None,
            "floor": _record(card.floor),
            "dose_response": _record(card.dose),
            "length": _record(card.length),
            "counts": dict(card.counts),
            "run": [{**run.record, "detector": run.detector, "id": run.id} for run in card.runs],
        },
        indent=1,
        ensure_ascii=False,
        allow_nan=False,
    )


def _record(result: Any) -> Any:
    """A result as JSON-ready rows; what is not a number is null."""
    if isinstance(result, Interval):
        return {"estimate": result.estimate, "low": result.low, "high": result.high}
    frame = result.to_frame()
    return json.loads(frame.to_json(orient="records", double_precision=15))


def write(text: str, path: Path) -> None:
    """Write a file under a temporary name, then rename it: never half a card."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False
    ) as file:
        file.write(text)
    temporary = Path(file.name)
    try:
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise
