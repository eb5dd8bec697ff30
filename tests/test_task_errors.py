"""Bad arguments of the task: one clear message, and `inspect eval` ends with an error."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from panelist.panels.bank import Bank, find_bank
from panelist.panels.errors import PanelistError
from panelist.panels.grid import grid
from panelist.panels.partner import Partner
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier
from panelist.tasks.panel_hedging import panel_hedging

CHECKOUT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tier": "huge"}, "tier: unknown value 'huge'"),
        ({"bank": "v9.jsonl"}, "v9.jsonl: cannot read the partner bank"),
        ({"partners": "nobody"}, "unknown partner 'nobody'"),
        ({"partners": "self,self"}, "a name stands twice"),
        ({"turns": "abc"}, "turns: 'abc' is not a whole number"),
        ({"partners": "foo/bar"}, "the model 'foo/bar' cannot be made"),
        ({"turns": 1}, "turns: 1; a reply to scripted-low needs at least 2"),
        ({"turns": 3}, "turns: 3 with scripted-low, but scripted-low can only open"),
        ({"checkpoint": "gpt-99"}, "unknown checkpoint 'gpt-99'"),
    ],
)
def test_a_bad_argument_is_refused(arguments: dict[str, Any], message: str) -> None:
    from inspect_ai import eval as inspect_eval

    with pytest.raises(PanelistError, match=message):
        inspect_eval(panel_hedging, task_args=arguments, model="mockllm/model")


def test_a_bank_for_other_seeds_is_refused() -> None:
    bank = Bank("x", "", (), {})
    object.__setattr__(bank, "covers", lambda seed: False)
    with pytest.raises(PanelistError, match="covers none of the seeds"):
        grid(shipped_seeds(), (), bank, find_tier("demo"), "f")


def test_a_paired_prefix_is_complete() -> None:
    task = panel_hedging_dataset()
    assert [sample.metadata["seed"] for sample in task[:4]] == [task[0].metadata["seed"]] * 4


def test_a_live_run_meets_the_seeds_of_a_bank_run() -> None:
    demo, live = find_tier("demo"), (Partner("self", "self"),)
    bank = find_bank("v1")
    seeds = [s.metadata["seed"] for s in grid(shipped_seeds(), live, None, demo, "f")]
    assert len(seeds) == 24
    frozen = grid(shipped_seeds(), bank.partners[:1], bank, demo, "f")
    assert seeds == [s.metadata["seed"] for s in frozen]


def panel_hedging_dataset() -> list[Any]:
    from panelist.panels.cast import cast_partners

    partners, bank = cast_partners(None, "v1", role_given=False)
    return list(grid(shipped_seeds(), partners, bank, find_tier("demo"), "f"))


def inspect(*arguments: str, logs: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).with_name("inspect")  # `-m` would put the checkout on the path
    command = [str(script), "eval", *arguments, "--log-dir", str(logs)]
    environment = {**os.environ, "INSPECT_DISPLAY": "plain", "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_inspect_eval_runs_the_file_and_the_installed_task(tmp_path: Path) -> None:
    for task, cwd in (("tasks/panel_hedging.py", CHECKOUT), ("panelist/panel_hedging", tmp_path)):
        result = inspect(task, "--model", "mockllm/model", "--limit", "5", logs=tmp_path, cwd=cwd)
        assert result.returncode == 0, result.stdout + result.stderr
    assert len(list(tmp_path.glob("*.eval"))) == 2


def test_inspect_eval_ends_with_one_message_and_a_nonzero_code(tmp_path: Path) -> None:
    result = inspect(
        "panelist/panel_hedging",
        "--model",
        "mockllm/model",
        "-T",
        "checkpoint=gpt-99",
        logs=tmp_path,
        cwd=tmp_path,
    )
    assert result.returncode != 0
    said = (result.stdout + result.stderr).strip()
    assert said.startswith("Error: unknown checkpoint 'gpt-99'; did you mean")
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


def test_a_task_made_outside_an_evaluation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not know the focal, and a model it named would override the one of eval()."""
    monkeypatch.delenv("INSPECT_EVAL_MODEL", raising=False)
    code = "from panelist.tasks.panel_hedging import panel_hedging; panel_hedging()"
    result = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    assert "made outside an evaluation" in result.stderr
