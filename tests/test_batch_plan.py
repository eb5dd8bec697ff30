"""What a corpus lacks is planned, spoken and written, whatever was lost before."""

from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from panelist.evals.batch_chunk import Tally, speak_chunk, turns_before
from panelist.evals.batch_plan import Chunk, Work, make_work, missing
from panelist.evals.design import Design
from panelist.evals.units import Plan
from panelist.panels.bank import find_bank
from panelist.panels.batch import Said, speak
from panelist.panels.batch_engines import RehearsalEngine, engine_spec
from panelist.panels.corpus import CORRUPT, TURNS, lineage, parts, read_part, turns_of, write_part
from panelist.panels.partner import Partner
from panelist.panels.tier import find_tier

ENGINE = RehearsalEngine(engine_spec("mockllm/x", {}))
LIVE = Partner("p", "checkpoint", model="vllm/other")
SELF = Partner("self", "self")
MODELS, BANK = ("vllm/a", "vllm/b"), ("scripted-low", "scripted-neutral-aa")


def planned(
    corpus: Path, partners: Any = BANK, models: Any = MODELS, tier: str = "3x2", **more: Any
) -> Work:
    """The work of a design; checkpoints go by the last letter of their models."""
    own = {"family": "x", "base": "x/b", "recipe": "sft"}
    rows = tuple({"name": model[-1], "model": model, **own} for model in models)
    units, bank = Plan(Design(name="d", kind="card", checkpoints=rows)).units, find_bank("v1")
    cast: Any = [bank.partner(one) if isinstance(one, str) else one for one in partners]
    return make_work(
        corpus, units, cast, bank, find_tier(tier), more.get("turns"), 7, more.get("size", 4)
    )


def chunks_of(work: Work, level: int = 0) -> list[Chunk]:
    return list(missing(work, level, range(len(work.pairs))))


def lacking(work: Work, bad: Any = None) -> list[int]:
    """How many chains of each level."""
    found = [0] * max(len(pair.legs) for pair in work.pairs)
    for level, _, numbers in work.levels():
        found[level] += sum(len(chunk.pairs) for chunk in missing(work, level, numbers, bad))
    return found


def fill(work: Work, engine: Any = ENGINE) -> Tally:
    """Make what a corpus lacks, level by level, as the batch engine does."""
    made, told = Tally(), list[str]()
    for level, _, numbers in work.levels():
        for chunk in list(missing(work, level, numbers, told.append)):
            made = made.plus(speak_chunk(work, chunk, engine))
    return made


def there(work: Work) -> list[Any]:
    return list(parts(work.corpus / TURNS))


def said(work: Work) -> dict[str, Any]:
    """Every chain of a corpus, its turns as they lie there."""
    found: dict[str, Any] = {}
    for part in sorted(there(work), key=lambda part: lineage(part)[0]):
        for chain, turns in turns_of(read_part(part)).items():
            found[chain] = (*found.get(chain, ()), *turns)
    return found


def whole(work: Work) -> dict[str, Any]:
    """The same chains without a corpus, spoken at once."""
    replicates, casts = range(1, work.replies + 1), [pair.cast for pair in work.pairs]
    asked = []
    for cast, seed, replicate in product(casts, work.seeds, replicates):
        opening = work.openings.get((seed.id, cast.partner))
        asked.append((cast, cast.open(seed.id, seed.text, replicate, opening), cast.turns))
    return {chain.id: chain.turns for chain in speak(ENGINE, asked).chains}


def engine(answer: Any) -> Any:
    """One that changes answers, by their place in a call."""
    return SimpleNamespace(
        generate=lambda asked: [answer(*one) for one in enumerate(ENGINE.generate(asked))]
    )


def legs(work: Work) -> list[list[tuple[str, int]]]:
    return [[(leg.engine.split()[0][5:], leg.last) for leg in pair.legs] for pair in work.pairs]


