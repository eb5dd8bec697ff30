"""What each panelist sees, and that chains are what the protocol says."""

from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, ModelOutput, ModelUsage, get_model

from panelist.panels.chain import CHAIN_KEY, Chain, Turn, chain_id, sampling_seed
from panelist.panels.checkpoint import shipped_checkpoints
from panelist.panels.conversation import view
from panelist.tasks.panel_hedging import panel_hedging

TURNS = (
    Turn(1, "partner", "p", "One."),
    Turn(2, "focal", "f", "Two."),
    Turn(3, "partner", "p", "Three."),
)


def shape(seat: int, turns: tuple[Turn, ...]) -> list[tuple[str, str]]:
    return [(m.role, m.text) for m in view("Q?", turns, seat)[1:]]


def test_the_focal_reads_question_and_opening() -> None:
    assert shape(1, TURNS[:1]) == [("user", "Question for the panel: Q?\n\nPanelist A said: One.")]


def test_own_turns_are_assistant_messages_and_roles_alternate() -> None:
    assert shape(1, TURNS) == [
        ("user", "Question for the panel: Q?\n\nPanelist A said: One."),
        ("assistant", "Two."),
        ("user", "Panelist A said: Three."),
    ]


def test_the_opener_is_told_to_begin_and_later_hears_the_reply() -> None:
    opening = "Question for the panel: Q?\n\nYou speak first."
    assert shape(0, ()) == [("user", opening)]
    assert shape(0, TURNS[:2]) == [
        ("user", opening),
        ("assistant", "One."),
        ("user", "Panelist B said: Two."),
    ]


def test_no_name_is_said_to_a_panelist() -> None:
    for seat in (0, 1):
        said = " ".join(m.text for m in view("Q?", TURNS, seat))
        assert "You are Panelist" in said
        assert not {"p", "f"} & set(said.replace(":", " ").split())


def test_a_chain_survives_its_record() -> None:
    chain = Chain("id", "s", "Q?", "f", "p", 1, TURNS)
    assert Chain.from_dict(chain.to_dict()) == chain


def test_sampling_seeds_differ_between_the_halves_of_an_aa_pair() -> None:
    def seeded(partner: str) -> int:
        chain = chain_id(benchmark="1", seed="s", focal="f", partner=partner, replicate=1)
        return sampling_seed(0, chain, 2)

    assert seeded("neutral") != seeded("neutral-aa")
    assert seeded("neutral") == seeded("neutral")
    assert 0 <= seeded("neutral") < 2**31


def run(tmp_path: Path, outputs: Any, **task: Any) -> EvalLog:
    """A run of one seed on a mock model."""
    model = get_model(
        "mockllm/model", custom_outputs=outputs, config=GenerateConfig(seed=1), memoize=False
    )
    [log] = inspect_eval(
        panel_hedging,
        task_args=task,
        model=model,
        log_dir=str(tmp_path),
        limit=1,
        display="none",
    )
    return log


def chains(log: EvalLog) -> list[Chain]:
    return [Chain.from_dict(sample.store[CHAIN_KEY]) for sample in log.samples or []]


def answer(text: str) -> ModelOutput:
    output = ModelOutput.from_content("mockllm/model", text)
    output.usage = ModelUsage(output_tokens=1)
    return output


def test_reasoning_reaches_neither_partner_nor_score(tmp_path: Path) -> None:
    heard: list[str] = []

    def think(messages: Any, *_: Any) -> ModelOutput:
        heard.extend(m.text for m in messages)
        return answer("<think>perhaps, maybe</think>It is so.")

    log = run(tmp_path, think, partners="self", turns=4)
    assert log.status == "success"
    for chain in chains(log):
        assert [turn.text for turn in chain.turns] == ["It is so."] * 4
        assert all(turn.reasoning == "perhaps, maybe" for turn in chain.turns)
    assert not any("perhaps" in text for text in heard)
    assert log.samples is not None
    assert log.samples[0].scores is not None
    assert log.samples[0].scores["hedging"].value["hedging"] == 0  # type: ignore[index]


def test_self_play_alternates_one_model(tmp_path: Path) -> None:
    log = run(tmp_path, lambda *_: answer("Yes."), partners="self", turns=3)
    for chain in chains(log):
        assert [turn.role for turn in chain.turns] == ["partner", "focal", "partner"]
        assert [turn.speaker for turn in chain.turns] == ["self", "mockllm/model", "self"]


