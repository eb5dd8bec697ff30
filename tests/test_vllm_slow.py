"""Real vLLM (its CPU build): Inspect starts the server, or meets one that runs already.

tox run -e vllm
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.model._providers._vllm_lora import _vllm_servers

from panelist.evals.running import Engines, run_unit
from panelist.evals.units import Unit
from panelist.panels.chain import CHAIN_KEY, Chain
from panelist.panels.checkpoint import find_checkpoint
from panelist.panels.embedded_hf import served
from panelist.scorers.logs import read_logs

pytest.importorskip("vllm")
pytestmark = pytest.mark.slow

TASKS = ["panelist/panel_hedging", "panelist/panel_repair", "panelist/panel_challenge"]

ARGUMENTS = {"dtype": "bfloat16", "max_model_len": 2048, "enforce_eager": True}

SHORT = GenerateConfig(max_tokens=48, max_connections=8, seed=0)


def unit(name: str, model: str) -> Unit:
    return Unit(name, find_checkpoint(name), "vllm", model, ARGUMENTS, SHORT)


def replies(log: EvalLog) -> list[str]:
    chains = [Chain.from_dict(sample.store[CHAIN_KEY]) for sample in log.samples or []]
    return [chain.turns[1].text for chain in chains]


def test_inspect_starts_one_server_for_base_and_adapter(tmp_path: Path) -> None:
    units = [
        unit("smollm2-135m-instruct", "vllm/embedded"),
        unit("smollm2-135m-hedged", "vllm/embedded:hedged"),
    ]
    engines = Engines(units)
    try:
        for one in units:
            name, folder = one.name, tmp_path / one.name
            outcome = run_unit(one, TASKS, {"tier": "demo"}, folder, engines, limit=4)
            assert outcome.failed == 0, outcome.first_error
            assert outcome.chains == 3 * 4 * 2
            for behaviour in ("hedging", "repair", "challenge"):
                runs, table = read_logs([folder], behaviour=behaviour)
                assert set(table["focal"]) == {name}
                assert table[behaviour].notna().any()
                assert runs[0].record["runtime"]["engine"] == "vllm"
        assert len(_vllm_servers) == 1
        [server] = _vllm_servers.values()
        assert server.process is not None
        assert server.enable_lora
    finally:
        engines.stop()


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """A vLLM server of our own, with the hedged recipe preloaded."""
    base, _, adapter = served("vllm/embedded:hedged").removeprefix("vllm/").partition(":")
    script = Path(sys.executable).with_name("vllm")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [str(script), "serve", base, "--port", port, "--dtype", "bfloat16"]
    command += ["--max-model-len", "2048", "--enforce-eager", "--enable-lora"]
    command += ["--lora-modules", f"hedged={adapter}"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ})
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(240):
                assert process.poll() is None, (folder / "server.log").read_text()[-2000:]
                try:
                    urllib.request.urlopen(f"{url}/health", timeout=2)
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(1)
            else:
                raise AssertionError((folder / "server.log").read_text()[-2000:])
            yield f"{url}/v1"
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()


def test_a_server_that_runs_already_serves_base_and_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = served("vllm/embedded").removeprefix("vllm/")
    _vllm_servers.clear()  # forget the server of another test
    with running(tmp_path) as url:
        monkeypatch.setenv("VLLM_BASE_URL", url)
        for model in (f"vllm/{base}", f"vllm/{base}:hedged"):
            [log] = inspect_eval(
                "panelist/panel_hedging",
                model=get_model(model, config=SHORT, memoize=False),
                limit=4,
                log_dir=str(tmp_path / "logs"),
                display="none",
            )
            assert log.status == "success"
            assert all(replies(log))
    _vllm_servers.clear()
