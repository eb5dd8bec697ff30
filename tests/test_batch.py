"""Conversations by the thousand say what Inspect's say, one by one."""

import sys
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import GenerateConfig, get_model

from panelist.evals import batch, batch_chunk, batch_cluster
from panelist.evals.batch_plan import make_work
from panelist.evals.units import Unit
from panelist.panels.batch import Asked, Cast, Said, Speaker, speak
from panelist.panels.batch_engines import RehearsalEngine, engine_spec
from panelist.panels.cast import cast_partners
from panelist.panels.chain import CHAIN_KEY, Chain, chain_id, sampling_seed
from panelist.panels.checkpoint import Checkpoint, shipped_checkpoints
from panelist.panels.conversation import view
from panelist.panels.rehearsal import rehearse
from panelist.panels.sampling import SAMPLING
from panelist.panels.tier import Tier
from panelist.tasks.panel_hedging import panel_hedging

FOCAL = Speaker("f", "focal", "vllm/f", {"temperature": 0.5, "max_tokens": 9})
OTHER = Speaker("p", "partner", "vllm/p", {"temperature": 0.7})
PAIR = Cast("f", "p", (OTHER, FOCAL), 4, "1.0", 7)
MODEL = "mockllm/model"


def engine(answer: Callable[[Asked], Said], calls: list[list[Asked]] | None = None) -> Any:
    def generate(asked: Sequence[Asked]) -> list[Said]:
        if calls is not None:
            calls.append(list(asked))
        return [answer(one) for one in asked]

    return SimpleNamespace(generate=generate)


def numbered(asked: Asked) -> Said:
    """A reply of its own for every question."""
    return Said(f"{asked.model} {asked.seed}", "stop", 2)


def opened(*seeds: str, cast: Cast = PAIR, opening: str | None = None) -> list[Chain]:
    return [cast.open(seed, f"{seed}?", 1, opening) for seed in seeds]


def waiting(chains: list[Chain], last: int = 4, cast: Cast = PAIR) -> list[tuple[Cast, Chain, int]]:
    return [(cast, chain, last) for chain in chains]


def unit(**settings: Any) -> Unit:
    row = Checkpoint(MODEL, "f", "b", "sft", MODEL, "main", "free")
    return Unit("u", row, "", MODEL, {}, GenerateConfig(**settings))


def from_inspect(tmp_path: Path, partners: str, turns: int | None, limit: int) -> list[Chain]:
    model = get_model(MODEL, custom_outputs=rehearse, config=GenerateConfig(seed=1), memoize=False)
    [log] = inspect_eval(
        panel_hedging,
        task_args={"partners": partners, "turns": turns},
        model=model,
        log_dir=str(tmp_path),
        limit=limit,
        display="none",
    )
    return [Chain.from_dict(sample.store[CHAIN_KEY]) for sample in log.samples or []]


@pytest.mark.parametrize(
    ("names", "turns"),
    [
        ("self,scripted-low,mockllm/x", None),
        ("self,self+mockllm/x,mockllm/x+focal+self", 5),
    ],
)
def test_chains_are_those_of_inspect(tmp_path: Path, names: str, turns: int | None) -> None:
    partners, bank = cast_partners(names, "v1", False)
    work = make_work(tmp_path, [unit()], partners, bank, Tier("t", 1, 2), turns, 1, 9)
    [seed] = work.seeds
    asked = [
        (pair.cast, pair.cast.open(seed.id, seed.text, replicate, opening), pair.cast.turns)
        for pair in work.pairs
        for opening in [work.openings.get((seed.id, pair.cast.partner))]
        for replicate in (1, 2)
    ]
    spoken = speak(RehearsalEngine(engine_spec(MODEL, {})), asked)
    expected = {chain.id: chain for chain in from_inspect(tmp_path, names, turns, len(partners))}
    assert len(expected) == 2 * len(partners)
    assert {chain.id: chain for chain in spoken.chains} == expected


def test_every_turn_is_asked_as_inspect_asks_it() -> None:
    calls: list[list[Asked]] = []
    [chain] = speak(engine(numbered, calls), waiting(opened("s"))).chains
    assert [turn.speaker for turn in chain.turns] == ["p", "f", "p", "f"]
    assert [turn.role for turn in chain.turns] == ["partner", "focal", "partner", "focal"]
    assert chain.id == chain_id(benchmark="1.0", seed="s", focal="f", partner="p", replicate=1)
    for index, [asked] in enumerate(calls, 1):
        speaker = PAIR.speaker(index)
        read = view("s?", chain.turns[: index - 1], (index - 1) % 2)
        assert asked.messages == [{"role": m.role, "content": m.text} for m in read]
        assert asked.seed == sampling_seed(7, chain.id, index)
        assert (asked.model, asked.sampling) == (speaker.model, speaker.sampling)
        turn = chain.turns[index - 1]
        assert (turn.index, turn.text) == (index, f"{speaker.model} {asked.seed}")
        assert (turn.output_tokens, turn.max_tokens) == (2, speaker.sampling.get("max_tokens"))


def test_a_focal_has_its_own_settings_and_others_the_protocols(tmp_path: Path) -> None:
    partners, _ = cast_partners("self,mockllm/x", "v1", False)
    mine = unit(temperature=0.1, seed=3, max_retries=2)
    work = make_work(tmp_path, [mine], partners, None, Tier("t", 1, 1), None, 1, 9)
    own, protocol = (
        {**SAMPLING.model_dump(exclude_none=True), "temperature": t} for t in (0.1, 0.7)
    )
    settings = [[speaker.sampling for speaker in pair.cast.speakers] for pair in work.pairs]
    assert settings == [[own, own], [protocol, own]]


