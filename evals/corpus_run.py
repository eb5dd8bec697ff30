"""A design run by the batch engine: one corpus a step, grown by what it lacks.

OUTPUT/
    <behaviour>/             a corpus (`panels.corpus`) for each step of the design
    openings/                the corpus of opening turns, where partners are openings
    openings-<hash>.jsonl    the bank that was frozen of them
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from panelist.evals.batch import Progress, generate, survey
from panelist.evals.batch_chunk import Tally
from panelist.evals.batch_cluster import Engines, cluster
from panelist.evals.batch_plan import Work, make_work, sampling_of
from panelist.evals.check import Checked, check
from panelist.evals.design import Design
from panelist.evals.openings import USABLE
from panelist.evals.units import Plan, Step
from panelist.panels.bank import BANKS, Bank, read_bank, write_bank
from panelist.panels.cast import SELF, cast_partners
from panelist.panels.corpus import TURNS, alone, parts, read_part, sweep, turns_of
from panelist.panels.errors import PanelistError
from panelist.panels.manifest import (
    IMPORT,
    NAME,
    OPENINGS,
    Manifest,
    grown,
    read_manifest,
    write_manifest,
)
from panelist.panels.partner import Partner
from panelist.panels.protocol import BENCHMARK, prompt_sha256
from panelist.panels.sampling import SAMPLING
from panelist.panels.tier import Tier, find_tier
from panelist.scorers.reply_status import reply_status

SMALL, LARGE = 256, 2000
"""Chains of a chunk without and with an accelerator: a minute or so of work, which is what a
killed run loses."""


@dataclass(frozen=True)
class Options:
    """How the batch engine runs.

    Attributes:
        address: of a Ray cluster; None for this machine.
        replicas: actors of each engine; None by accelerators.
        loaded: engines kept side by side; None by accelerators.
        batch: chains of a chunk; None by accelerators.
    """

    address: str | None = None
    replicas: int | None = None
    loaded: int | None = None
    batch: int | None = None


@dataclass(frozen=True)
class Grown:
    """A run of the batch engine that came to its end.

    Attributes:
        checked: what the design asked for.
        corpora: by behaviour of the step.
        made: in this run.
        seconds: that took.
        engines: actors started.
        lacking: chains that still are not there, because they failed.
    """

    checked: Checked
    corpora: dict[str, Path]
    made: Tally
    seconds: float
    engines: int
    lacking: int


def grow(
    design: Design,
    path: Path,
    output: Path,
    options: Options = Options(),
    *,
    say: Callable[[str], None] = print,
) -> Grown:
    """Check a design and generate what its corpora lack.

    Args:
        design: what to run.
        path: its file, for messages.
        output: folder of the corpora.
        options: of the engine.
        say: told what is done, line by line.

    Raises:
        PanelistError: the design is refused, the corpora hold something that it cannot be compared
            with, another run is writing to them, or an engine cannot be loaded.
    """
    checked = check(design, path)
    run = Growth(design, path, output, options, say)
    start = time.monotonic()
    with alone(output), cluster(options.address):
        sweep(output)
        run.engines = Engines(options.replicas, options.loaded)
        works = run.works()
        run.grow(list(works.values()))
        run.close()
        lacking = sum(run.lacking(work) for work in works.values())
        for work in works.values():  # parts may have been set aside just now
            write_manifest(work.corpus, read_manifest(work.corpus))
    corpora = {behaviour: work.corpus for behaviour, work in works.items()}
    seconds = time.monotonic() - start
    return Grown(checked, corpora, run.made, seconds, run.engines.started, lacking)


class Growth:
    """The parts of `grow`, with what they share."""

    def __init__(
        self, design: Design, path: Path, output: Path, options: Options, say: Callable[[str], None]
    ) -> None:
        if design.kind in ("runtime", "api"):
            raise PanelistError(
                f"{path}, kind: a design of kind {design.kind} compares what runs the models; run "
                "it without --engine ray"
            )
        self.design, self.output, self.options, self.say = design, output, options, say
        self.plan = Plan(design)
        self.made = Tally()
        self.engines: Engines
        self._bar = _Bar()

    def works(self) -> dict[str, Work]:
        """What every step is to hold, by behaviour; partners' openings are made first."""
        tier = find_tier(self.design.tier)
        frozen = self._openings(tier) if self.plan.openings else None
        return {step.behaviour: self._work(step, tier, frozen) for step in self.plan.steps}

    def _work(self, step: Step, tier: Tier, frozen: Bank | None) -> Work:
        work, manifest = self.planned(step, tier, frozen)
        write_manifest(work.corpus, manifest)
        return work

    def planned(self, step: Step, tier: Tier, frozen: Bank | None) -> tuple[Work, Manifest]:
        """What a step's corpus is to hold and to say; nothing is written."""
        bank: Bank | None
        if frozen is not None:
            partners, bank = frozen.partners, frozen
        else:
            names = None if self.design.partners == "bank" else list(self.design.partners)
            partners, bank = cast_partners(names, BANKS[step.behaviour], False)
        corpus = self.output / step.behaviour
        work = self._make(corpus, partners, bank, tier, self.design.turns)
        new = self._manifest(step, work, bank)
        if (corpus / NAME).exists():
            old = read_manifest(corpus)
            if old.design.get("kind") == IMPORT and any(len(p.legs) > 1 for p in work.pairs):
                raise PanelistError(
                    f"{corpus}: imported from logs, whose chains are whole; this design makes them "
                    "leg by leg. Name another folder with -o"
                )
            new = grown(old, new, corpus)
        return work, new

    def _make(
        self,
        corpus: Path,
        partners: tuple[Partner, ...],
        bank: Bank | None,
        tier: Tier,
        turns: int | None,
    ) -> Work:
        batch = self.options.batch
        if batch is None:
            import ray

            slow = any(not u.model.startswith("mockllm/") for u in self.plan.units)
            batch = SMALL if slow and not ray.cluster_resources().get("GPU") else LARGE
        return make_work(
            corpus.resolve(), self.plan.units, partners, bank, tier, turns, self._seed, batch
        )

    @property
    def _seed(self) -> int:
        return int(self.design.sampling.get("seed", 0))

    def openings_at(self, tier: Tier) -> Path:
        """Where the bank of openings lies once it is frozen."""
        names = "\n".join(row.name for row in self.design.rows)
        digest = sha256(f"{names}\n{tier.seeds}".encode()).hexdigest()[:8]
        return self.output / f"openings-{digest}.jsonl"

    def _openings(self, tier: Tier) -> Bank:
        path = self.openings_at(tier)
        if path.exists():
            return read_bank(path)
        own = Partner(SELF, "self")
        work = self._make(self.output / OPENINGS, (own,), None, replace(tier, replies=1), 1)
        made = generate([work], self.engines, self._bar, _any, self._told, then=work.engines)
        self.made = self.made.plus(made[0])
        if lacking := self.lacking(work):
            raise PanelistError(f"{work.corpus}: {lacking} openings failed: {self.made.error}")
        said: dict[str, dict[str, str]] = {}
        for part in parts(work.corpus / TURNS):
            table = read_part(part)
            seeds = dict(zip(table["chain"].to_pylist(), table["seed"].to_pylist(), strict=True))
            for chain, turns in turns_of(table).items():
                if reply_status(turns[0]) in USABLE:
                    said.setdefault(part.focal, {})[seeds[chain]] = turns[0].text
        rows = self.design.rows
        whole = [s.id for s in work.seeds if all(s.id in said.get(r.name, {}) for r in rows)]
        if not whole:
            raise PanelistError(f"{work.corpus}: no seed has a usable opening of every checkpoint")
        partners = tuple(Partner(row.name, "scripted", model=row.model) for row in rows)
        words = {(seed, r.name): said[r.name][seed] for seed in whole for r in rows}
        write_bank(path, f"{self.design.name}-{path.stem}", partners, words)
        if lost := len(work.seeds) - len(whole):
            self.say(f"{lost} seeds without a usable opening of every checkpoint left out")
        return read_bank(path)

    def _manifest(self, step: Step, work: Work, bank: Bank | None) -> Manifest:
        asked = (len(work.seeds), work.replies)
        return Manifest(
            design=self.design.model_dump(mode="json"),
            behaviours=[step.behaviour, *step.also],
            package=version("panelist"),
            benchmark=BENCHMARK,
            prompt_sha256=prompt_sha256(),
            turns=self.design.turns,
            bank=bank.version if bank else "",
            bank_sha256=bank.sha256 if bank else "",
            base_seed=self._seed,
            checkpoints={
                u.checkpoint.name: {
                    "row": asdict(u.checkpoint) | {"model": u.model},
                    "args": dict(u.args),
                    "sampling": sampling_of(SAMPLING.merge(u.config)),
                    "runtime": None,
                }
                for u in self.plan.units
            },
            partners={
                p.name: _plain(asdict(p))
                | {
                    "reply_turn": p.reply_turn,
                    "words": {
                        seed.id: sha256(work.openings[seed.id, p.name].encode()).hexdigest()[:16]
                        for seed in work.seeds
                        if (seed.id, p.name) in work.openings
                    },
                    "trouble": _trouble(p, work, bank),
                }
                for p in work.partners
            },
            seeds={s.id: {"domain": s.domain, "question": s.text} for s in work.seeds},
            asked={
                u.checkpoint.name: {p.name: asked for p in work.partners} for u in self.plan.units
            },
        )

    def grow(self, works: Sequence[Work]) -> None:
        """Make what the corpora lack."""
        start = time.monotonic()
        made = generate(works, self.engines, self._bar, self._loaded, self._told)
        for work, more in zip(works, made, strict=True):
            self.made = self.made.plus(more)
            manifest = read_manifest(work.corpus)
            if more.generations:
                note = asdict(more) | {
                    "seconds": round(time.monotonic() - start, 1),
                    "ended": datetime.now(UTC).isoformat(timespec="seconds"),
                }
                manifest = replace(manifest, generated=[*manifest.generated, note])
            write_manifest(work.corpus, manifest)

    def _loaded(self, work: Work, model: str, runtime: dict[str, Any]) -> None:
        manifest = read_manifest(work.corpus)
        checkpoints = dict(manifest.checkpoints)
        for name, said in manifest.checkpoints.items():
            if said["row"]["model"] == model:
                _same_runtime(work.corpus, name, said["runtime"], runtime)
                checkpoints[name] = {**said, "runtime": runtime}
        if checkpoints != manifest.checkpoints:
            write_manifest(work.corpus, replace(manifest, checkpoints=checkpoints))

    def close(self) -> None:
        """Leave the line of progress as it is."""
        self._bar.close()

    def _told(self, line: str) -> None:
        with tqdm.external_write_mode():
            self.say(f"panelist: {line}")

    def lacking(self, work: Work) -> int:
        """Chains that a corpus still lacks at the end of their last leg."""
        return sum(
            chains
            for level, _, numbers in work.levels()
            for _, chains in survey(work, level, numbers, self._told)
        )


