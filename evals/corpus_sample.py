"""Some chains of a corpus as Inspect logs, to look at (`inspect view`) and to score again."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from heapq import nsmallest
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalPlan,
    EvalResults,
    EvalSample,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import GenerateConfig, ModelOutput, ModelUsage

from panelist.evals.units import TASKS
from panelist.panels.bank import SHIPPED, Planted, find_bank
from panelist.panels.chain import CHAIN_KEY, Chain
from panelist.panels.conversation import reply, transcript
from panelist.panels.corpus import TURNS, Part, parts, parts_in, read_part, turns_up_to
from panelist.panels.errors import PanelistError
from panelist.panels.grid import speakers
from panelist.panels.manifest import Manifest, partner_of, read_manifest, record_in
from panelist.panels.partner import Partner


@dataclass(frozen=True)
class Sampled:
    """A sample of a corpus.

    Attributes:
        chains: in it.
        logs: one for each focal.
    """

    chains: int
    logs: tuple[Path, ...]


@dataclass(frozen=True, slots=True, order=True)
class _Drawn:
    """A chain of the sample, ordered by its lot."""

    lot: bytes
    chain: str
    seed: str
    replicate: int
    part: Part


def sample_log(
    corpus: Path,
    output: Path,
    *,
    chains: int = 100,
    focal: str | None = None,
    partner: str | None = None,
    seed: str | None = None,
    draw: int = 0,
) -> Sampled:
    """Write a uniform random sample of a corpus' whole chains as Inspect logs, one for each focal.

    Every chain has a lot, a hash of its id and of `draw`, and the lowest lots are drawn: the same
    ones whatever the order of the parts, and the smaller of two samples is part of the larger.

    Args:
        corpus: its folder.
        output: folder of the logs; the same sample is written to the same files.
        chains: how many, at most.
        focal, partner, seed: only chains of these.
        draw: number of the draw; another gives another sample.

    Raises:
        PanelistError: it is not a corpus or a part of it is damaged, it has no such focal, partner
            or seed, or no whole chain of them.
    """
    manifest = read_manifest(corpus)
    _known(corpus, "focal", focal, manifest.checkpoints)
    _known(corpus, "partner", partner, manifest.partners)
    _known(corpus, "seed", seed, manifest.seeds)
    lots = _lots(corpus, manifest, (focal, partner, seed), draw)
    drawn: dict[str, list[_Drawn]] = defaultdict(list)
    for one in nsmallest(chains, lots):
        drawn[one.part.focal].append(one)
    if not drawn:
        raise PanelistError(
            f"{corpus}: no whole chain of what was asked for; ask for less, or finish the corpus: "
            "run its design again"
        )
    output.mkdir(parents=True, exist_ok=True)
    logs = tuple(
        _write(manifest, name, list(_chains(manifest, members)), output)
        for name, members in sorted(drawn.items())
    )
    return Sampled(sum(map(len, drawn.values())), logs)


def _known(corpus: Path, what: str, name: str | None, there: Collection[str]) -> None:
    if name is not None and name not in there:
        some = ", ".join(sorted(there)[:12]) + (", …" if len(there) > 12 else "")
        raise PanelistError(f"{corpus}, {what}: no {name!r} in it; it has {some}")


def _lots(
    corpus: Path, manifest: Manifest, wanted: tuple[str | None, str | None, str | None], draw: int
) -> Iterator[_Drawn]:
    """The lots of all whole chains, each with the part that holds its last turn."""
    focal, partner, seed = wanted
    pair, seen = ("", ""), set[str]()
    for part in parts(corpus / TURNS):
        if focal not in (None, part.focal) or partner not in (None, part.partner):
            continue
        if (part.focal, part.partner) != pair:
            pair, seen = (part.focal, part.partner), set()
        last = manifest.turns or manifest.partners[part.partner]["reply_turn"]
        table = read_part(part, ["chain", "seed", "replicate", "turn"])
        table = table.filter(pc.field("turn") == last)
        for chain, of, replicate in zip(
            *(table[name].to_pylist() for name in ("chain", "seed", "replicate")), strict=True
        ):
            # A worker that outlives its run may leave a chain twice.
            if seed in (None, of) and chain not in seen:
                seen.add(chain)
                lot = blake2b(f"{draw}\x1f{chain}".encode(), digest_size=8).digest()
                yield _Drawn(lot, chain, of, replicate, part)


def _chains(manifest: Manifest, drawn: Sequence[_Drawn]) -> Iterator[Chain]:
    """The drawn chains of a focal with all their turns, a part at a time."""
    by_part: dict[Part, list[_Drawn]] = defaultdict(list)
    for one in drawn:
        by_part[one.part].append(one)
    for part, members in sorted(by_part.items()):
        here = {other.name: other for other in parts_in(part.path.parent)}
        turns = turns_up_to(here, part.name)
        names = [s["name"] for s in speakers(_partner(manifest, part.partner), part.focal)]
        for one in members:
            yield Chain(
                id=one.chain,
                seed=one.seed,
                question=manifest.seeds[one.seed]["question"],
                focal=part.focal,
                partner=part.partner,
                replicate=one.replicate,
                turns=turns[one.chain],
                order=tuple(map(str, names)) if len(names) > 2 else (),
            )


def _partner(manifest: Manifest, name: str) -> Partner:
    return partner_of(manifest.partners[name])


def _write(manifest: Manifest, focal: str, chains: list[Chain], output: Path) -> Path:
    """The log of a focal, whole or not at all."""
    places = [{name: at for at, name in enumerate(n)} for n in (manifest.seeds, manifest.partners)]
    chains.sort(key=lambda c: (places[0][c.seed], places[1][c.partner], c.replicate))
    row = manifest.checkpoints[focal]["row"]
    planted = _planted(manifest)
    samples = [_sample(manifest, chain, row["model"], planted) for chain in chains]
    said = "\x1f".join((manifest.run, focal, *(chain.id for chain in chains)))
    digest = sha256(said.encode()).hexdigest()[:16]
    behaviour = manifest.behaviours[0]
    record = record_in(manifest, focal)
    used: dict[str, ModelUsage] = defaultdict(ModelUsage)
    for sample in samples:
        for model, usage in sample.model_usage.items():
            used[model] += usage
    now = datetime.now(UTC).isoformat(timespec="seconds")
    log = EvalLog(
        status="success",
        eval=EvalSpec(
            eval_id=digest,
            run_id=manifest.run,
            created=now,
            task=TASKS[behaviour],
            task_id=digest,
            task_version=manifest.benchmark,
            task_registry_name=TASKS[behaviour],
            task_display_name=TASKS[behaviour].rpartition("/")[2],
            # Not a grid of samples and epochs: every chain is named, so that none is found missing.
            dataset=EvalDataset(
                name=f"sample of {manifest.run}",
                samples=len(samples),
                sample_ids=[sample.id for sample in samples],
            ),
            model=row["model"],
            config=EvalConfig(epochs=1),
            packages={"inspect_ai": version("inspect_ai"), "panelist": manifest.package},
            metadata={"panelist": record},
        ),
        plan=EvalPlan(config=GenerateConfig(**record["sampling"])),
        results=EvalResults(total_samples=len(samples), completed_samples=len(samples)),
        stats=EvalStats(started_at=now, completed_at=now, model_usage=dict(used)),
        samples=samples,
    )
    # Inspect reads names as addresses: no per cent signs.
    target = output / f"panel-{behaviour}_{re.sub(r'[^A-Za-z0-9.]+', '-', focal)}_{digest}.eval"
    temporary = target.with_suffix(".part")
    try:
        write_eval_log(log, str(temporary), format="eval")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _planted(manifest: Manifest) -> Mapping[tuple[str, str], Planted]:
    """What is wrong with the bank's turns, in words, where the bank is one of the package."""
    shipped = manifest.bank and SHIPPED.get(manifest.bank) == manifest.bank_sha256
    return find_bank(manifest.bank).planted if shipped else {}