def test_without_a_base_seed_the_engine_draws_its_own() -> None:
    calls: list[list[Asked]] = []
    cast = Cast("f", "p", (OTHER, FOCAL), 2, "1.0", None)
    speak(engine(numbered, calls), waiting(opened("s", cast=cast), 2, cast))
    assert [asked.seed for [asked] in calls] == [None, None]


def test_a_frozen_opening_is_read_but_not_generated() -> None:
    calls: list[list[Asked]] = []
    spoken = speak(engine(numbered, calls), waiting(opened("s", opening="Frozen."), 2))
    [chain], [[asked]] = spoken.chains, calls
    assert asked.messages[-1]["content"].endswith("Panelist A said: Frozen.")
    assert (chain.turns[0].text, chain.turns[0].stop_reason) == ("Frozen.", "scripted")
    assert (spoken.generations, spoken.tokens) == (1, 2)


def test_all_that_wait_speak_in_one_call() -> None:
    calls: list[list[Asked]] = []
    spoken = speak(engine(numbered, calls), waiting(opened(*map(str, range(50)))))
    assert [len(call) for call in calls] == [50] * 4
    assert (spoken.generations, spoken.tokens) == (200, 400)


def test_order_is_kept_when_chains_end_early() -> None:
    calls: list[list[Asked]] = []
    chains = opened("a", "b", "c", "d")
    ends = [(PAIR, chain, last) for chain, last in zip(chains, (3, 1, 4, 0), strict=True)]
    spoken = speak(engine(numbered, calls), ends)
    assert [(c.id, len(c.turns)) for c in spoken.chains] == [
        (chain.id, last) for _, chain, last in ends
    ]
    assert [len(call) for call in calls] == [3, 2, 2, 1]


@pytest.mark.parametrize("chains", [[], opened("s", opening="Frozen.")])
def test_who_has_nothing_to_say_is_not_asked(chains: list[Chain]) -> None:
    calls: list[list[Asked]] = []
    assert speak(engine(numbered, calls), waiting(chains, 1)).chains == chains
    assert calls == []


@pytest.mark.parametrize("turn", [1, 2, 4])
def test_an_error_fails_its_chain_alone(turn: int) -> None:
    chains = opened("a", "b", "c")
    broken = sampling_seed(7, chains[1].id, turn)

    def answer(asked: Asked) -> Said:
        said = numbered(asked)
        return Said("half", "stop", 5, "too long") if asked.seed == broken else said

    calls: list[list[Asked]] = []
    spoken = speak(engine(answer, calls), waiting(chains))
    whole = speak(engine(numbered), waiting(chains))
    assert spoken.failed == [(chains[1].id, "too long")]
    assert spoken.chains == [whole.chains[0], whole.chains[2]]
    assert [len(call) for call in calls] == [3] * turn + [2] * (4 - turn)
    assert spoken.generations == 8 + turn
    assert spoken.tokens == 2 * (8 + turn - 1) + 5


def test_an_engine_that_loses_answers_is_refused() -> None:
    def lossy(asked: Sequence[Asked]) -> list[Said]:
        return [numbered(one) for one in asked[1:]]

    lost: Any = SimpleNamespace(generate=lossy)
    with pytest.raises(ValueError, match="shorter"):
        speak(lost, waiting(opened("a", "b")))


def test_reasoning_is_kept_but_not_heard() -> None:
    calls: list[list[Asked]] = []
    thinker = engine(lambda _: Said("<think>perhaps</think> It is so.", "stop", 3), calls)
    [chain] = speak(thinker, waiting(opened("s"))).chains
    assert [(t.text, t.reasoning) for t in chain.turns] == [("It is so.", "perhaps")] * 4
    read = [m["content"] for [asked] in calls for m in asked.messages]
    assert not any("perhaps" in text for text in read)
    assert read[-1].endswith("It is so.")


THINKS = next(c.model for c in shipped_checkpoints() if c.recipe == "reasoning-distilled")


@pytest.mark.parametrize(
    ("model", "stop", "tokens", "text"),
    [
        (THINKS, "max_tokens", 9, ""),
        (THINKS, "unknown", 9, ""),
        (THINKS, "stop", 9, "Hm, so"),
        (THINKS, "unknown", 8, "Hm, so"),
        ("vllm/f", "max_tokens", 9, "Hm, so"),
    ],
)
def test_thoughts_cut_at_the_limit_are_no_reply(
    model: str, stop: str, tokens: int, text: str
) -> None:
    focal = Speaker("f", "focal", model, {"max_tokens": 9})
    cast = Cast("f", "p", (OTHER, focal), 2, "1.0", 7)
    chains = opened("s", cast=cast, opening="Frozen.")
    said = engine(lambda _: Said("Hm, so", stop, tokens))
    [chain] = speak(said, waiting(chains, 2, cast)).chains
    turn = chain.turns[1]
    assert (turn.text, turn.reasoning) == (text, "" if text else "Hm, so")
    assert (turn.stop_reason, turn.output_tokens, turn.max_tokens) == (stop, tokens, 9)


def test_only_a_round_table_has_an_order() -> None:
    table = Cast("f", "t", (OTHER, Speaker("q", "partner", "vllm/q", {}), FOCAL), 4, "1.0", 7)
    [chain] = speak(engine(numbered), waiting(opened("s", cast=table), 4, table)).chains
    assert chain.order == ("p", "q", "f")
    assert [turn.speaker for turn in chain.turns] == ["p", "q", "f", "p"]
    assert opened("s")[0].order == ()


def test_the_batch_engine_is_imported_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for module in (batch, batch_chunk, batch_cluster):
        spec: Any = spec_from_file_location("without_ray", module.__file__)
        spec.loader.exec_module(module_from_spec(spec))