def _trouble(partner: Partner, work: Work, bank: Bank | None) -> dict[str, str]:
    """By seed, of which kind the trouble is that is planted in a partner's turn."""
    opener = partner.seats[0]
    if bank is None or opener is None:
        return {}
    name = opener.same_turns_as or opener.name
    found = {seed.id: bank.planted.get((seed.id, name)) for seed in work.seeds}
    return {seed: wrong.trouble for seed, wrong in found.items() if wrong}


def _any(work: Work, model: str, runtime: dict[str, Any]) -> None:
    """No opening is compared with one of another runtime: a bank is frozen once."""


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _same_runtime(
    corpus: Path, name: str, before: dict[str, Any] | None, now: dict[str, Any]
) -> None:
    if before is not None and before != now:
        changed = [key for key in now if before.get(key) != now[key]]
        said = "; ".join(f"{key} was {before.get(key)!r}, is {now[key]!r}" for key in changed)
        raise PanelistError(
            f"{corpus}: the runtime of {name} has changed ({said}); its replies would not be "
            "comparable with those that are there. Run it as before, or name another folder "
            "with -o"
        )


class _Bar(Progress):
    """A line that says how far it is, how fast, and how long it will take."""

    def __init__(self) -> None:
        self._bar: Any = None

    def begin(self, engine: str, chains: int) -> None:
        """See `Progress`."""
        self.close()
        self._bar = tqdm(total=chains, unit=" chains", desc=engine[-40:], mininterval=1)
        self._made, self._since = Tally(), time.monotonic()

    def add(self, made: Tally) -> None:
        """See `Progress`."""
        self._made = self._made.plus(made)
        rate = self._made.tokens / max(1e-9, time.monotonic() - self._since)
        self._bar.set_postfix_str(f"{rate:,.0f} tokens/s, {self._made.failed} failed", False)
        self._bar.update(made.chains + made.failed)

    def close(self) -> None:
        """Leave the line as it is."""
        if self._bar is not None:
            self._bar.close()
