"""The checkpoint registry."""

from pathlib import Path

import pytest

from panelist.panels.checkpoint import (
    EMBEDDED,
    checkpoint_of,
    find_checkpoint,
    read_checkpoints,
    shipped_checkpoints,
)
from panelist.panels.errors import PanelistError

ROW = "{name: a, family: f, base: b, recipe: sft, model: vllm/a/a, revision: main, licence: mit}"


def test_the_registry_holds_what_teams_compare() -> None:
    rows = shipped_checkpoints()
    assert {"llama", "qwen", "gemma", "olmo", "mistral", "smollm"} <= {r.family for r in rows}
    assert {"base", "sft", "dpo", "rlvr", "reasoning-distilled"} <= {r.recipe for r in rows}
    assert len({r.model for r in rows}) == len(rows) >= 40


def test_a_base_checkpoint_is_its_own_base() -> None:
    for row in shipped_checkpoints():
        if row.recipe == "base":
            assert row.model.partition("/")[2] == row.base, row


def test_a_checkpoint_is_found_under_any_engine() -> None:
    found = find_checkpoint("llama-3.1-8b-instruct")
    repository = found.model.partition("/")[2]
    assert checkpoint_of(f"hf/{repository}") == found
    assert checkpoint_of(EMBEDDED) == find_checkpoint("smollm2-135m-instruct")
    assert checkpoint_of("openai/no-such-model") is None


def test_an_unknown_checkpoint_lists_the_nearest() -> None:
    with pytest.raises(PanelistError, match=r"unknown checkpoint 'llama-3\.1-8b-instrukt'; did"):
        find_checkpoint("llama-3.1-8b-instrukt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "not a registry"),
        ("checkpoints:", "not a registry"),
        ("checkpoints: \udcff", "not a registry"),
        ("checkpoints: [{name: a}]", "row 1: a checkpoint needs"),
        (f"checkpoints: [{ROW.replace('sft', 'magic')}]", "recipe: unknown value 'magic'"),
        (f"checkpoints: [{ROW}, {ROW}]", "row 2, name: 'a' stands twice"),
        (f"checkpoints: [{ROW[:-1]}, colour: red}}]", "row 1: a checkpoint needs"),
    ],
)
def test_a_bad_registry_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "checkpoints.yaml"
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(PanelistError, match=message):
        read_checkpoints(path)
