"""`panelist plan` and `panelist compose` at the command line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from panelist.cli import commands
from panelist.scorers.logs import Run

RATES = {"a": 0.2, "b": 0.2, "c": 0.8, "d": 0.5}


def test_plan_prints_the_table_of_the_method() -> None:
    """method.md 4c: 18 %, base .4, six pairs: 846, 425, 215, 110 seeds."""
    result = CliRunner().invoke(commands, ["plan", "--shift", "0.18", "--base", "0.4"])
    assert result.exit_code == 0, result.output
    seeds = [line.split()[1] for line in result.output.splitlines()[1:5]]
    assert seeds == ["846", "425", "215", "110"]


def test_plan_prices_tokens() -> None:
    arguments = ["plan", "--price", "2", "--tokens-per-second", "1000"]
    lines = CliRunner().invoke(commands, arguments).output.splitlines()
    head, row = lines[0].split(), lines[1].split()
    values = dict(zip(head, map(float, row), strict=True))
    assert values["cost"] == pytest.approx(2e-6 * values["tokens"], rel=1e-3)
    assert values["hours"] == pytest.approx(values["tokens"] / 3.6e6, rel=1e-3)


def test_plan_refits_its_noise_from_a_pilot(rehearsal_path: Path) -> None:
    result = CliRunner().invoke(commands, ["plan", "--pilot", str(rehearsal_path)])
    assert result.exit_code == 0, result.output
    assert "icc" in result.output


@pytest.fixture
def four_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs that read as four checkpoints, one of them far from the others."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "focal": focal,
            "partner": "p",
            "same_turns_as": "",
            "seed": f"s{seed}",
            "replicate": replicate,
            "turn": 2,
            "status": "ok",
            "words": 50.0,
            "hedging": float(rng.random() < rate),
        }
        for focal, rate in RATES.items()
        for seed in range(80)
        for replicate in (1, 2)
    ]
    runs = [
        Run(Path(f), f, "success", "", {"focal": f, "checkpoint": None}, "hedging", {}, 0, 0, None)
        for f in RATES
    ]
    read = "panelist.scorers.corpus_table.read_logs"
    monkeypatch.setattr(read, lambda _: (runs, pd.DataFrame(rows)))


@pytest.mark.usefixtures("four_checkpoints")
def test_compose_finds_the_distant_checkpoint() -> None:
    result = CliRunner().invoke(commands, ["compose", "logs", "-k", "2"])
    assert result.exit_code == 0, result.output
    assert "c" in members(result.output)
    assert "tied panels, the best first:" in result.output


def members(output: str) -> set[str]:
    """The checkpoints that the printed table marks as in the best panel."""
    rows = [line.split() for line in output.splitlines()[1:5]]
    return {row[0] for row in rows if row[1] == "True"}


@pytest.mark.usefixtures("four_checkpoints")
def test_compose_keeps_to_the_budget() -> None:
    costs = [word for name in RATES for word in ("--cost", f"{name}={10 if name == 'c' else 1}")]
    arguments = ["compose", "logs", "-k", "2", "--max-cost", "5", *costs]
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 0, result.output
    assert members(result.output) and "c" not in members(result.output)


@pytest.mark.usefixtures("four_checkpoints")
def test_compose_refuses_a_cost_that_is_none() -> None:
    result = CliRunner().invoke(commands, ["compose", "logs", "--cost", "a"])
    assert result.exit_code == 2
    assert "write NAME=COST" in result.output
