"""`panelist bank build`: openings frozen into a bank that never changes."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from inspect_ai.model import GenerateConfig

from panelist.cli import commands
from panelist.evals.openings import build_bank
from panelist.evals.units import Unit
from panelist.panels.bank import read_bank
from panelist.panels.checkpoint import row_of
from panelist.panels.errors import PanelistError


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSPECT_DISPLAY", "none")


def build(folder: Path, *more: str) -> str:
    names = ["--checkpoint", "a=mockllm/a", "--checkpoint", "b=mockllm/b"]
    options = ["--version", "mine", "-o", str(folder / "mine.jsonl"), "--limit", "5", *more]
    result = CliRunner().invoke(commands, ["bank", "build", *names, *options])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_a_bank_holds_an_opening_of_every_checkpoint(tmp_path: Path) -> None:
    said = build(tmp_path)
    bank = read_bank(tmp_path / "mine.jsonl")
    assert f"sha256 {bank.sha256}" in said
    assert [(p.name, p.kind, p.model) for p in bank.partners] == [
        ("a", "scripted", "mockllm/a"),
        ("b", "scripted", "mockllm/b"),
    ]
    assert len(bank.turns) == 2 * 5
    assert len({seed for seed, _ in bank.turns}) == 5


def test_a_bank_is_not_built_twice(tmp_path: Path) -> None:
    build(tmp_path)
    assert "exists already (bank 'mine')" in build(tmp_path)


def test_a_shipped_version_is_refused(tmp_path: Path) -> None:
    row = row_of(
        "test",
        {
            "name": "a",
            "model": "mockllm/a",
            "family": "x",
            "base": "x",
            "recipe": "sft",
            "revision": "",
            "licence": "",
        },
    )
    unit = Unit("a", row, "", "mockllm/a", {}, GenerateConfig())
    with pytest.raises(PanelistError, match="'v1' is a shipped bank's"):
        build_bank([unit], "v1", "demo", tmp_path / "b.jsonl", tmp_path / "work")


def test_an_interrupted_build_goes_on_from_its_logs(tmp_path: Path) -> None:
    build(tmp_path)
    first = read_bank(tmp_path / "mine.jsonl")
    (tmp_path / "mine.jsonl").unlink()
    build(tmp_path)
    # The mock model answers at random: the same words mean that nothing was generated again.
    assert read_bank(tmp_path / "mine.jsonl").turns == first.turns