def test_a_frozen_bank_and_self_play_need_one_leg(tmp_path: Path) -> None:
    work = planned(tmp_path, ("scripted-low", SELF))
    assert legs(work) == [[("a", 2)], [("a", 2)], [("b", 2)], [("b", 2)]]
    assert {name for _, name in work.openings} == {"scripted-low"}
    assert (work.chains_of_pair, work.chains) == (6, 24)
    assert [(level, numbers) for level, _, numbers in work.levels()] == [(0, [0, 1]), (0, [2, 3])]


def test_a_leg_ends_where_another_engine_speaks(tmp_path: Path) -> None:
    table = Partner("t", "table", members=(LIVE, SELF), order=("p", "self", "focal"))
    work = planned(tmp_path, (LIVE, table), ["vllm/a"], turns=4)
    assert legs(work) == [
        [("other", 1), ("a", 2), ("other", 3), ("a", 4)],
        [("other", 1), ("a", 3), ("other", 4)],
    ]
    assert [numbers for _, _, numbers in work.levels()] == [[0, 1], [0, 1], [0, 1], [0]]


def test_adapters_of_a_base_share_its_engine(tmp_path: Path) -> None:
    tuned = Partner("p", "checkpoint", model="vllm/org/base:out/p")
    models = ["vllm/org/base:out/a", "vllm/org/base:out/b", "vllm/org/base"]
    work = planned(tmp_path, [tuned], models, turns=4)
    [spec] = work.engines.values()
    assert set(spec.models) == {tuned.model, *models}
    assert legs(work) == [[("org/base", 4)]] * 3


def test_pairs_share_a_group_until_it_fills_a_chunk(tmp_path: Path) -> None:
    groups = [planned(tmp_path, size=size).groups([0, 1, 2]) for size in (4, 12, 13)]
    assert groups == [[[0], [1], [2]], [[0, 1], [2]], [[0, 1, 2]]]


def test_everything_is_lacking_at_first_and_nothing_once_it_is_spoken(tmp_path: Path) -> None:
    work = planned(tmp_path)
    chunks = chunks_of(work)
    assert [len(chunk.pairs) for chunk in chunks] == [4] * 6
    asked = {row for c in chunks for row in zip(c.pairs, c.seeds, c.replicates, strict=True)}
    assert asked == {(p, s, r) for p in range(4) for s in range(3) for r in (1, 2)}
    tokens = sum(turns[1].output_tokens for turns in whole(work).values())
    assert fill(work) == Tally(24, 0, 24, tokens)
    assert said(work) == whole(work)
    assert {(p.focal, p.partner) for p in there(work)} == set(product("ab", BANK))
    assert lacking(work) == [0]


def test_legs_go_on_from_each_other(tmp_path: Path) -> None:
    work = planned(tmp_path, [LIVE], ["vllm/a"], turns=4, size=6)
    assert lacking(work) == [6, 0, 0, 0]
    speak_chunk(work, chunks_of(work)[0], ENGINE)
    assert lacking(work) == [0, 6, 0, 0]
    assert lacking(planned(tmp_path, [LIVE], ["vllm/a"], "2x1", turns=4)) == [0, 2, 0, 0]
    assert fill(work).generations == 18
    assert lacking(work) == [0] * 4
    last = next(part for part in there(work) if lineage(part)[0] == 3)
    assert turns_before(work, work.pairs[0].cast, last.name) == said(work) == whole(work)


@pytest.mark.parametrize(("partners", "levels"), [(BANK, 1), ((LIVE, SELF), 2)])
@pytest.mark.parametrize(
    ("added", "chains"),
    [
        ({"tier": "3x3"}, 6),
        ({"tier": "5x2"}, 8),
        ({"models": ("vllm/c", "vllm/a")}, 12),
        ({"also": (Partner("q", "checkpoint", model="vllm/a"),)}, 6),
        ({"tier": "2x1"}, 0),
    ],
)
def test_only_what_was_added_is_made(
    tmp_path: Path, partners: Any, levels: int, added: dict[str, Any], chains: int
) -> None:
    more = {"models": ["vllm/a"], **added}
    fill(planned(tmp_path, partners, ["vllm/a"]))
    work = planned(tmp_path, (*partners, *more.pop("also", ())), **more)
    before = there(work)
    assert lacking(work) == [chains, 0][:levels]
    fill(work)
    assert not any(lacking(work))
    assert set(before) <= set(there(work))
    assert whole(work).items() <= said(work).items()


