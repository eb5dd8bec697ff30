"""Runs on an API that fails in every way: all is retried or reported, and nothing is lost."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai import eval_retry
from inspect_ai.log import EvalLog, EvalSample
from inspect_ai.model import ChatMessage, GenerateConfig, get_model
from openai_server import Fault, Server

from panelist.panels.chain import CHAIN_KEY, Chain, Turn
from panelist.panels.conversation import view
from panelist.panels.logs import read_log
from panelist.scorers.logs import read_logs
from panelist.tasks.panel_hedging import panel_hedging

pytestmark = pytest.mark.slow

CHAINS = 8

PASSING: tuple[Fault, ...] = ("429", "500", "503", "drop", "slow")
"""Faults that a second request may be spared."""

REPORTED: dict[Fault, str] = {
    "429": "RateLimitError",
    "500": "InternalServerError",
    "503": "InternalServerError",
    "drop": "APIConnectionError",
    "slow": "AttemptTimeoutError",
    "cut": "JSONDecodeError",
    "not_json": "JSONDecodeError",
    "no_choices": "no choices",
}
"""How a chain's error names each fault."""

Run = Callable[..., EvalLog]


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Cut the waits between retries short; what Inspect would have waited is noted here."""
    noted: list[float] = []

    async def sleep(seconds: float) -> None:
        noted.append(seconds)
        await anyio.sleep(0.01)

    monkeypatch.setattr("inspect_ai.model._retry._sleep", sleep)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    # A retry makes its model from the log, where no key stands.
    monkeypatch.setenv("LOCAL_API_KEY", "none")
    return noted


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the hedging task against a server."""

    def run(
        server: Server,
        chains: int = CHAINS,
        *,
        args: dict[str, Any] | None = None,
        **config: Any,
    ) -> EvalLog:
        # The client's own retries would hide the faults from Inspect's.
        model = get_model(
            "openai-api/local/some-model",
            base_url=server.url,
            config=GenerateConfig(**{"max_connections": 4, "max_retries": 3, **config}),
            memoize=False,
            **{"max_retries": 0, **(args or {})},
        )
        [log] = inspect_eval(
            panel_hedging,
            model=model,
            limit=chains,
            epochs=1,
            log_dir=str(tmp_path),
            display="none",
            # As `panelist run` has it: a failure is one chain's.
            fail_on_error=True,
            continue_on_fail=True,
        )
        return log

    return run


def samples(log: EvalLog) -> list[EvalSample]:
    return read_log(log.location).samples or []


def prompt(sample: EvalSample) -> tuple[tuple[str, str], ...]:
    """What the focal of a sample is asked, as the server writes it down."""
    facts = sample.metadata
    opening = Turn(1, "partner", facts["partner"], facts["opening"])
    asked: list[ChatMessage] = view(facts["question"], [opening], 1)
    return tuple((message.role, message.text) for message in asked)


def statuses(folder: Path) -> Counter[str]:
    """Statuses of the replies that a card would be made of."""
    [found], table = read_logs([folder])
    assert found.found == found.expected == len(table)
    return Counter(table["status"])


def complete(log: EvalLog, server: Server, folder: Path) -> Counter[str]:
    """Heal the server, retry the log, and see that only what failed is asked again."""
    failed = [sample for sample in samples(log) if sample.error is not None]
    kept = {s.uuid: s.store[CHAIN_KEY] for s in samples(log) if s.error is None}
    server.heal()
    [again] = eval_retry(log, log_dir=str(folder), display="none")
    assert again.status == "success"
    asked = Counter(request.messages for request in server.requests)
    assert asked == Counter(prompt(sample) for sample in failed)
    now = {s.uuid: s.store[CHAIN_KEY] for s in samples(again)}
    assert kept.items() <= now.items()
    return statuses(folder)


