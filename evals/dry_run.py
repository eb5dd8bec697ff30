"""`panelist run --engine ray --dry-run`: what is there, what is missing, and what that costs."""

from collections.abc import Iterator
from pathlib import Path

from panelist.evals.batch_plan import Work, missing
from panelist.evals.check import check
from panelist.evals.corpus_run import LARGE, Growth, Options
from panelist.evals.design import Design
from panelist.panels.bank import read_bank
from panelist.panels.manifest import Manifest
from panelist.panels.tier import find_tier


def dry_run(
    design: Design, path: Path, output: Path, dollars_per_hour: float | None = None
) -> Iterator[tuple[str, str]]:
    """Name and value of each line; nothing is generated, and nothing written.

    Args:
        design: what would run.
        path: its file, for messages.
        output: folder of the corpora.
        dollars_per_hour: what the machine costs.

    Raises:
        PanelistError: the design is refused, or does not go with what is there.
    """
    checked = check(design, path)
    yield from checked.lines()
    growth = Growth(design, path, output, Options(batch=LARGE), print)
    tier = find_tier(design.tier)
    there = 0
    manifests: list[Manifest] = []
    bank = growth.openings_at(tier) if growth.plan.openings else None
    # Before the openings are there nobody can say what partners will say; all chains are missing.
    if bank is None or bank.exists():
        frozen = None if bank is None else read_bank(bank)
        for step in growth.plan.steps:
            work, manifest = growth.planned(step, tier, frozen)
            manifests.append(manifest)
            there += work.chains - lacking(work)
    chains = max(0, checked.chains - there)
    yield "chains there", f"{there:,} in {output}"
    yield "chains missing", f"{chains:,}"
    tokens, rate = _experience(manifests)
    each = tokens or checked.generations / checked.chains * design.expected.output_tokens
    known = "as in the runs before" if tokens else "as the design expects"
    yield "tokens to generate", f"about {chains * each:,.0f} ({each:,.0f} a chain, {known})"
    if rate is None:
        yield "time", "not known before a first run into this folder; begin with a small tier"
        return
    hours = chains * each / rate / 3600
    yield "time", f"about {_duration(hours)}, at the {rate:,.0f} tokens/s of the last run"
    if dollars_per_hour is not None:
        yield "cost", f"about ${hours * dollars_per_hour:,.2f} at ${dollars_per_hour:g} an hour"


def lacking(work: Work) -> int:
    """Chains that are not whole: each waits at exactly one level."""
    return sum(
        len(chunk.pairs)
        for level, _, numbers in work.levels()
        for chunk in missing(work, level, numbers)
    )


def _experience(manifests: list[Manifest]) -> tuple[float | None, float | None]:
    """Tokens of a chain, and tokens a second, of the runs before."""
    runs = [run for manifest in manifests for run in manifest.generated if run["tokens"]]
    if not runs:
        return None, None
    chains = sum(run["chains"] for run in runs)
    last = max(runs, key=lambda run: str(run["ended"]))
    rate = last["tokens"] / last["seconds"] if last["seconds"] else None
    return sum(run["tokens"] for run in runs) / max(1, chains), rate


def _duration(hours: float) -> str:
    if hours < 1 / 60:
        return f"{3600 * hours:.0f} s"
    return f"{60 * hours:.0f} min" if hours < 2 else f"{hours:,.1f} h"
