"""The built wheel in an environment of its own, away from the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[1]


def test_the_wheel_runs_outside_the_checkout(tmp_path: Path) -> None:
    def run(*command: str | Path) -> str:
        result = subprocess.run(
            list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", CHECKOUT)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "panelist/py.typed",
        "panelist/panels/data/bank-v1.jsonl",
        "panelist/panels/data/seeds.jsonl",
        "panelist/panels/data/checkpoints.yaml",
        "panelist/leaderboard/card.html",
        "panelist/scorers/label.html",
        "panelist/scorers/validation.json",
        "panelist/scorers/data/hedging.lexicon",
        "panelist/scorers/data/repair.weights.tsv",
    ):
        assert needed in names
    assert not any(name.startswith("tests/") for name in names)
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    scripts = tmp_path / "venv" / "bin"
    run(scripts / "pip", "install", "-q", "-c", CHECKOUT / "constraints.txt", wheel)
    task = ("panelist/panel_hedging", "--model", "mockllm/model", "--limit", "5")
    run(scripts / "inspect", "eval", *task, "--log-dir", "logs")
    card = run(scripts / "panelist", "card", "logs", "-o", "card.html")
    assert "How much does it hedge?" in card
    assert (tmp_path / "card.html").stat().st_size > 5_000
