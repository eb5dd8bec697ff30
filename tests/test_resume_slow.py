"""A design that is killed again and again ends as if it had not been; nothing done is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from inspect_ai.log import list_eval_logs

from panelist.panels.bank import read_bank
from panelist.panels.chain import CHAIN_KEY, Chain
from panelist.panels.logs import read_log

SCRIPT = Path(__file__).with_name("counted_run.py")
IN_FLIGHT = 4
"""Connections of the model: chains whose reply may be on its way when the process dies."""


@pytest.mark.slow
def test_no_finished_chain_is_generated_twice(tmp_path: Path) -> None:
    row = {"family": "x", "base": "x/b", "model": "counted/model"}
    design = {
        "name": "killed",
        "kind": "factorial",
        "checkpoints": [
            row | {"name": "a", "recipe": "sft"},
            row | {"name": "b", "recipe": "dpo"},
        ],
        "partners": "openings",
        "engine": {"max_connections": IN_FLIGHT},
    }
    (tmp_path / "design.yaml").write_text(yaml.safe_dump(design))
    notes, said, output = tmp_path / "notes", tmp_path / "said", tmp_path / "out"
    command = [sys.executable, "-P", str(SCRIPT), str(tmp_path / "design.yaml"), str(output)]

    def answers() -> int:
        return len(notes.read_text().split()) if notes.exists() else 0

    environment = {**os.environ, "INSPECT_DISPLAY": "none", "XDG_DATA_HOME": str(tmp_path / "data")}
    # The first dies while it starts, the others when they have made so many answers more.
    for more in (0, 20, 20, 20, None):
        before = answers()
        with said.open("w") as log:
            process = subprocess.Popen(
                [*command, str(notes)],
                env=environment,
                start_new_session=True,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if more is None:
            process.wait(300)
            break
        time.sleep(1.0)
        while answers() < before + more:
            assert process.poll() is None, said.read_text()
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.2)
    assert process.returncode == 0, said.read_text()

    made = notes.read_text().split()
    bank = read_bank(output / "openings.jsonl")
    kept = "".join(bank.turns.values())
    chains: dict[str, Chain] = {}
    for info in list_eval_logs(str(output / "logs")):
        for sample in read_log(info.name).samples or []:
            if sample.error is not None:
                continue  # on its way when the process died; a later log has it whole
            chain = Chain.from_dict(sample.store[CHAIN_KEY])
            # The log of an earlier try may lie beside: what it holds was taken over as it was.
            assert chains.setdefault(chain.id, chain) == chain
    kept += "".join(t.text for c in chains.values() for t in c.turns if t.role == "focal")
    # Two checkpoints reply twice to two partners each, on the 20 seeds of the `limit`.
    assert len(chains) == 2 * 20 * 2
    lost = [mark for mark in made if mark not in kept]
    assert len(lost) <= 4 * IN_FLIGHT, (len(lost), len(made))
    assert (output / "report.html").exists()