def test_what_passes_is_retried(run: Run, tmp_path: Path, waits: list[float]) -> None:
    with Server(PASSING * 2) as server:
        log = run(server, attempt_timeout=6, max_retries=2 * len(PASSING))
    assert log.status == "success"
    assert server.outcomes == Counter([*PASSING * 2, *["good"] * CHAINS])
    assert statuses(tmp_path) == {"ok": CHAINS}
    assert len(waits) == 2 * len(PASSING)
    assert min(waits) >= 3  # seconds that Inspect waits, at least, when nobody cuts it short


def test_what_stays_is_reported_and_resumed(run: Run, tmp_path: Path) -> None:
    chains = 2 * len(REPORTED)
    with Server(list(REPORTED)) as server:
        log = run(server, chains, max_retries=0, attempt_timeout=6)
        assert server.outcomes == Counter([*REPORTED, *["good"] * len(REPORTED)])
        assert len(samples(log)) == chains
        errors = [s.error.message for s in samples(log) if s.error is not None]
        assert len(errors) == len(REPORTED)
        for cause, times in Counter(REPORTED.values()).items():
            assert sum(cause in error for error in errors) == times, (cause, errors)
        assert statuses(tmp_path) == {"error": len(REPORTED), "ok": len(REPORTED)}
        assert complete(log, server, tmp_path) == {"ok": chains}


def test_half_answers_are_taken_for_what_they_are(run: Run, tmp_path: Path) -> None:
    with Server(["length", "null", "no_usage"]) as server:
        log = run(server)
    assert log.status == "success"
    assert len(server.requests) == CHAINS
    assert statuses(tmp_path) == {"truncated": 1, "empty": 1, "ok": CHAINS - 2}
    replies = [Chain.from_dict(s.store[CHAIN_KEY]).turns[-1] for s in samples(log)]
    assert sum(reply.output_tokens is None for reply in replies) == 1


def test_a_mix_of_everything(run: Run, tmp_path: Path) -> None:
    faults: dict[Fault, float] = {
        "429": 0.1,
        "500": 0.05,
        "503": 0.05,
        "drop": 0.05,
        "slow": 0.05,
        "length": 0.05,
        "no_choices": 0.05,
        "cut": 0.05,
        "not_json": 0.05,
        "no_usage": 0.05,
        "null": 0.05,
    }
    chains = 40
    with Server(faults, seed=3) as server:
        # The client retries twice by itself here, as it does unless it is told not to.
        args = {"max_retries": 2, "client_timeout": 6}
        log = run(server, chains, args=args, max_connections=16, max_retries=1)
        met = server.outcomes
        assert set(met) == {*faults, "good"}
        assert len(samples(log)) == chains
        answered = [s for s in samples(log) if s.error is None]
        # What was answered is in the log, and was not asked again.
        assert len(answered) == sum(met[x] for x in ("good", "length", "no_usage", "null"))
        before = statuses(tmp_path)
        assert before["error"] == chains - len(answered) > 0
        assert before["truncated"] == met["length"]
        assert before["empty"] == met["null"]
        assert complete(log, server, tmp_path) == before + Counter(ok=before["error"]) - Counter(
            error=before["error"]
        )


def test_no_more_requests_at_once_than_connections(run: Run, tmp_path: Path) -> None:
    with Server(most=3, delay=0.02) as server:
        run(server, 24, max_connections=3)
    assert server.outcomes == {"good": 24}
    assert max(request.at_once for request in server.requests) == 3
    assert statuses(tmp_path) == {"ok": 24}


def test_a_provider_that_takes_fewer_requests_is_asked_again(run: Run, tmp_path: Path) -> None:
    with Server(most=2, delay=0.02) as server:
        run(server, 24, max_connections=8, max_retries=50)
    assert server.outcomes["crowded"] > 0
    assert server.outcomes["good"] == 24
    assert statuses(tmp_path) == {"ok": 24}


def test_the_client_waits_as_long_as_it_is_told(run: Run, waits: list[float]) -> None:
    with Server(["429"], retry_after=0.3) as server:
        run(server, 1, args={"max_retries": 2})
    first, second = server.requests
    assert second.at - first.at >= 0.3
    assert waits == []
