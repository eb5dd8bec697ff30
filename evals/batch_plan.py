"""From a step of a design to what the batch engine does: pairs, legs, and what is missing.

A pair is a focal and a partner; its chains are cut into *legs*, runs of turns that one engine
speaks. With a frozen bank, in self-play and between adapters of one base a chain has one leg. The
legs of all pairs are gone through level by level, and within a level engine by engine: each engine
speaks for all chains that wait for it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai.model import GenerateConfig

from panelist.evals.design import SAMPLING as SETTINGS
from panelist.evals.units import Unit
from panelist.panels.bank import Bank
from panelist.panels.batch import Cast, Speaker, role_of
from panelist.panels.batch_engines import EngineSpec, engine_spec
from panelist.panels.conversation import check_turns
from panelist.panels.corpus import (
    TURNS,
    Part,
    folder_of,
    intact,
    lineage,
    parts_in,
    read_part,
    set_aside,
)
from panelist.panels.grid import speakers, usable_seeds
from panelist.panels.partner import Partner
from panelist.panels.protocol import BENCHMARK
from panelist.panels.sampling import SAMPLING
from panelist.panels.seed import Seed, shipped_seeds
from panelist.panels.tier import Tier


@dataclass(frozen=True)
class Leg:
    """A run of turns that one engine speaks: its key, the last of them."""

    engine: str
    last: int


@dataclass(frozen=True)
class Pair:
    """A focal and a partner: how their chains go, and which engines speak."""

    cast: Cast
    legs: tuple[Leg, ...]


@dataclass(frozen=True)
class Work:
    """All that the workers of one corpus have to know.

    Attributes:
        corpus: its folder, the same on every node.
        pairs: focal-major.
        partners: whom the focals meet.
        seeds: in the order in which tiers nest.
        replies: chains of a seed and a pair.
        openings: frozen opening by seed and partner.
        engines: by key.
        batch: chains of a chunk.
    """

    corpus: Path
    pairs: tuple[Pair, ...]
    partners: tuple[Partner, ...]
    seeds: tuple[Seed, ...]
    replies: int
    openings: Mapping[tuple[str, str], str]
    engines: Mapping[str, EngineSpec]
    batch: int

    @property
    def chains_of_pair(self) -> int:
        """Chains that every pair is to have."""
        return len(self.seeds) * self.replies

    @property
    def chains(self) -> int:
        """Chains of the whole corpus."""
        return len(self.pairs) * self.chains_of_pair

    def levels(self) -> Iterator[tuple[int, str, list[int]]]:
        """Level, engine and the pairs (by number) whose leg of that level the engine speaks."""
        for level in range(max(len(pair.legs) for pair in self.pairs)):
            waiting: dict[str, list[int]] = {}
            for number, pair in enumerate(self.pairs):
                if level < len(pair.legs):
                    waiting.setdefault(pair.legs[level].engine, []).append(number)
            for engine, numbers in waiting.items():
                yield level, engine, numbers

    def groups(self, numbers: Sequence[int]) -> list[list[int]]:
        """Pairs together until they fill a chunk: small pairs share one."""
        each = max(1, -(-self.batch // self.chains_of_pair))
        return [list(numbers[at : at + each]) for at in range(0, len(numbers), each)]


def make_work(
    corpus: Path,
    units: Sequence[Unit],
    partners: Sequence[Partner],
    bank: Bank | None,
    tier: Tier,
    turns: int | None,
    base_seed: int,
    batch: int,
) -> Work:
    """The work of one corpus: every unit with every partner.

    Raises:
        PanelistError: a chain is too short or cannot go on, no engine here serves a model, or the
            bank covers no seed.
    """
    if turns != 1:  # opening turns have nobody to reply to
        check_turns(turns, partners)
    args = {unit.model: unit.args for unit in units}
    engines: dict[str, EngineSpec] = {}

    def key_of(model: str) -> str:
        spec = engine_spec(model, args.get(model, {}))
        engines[spec.key] = engines.get(spec.key, spec).also(model)
        return spec.key

    pairs = []
    for unit in units:
        for partner in partners:
            cast = Cast(
                unit.checkpoint.name,
                partner.name,
                tuple(_speaker(facts, unit) for facts in speakers(partner, unit.checkpoint.name)),
                turns or partner.reply_turn,
                BENCHMARK,
                base_seed,
            )
            pairs.append(Pair(cast, tuple(_legs(cast, key_of))))
    seeds = usable_seeds(shipped_seeds(), bank, tier)
    openings = {
        (seed.id, partner.name): bank.opening(seed.id, opener)
        for partner in partners
        if bank and (opener := partner.seats[0]) is not None and opener.kind == "scripted"
        for seed in seeds
    }
    return Work(
        corpus,
        tuple(pairs),
        tuple(partners),
        seeds,
        tier.replies,
        openings,
        engines,
        batch,
    )


def _speaker(facts: Mapping[str, str | None], unit: Unit) -> Speaker:
    own = facts["kind"] in ("focal", "self")
    model = unit.model if own else facts["model"]
    settings = SAMPLING.merge(unit.config) if own else SAMPLING
    return Speaker(str(facts["name"]), role_of(str(facts["kind"])), model, sampling_of(settings))


def sampling_of(config: GenerateConfig) -> dict[str, Any]:
    """The settings that replies depend on, without the seed."""
    found = {name: getattr(config, name) for name in SETTINGS if name != "seed"}
    return {name: value for name, value in found.items() if value is not None}


def _legs(cast: Cast, key_of: Any) -> Iterator[Leg]:
    last, current = 0, None
    for turn in range(1, cast.turns + 1):
        if (model := cast.speaker(turn).model) is None:
            continue
        key = key_of(model)
        if current is not None and key != current:
            yield Leg(current, last)
        current, last = key, turn
    if current is not None:
        yield Leg(current, last)


@dataclass(frozen=True)
class Chunk:
    """Chains that are to speak together; one row of the stream.

    Attributes:
        level: which leg.
        pairs, seeds, replicates: of each chain, by number.
        parents: of each chain, the part that it goes on from; "" for its first leg.
    """

    level: int
    pairs: list[int]
    seeds: list[int]
    replicates: list[int]
    parents: list[str]


def missing(
    work: Work, level: int, numbers: Sequence[int], bad: Callable[[str], None] | None = None
) -> Iterator[Chunk]:
    """The chunks that some pairs lack on a level.

    Args:
        work: of the corpus.
        level: which leg.
        numbers: the pairs.
        bad: if given, every part is checked; one that is not what its name says, or that goes on
            from a part which is lost, is set aside, so that its chains are missing again, and
            named here.
    """
    waiting: list[tuple[int, int, int, str]] = []
    for number in numbers:
        if bad:
            check_parts(work, level, number, bad)
        for item in _lacking(work, level, number):
            waiting.append((number, *item))
            if len(waiting) == work.batch:
                yield _chunk(level, waiting)
                waiting = []
    if waiting:
        yield _chunk(level, waiting)


def _chunk(level: int, waiting: Sequence[tuple[int, int, int, str]]) -> Chunk:
    pairs, seeds, replicates, parents = (list(column) for column in zip(*waiting, strict=True))
    return Chunk(level, pairs, seeds, replicates, parents)


def _parts(work: Work, number: int) -> list[Part]:
    cast = work.pairs[number].cast
    return parts_in(folder_of(work.corpus / TURNS, cast.focal, cast.partner))


def _lacking(work: Work, level: int, number: int) -> Iterator[tuple[int, int, str]]:
    """The chains to make: seed, replicate, parent."""
    cast = work.pairs[number].cast
    parts = [(part, *lineage(part)) for part in _parts(work, number)]
    if level == 0:
        there = {chain for part, leg, _ in parts if leg == 0 for chain in chains_in(part)}
        for at, seed in enumerate(work.seeds):
            for replicate in range(1, work.replies + 1):
                if cast.chain_id(seed.id, replicate) not in there:
                    yield at, replicate, ""
        return
    gone_on: dict[str, set[str]] = {}
    for part, leg, parent in parts:
        if leg == level:
            gone_on.setdefault(parent, set()).update(chains_in(part))
    place = {seed.id: at for at, seed in enumerate(work.seeds)}
    for part, leg, _ in parts:
        if leg != level - 1:
            continue
        table = read_part(part, ["chain", "seed", "replicate"])
        there = gone_on.get(part.name, set())
        rows = zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
        for chain, seed_id, replicate in dict.fromkeys(rows):
            if chain not in there and seed_id in place and replicate <= work.replies:
                yield place[seed_id], replicate, part.name


def chains_in(part: Part) -> list[str]:
    """Ids of the chains of a part."""
    found: list[str] = read_part(part, ["chain"])["chain"].unique().to_pylist()
    return found


def check_parts(work: Work, level: int, number: int, bad: Callable[[str], None]) -> None:
    """Set aside, and name, what cannot be used of a pair's leg."""
    here = _parts(work, number)
    whole = {part.name: intact(part) for part in here}
    names = {name for name, is_whole in whole.items() if is_whole}
    seen: set[str] = set()
    for part in here:
        wrong = ""
        if not whole[part.name]:
            wrong = "corrupt, its bytes have not the hash of its name"
        else:
            leg, parent = lineage(part)
            if leg != level:
                continue
            chains = chains_in(part)
            if leg and parent not in names:
                wrong = "it goes on from a part that is lost"
            elif not seen.isdisjoint(chains):
                # A worker of a run that was killed went on while the next one had begun.
                wrong = "another part has its chains too"
            else:
                seen.update(chains)
        if wrong:
            target = set_aside(work.corpus, part)
            bad(f"{part.path}: {wrong}; set aside as {target}, chains that are lost are made anew")
