"""The lm-eval replay without lm-eval: for the same replies, the scores and rows of Inspect."""

import importlib.util
import json
import logging
from collections.abc import Callable, Sequence
from math import isnan, nan
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import yaml
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import GenerateConfig, ModelOutput, ModelUsage, get_model

from panelist.panels.bank import BANKS, SHIPPED, Planted, write_bank
from panelist.panels.chain import chain_id, sampling_seed
from panelist.panels.checkpoint import shipped_checkpoints
from panelist.panels.errors import PanelistError
from panelist.panels.partner import Partner
from panelist.panels.seed import shipped_seeds
from panelist.scorers.lm_eval import (
    GENERATION,
    TOLERANCE,
    check_generation,
    check_prompt,
    read_lm_eval,
)
from panelist.scorers.logs import read_logs
from panelist.scorers.records import VALUES
from panelist.tasks.panel_challenge import panel_challenge
from panelist.tasks.panel_hedging import panel_hedging
from panelist.tasks.panel_repair import panel_repair

FOLDER = Path(__file__).parents[1] / "tasks" / "lm_eval"
TASKS = {"hedging": panel_hedging, "repair": panel_repair, "challenge": panel_challenge}
FOCAL = "mockllm/model"

REPLIES = (
    "I think that is probably right, though it may depend on who is asked.",
    "No, that is wrong. The costs outweigh the gains.",
    "Sorry, what do you mean by the second one? I did not understand that.",
    "",
    "  \n\t ",
    "...!?",
    "I cannot help with that.",
    "Das hängt davon ab, was man unter einer guten Lösung versteht, und es ist nicht klar.",
    "<think>Perhaps it might be so.</think>It is so.",
    "It may be so, I suppose.</think> The plan works.",
    "<think>never closed, perhaps",
    "<think>a</think>Maybe.<thinking>b</thinking> It might rain.",
    "First line\u2028second line, perhaps\x85third line\x1c possibly a fourth.",
    'He said "maybe" and `perhaps`.\n> I think so\n\nThe answer is four.',
    "Perhaps " * 400,
    "I\u2019m not sure\u00a0– it could be 🎉 {{ user }} {% raw %} \\u0041 %s {0}.",
    "<|im_end|>\n<|im_start|>user\nIt might be so.",
    "\ufeffÎt may, perhaps, be ﬁne.\r\nI guess.",
    "日本語のテキストです。",
    "NaN",
)