def _sample(
    manifest: Manifest,
    chain: Chain,
    model: str,
    planted: Mapping[tuple[str, str], Planted],
) -> EvalSample:
    """A chain as a panel task leaves it in its log; its uuid is the chain's id."""
    partner = _partner(manifest, chain.partner)
    seats = speakers(partner, chain.focal)
    opener, frozen = partner.seats[0], {}
    if opener is not None and opener.kind == "scripted":
        frozen = _frozen(manifest, chain, opener, planted)
    last = reply(chain) or chain.turns[-1]
    used: dict[str, ModelUsage] = defaultdict(ModelUsage)
    for turn in chain.turns:
        if turn.stop_reason != "scripted":
            seat = seats[(turn.index - 1) % len(seats)]
            tokens = turn.output_tokens or 0
            used[seat["model"] or model] += ModelUsage(output_tokens=tokens, total_tokens=tokens)
    return EvalSample(
        id=f"{chain.seed}:{chain.partner}",
        epoch=chain.replicate,
        uuid=chain.id,
        input=chain.question,
        target="",
        messages=transcript(chain),
        output=ModelOutput.from_content(model, last.text),
        metadata={
            "benchmark": manifest.benchmark,
            "seed": chain.seed,
            "domain": manifest.seeds[chain.seed]["domain"],
            "question": chain.question,
            "focal": chain.focal,
            "partner": chain.partner,
            "partner_kind": partner.kind,
            "reply_turn": partner.reply_turn,
            "speakers": seats,
            "same_turns_as": partner.same_turns_as,
            "dose": partner.dose,
            "opening": None,
            "planted": partner.planted,
            "pair": partner.pair,
            "trouble": None,
            "note": None,
            **frozen,
        },
        store={CHAIN_KEY: chain.to_dict()},
        model_usage=dict(used),
    )


def _frozen(
    manifest: Manifest, chain: Chain, opener: Partner, planted: Mapping[tuple[str, str], Planted]
) -> dict[str, Any]:
    """The frozen opening and what is planted in it, as in `panels.grid`."""
    wrong = planted.get((chain.seed, opener.same_turns_as or opener.name))
    return {
        "opening": chain.turns[0].text,
        "planted": opener.planted,
        "pair": opener.pair,
        "trouble": manifest.partners[chain.partner]["trouble"].get(chain.seed),
        "note": wrong.note if wrong else None,
    }
