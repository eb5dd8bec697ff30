"""What every format of a card shows beside its answers: figures, summaries, what was run."""

from collections.abc import Sequence

from panelist.analysis import plots
from panelist.analysis.dose import Dose
from panelist.analysis.interval import Interval
from panelist.leaderboard.card import Card, count
from panelist.scorers.logs import SAMPLING_FIELDS


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
            f"{count(card.n_seen, 'seed')} complete for every partner",
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
            title=f"{card.replies_that.capitalize()}, by partner",
            reference=card.level.estimate,
            unit=" %",
            scale=100,
            digits=0,
            xlabel=f"% of {card.replies_that}; dashed: mean",
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
        *(("Signal detection", found.summary()) for found in card.detections.values()),
        ("Shift", card.shift.summary()),
        ("A/A floor", card.floor.summary()),
        ("Dose response", card.dose.summary()),
        ("Length", card.length.summary()),
    ]