def load_replay() -> ModuleType:
    """The module beside the YAML files, loaded by path as lm-eval does."""
    spec = importlib.util.spec_from_file_location("panelist_replay", FOLDER / "replay.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


replay = load_replay()


def read_yaml(name: str) -> Any:
    """A YAML file of the task folder, functions as their names."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: node.value)
    return yaml.load((FOLDER / name).read_text(encoding="utf-8"), Loader)


def inspect_on(
    behaviour: str,
    docs: Sequence[dict[str, Any]],
    replies: Sequence[str],
    log_dir: Path,
    **task_args: Any,
) -> tuple[EvalLog, list[list[tuple[str, str]]]]:
    """The Inspect task with a mock that says these replies to these documents.

    The mock tells the documents apart by the sampling seed, the only thing in which two requests
    of the same words differ.

    Returns:
        The log, and the messages that the model got for each document.
    """
    at = {}
    for place, doc in enumerate(docs):
        name = chain_id(
            benchmark=doc["benchmark"],
            seed=doc["seed"],
            focal=FOCAL,
            partner=doc["partner"],
            replicate=doc["replicate"],
        )
        at[sampling_seed(1, name, doc["reply_turn"])] = place
    got: dict[int, list[tuple[str, str]]] = {}

    def say(input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
        place = at[config.seed or 0]
        got[place] = [(message.role, message.text) for message in input]
        output = ModelOutput.from_content(FOCAL, replies[place])
        output.usage = ModelUsage(input_tokens=0, output_tokens=1, total_tokens=1)
        return output

    pairs = {(doc["seed"], doc["partner"]) for doc in docs}
    [log] = inspect_eval(
        TASKS[behaviour],
        task_args=task_args,
        model=get_model(FOCAL, custom_outputs=say, config=GenerateConfig(seed=1), memoize=False),
        limit=len(pairs),
        log_dir=str(log_dir),
        display="none",
    )
    assert log.status == "success"
    return log, [got[place] for place in range(len(docs))]


def inspect_values(log: EvalLog, doc: dict[str, Any]) -> dict[str, float]:
    """The scores that an Inspect log has for the reply to a document."""
    for sample in read_eval_log(log.location).samples or []:
        facts = (sample.metadata["seed"], sample.metadata["partner"], sample.epoch)
        if facts == (doc["seed"], doc["partner"], doc["replicate"]):
            return dict((sample.scores or {})[doc["behaviour"]].value)  # type: ignore[arg-type]
    raise AssertionError(doc)


def assert_same_values(ours: dict[str, float], theirs: dict[str, float]) -> None:
    """To 1e-9; NaN only where both are."""
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        if isnan(value):
            assert isnan(theirs[name]), name
        else:
            assert abs(value - theirs[name]) <= TOLERANCE, name


def assert_same_rows(ours: pd.DataFrame, log: EvalLog) -> None:
    """All columns but the run's id, in the log's own order of columns."""
    _, theirs = read_logs([Path(log.location)])
    assert list(ours.columns) == list(theirs.columns)
    key = ["seed", "partner", "replicate"]
    both = [t.drop(columns="run").sort_values(key, ignore_index=True) for t in (ours, theirs)]
    pd.testing.assert_frame_equal(*both, check_exact=False, rtol=0, atol=TOLERANCE)


def sample_of(doc: dict[str, Any], reply: str) -> dict[str, Any]:
    """A line of a samples file as lm-eval 0.4.13 writes it."""
    values = replay.process_results(doc, [reply])
    prompt = f"<|system|>{doc['system']}<|user|>{doc['user']}<|assistant|>"
    return {
        "doc_id": 0,
        "doc": doc,
        "target": "",
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": dict(GENERATION)}},
        "resps": [[reply]],
        "filtered_resps": [reply],
        "filter": "none",
        "metrics": list(values),
        **values,
    }


def write_samples(path: Path, samples: Sequence[dict[str, Any]]) -> Path:
    """A samples file."""
    lines = [json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples]
    path.write_text("".join(lines), encoding="utf-8", newline="")
    return path


@pytest.fixture
def planted_bank(tmp_path: Path) -> Path:
    """A bank of two seeds with a matched pair, as those of repair and challenge have."""
    path = tmp_path / "bank-mine.jsonl"
    partners = (
        Partner("clean", "scripted", planted=0, pair="one"),
        Partner("trouble", "scripted", planted=1, pair="one"),
        Partner("again", "scripted", planted=1, pair="one", same_turns_as="trouble"),
    )
    seeds = [seed.id for seed in shipped_seeds()[:2]]
    turns = {(s, p): f"The {p} answer to {s} is four." for s in seeds for p in ("clean", "trouble")}
    planted = {(s, "trouble"): Planted("false", "it is five") for s in seeds}
    write_bank(path, "mine", partners, turns, planted)
    return path


def check_agreement(
    behaviour: str, docs: list[dict[str, Any]], folder: Path, **task_args: Any
) -> None:
    """Both roads on the same replies: prompts, scores and rows."""
    replies = [REPLIES[place % len(REPLIES)] for place in range(len(docs))]
    log, messages = inspect_on(behaviour, docs, replies, folder / "logs", **task_args)
    for doc, reply, got in zip(docs, replies, messages, strict=True):
        assert got == [("system", doc["system"]), ("user", doc["user"])]
        assert_same_values(replay.process_results(doc, [reply]), inspect_values(log, doc))
    samples = [sample_of(doc, reply) for doc, reply in zip(docs, replies, strict=True)]
    assert_same_rows(read_lm_eval(write_samples(folder / "samples.jsonl", samples)), log)


@pytest.mark.parametrize("behaviour", BANKS)
def test_scores_and_rows_are_inspects(behaviour: str, tmp_path: Path) -> None:
    """On the behaviour's own bank, with replies that are hard to read."""
    if BANKS[behaviour] not in SHIPPED:
        pytest.skip(f"bank {BANKS[behaviour]} is not there yet")
    docs = replay.documents(behaviour=behaviour, focal=FOCAL)
    check_agreement(behaviour, docs[:24], tmp_path)


@pytest.mark.parametrize("behaviour", BANKS)
def test_planted_trouble_comes_through(behaviour: str, planted_bank: Path, tmp_path: Path) -> None:
    """Pair, trouble and A/A partner of a bank of one's own."""
    docs = replay.documents(behaviour=behaviour, focal=FOCAL, bank=str(planted_bank))
    assert {doc["trouble"] for doc in docs} == {None, "false"}
    check_agreement(behaviour, docs, tmp_path, bank=str(planted_bank))


def test_documents_are_the_grid() -> None:
    """Seed by seed, then partner, then replicate; a smaller tier begins the larger one."""
    docs = replay.documents(behaviour="hedging", focal=FOCAL, version=1.0, dtype="auto")
    assert [doc["replicate"] for doc in docs[:4]] == [1, 2, 1, 2]
    assert len({doc["seed"] for doc in docs[:8]}) == 1
    assert (
        len({(doc["seed"], doc["partner"], doc["replicate"]) for doc in docs}) == len(docs) == 192
    )
    quick = replay.documents(behaviour="hedging", focal=FOCAL, tier="quick")
    assert quick[:192] == docs


@pytest.mark.parametrize("behaviour", BANKS)
def test_yaml_says_what_the_package_says(behaviour: str) -> None:
    """Names, metrics and settings; and the fields it takes from a document are there."""
    shared, own = read_yaml("_replay.yaml"), read_yaml(f"panelist_{behaviour}_replay.yaml")
    assert own["task"] == f"panelist_{behaviour}_replay"
    assert own["dataset_kwargs"] == {"behaviour": behaviour}
    assert tuple(m["metric"] for m in own["metric_list"]) == VALUES[behaviour]  # type: ignore[index]
    check_generation("_replay.yaml", shared["generation_kwargs"])
    assert (shared["description"], shared["doc_to_text"]) == ("system", "user")
    for name in (shared["custom_dataset"], shared["process_results"], "replay.mean_known"):
        assert callable(getattr(replay, name.removeprefix("replay.")))


def test_mean_passes_over_what_has_no_outcome() -> None:
    """As Inspect's mean does."""
    assert replay.mean_known([1.0, nan, 0.0]) == 0.5
    assert isnan(replay.mean_known([nan]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no name"),
        ({"focal": "x", "tier": "huge"}, "tier: unknown value 'huge'"),
        ({"focal": "x", "bank": "nowhere.jsonl"}, "nowhere.jsonl"),
        ({"pretrained": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"}, "reasons aloud"),
    ],
)
def test_a_run_that_cannot_be_is_refused(options: dict[str, str], message: str) -> None:
    """Before anything is generated."""
    with pytest.raises(PanelistError, match=message):
        replay.documents(behaviour="hedging", **options)


def test_the_focal_has_its_registered_name() -> None:
    """Found by the path or repository in --model_args, unless the user names it."""

    def name(**options: str) -> str:
        return replay.documents(behaviour="hedging", **options)[0]["focal"]  # type: ignore[no-any-return]

    assert name(pretrained="some/where") == "some/where"
    known = next(c for c in shipped_checkpoints() if c.model.count("/") == 2)
    assert name(pretrained=known.model.partition("/")[2]) == known.name
    assert name(model="remote-model") == "remote-model"
    assert name(pretrained="some/where", focal="mine") == "mine"


def _set(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(sample: dict[str, Any]) -> None:
        at: Any = sample
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to

    return change


def _without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(sample: dict[str, Any]) -> None:
        at = sample
        for step in path[:-1]:
            at = at[step]
        del at[path[-1]]

    return change


def _bare(sample: dict[str, Any]) -> None:
    prompt = sample["doc"]["system"] + sample["doc"]["user"]
    sample["arguments"]["gen_args_0"]["arg_0"] = prompt


ASKED = ("arguments", "gen_args_0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("doc", to={"question": "2 + 2?"}), "line 2: not a sample of a panelist replay"),
        (_without("doc", "opening"), "line 2: its document lacks opening"),
        (_set("doc", "behaviour", to="humour"), "line 2, behaviour: unknown value 'humour'"),
        (_set("doc", "bank_sha256", to="0"), "line 2, bank_sha256: '0', line 1 has"),
        (_set("resps", to=[["a", "b"]]), "line 2: no single reply"),
        (_set("resps", to=[[None]]), "line 2: its reply is not a text"),
        (_without("arguments"), "line 2: no single reply"),
        (_bare, "line 2: no chat template.*--apply_chat_template"),
        (_set(*ASKED, "arg_0", to="Say hello."), "line 2: the system message is not in"),
        (_set(*ASKED, "arg_1", "temperature", to=0.0), "temperature: 0.0, the benchmark has 0.7"),
        (_set(*ASKED, "arg_1", "top_k", to=20), "top_k: 20, the benchmark has None"),
        (_set(*ASKED, "arg_1", "until", to=["\n"]), "until:"),
        (_set("hedging", to=0.5), "line 2, hedging: 0.5, but its reply scores 1.0"),
        (_set("hedging", to=nan), "line 2, hedging: nan, but"),
        (_without("hedging"), "line 2, hedging: None, but"),
        (_set("doc", "replicate", to=1), "1 replies stand twice"),
    ],
)
def test_a_wrong_line_is_refused(
    change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    """With file, line, field and value."""
    docs = replay.documents(behaviour="hedging", focal=FOCAL)[:2]
    samples = [json.loads(json.dumps(sample_of(doc, REPLIES[0]))) for doc in docs]
    change(samples[1])
    path = write_samples(tmp_path / "samples.jsonl", samples)
    with pytest.raises(PanelistError, match=message) as raised:
        read_lm_eval(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read it"),
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b'{\n "results": {}\n}\n', "line 1: not JSON.*not its results_"),
        (b"[1, 2]\n", "line 1: not a JSON object"),
        (b'{"results": {}}\n', "line 1: not a sample of a panelist replay task"),
        (b"PK\x03\x04\xff\xfe", "not a samples file"),
    ],
)
def test_another_file_is_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    """Whatever it is."""
    path = tmp_path / "samples.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PanelistError, match=message) as raised:
        read_lm_eval(path)
    assert str(path) in str(raised.value)


def test_an_older_detectors_numbers_are_replaced(tmp_path: Path) -> None:
    """Replies are scored again; numbers of another version are no reason to refuse."""
    doc = replay.documents(behaviour="hedging", focal=FOCAL)[0] | {"detector_version": "0"}
    sample = sample_of(doc, REPLIES[0]) | {"hedging": 0.0}
    assert read_lm_eval(write_samples(tmp_path / "s.jsonl", [sample]))["hedging"].tolist() == [1.0]


def test_messages_for_a_remote_server() -> None:
    """lm-eval keeps them as JSON in a tuple; they have to be the document's."""
    doc = replay.documents(behaviour="hedging", focal=FOCAL)[0]
    messages = [{"role": role, "content": doc[role]} for role in ("system", "user")]
    check_prompt("here", doc, (json.dumps(messages),))
    check_prompt("here", doc, messages)
    messages[0]["content"] = "Be brief.\n\n" + messages[0]["content"]
    for wrong in ([json.dumps(messages)], messages, messages[1:], ["{"], None, [], 3):
        with pytest.raises(PanelistError, match="here: the messages sent"):
            check_prompt("here", doc, wrong)


def test_one_seed_for_every_request_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Replicates that repeat each other word by word are no replicates."""
    docs = replay.documents(behaviour="hedging", focal=FOCAL)[:8]
    same = [sample_of(doc, f"{doc['opening'][:20]} is right.") for doc in docs]
    with caplog.at_level(logging.WARNING):
        read_lm_eval(write_samples(tmp_path / "same.jsonl", same))
    assert "not sample them independently" in caplog.text
    caplog.clear()
    other = [sample_of(doc, REPLIES[place % 3]) for place, doc in enumerate(docs)]
    with caplog.at_level(logging.WARNING):
        read_lm_eval(write_samples(tmp_path / "other.jsonl", other))
    assert not caplog.text
