"""The board in the formats of others: what they require is there, with intervals where they fit."""

import json
from pathlib import Path

import pytest
import yaml
from made_up_board import made_up_board

from panelist.leaderboard.exports import community_evals, every_eval_ever, read_board
from panelist.panels.errors import PanelistError

REVISION = "c" * 40


@pytest.fixture
def board() -> dict[str, object]:
    made = made_up_board(12)
    made["rows"][0]["weights"] = {"kind": "revision", "value": "a" * 40}
    made["rows"][0] |= {"class": "open", "model": "vllm/org/name", "superseded_by": None}
    return made


def test_community_evals_name_the_benchmark_and_carry_the_interval_in_notes(
    board: dict[str, object], tmp_path: Path
) -> None:
    paths = community_evals(board, tmp_path, "org/submissions", REVISION)
    about = yaml.safe_load((tmp_path / "eval.yaml").read_text())
    assert about["evaluation_framework"] == "panelist"
    assert [task["id"] for task in about["tasks"]] == board["behaviours"]
    mine = tmp_path / "models" / "org" / "name" / ".eval_results" / "panelist.yaml"
    assert mine in paths
    for entry in yaml.safe_load(mine.read_text()):
        assert entry["dataset"]["id"] == "org/submissions"
        assert entry["dataset"]["revision"] == REVISION
        assert entry["dataset"]["task_id"] in board["behaviours"]  # type: ignore[operator]
        assert isinstance(entry["value"], float) and isinstance(entry["date"], str)
        assert REVISION in entry["source"]["url"]
        assert "95% CI" in entry["notes"] and "n=" in entry["notes"]
        assert "exploratory" in entry["notes"] or "validated" in entry["notes"]


def test_the_hub_client_reads_the_entries(board: dict[str, object], tmp_path: Path) -> None:
    from huggingface_hub import parse_eval_result_entries

    community_evals(board, tmp_path, "org/submissions")
    text = (tmp_path / "models/org/name/.eval_results/panelist.yaml").read_text()
    assert parse_eval_result_entries(yaml.safe_load(text))[0].dataset_id == "org/submissions"


def test_models_without_a_repository_get_no_file(board: dict[str, object], tmp_path: Path) -> None:
    for row in board["rows"]:  # type: ignore[attr-defined]
        row["class"] = "api"
    assert community_evals(board, tmp_path, "org/submissions") == [tmp_path / "eval.yaml"]


@pytest.mark.parametrize(
    "name", ["../../../../etc/x", "/etc/x", "a/../../../x", "a/..", "a", "a/b/c", "a/b\n", "é/b"]
)
def test_a_model_that_is_no_repository_leads_nowhere(
    name: str, board: dict[str, object], tmp_path: Path
) -> None:
    board["rows"][0]["model"] = f"vllm/{name}"  # type: ignore[index]
    output = tmp_path / "some" / "where" / "below"
    found = [
        *community_evals(board, output / "hf", "org/submissions"),
        *every_eval_ever(board, output / "eee"),
    ]
    assert all(path.resolve().is_relative_to(output.resolve()) for path in found)
    assert {path.resolve() for path in tmp_path.rglob("*") if path.is_file()} == {
        path.resolve() for path in found
    }


def test_every_eval_ever_has_one_record_a_row(board: dict[str, object], tmp_path: Path) -> None:
    paths = every_eval_ever(board, tmp_path)
    current = [r for r in board["rows"] if r["superseded_by"] is None]  # type: ignore[attr-defined]
    assert len(paths) == len(current)
    assert every_eval_ever(board, tmp_path) == paths  # the same names each time
    for path in paths:
        said = json.loads(path.read_text())
        needed = ("schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata")
        assert {*needed, "eval_library", "model_info", "evaluation_results"} == set(said)
        details = said["model_info"]["additional_details"]
        assert details["deployment_type"] in ("self_deployed", "externally_managed")
        assert all(isinstance(value, str) for value in details.values())
        for result in said["evaluation_results"]:
            assert result["metric_config"]["lower_is_better"] is False
            interval = result["score_details"]["uncertainty"]["confidence_interval"]
            assert interval["lower"] <= result["score_details"]["score"] <= interval["upper"]


def test_a_d_prime_says_which_pair_it_is_of_and_counts_its_replies(
    board: dict[str, object], tmp_path: Path
) -> None:
    row = board["rows"][0]  # type: ignore[index]
    whole = row["panels"]["challenge"]["detection"].pop("")
    row["panels"]["challenge"]["detection"] = {
        "bare": whole | {"replies": 96},
        "confident": whole | {"replies": 95},
    }
    row["panels"]["repair"]["replies"] = row["panels"]["hedging"]["replies"] = 144
    row["panels"]["repair"]["detection"][""]["replies"] = 143
    community_evals(board, tmp_path, "org/submissions")
    text = (tmp_path / "models/org/name/.eval_results/panelist.yaml").read_text()
    notes = {e["dataset"]["task_id"]: e["notes"] for e in yaml.safe_load(text)}
    assert "false claims (pair bare); " in notes["challenge"] and "n=96 " in notes["challenge"]
    assert "(pair" not in notes["repair"] and "n=143 " in notes["repair"]
    assert "(pair" not in notes["hedging"] and "n=144 " in notes["hedging"]
    found = [json.loads(p.read_text()) for p in every_eval_ever(board, tmp_path / "eee")]
    [mine] = [f for f in found if f["model_info"]["name"] == row["name"]]
    said = {
        r["evaluation_name"]: r["score_details"]["uncertainty"]["num_samples"]
        for r in mine["evaluation_results"]
    }
    assert said["challenge: d' of false claims (pair bare)"] == 96
    assert sorted(said.values()) == [96, 143, 144]


def test_a_folder_without_a_board_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PanelistError, match=r"no readable board\.json"):
        read_board(tmp_path)
