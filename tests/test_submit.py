"""Runs become a submission that is complete, or none at all."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.model import GenerateConfig, ModelOutput, get_model
from stand_in import embedded_runs

from panelist.cli import commands
from panelist.evals.batch_chunk import speak_chunk
from panelist.evals.batch_plan import missing
from panelist.evals.corpus_run import Growth, Options
from panelist.evals.design import read_design
from panelist.leaderboard import submit as submitting
from panelist.leaderboard.submission import (
    FILES,
    MANIFEST,
    ORDER,
    REASONING,
    RUN,
    SCHEMA,
    TRANSCRIPTS,
    canonical,
    folder_name,
    slug_of,
)
from panelist.leaderboard.submit import Submitter, submit
from panelist.leaderboard.transcripts import panel_runs
from panelist.leaderboard.verify import examine, verify
from panelist.leaderboard.weights import folder_sha256, weights_of
from panelist.panels.batch_engines import RehearsalEngine, engine_spec
from panelist.panels.errors import PanelistError
from panelist.panels.manifest import write_manifest
from panelist.panels.rehearsal import rehearse
from panelist.panels.tier import find_tier
from panelist.tasks.panel_hedging import panel_hedging
from panelist.tasks.panel_repair import panel_repair

NAME = "smollm2-135m-instruct"
WHO = Submitter("a-team", "CC-BY-4.0", True, hardware="a laptop", revision="0" * 40)


@pytest.fixture(autouse=True, scope="module")
def installed() -> Iterator[None]:
    """As from a release, whatever the checkout; scored once, by the test that asks for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submitting, "panel_runs", embedded_runs)
        patch.setattr(submitting, "checkout", lambda: {"git": None, "dirty": False})
        patch.setattr(submitting, "verify", examine)
        yield


