"""lm-eval for real, on the embedded checkpoint, held against the Inspect task."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")

from test_lm_eval import (
    FOCAL,
    FOLDER,
    assert_same_rows,
    assert_same_values,
    inspect_on,
    inspect_values,
)

from panelist.panels.embedded_hf import export_hf
from panelist.scorers.lm_eval import read_lm_eval
from panelist.scorers.records import VALUES

pytestmark = pytest.mark.slow

COMMAND = [
    *(sys.executable, "-m", "lm_eval", "run", "--include_path", str(FOLDER)),
    *("--tasks", "panelist_hedging_replay", "--metadata", f"focal={FOCAL}"),
]


def run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """lm_eval in a folder of its own, without network.

    One thread: beside other work on the same cores, torch's threads mostly wait for each other.
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_lm_eval_and_inspect_agree(tmp_path: Path) -> None:
    """The same prompt through the same chat template; the same scores and rows for the replies."""
    from transformers import AutoTokenizer

    directory = export_hf(tmp_path / "hf")
    done = run(
        tmp_path,
        *("--model", "hf", "--model_args", f"pretrained={directory},dtype=float32"),
        *("--device", "cpu", "--batch_size", "4", "--limit", "4"),
        *("--apply_chat_template", "--log_samples", "--output_path", "out"),
    )
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / "out").rglob("samples_panelist_hedging_replay_*.jsonl")
    samples = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    assert len(samples) == 4
    docs = [sample["doc"] for sample in samples]
    replies = [sample["resps"][0][0] for sample in samples]
    log, messages = inspect_on("hedging", docs, replies, tmp_path / "logs")
    tokenizer = AutoTokenizer.from_pretrained(directory)
    for sample, got in zip(samples, messages, strict=True):
        rendered = tokenizer.apply_chat_template(
            [{"role": role, "content": content} for role, content in got],
            tokenize=False,
            add_generation_prompt=True,
        )
        assert sample["arguments"]["gen_args_0"]["arg_0"] == rendered
        logged = {name: sample[name] for name in VALUES["hedging"]}
        assert_same_values(logged, inspect_values(log, sample["doc"]))
    assert_same_rows(read_lm_eval(path), log)
    [results] = (tmp_path / "out").rglob("results_*.json")
    mean = json.loads(results.read_text(encoding="utf-8"))["results"]["panelist_hedging_replay"]
    assert mean["hedging,none"] == pytest.approx(read_lm_eval(path)["hedging"].mean(), abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--apply_chat_template"),
        (["--apply_chat_template", "--system_instruction", "Be brief."], "--system_instruction"),
        (["--apply_chat_template", "--gen_kwargs", "temperature=0"], "temperature: 0"),
        (["--apply_chat_template", "--cache_requests", "true"], "--cache_requests"),
        (["--metadata", "focal=x", "tier=huge"], "tier: unknown value 'huge'"),
    ],
)
def test_other_prompts_and_settings_are_refused(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    """Before anything is generated, by lm-eval's model that answers nothing."""
    done = run(tmp_path, "--model", "dummy", "--limit", "2", *arguments)
    assert done.returncode != 0
    assert "PanelistError" in done.stderr and message in done.stderr.splitlines()[-1], done.stderr
