"""The board is a pure function of submissions and detectors; its numbers are those of a card."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
from bad_submissions import Draft, good_submission
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.model import GenerateConfig, ModelOutput, ModelUsage, get_model
from stand_in import embedded_runs

from panelist.analysis.cells import Cells
from panelist.analysis.interval import Interval
from panelist.analysis.ranking import detection_values
from panelist.analysis.shift import Shift
from panelist.cli import commands
from panelist.leaderboard import board_sets, rescoring
from panelist.leaderboard import submit as submitting
from panelist.leaderboard.board import Board, build
from panelist.leaderboard.board_sets import apart
from panelist.leaderboard.board_words import discrimination
from panelist.leaderboard.card import make_card
from panelist.leaderboard.rescoring import rescore_bytes
from panelist.leaderboard.site import write_site
from panelist.leaderboard.submit import Submitter, submit
from panelist.leaderboard.verify import examine
from panelist.panels.errors import PanelistError
from panelist.scorers.logs import read_logs
from panelist.tasks.panel_challenge import panel_challenge

NAMES = ("smollm2-135m-instruct", "smollm2-135m-hedged", "smollm2-135m-direct", "qwen2.5-0.5b")


@pytest.fixture(scope="module")
def submissions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("submissions")
    for name in NAMES:
        good_submission(folder, name)
    return folder


@pytest.fixture(scope="module")
def board(submissions: Path) -> Board:
    return build(submissions, workers=1)


@pytest.fixture(autouse=True, scope="module")
def installed() -> Iterator[None]:
    """As from a release, whatever the checkout; scored once, by the test that asks for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submitting, "checkout", lambda: {"git": None, "dirty": False})
        patch.setattr(submitting, "verify", examine)
        yield


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_same_submissions_give_the_same_bytes(
    submissions: Path, board: Board, tmp_path: Path
) -> None:
    nested = tmp_path / "elsewhere" / "1.0"
    for path in sorted(submissions.iterdir(), reverse=True):
        shutil.copytree(path, nested / path.name)
    again = build(tmp_path / "elsewhere", workers=2)
    assert again.data == board.data and again.chains == board.chains
    write_site(board, tmp_path / "one")
    write_site(again, tmp_path / "two")
    first, second = bytes_of(tmp_path / "one"), bytes_of(tmp_path / "two")
    assert first == second
    version = board.data["version"]
    assert {"index.html", "board.json", "board.csv", "board.parquet", "boards/index.html",
            f"boards/{version}/index.html"} <= set(first)  # fmt: skip
    assert all(f"checkpoints/{row['id']}.html" in first for row in board.data["rows"])


def disputed(input: Any, tools: Any, choice: Any, config: GenerateConfig) -> ModelOutput:
    """A challenge or none, drawn with the request's sampling seed."""
    texts = ("I disagree: that is not true, and it never was.", "Yes. The rest follows from it.")
    output = ModelOutput.from_content("mockllm/model", Random(config.seed).choice(texts))
    output.usage = ModelUsage(input_tokens=0, output_tokens=12, total_tokens=12)
    return output


def test_numbers_are_those_of_a_card_of_the_same_replies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "panel_runs", embedded_runs)
    model = get_model(
        "mockllm/model", custom_outputs=disputed, config=GenerateConfig(seed=0), memoize=False
    )
    given = {"checkpoint": NAMES[0]}
    logs = tmp_path / "logs"
    inspect_eval(panel_challenge, model=model, task_args=given, log_dir=str(logs), display="none")
    submit([logs], tmp_path / "made", Submitter("a", "MIT", True, revision="0" * 40))
    ranked: list[tuple[float, Any, float]] = []

    def told(planted: Cells, clean: Cells) -> tuple[float, Any, float]:
        ranked.append(detection_values(planted, clean))
        return ranked[-1]

    monkeypatch.setattr(board_sets, "detection_values", told)
    [row] = build(tmp_path / "made", workers=1).data["rows"]
    panel = row["panels"]["challenge"]
    card = make_card(*read_logs([logs]))
    assert isinstance(card.level, Interval) and isinstance(card.shift, Shift)
    # The order of the partners moves the random draws behind the interval of a shift.
    rel = card.shift.rel_sd
    assert isinstance(rel, Interval)
    assert panel["shift"]["estimate"] == pytest.approx(rel.estimate, rel=1e-5)
    assert panel["shift"]["high"] == pytest.approx(rel.high, rel=0.05)
    for said, value in (
        (panel["level"], card.level),
        *((panel["levels"][name], value) for name, value in card.levels.items()),
        *((panel["detection"][p]["d_prime"], d.d_prime) for p, d in card.detections.items()),  # type: ignore[union-attr]
    ):
        assert isinstance(value, Interval)
        assert said == pytest.approx(
            {"estimate": value.estimate, "low": value.low, "high": value.high}, rel=1e-5, abs=1e-9
        )
    assert len(panel["detection"]) == 2, "ranked by the pair that is shown"
    _, shown = discrimination(panel)
    assert {one["replies"] for one in panel["detection"].values()} == {24 * 2 * 2}
    assert [value for value, *_ in ranked] == pytest.approx([shown["estimate"]], rel=1e-5)
    assert panel["shift_p"] == pytest.approx(card.shift.p, rel=1e-5)
    assert panel["floor_p"] == pytest.approx(card.floor.p, rel=1e-5)  # type: ignore[union-attr]
    assert set(panel["levels"]) == set(card.levels)
    assert panel["replies"] == panel["expected"] == 24 * 2 * len(panel["levels"]), "no A/A twin's"
    assert panel["replies"] + panel["aa_replies"] == panel["chains"] == 240
    assert panel["statuses"] == {k: n for k, n in card.counts.items() if n}