def run(
    folder: Path,
    task: object = panel_hedging,
    heat: float | None = None,
    speak: Callable[..., ModelOutput] = rehearse,
    **options: object,
) -> Path:
    """Logs of the mock model under a registered name."""
    config = GenerateConfig(seed=0, temperature=heat)
    model = get_model("mockllm/model", custom_outputs=speak, config=config, memoize=False)
    given = {"checkpoint": NAME} | dict(options.pop("args", {}))  # type: ignore[call-overload]
    inspect_eval(
        task,  # type: ignore[arg-type]
        model=model,
        task_args=given,
        log_dir=str(folder),
        display="none",
        **options,  # type: ignore[arg-type]
    )
    return folder


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two panels of one checkpoint."""
    folder = tmp_path_factory.mktemp("logs")
    run(folder)
    return run(folder, panel_repair)


@pytest.fixture(scope="module")
def submission(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    [folder] = submit([logs], tmp_path_factory.mktemp("made"), WHO)
    return folder


def test_a_submission_is_what_the_board_takes(submission: Path) -> None:
    assert verify(submission) == []
    assert sorted(path.name for path in submission.iterdir()) == sorted(FILES)
    manifest = json.loads((submission / MANIFEST).read_bytes())
    assert canonical(manifest) == (submission / MANIFEST).read_bytes()
    assert submission.name == folder_name(NAME, (submission / MANIFEST).read_bytes())
    assert submission.name.startswith(f"{NAME}-")
    for name, said in manifest["files"].items():
        data = (submission / name).read_bytes()
        assert (len(data), sha256(data).hexdigest()) == (said["bytes"], said["sha256"])
    panels = manifest["panels"]
    assert {name: said["chains"] for name, said in panels.items()} == {
        "hedging": 24 * 2 * 4,
        "repair": 24 * 2 * 3,
    }
    assert manifest["checkpoint"]["weights"] == {"kind": "revision", "value": "0" * 40}
    assert "score" not in json.dumps(manifest)


def test_a_reply_is_whole_and_its_reasoning_cut(logs: Path) -> None:
    one = panel_runs([logs])[0]
    *where, (opening, reply) = one.chains[0]
    long = replace(reply, text="b" * 5000, reasoning="a" * 5000)
    rows = submitting._rows(replace(one, chains=[(*where, (opening, long))]))
    assert rows[1]["text"] == long.text and rows[1]["reasoning"] == "a" * REASONING


KEY = "sk-proj-" + "aB3dEfGhIj" * 4


def test_what_nobody_may_publish_is_masked_not_refused(tmp_path: Path) -> None:
    asked = 0

    def speak(*words: Any) -> ModelOutput:
        nonlocal asked
        asked += 1
        said = rehearse(*words)
        if asked == 1:
            raise OSError(f"no /home/ann/x, C:\\Users\\ann\n@example.org {'y' * 220} {KEY}")
        if asked == 2:
            text = f"Perhaps\x00 {KEY}.\n-----BEGIN RSA PRIVATE KEY-----\nMIIE"
            said.completion = f"<think>{'x' * 990} {KEY}</think>{text}"
        return said

    logs = run(tmp_path / "logs", speak=speak, fail_on_error=False)
    [folder] = submit([logs], tmp_path / "made", WHO)
    [failed] = json.loads((folder / RUN).read_bytes())["failed"]
    assert " /home/[masked]/x, [masked]" in failed["error"]
    assert failed["error"].endswith("yy sk-[masked]')")
    assert not {"ann", "example", "proj"} & set(re.findall("[a-z]+", failed["error"]))
    said = pq.read_table(folder / TRANSCRIPTS)
    assert "Perhaps\ufffd sk-[masked].\n-----BEGIN [masked]" in said["text"].to_pylist()
    assert set(said["reasoning"].to_pylist()) == {"", f"{'x' * 990} sk-[maske"}


def test_transcripts_hold_every_turn_in_order_and_no_score(submission: Path) -> None:
    table = pq.read_table(submission / TRANSCRIPTS)
    assert table.schema.equals(SCHEMA)
    assert len(table) == 2 * (192 + 144)
    assert table.sort_by([(name, "ascending") for name in ORDER]).equals(table)


def test_the_same_runs_give_the_same_folder(logs: Path, submission: Path, tmp_path: Path) -> None:
    [first] = submit([logs], tmp_path, WHO)
    [again] = submit([logs], tmp_path, WHO)
    assert first == again and first.name == submission.name
    assert [path.name for path in tmp_path.iterdir()] == [first.name]
    for name in FILES:
        assert (first / name).read_bytes() == (submission / name).read_bytes()


def test_a_corpus_gives_the_transcripts_that_logs_give(submission: Path, tmp_path: Path) -> None:
    row = {"name": NAME, "model": "mockllm/model", "family": "smollm", "recipe": "dpo"}
    said = {
        "name": "mine",
        "kind": "factorial",
        "tier": "demo",
        "partners": "bank",
        "checkpoints": [row | {"base": "HuggingFaceTB/SmolLM2-135M"}],
    }
    path = tmp_path / "design.yaml"
    path.write_text(yaml.safe_dump(said))
    growth = Growth(read_design(path), path, tmp_path / "out", Options(batch=100), print)
    work, manifest = growth.planned(growth.plan.steps[0], find_tier("demo"), None)
    engine = RehearsalEngine(engine_spec("mockllm/model", {}))
    for level, _, numbers in work.levels():
        for chunk in missing(work, level, numbers, print):
            speak_chunk(work, chunk, engine)
    ended = {"seconds": 10.0, "ended": "2026-11-25T10:00:00+00:00"}
    from dataclasses import replace

    write_manifest(work.corpus, replace(manifest, generated=[ended]))
    [made] = submit([tmp_path / "out"], tmp_path / "made", WHO)
    ours = pq.read_table(made / TRANSCRIPTS)
    theirs = pq.read_table(submission / TRANSCRIPTS, filters=[("panel", "=", "hedging")])
    same = [name for name in SCHEMA.names if name != "max_tokens"]
    assert ours.select(same).equals(theirs.select(same))
    [told] = json.loads((made / RUN).read_bytes())["runs"]
    assert told["started"] == "2026-11-25T09:59:50+00:00"


def refused(text: str, *paths: Path, output: Path, who: Submitter = WHO) -> None:
    with pytest.raises(PanelistError, match=text):
        submit(list(paths), output, who)
    assert not output.exists() or not list(output.iterdir())


def test_an_unfinished_run_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    logs = run(tmp_path / "logs", limit=8)
    refused("grid-incomplete", logs, output=tmp_path / "made")


def test_what_is_no_panel_of_the_board_is_refused(logs: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    again = run(tmp_path / "again")
    refused("a second run of smollm2-135m-instruct", logs, again, output=made)
    other = run(tmp_path / "other", panel_repair, args={"tier": "24x3"})
    refused("wrong-tier", other, output=made)
    live = run(tmp_path / "live", args={"partners": "self"})
    refused("wrong-bank", live, output=made)
    unknown = run(tmp_path / "unknown", args={"checkpoint": None})
    refused("in no registry", unknown, output=made)
    hot = run(tmp_path / "hot", panel_repair, heat=1.0)
    refused("run with one setting", again, hot, output=made)
    refused("sampling-off-protocol", hot, output=made)


@pytest.mark.parametrize(
    "setting", [{"frequency_penalty": 0.5}, {"system_message": "Hedge."}, {"stop_seqs": ["."]}]
)
def test_no_setting_of_which_the_board_knows_nothing_is_lost(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, object]
) -> None:
    runs = embedded_runs([logs])
    for one in runs:
        one.record["sampling"] |= {"max_connections": 4} | setting
    monkeypatch.setattr(submitting, "panel_runs", lambda paths: runs)
    refused(f"sampling, {next(iter(setting))}: .*nothing else", logs, output=tmp_path / "made")


def test_a_folder_of_weights_is_published_without_where_it_lies() -> None:
    assert submitting._public("vllm//data/alice/step-9:dpo") == "vllm/step-9:dpo"
    assert submitting._public("vllm/org/name") == "vllm/org/name"


def test_who_gives_it_is_checked(logs: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    refused("licence", logs, output=made, who=Submitter("a", "secret", True, revision="0" * 40))
    refused("attestation", logs, output=made, who=Submitter("a", "MIT", False, revision="0" * 40))
    refused(
        "revision-not-pinned", logs, output=made, who=Submitter("a", "MIT", True, revision="main")
    )
    refused("name .* with --revision", logs, output=made, who=Submitter("a", "MIT", True))


def test_weights_are_what_somebody_else_can_take(tmp_path: Path) -> None:
    runtime = {"weights_sha256": None}
    api = {"model": "openai/gpt-4o-2024-08-06", "runtime": runtime}
    assert weights_of(api) == {"kind": "api", "value": "gpt-4o-2024-08-06"}
    embedded = {"model": "panelist/x", "runtime": {"weights_sha256": "ab"}}
    assert weights_of(embedded) == {"kind": "sha256", "value": "ab"}
    (tmp_path / "model.safetensors").write_bytes(b"1")
    (tmp_path / "README.md").write_text("no weights")
    local = {"model": f"vllm/{tmp_path}", "runtime": runtime}
    assert weights_of(local) == {"kind": "sha256", "value": folder_sha256(tmp_path)}
    (tmp_path / "model.safetensors").write_bytes(b"2")
    assert weights_of(local)["value"] != weights_of(local | {"model": "vllm/x"}, "f" * 40)["value"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(PanelistError, match=r"no weights in it .*safetensors"):
        folder_sha256(empty)


def test_names_become_plain_parts_of_a_path() -> None:
    assert slug_of("../../Öl & Co/8B") == "l-co-8b"
    assert slug_of("…") == "checkpoint"


def test_the_command_line_wants_it_attested_and_says_where_it_lies(
    logs: Path, tmp_path: Path
) -> None:
    words = ["submit", str(logs), "-o", str(tmp_path), "--submitter", "a", "--licence", "MIT"]
    words += ["--revision", "0" * 40]
    without = CliRunner().invoke(commands, words)
    assert without.exit_code == 2 and "--attest is missing" in without.output
    done = CliRunner().invoke(commands, [*words, "--attest"])
    assert done.exit_code == 0, done.output
    [folder] = tmp_path.iterdir()
    assert f"submission: {folder}" in done.output
    shutil.rmtree(folder)


def test_a_new_checkpoint_is_submitted_with_its_row(tmp_path: Path) -> None:
    row = {"name": "our-new-one", "family": "smollm", "base": "org/base", "recipe": "dpo"}
    logs = run(tmp_path / "logs", args={"checkpoint": row})
    registry = tmp_path / "checkpoints.yaml"
    full = row | {"model": f"panelist/{NAME}", "revision": "main", "licence": "apache-2.0"}
    with pytest.raises(PanelistError, match=r"unregistered-checkpoint: .*our-new-one"):
        submit([logs], tmp_path / "out", WHO)
    registry.write_text(yaml.safe_dump({"checkpoints": [full]}))
    [folder] = submit([logs], tmp_path / "out", WHO, registry=registry)
    assert json.loads((folder / MANIFEST).read_bytes())["checkpoint"]["name"] == "our-new-one"
