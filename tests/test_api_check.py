"""The API check against a server that fails in every way: all is retried or reported, none lost."""

import random
from pathlib import Path
from time import monotonic
from typing import Any

import anyio
import pytest
import yaml
from faulty_server import GOOD, Server, faulty_server
from inspect_ai.log import list_eval_logs
from inspect_ai.model import ChatMessageUser, GenerateConfig, ModelUsage
from inspect_ai.model._providers.openai_compatible import OpenAICompatibleAPI
from tenacity.wait import wait_fixed

from panelist.evals.design import Design, read_design
from panelist.evals.experiment import Finished, run_design
from panelist.panels.budget import Budget, Rates, paid, spending
from panelist.panels.chain import CHAIN_KEY, Chain
from panelist.panels.errors import PanelistError
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
        "engine": {"max_connections": 8, "max_retries": 3, "attempt_timeout": 4},
    }
    path = folder / "design.yaml"
    path.write_text(yaml.safe_dump(design | changes))
    read: Design = read_design(path)
    return run_design(read, path, folder / "out", limit=SAMPLES, say=lambda line: None)


def chains(folder: Path) -> dict[str, Chain]:
    """The finished chains in all logs."""
    found: dict[str, Chain] = {}
    for info in list_eval_logs(str(folder / "out" / "logs")):
        for sample in read_log(info.name).samples or []:
            if sample.error is None:
                chain = Chain.from_dict(sample.store[CHAIN_KEY])
                assert found.setdefault(chain.id, chain) == chain
    return found


FAULTS = ("429", "500", "503", "drop", "slow", "cut", "html", "no_choices", "null", "length")


def test_a_storm_of_faults_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fate = [*FAULTS, *FAULTS, *[GOOD] * 30]
    random.Random(1).shuffle(fate)
    with faulty_server(lambda number: fate[number] if number < len(fate) else GOOD) as server:
        done = run(server, tmp_path, monkeypatch)
        assert set(FAULTS) <= set(server.answers)
        assert server.most <= 8
    assert done.failed == 0
    found = chains(tmp_path)
    assert len(found) == CHAINS
    # Every good answer that was given stands in a chain, but those whose connection timed out.
    text = " ".join(turn.text for chain in found.values() for turn in chain.turns)
    assert sum(mark not in text for mark in server.marks) <= server.answers.count("slow")
    _, table = read_logs([tmp_path / "out" / "logs" / "m"])
    counts = table["status"].value_counts()
    assert counts.sum() == CHAINS
    assert counts["empty"] == server.answers.count("null")
    assert counts["truncated"] == server.answers.count("length")


def test_what_fails_in_the_end_is_reported_and_made_good_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty_server(lambda number: "no_choices" if number > 20 else GOOD) as server:
        done = run(server, tmp_path, monkeypatch)
        before = len(server.marks)
    assert done.failed == CHAINS - before
    said = {answer for _, _, answer in done.report.answers}
    assert any(f"{done.failed} of {CHAINS} replies have no outcome" in line for line in said)
    with faulty_server() as healthy:
        again = run(healthy, tmp_path, monkeypatch)
        assert len(healthy.marks) == CHAINS - before  # none of the finished ones is asked again
    assert again.failed == 0
    assert len(chains(tmp_path)) == CHAINS


def test_the_ceiling_holds_and_can_be_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    money: dict[str, Any] = {
        "prices": {MODEL: {"input": 1000.0, "output": 1000.0}},
        "expected": {"input_tokens": 1, "output_tokens": 1},
    }

    def charged(server: Server) -> float:
        return sum(sum(pair) for pair in server.tokens) * 1000 / 1e6

    with faulty_server() as server:
        done = run(server, tmp_path, monkeypatch, limits={"dollars": 2}, **money)
        first = charged(server)
        assert 0 < first <= 2
        assert done.spent == pytest.approx(first)
        made = len(server.marks)
    assert done.failed == CHAINS - made > 0
    assert "the ceiling of $2.00 is reached" in done.outcomes[0].first_error
    with faulty_server() as server:
        again = run(server, tmp_path, monkeypatch, limits={"dollars": 100}, **money)
        assert len(server.marks) == CHAINS - made
        assert again.spent == pytest.approx(first + charged(server))
    assert again.failed == 0


def generate(budget: Budget, usage: ModelUsage | None) -> None:
    async def one() -> None:
        prompt, config = [ChatMessageUser(content="x" * 100)], GenerateConfig(max_tokens=10)
        async with paid("m", prompt, config) as settle:
            settle(usage)

    with spending(budget):
        anyio.run(one)


PRICES = {"m": Rates(1e6, 1e6)}
"""A dollar a token."""


def test_an_unreported_usage_counts_at_its_most(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "l", PRICES)
    generate(budget, None)
    assert budget.spent == 100 / 2 + 16 + 10


def test_a_ledger_is_taken_over_with_what_was_left_open(tmp_path: Path) -> None:
    ledger = tmp_path / "l"
    generate(Budget(ledger, PRICES), ModelUsage(input_tokens=3, output_tokens=2))
    with ledger.open("a") as file:
        file.write('{"id": 1, "model": "m", "reserved": 7}\n{"id": 2, "re')
    assert Budget(ledger, PRICES).spent == 5 + 7


def test_the_ceiling_is_never_passed(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "l", PRICES, dollars=80)
    generate(budget, ModelUsage(input_tokens=1, output_tokens=1))
    generate(budget, ModelUsage(input_tokens=2, output_tokens=1))
    with pytest.raises(PanelistError, match=r"ceiling of \$80.00 is reached: \$5.0000 is spent"):
        generate(budget, None)


def test_a_damaged_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l").write_text('nonsense\n{"id": 1, "spent": 2}\n')
    with pytest.raises(PanelistError, match="line 1: not an entry of a ledger"):
        Budget(tmp_path / "l", PRICES)


def test_requests_are_spaced(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "l", {}, requests_per_minute=1200)
    begun = monotonic()
    for _ in range(5):
        generate(budget, None)
    assert monotonic() - begun >= 4 * 60 / 1200