def test_a_submission_is_scored_to_the_same_bytes_each_time(submissions: Path) -> None:
    folder = next(submissions.iterdir())
    first = rescore_bytes(folder)
    assert first == rescore_bytes(folder)
    replies = json.loads(first)["hedging"]["replies"]
    assert len(replies) == 192 and {row[4] for row in replies} <= {0.0, 1.0, None}


def test_another_detector_scores_every_row_again_and_makes_another_version(
    submissions: Path, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rescoring.DEFAULTS, "hedging", "hedging-cues")
    other = build(submissions, workers=1).data
    assert other["version"] != board.data["version"]
    assert other["detectors"]["hedging"]["name"] == "hedging-cues"
    assert [row["id"] for row in other["rows"]] == [row["id"] for row in board.data["rows"]]


def test_old_boards_stay_where_they_were(
    submissions: Path, board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    write_site(board, site)
    before = bytes_of(site / "boards" / board.data["version"])
    monkeypatch.setitem(rescoring.DEFAULTS, "hedging", "hedging-cues")
    newer = build(submissions, workers=1)
    write_site(newer, site)
    assert bytes_of(site / "boards" / board.data["version"]) == before
    listed = (site / "boards" / "index.html").read_text()
    assert board.data["version"] in listed and newer.data["version"] in listed
    assert json.loads((site / "board.json").read_bytes())["version"] == newer.data["version"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_newer_submission_of_the_same_checkpoint_takes_the_place(tmp_path: Path) -> None:
    good_submission(tmp_path, NAMES[0])
    good_submission(tmp_path, NAMES[0], day="2026-11-20")
    good_submission(tmp_path, NAMES[1])
    rows = build(tmp_path, workers=1).data["rows"]
    old, new = sorted((row for row in rows if row["name"] == NAMES[0]), key=lambda r: r["date"])
    assert old["superseded_by"] == new["id"] and new["superseded_by"] is None
    assert "superseded" in old["panels"]["hedging"]["ranks"]["level"]["why"]
    assert new["panels"]["hedging"]["ranks"]["level"]["high"] <= 2


def test_nobody_takes_the_place_of_another_who_was_checked_as_far(tmp_path: Path) -> None:
    first = good_submission(tmp_path, NAMES[0])
    other = Draft(NAMES[0], "2026-11-20")
    other.manifest["submitter"] = "b-team"
    second = other.seal(tmp_path)
    good_submission(tmp_path, NAMES[1])

    def superseded() -> dict[str, str | None]:
        return {row["id"]: row["superseded_by"] for row in build(tmp_path, workers=1).data["rows"]}

    assert set(superseded().values()) == {None}
    (tmp_path / "trust.yaml").write_text(f"{first.name}: reproduced\n")
    assert set(superseded().values()) == {None}
    (tmp_path / "trust.yaml").write_text(f"{second.name}: reproduced\n")
    assert superseded()[first.name] == second.name


def test_a_checkpoint_that_never_answers_is_a_row_without_a_number(tmp_path: Path) -> None:
    silent = Draft(NAMES[0])
    for row in silent.rows[1::2]:
        row["text"] = "I'm sorry, but I can't help with that."
    for group in ([silent], [silent, Draft(NAMES[1]), Draft(NAMES[2])]):
        folder = tmp_path / str(len(group))
        for draft in group:
            draft.seal(folder)
        board = build(folder, workers=1)
        [row] = [row for row in board.data["rows"] if row["name"] == NAMES[0]]
        panel = row["panels"]["hedging"]
        assert panel["lost"] == panel["chains"] and "why" in panel["level"]
        assert "too few" in panel["ranks"]["level"]["why"]
        write_site(board, folder / "site")
        assert "Not run with" not in (folder / "site" / "index.html").read_text()


def test_a_day_is_that_of_utc(tmp_path: Path) -> None:
    late = Draft(NAMES[0])
    late.run["runs"][0] |= {
        "started": "2026-11-10T23:00:00-08:00", "completed": "2026-11-10T23:30:00-08:00"
    }  # fmt: skip
    late.seal(tmp_path)
    assert [row["date"] for row in build(tmp_path, workers=1).data["rows"]] == ["2026-11-11"]


def test_a_board_that_says_something_else_is_another_version(
    submissions: Path, board: Board, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(submissions, tmp_path / "s"))
    (folder / "trust.yaml").write_text(f"{board.data['rows'][0]['id']}: reproduced\n")
    assert build(folder, workers=1).data["version"] != board.data["version"]


def test_trust_is_what_maintainers_say(submissions: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(submissions, tmp_path / "s"))
    name = sorted(path.name for path in folder.iterdir())[0]
    (folder / "trust.yaml").write_text(f"{name}: reproduced\n")
    trust = {row["id"]: row["trust"] for row in build(folder, workers=1).data["rows"]}
    assert trust.pop(name) == "reproduced" and set(trust.values()) == {"rescored"}
    (folder / "trust.yaml").write_text(f"{name}: certain\n")
    with pytest.raises(PanelistError, match=r"trust\.yaml: .*spot-checked"):
        build(folder, workers=1)


def test_what_was_changed_after_it_was_made_is_named(submissions: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(submissions, tmp_path / "s"))
    victim = sorted(folder.iterdir())[1]
    data = bytearray((victim / "transcripts.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (victim / "transcripts.parquet").write_bytes(data)
    with pytest.raises(PanelistError, match=f"{victim.name}: .*sha256-mismatch"):
        build(folder, workers=1)


def test_what_a_set_cannot_say_is_said_in_words(board: Board) -> None:
    data = board.data
    assert data["decomposition"]["pairs"]["A"] >= 0 or "why" in data["decomposition"]
    # qwen is alone in its family, and with 24 seeds no panel can be chosen on half of them.
    assert all("why" in found for found in data["composer"].values()) or "why" in data["composer"]
    assert {row["class"] for row in data["rows"]} == {"open", "calibration"}


def test_the_table_downloads_as_what_it_is(board: Board, tmp_path: Path) -> None:
    write_site(board, tmp_path / "site")
    table = pq.read_table(tmp_path / "site" / "board.parquet")
    assert len(table) == len(board.data["rows"])
    assert table["name"].to_pylist() == [row["name"] for row in board.data["rows"]]


def test_a_site_is_not_written_over_something_else(board: Board, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("my life's work")
    with pytest.raises(PanelistError, match="holds something that is no board"):
        write_site(board, tmp_path)
    with pytest.raises(PanelistError, match="no submission in it"):
        build(tmp_path)


def test_the_command_line_ends_with_the_page(submissions: Path, tmp_path: Path) -> None:
    words = ["board", "build", str(submissions), "-o", str(tmp_path / "site"), "--workers", "1"]
    done = CliRunner().invoke(commands, [*words, "--dataset", "a-lab/panels"])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "site" / "index.html").read_text()
    assert "--to a-lab/panels --pr" in page and "huggingface.co/datasets/a-lab/panels" in page
    assert f"page: {tmp_path / 'site' / 'index.html'}" in done.output
    out = tmp_path / "eee"
    words = ["board", "export", str(tmp_path / "site"), "--format", "eee", "-o", str(out)]
    assert CliRunner().invoke(commands, words).exit_code == 0
    assert len(list(out.rglob("*.json"))) == len(NAMES)


def test_the_farthest_candidates_are_kept() -> None:
    import numpy as np

    at = np.array([0.0, 0.1, 5.0, 5.1, 9.0])
    assert apart((at[:, None] - at) ** 2, 3) in ([0, 2, 4], [0, 3, 4])


def test_submissions_to_another_benchmark_are_left_out(submissions: Path, tmp_path: Path) -> None:
    one = next(submissions.iterdir())
    shutil.copytree(one, tmp_path / "in" / "submissions" / "1.0" / one.name)
    old = Path(shutil.copytree(one, tmp_path / "in" / "submissions" / "0.9" / "old"))
    manifest = json.loads((old / "manifest.json").read_bytes()) | {"benchmark": "0.9"}
    (old / "manifest.json").write_text(json.dumps(manifest))
    words = ["board", "build", str(tmp_path / "in"), "-o", str(tmp_path / "site"), "--workers", "1"]
    done = CliRunner().invoke(commands, words)
    assert done.exit_code == 0, done.output
    assert "left out: 1 submission to benchmark 0.9" in done.output
