"""Every kind of design on the mock model: it runs, and its report says what it can and cannot."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from panelist.evals.design import read_design
from panelist.evals.experiment import Finished, run_design
from panelist.leaderboard.report import to_markdown
from panelist.panels.errors import PanelistError

SEEDS = 20
"""The least that a report makes a claim from."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSPECT_DISPLAY", "none")


def row(name: str, family: str, recipe: str) -> dict[str, str]:
    model = f"mockllm/{name}"
    return {"name": name, "model": model, "family": family, "base": family, "recipe": recipe}


def run(folder: Path, limit: int = 4 * SEEDS, **design: Any) -> Finished:
    path = folder / "design.yaml"
    said = {"name": "mine", "tier": "demo", "sampling": {"seed": 1}}
    path.write_text(yaml.safe_dump(said | design))
    done = run_design(read_design(path), path, folder / "out", limit=limit, say=lambda line: None)
    assert done.failed == 0
    for made in done.paths:
        assert made.stat().st_size > 500
    json.loads((folder / "out" / "report.json").read_text())
    return done


def headings(done: Finished) -> list[str]:
    return [section.heading for section in done.report.sections]


def test_a_round_robin_of_openings(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        kind="factorial",
        checkpoints=[row("a", "x", "sft"), row("b", "x", "dpo"), row("c", "x", "rlvr")],
        partners="openings",
        limit=3 * SEEDS,
    )
    assert "Round-robin (Social Relations Model)" in headings(done)
    said = to_markdown(done.report)
    assert "family: not identified, because no pair has different family" in said
    assert {o.chains for o in done.outcomes} == {3 * SEEDS * 2}


@pytest.mark.slow
def test_a_card_with_its_siblings(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        kind="card",
        behaviours=["hedging", "challenge"],
        checkpoints=[row("new", "x", "dpo"), row("old", "x", "sft")],
        focal="new",
        limit=5 * SEEDS,
    )
    assert {"card-hedging.html", "card-challenge.html"} <= {path.name for path in done.paths}
    assert "Signal detection: challenge" in headings(done)
    questions = [question for question, _, _ in done.report.answers]
    assert "Does new differ from the others in hedging?" in questions
    assert "new − old" in to_markdown(done.report)


@pytest.mark.slow
def test_a_corpus_splits_recipe_and_family(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        kind="corpus",
        checkpoints=[
            row("a", "x", "sft"),
            row("b", "x", "dpo"),
            row("c", "y", "sft"),
            row("d", "y", "dpo"),
        ],
        claims=["decomposition"],
    )
    assert "Controlled subset: recipe sft in 2 checkpoints" in headings(done)
    found = json.loads((tmp_path / "out" / "report.json").read_text())["findings"]
    by_name = {q["quantity"]: q for q in found["Recipe and family"]["diversity"]}
    assert by_name["family"]["low"] <= 0 <= by_name["family"]["high"]  # one mock speaks for all


@pytest.mark.slow
def test_a_runtime_check_has_verdicts_and_a_margin(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        kind="runtime",
        checkpoints=[row("a", "x", "sft"), row("b", "x", "dpo")],
        runtimes=[{"name": "plain"}, {"name": "other", "models": {"a": "mockllm/z"}}],
        margin=0.9,
        sampling={},
    )
    assert headings(done)[:2] == ["Equivalence: hedging", "Conclusions by runtime: hedging"]
    [(question, _, behind), *_] = done.report.answers
    assert question == "Do the runtimes agree on hedging?"
    assert "equivalent within" in behind


@pytest.mark.slow
def test_identical_replies_are_said_to_be_why_there_is_no_verdict(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        kind="runtime",
        checkpoints=[row("a", "x", "sft")],
        runtimes=[{"name": "plain"}, {"name": "other", "models": {"a": "mockllm/z"}}],
    )
    [(_, verdict, behind), *_] = done.report.answers
    assert verdict == "cannot say"
    assert "identical replies" in behind


def test_another_design_does_not_fit_into_the_folder(tmp_path: Path) -> None:
    one: dict[str, Any] = {"kind": "factorial", "partners": ["self"], "limit": 2}
    rows = [row("a", "x", "sft"), row("b", "x", "dpo")]
    run(tmp_path, checkpoints=rows, **one)
    again = run(tmp_path, checkpoints=rows, limits={"tokens": 10**9}, **one)
    assert again.outcomes[0].chains == 4
    with pytest.raises(PanelistError, match=r"another design \(different: sampling\)"):
        run(tmp_path, checkpoints=rows, sampling={"seed": 1, "max_tokens": 9}, **one)
