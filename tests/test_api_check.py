"""The API check as a design, against a server that fails in every way."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from inspect_ai.log import list_eval_logs
from inspect_ai.model._providers.openai_compatible import OpenAICompatibleAPI
from openai_server import Server
from tenacity.wait import wait_fixed

from panelist.evals.design import read_design
from panelist.evals.experiment import Finished, run_design
from panelist.panels.chain import CHAIN_KEY, Chain
from panelist.panels.logs import read_log
from panelist.scorers.logs import read_logs

pytest.importorskip("openai")

SAMPLES = 24
"""Six seeds and four partners: the report says that it is too few, the logs are what counts."""

CHAINS = 2 * SAMPLES

MODEL = "openai-api/local/m"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between retries, and a key for the server."""
    monkeypatch.setattr(OpenAICompatibleAPI, "retry_wait", lambda self: wait_fixed(0.01))
    monkeypatch.setenv("LOCAL_API_KEY", "none")
    monkeypatch.setenv("INSPECT_DISPLAY", "none")


def run(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Finished:
    monkeypatch.setenv("LOCAL_BASE_URL", server.url)
    row = {"name": "m", "model": MODEL, "family": "x", "base": "x/b", "recipe": "rlhf"}
    design = {
        "name": "faults",
        "kind": "api",
        "checkpoints": [row],
        "claims": ["shift"],
        "engine": {"max_connections": 8, "max_retries": 4, "attempt_timeout": 8},
    }
    path = folder / "design.yaml"
    path.write_text(yaml.safe_dump(design | changes))
    return run_design(read_design(path), path, folder / "out", limit=SAMPLES, say=lambda line: None)


def finished(folder: Path) -> dict[str, Chain]:
    """The finished chains in all logs."""
    found: dict[str, Chain] = {}
    for info in list_eval_logs(str(folder / "out" / "logs")):
        for sample in read_log(info.name).samples or []:
            if sample.error is None:
                chain = Chain.from_dict(sample.store[CHAIN_KEY])
                assert found.setdefault(chain.id, chain) == chain
    return found


def test_a_storm_of_faults_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ("429", "500", "503", "drop", "cut", "not_json", "no_choices", "null", "length")
    storm: Any = dict.fromkeys(kinds, 0.05) | {"slow": 0.02}
    with Server(faults=storm, seed=4, slow=11.0) as server:
        done = run(server, tmp_path, monkeypatch)
        met = server.outcomes
        assert set(kinds) <= set(met)
        assert max(request.at_once for request in server.requests) <= 8
    assert done.failed == 0
    assert len(finished(tmp_path)) == CHAINS
    _, table = read_logs([tmp_path / "out" / "logs" / "m"])
    counts = table["status"].value_counts()
    assert counts.sum() == CHAINS
    assert counts["empty"] == met["null"]
    assert counts["truncated"] == met["length"]


def test_what_fails_in_the_end_is_reported_and_made_good_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: Any = [None] * 20 + ["no_choices"] * 2000
    with Server(faults=faults) as server:
        done = run(server, tmp_path, monkeypatch)
        assert done.failed == CHAINS - 20
        [*_, (_, answer, behind)] = done.report.answers
        assert answer == "with care"
        assert f"{done.failed} of {CHAINS} replies have no outcome" in behind
        assert "no choices" in done.outcomes[0].first_error
        server.heal()
        again = run(server, tmp_path, monkeypatch)
        assert len(server.requests) == CHAINS - 20  # none of the finished ones is asked again
    assert again.failed == 0
    assert len(finished(tmp_path)) == CHAINS


def test_the_ceiling_holds_and_can_be_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    money: dict[str, Any] = {
        "prices": {MODEL: {"input": 1000.0, "output": 1000.0}},
        "expected": {"input_tokens": 1, "output_tokens": 1},
        "sampling": {"max_tokens": 50},
    }
    faults: Any = {"drop": 0.2, "500": 0.1}
    with Server(faults=faults, seed=2) as server:
        done = run(server, tmp_path, monkeypatch, limits={"dollars": 4}, **money)
        first = server.billed(1000, 1000)
        assert done.spent is not None
        assert 0 < first <= done.spent <= 4
        assert 0 < done.failed < CHAINS
        assert "cost ceiling of $4.0000 reached" in done.outcomes[0].first_error
        made = len(finished(tmp_path))
        assert made == CHAINS - done.failed
        server.heal()
        again = run(server, tmp_path, monkeypatch, limits={"dollars": 400}, **money)
        assert len(server.requests) == CHAINS - made
        assert again.spent is not None
        assert first + server.billed(1000, 1000) <= again.spent <= 400
    assert again.failed == 0