def test_a_live_partner_named_by_role_opens(tmp_path: Path) -> None:
    model = get_model("mockllm/model", memoize=False)
    [log] = inspect_eval(
        panel_hedging,
        model=model,
        model_roles={"partner": "mockllm/other"},
        log_dir=str(tmp_path),
        limit=1,
        display="none",
    )
    assert log.status == "success"
    for chain in chains(log):
        assert [turn.speaker for turn in chain.turns] == ["mockllm/other", "mockllm/model"]
        assert chain.turns[0].stop_reason != "scripted"


def test_every_turn_has_its_own_sampling_seed(tmp_path: Path) -> None:
    seeds: list[int | None] = []

    def note(messages: Any, tools: Any, choice: Any, config: GenerateConfig) -> ModelOutput:
        seeds.append(config.seed)
        return answer("Yes.")

    run(tmp_path, note, partners="self", turns=4)
    assert len(seeds) == 8  # two replicates of four turns
    assert len(set(seeds)) == 8


def test_the_transcript_names_the_speakers(rehearsal_log: EvalLog) -> None:
    assert rehearsal_log.samples is not None
    sample = rehearsal_log.samples[0]
    speakers = [(m.metadata or {}).get("speaker") for m in sample.messages]
    assert speakers == ["question", sample.metadata["partner"], "mockllm/model"]
    assert sample.messages[1].text.startswith(f"**{sample.metadata['partner']}:**")
    spans = [e.name for e in sample.events if e.event == "span_begin" and e.type == "agent"]
    assert spans == speakers[1:]


def test_the_log_says_what_was_run(rehearsal_log: EvalLog) -> None:
    assert rehearsal_log.eval.metadata is not None
    record = rehearsal_log.eval.metadata["panelist"]
    assert record["bank"] == "v1"
    assert len(record["bank_sha256"]) == len(record["prompt_sha256"]) == 64
    assert record["sampling"]["temperature"] == 0.7
    assert record["system_prompt"].startswith("You are {me}")
    assert set(record["runtime"]) >= {"engine", "dtype", "chat_template_sha256"}
    assert len(record["partners"]) == 4


def test_an_engine_error_is_a_failed_sample_not_a_lost_one(tmp_path: Path) -> None:
    def fail(*_: Any) -> ModelOutput:
        raise RuntimeError("engine died")

    model = get_model("mockllm/model", custom_outputs=fail, memoize=False)
    [log] = inspect_eval(
        panel_hedging,
        model=model,
        log_dir=str(tmp_path),
        limit=1,
        display="none",
        fail_on_error=False,
    )
    assert log.samples is not None
    assert all(sample.error is not None for sample in log.samples)


@pytest.mark.parametrize("replicates", [2])
def test_a_response_cache_never_serves_one_half_of_an_aa_pair_to_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replicates: int
) -> None:
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    calls = []

    def count(*_: Any) -> ModelOutput:
        calls.append(1)
        return answer(f"Reply {len(calls)}.")

    model = get_model(
        "mockllm/model", custom_outputs=count, config=GenerateConfig(cache=True), memoize=False
    )
    for expected in (2 * replicates, 2 * replicates):
        [log] = inspect_eval(
            panel_hedging,
            task_args={"partners": "scripted-neutral,scripted-neutral-aa"},
            model=model,
            log_dir=str(tmp_path),
            limit=2,
            display="none",
            cache=True,
        )
        assert log.status == "success"
        assert len(calls) == expected  # all generated at first, none the second time


def test_a_reply_to_an_empty_opening_has_no_outcome(tmp_path: Path) -> None:
    def mute_opener(messages: Any, *_: Any) -> ModelOutput:
        return answer("" if "You speak first." in messages[-1].text else "Perhaps.")

    log = run(tmp_path, mute_opener, partners="self")
    for sample in log.samples or []:
        assert sample.scores is not None
        assert (sample.scores["hedging"].metadata or {})["turns"][0]["status"] == "error"


def test_a_reasoning_model_cut_before_its_tag_shows_nothing(tmp_path: Path) -> None:
    """The template opened the block in the prompt, and the limit came first: no reply."""

    def cut(*_: Any) -> ModelOutput:
        output = ModelOutput.from_content("mockllm/model", "Okay, perhaps", "max_tokens")
        output.usage = ModelUsage(output_tokens=384)
        return output

    [checkpoint] = [c for c in shipped_checkpoints() if c.name == "deepseek-r1-distill-llama-8b"]
    name = f"mockllm/{checkpoint.model.partition('/')[2]}"
    model = get_model(name, custom_outputs=cut, memoize=False)
    [log] = inspect_eval(panel_hedging, model=model, log_dir=str(tmp_path), limit=1, display="none")
    for chain in chains(log):
        assert (chain.turns[1].text, chain.turns[1].reasoning) == ("", "Okay, perhaps")