def test_a_part_that_was_deleted_or_spoilt_is_made_again(tmp_path: Path) -> None:
    work, told = planned(tmp_path), list[str]()
    fill(work)
    gone, spoilt, *kept = there(work)
    lost = sum(len(turns_of(read_part(part))) for part in (gone, spoilt))
    gone.path.unlink()
    spoilt.path.write_bytes(b"PAR1")
    assert lacking(work, told.append) == [lost]
    [note], [aside] = told, (tmp_path / CORRUPT).iterdir()
    assert note.startswith(f"{spoilt.path}: corrupt")
    assert str(aside) in note
    assert there(work) == kept
    assert fill(work).generations == lost
    assert said(work) == whole(work)


def test_what_goes_on_from_a_lost_part_is_made_again(tmp_path: Path) -> None:
    work, told = planned(tmp_path, [LIVE], ["vllm/a"], turns=3), list[str]()
    fill(work)
    first = next(part for part in there(work) if lineage(part)[0] == 0)
    chains = turns_of(read_part(first))
    first.path.unlink()
    for chunk in chunks_of(work):
        speak_chunk(work, chunk, engine(lambda _, __: Said("Now otherwise.")))
    assert lacking(work, told.append) == [0, len(chains), 0]
    assert ["from a part that is lost" in note for note in told] == [True, True]
    assert fill(work).chains == 2 * len(chains)
    other = [chain for chain, turns in said(work).items() if turns[0].text == "Now otherwise."]
    assert set(other) == set(chains)
    assert [len(turns) for turns in said(work).values()] == [3] * work.chains


def test_chains_that_two_parts_have_are_kept_once(tmp_path: Path) -> None:
    work, told = planned(tmp_path, ["scripted-low"], ["vllm/a"], size=3), list[str]()
    fill(work)
    one, two = (read_part(part) for part in there(work))
    both = pa.concat_tables([one, two.slice(0, 2)])
    write_part(tmp_path / TURNS, "a", "scripted-low", both, key="0" * 16)
    assert lacking(work, told.append) == [2]
    assert ["another part has its chains too" in note for note in told] == [True, True]
    fill(work)
    assert said(work) == whole(work)
    assert sum(len(turns_of(read_part(part))) for part in there(work)) == 6


@pytest.mark.parametrize("partners", [["scripted-low"], [LIVE]], ids=["bank", "live"])
def test_chains_that_failed_are_asked_for_again(tmp_path: Path, partners: Any) -> None:
    work = planned(tmp_path, partners, ["vllm/a"], size=6)
    made = fill(work, engine(lambda at, said: said if at else Said("", error="no room")))
    assert lacking(work) == [1] * len(work.pairs[0].legs)
    assert (made.failed, made.error) == (sum(lacking(work)), "no room")
    assert fill(work).generations == {1: 1, 2: 1 + 2}[made.failed]
    assert said(work) == whole(work)


@pytest.mark.parametrize("level", [0, 1])
def test_a_repeated_chunk_writes_nothing(tmp_path: Path, level: int) -> None:
    work = planned(tmp_path, [LIVE], size=9)
    for chunk in chunks_of(work)[: 2 * level]:
        speak_chunk(work, chunk, ENGINE)
    chunk = chunks_of(work, level)[0]
    first, before = speak_chunk(work, chunk, ENGINE), there(work)
    again = speak_chunk(work, chunk, engine(lambda *_: Said("Otherwise.")))
    assert again == Tally(first.chains)
    assert there(work) == before


def test_where_all_failed_nothing_is_written(tmp_path: Path) -> None:
    work = planned(tmp_path)
    made = fill(work, engine(lambda *_: Said("", output_tokens=3, error="no room")))
    assert (made, there(work)) == (Tally(0, 24, 24, 72, "no room"), [])
    assert made.plus(Tally(1, 2, 3, 4, "later")) == Tally(1, 26, 27, 76, "no room")
