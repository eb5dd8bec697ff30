"""Dry runs, what is refused and how, Inspect's viewer, and the command line."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner
from hub_parcels import BOARD, DATA, FOLDER, Told, make_submission
from hub_server import Fault, Hub
from huggingface_hub import constants
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from panelist.cli_publish import publish as command
from panelist.panels.errors import PanelistError

pytest_plugins = ["hub_fixtures"]


@pytest.mark.parametrize("token", ["hf_owner", None])
def test_a_dry_run_sends_nothing(
    hub: Hub, publish: Told, site: Path, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(site, BOARD, create=True)
    (site / "index.html").write_text("<!doctype html><title>new</title>")
    (site / "new.csv").write_text("a,b")
    (site / "board.parquet").unlink()
    hub.requests.clear()
    if token is None:
        monkeypatch.delenv("HF_TOKEN")
    made = publish(site, BOARD, dry_run=True)
    assert {r.method for r in hub.requests} == {"GET"}
    shown = {line.split()[-1]: line.split()[0] for line in publish.lines if line[0] == " "}
    assert shown == {
        "README.md": "same",
        "board.json": "same",
        "board.parquet": "delete",
        "boards/0.9.html": "same",
        "index.html": "change",
        "new.csv": "add",
    }
    assert f"one commit to space {BOARD}" in publish.lines[0]
    assert "nothing was sent" in publish.lines[-1]
    assert made.commit is None and set(made.files) == {"index.html", "new.csv"}


def test_a_dry_run_of_a_submission_asks_for_its_files_and_a_registry_only(
    hub: Hub, publish: Told, submission: Path
) -> None:
    hub.add("dataset", DATA)
    publish(submission, DATA, dry_run=True)
    assert [r.route for r in hub.requests] == ["paths-info", "info", "paths-info"]


def test_a_dry_run_to_no_repo_lists_the_files(
    hub: Hub, publish: Told, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    made = publish(site, BOARD, dry_run=True, create=True)
    assert "not compared" in publish.said and "--create would make it" in publish.said
    assert len(made.files) == 5 and {r.method for r in hub.requests} == {"GET"}
    assert not hub.repos


def test_a_missing_repo_is_not_made_unasked(hub: Hub, publish: Told, site: Path) -> None:
    with pytest.raises(PanelistError, match=rf"space {BOARD}: does not exist.*--create"):
        publish(site, BOARD)
    assert not hub.repos and not publish.slept


@pytest.mark.parametrize(
    "to",
    "board org/ /board a/b/c org/a--b org/.x org/a..b org/a.git org/-a org/å".split(),
)
def test_what_is_no_name_of_a_repo_is_refused(hub: Hub, publish: Told, site: Path, to: str) -> None:
    with pytest.raises(PanelistError, match=r"^--to .*no repo of the Hub; write org/name"):
        publish(site, to)
    assert not hub.requests


def test_without_a_token_it_says_how_to_give_one(
    hub: Hub, publish: Told, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PanelistError, match=r"no token.*HF_TOKEN.*hf auth login"):
        publish(site, BOARD)
    assert not hub.requests
    monkeypatch.setenv("HF_TOKEN", "hf_expired")
    with pytest.raises(PanelistError, match=r"refuses your token.*HTTP 401.*HF_TOKEN"):
        publish(site, BOARD)
    assert not publish.slept


def test_the_hubs_own_words_are_passed_on(hub: Hub, publish: Told, site: Path) -> None:
    hub.add("space", BOARD)
    hub.faults = [Fault("commit", status=413)]
    with pytest.raises(PanelistError, match=r"HTTP 413.*injected 413"):
        publish(site, BOARD)
    hub.faults = [Fault("create", status=403)]
    with pytest.raises(PanelistError, match="may not make"):
        publish(site, "org/other", create=True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: None, "no such folder"),
        (lambda root: root.mkdir(), "nothing to publish there; publish a site"),
        (lambda root: (_mkdir(root) / "x.eval").touch(), "add --viewer"),
        (lambda root: (make_submission(root, FOLDER) / "run.json").unlink(), "has no run.json"),
        (lambda root: (make_submission(root, FOLDER) / ".env").touch(), "no file of a submission"),
        (lambda root: make_submission(root, "no-hash"), "12 hex"),
        (lambda root: _manifest(root, "{"), "manifest.json: not JSON"),
        (lambda root: _manifest(root, '{"benchmark": "../../x"}'), "benchmark: got"),
        (lambda root: _manifest(root, '{"benchmark": ".."}'), "benchmark: got"),
        (lambda root: _manifest(root, '{"benchmark": 1}'), "benchmark: got 1"),
        (lambda root: _manifest(root, "[]"), "benchmark: got None"),
    ],
)
def test_what_is_nothing_is_refused(
    hub: Hub, publish: Told, tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    make(tmp_path / "it")
    with pytest.raises(PanelistError, match=words):
        publish(tmp_path / "it", DATA)
    assert not hub.requests


def test_a_viewer_of_logs_becomes_a_static_space(hub: Hub, publish: Told, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    with pytest.raises(PanelistError, match="no Inspect logs"):
        publish(_mkdir(logs), "org/logs", viewer=True)
    log = make_log(logs)
    made = publish(logs, "org/logs", viewer=True, create=True)
    repo = hub.repos["space", "org/logs"]
    files = repo.files()
    assert made.kind == "viewer" and len(repo.history()) == 2 and hub.count("commit") == 1
    assert files[f"logs/{log.name}"] == log.read_bytes()
    assert log.name in json.loads(files["logs/listing.json"])
    assert b"sdk: static" in files["README.md"]
    assert b'"log_dir": "logs"' in files["index.html"]
    assert str(tmp_path).encode() not in files["index.html"]
    assert publish(logs, "org/logs", viewer=True).already_there


def test_the_command_says_what_it_did(
    hub: Hub, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    run = partial(CliRunner().invoke, command)
    missing = run([str(site)])
    assert missing.exit_code == 2 and "--to" in missing.output and not hub.requests
    assert "org/name" in run([str(site), "--to", "board"]).output
    assert "--token" not in run(["--help"]).output
    misplaced = run([str(site), "--to", BOARD, "--registry", str(site / "board.json")])
    assert misplaced.exit_code == 1 and "is no submission" in misplaced.output
    made = run([str(site), "--to", BOARD, "--create", "-m", "first board"])
    assert made.exit_code == 0, made.output
    head = hub.repos["space", BOARD].history()[0]
    assert head.title == "first board" and head.oid in made.output
    again = run([str(site), "--to", BOARD])
    assert again.exit_code == 0 and "nothing to do, already there at" in again.output


def make_log(folder: Path) -> Path:
    """An Inspect log of one sample."""

    def say_yes(*_: object) -> ModelOutput:
        output = ModelOutput.from_content("mockllm/model", "yes")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    model = get_model("mockllm/model", custom_outputs=say_yes, memoize=False)
    task = Task(dataset=[Sample(input="hello")], name="tiny")
    [log] = inspect_eval(task, model=model, log_dir=str(folder), display="none")
    return Path(log.location.removeprefix("file://"))


def _mkdir(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _manifest(root: Path, text: str) -> None:
    (make_submission(root, FOLDER) / "manifest.json").write_text(text)
