"""The cost ceiling: what counts as spent, and a run that it stops and that goes on later."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from inspect_ai import eval_set
from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessageUser, GenerateConfig, ModelUsage, get_model
from openai_server import Fault, Server

from panelist.panels.chain import CHAIN_KEY, Chain
from panelist.panels.errors import PanelistError
from panelist.panels.logs import read_log
from panelist.panels.spending import LEDGER, Ceiling, Price, Reserved, cost, guarded, input_bound
from panelist.scorers.logs import read_logs
from panelist.tasks.panel_hedging import panel_hedging

MODEL = "openai-api/local/some-model"
PRICE = Price(input=100.0, output=1000.0)
PRICES = {MODEL: PRICE}
ASKED = [ChatMessageUser(content="x" * 252)]  # 84 + 16 tokens at most: 1 cent
LIMIT = GenerateConfig(max_tokens=40)  # 4 cents
INPUT, MOST = 0.01, 0.05


def take(ceiling: Ceiling) -> Reserved:
    """Reserve one request of `MOST`."""
    held = anyio.run(ceiling.reserve, MODEL, ASKED, LIMIT)
    assert held is not None
    return held


class Refused(Exception):
    """A provider's error with an HTTP status."""

    def __init__(self, status_code: int | None) -> None:
        super().__init__(str(status_code))
        self.status_code = status_code


def test_a_request_is_reserved_at_the_most_it_may_cost(tmp_path: Path) -> None:
    ceiling = Ceiling(1.0, PRICES, tmp_path)
    held = take(ceiling)
    assert (held.input, held.most) == pytest.approx((INPUT, MOST))
    assert ceiling.spent == 0.0
    assert ceiling.reserved == pytest.approx(MOST)
    ceiling.settle(held, ModelUsage(input_tokens=50, output_tokens=7))
    assert ceiling.spent == pytest.approx(0.012)
    assert ceiling.reserved == 0.0


def test_reasoning_and_several_choices_are_reserved(tmp_path: Path) -> None:
    config = GenerateConfig(max_tokens=40, reasoning_tokens=60, num_choices=3)
    held = anyio.run(Ceiling(1.0, PRICES, tmp_path).reserve, MODEL, ASKED, config)
    assert held is not None
    assert held.most == pytest.approx(INPUT + 0.3)


@pytest.mark.parametrize(
    ("settle", "spent"),
    [
        (lambda ceiling, held: ceiling.settle(held, None), MOST),
        (lambda ceiling, held: ceiling.settle_failed(held, Refused(429)), INPUT),
        (lambda ceiling, held: ceiling.settle_failed(held, Refused(500)), INPUT),
        (lambda ceiling, held: ceiling.settle_failed(held, Refused(504)), MOST),
        (lambda ceiling, held: ceiling.settle_failed(held, Refused(None)), MOST),
        (lambda ceiling, held: ceiling.settle_failed(held, TimeoutError()), MOST),
    ],
)
def test_what_is_not_known_counts_high(
    tmp_path: Path, settle: Callable[[Ceiling, Reserved], None], spent: float
) -> None:
    ceiling = Ceiling(1.0, PRICES, tmp_path)
    settle(ceiling, take(ceiling))
    assert ceiling.spent == pytest.approx(spent)
    assert Ceiling(1.0, PRICES, tmp_path).spent == pytest.approx(spent)


def test_cached_input_is_paid() -> None:
    usage = ModelUsage(input_tokens=1, input_tokens_cache_read=2, input_tokens_cache_write=3)
    assert cost(usage, PRICE) == pytest.approx(900e-6)


def test_input_is_bounded_in_any_script() -> None:
    # Chinese takes about one token a character, which is three bytes.
    assert input_bound([ChatMessageUser(content="问题" * 50)]) >= 100


def test_one_refusal_is_for_all(tmp_path: Path) -> None:
    ceiling = Ceiling(1.9 * MOST, PRICES, tmp_path)
    ceiling.settle(take(ceiling), None)
    with pytest.raises(PanelistError, match=r"ceiling of \$0.0950 reached: \$0.0500 spent") as ex:
        take(ceiling)
    assert "Raise limits.dollars and run again" in str(ex.value)
    assert ceiling.reached
    with pytest.raises(PanelistError, match="reached"):  # though this one would fit
        anyio.run(ceiling.reserve, MODEL, [], GenerateConfig(max_tokens=1))
    assert ceiling.spent == pytest.approx(MOST)


def test_what_may_fit_later_waits(tmp_path: Path) -> None:
    async def main() -> None:
        ceiling = Ceiling(1.5 * MOST, PRICES, tmp_path)
        first = await ceiling.reserve(MODEL, ASKED, LIMIT)
        assert first is not None
        second: list[Reserved | None] = []

        async def later() -> None:
            second.append(await ceiling.reserve(MODEL, ASKED, LIMIT))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(later)
            await anyio.sleep(0.15)
            assert not second
            ceiling.settle(first, ModelUsage(input_tokens=10, output_tokens=1))
        assert second[0] is not None
        assert ceiling.spent + ceiling.reserved <= ceiling.dollars

    anyio.run(main)


def test_what_a_killed_run_left_open_counts(tmp_path: Path) -> None:
    ceiling = Ceiling(1.0, PRICES, tmp_path)
    ceiling.settle(take(ceiling), ModelUsage(output_tokens=1))
    take(ceiling)
    with (tmp_path / LEDGER).open("a") as file:
        file.write('{"id": "cut as it was wri')
    ceiling = Ceiling(1.0, PRICES, tmp_path)
    assert ceiling.spent == pytest.approx(0.001 + MOST)
    ceiling.settle(take(ceiling), None)
    assert Ceiling(1.0, PRICES, tmp_path).spent == pytest.approx(0.001 + 2 * MOST)


def test_a_damaged_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text('{"id": "a", "most": 1}\n{"id": "b", "spent": 1}\n')
    with pytest.raises(PanelistError, match=r"spending.jsonl, line 2"):
        Ceiling(1.0, PRICES, tmp_path)


def test_models_without_a_price(tmp_path: Path) -> None:
    ceiling = Ceiling(1.0, PRICES, tmp_path)
    assert anyio.run(ceiling.reserve, "vllm/org/name", ASKED, LIMIT) is None
    with pytest.raises(PanelistError, match=f"openai/gpt has no price.*{MODEL}"):
        anyio.run(ceiling.reserve, "openai/gpt", ASKED, LIMIT)
    with pytest.raises(PanelistError, match="set max_tokens"):
        anyio.run(ceiling.reserve, MODEL, ASKED, GenerateConfig())


@pytest.mark.parametrize("dollars", [-1.0, float("nan"), float("inf")])
def test_a_ceiling_is_a_number_of_dollars(tmp_path: Path, dollars: float) -> None:
    with pytest.raises(PanelistError, match="give dollars"):
        Ceiling(dollars, PRICES, tmp_path)


def test_one_ceiling_at_a_time(tmp_path: Path) -> None:
    with (
        Ceiling(1.0, PRICES, tmp_path).applied(),
        pytest.raises(PanelistError, match="in force already"),
        Ceiling(2.0, PRICES, tmp_path).applied(),
    ):
        pass


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut the waits between Inspect's retries short."""

    async def sleep(seconds: float) -> None:
        await anyio.sleep(0.01)

    monkeypatch.setattr("inspect_ai.model._retry._sleep", sleep)


def ledger(folder: Path) -> list[dict[str, object]]:
    """The entries of a folder's ledger."""
    return [json.loads(line) for line in (folder / LEDGER).read_text().splitlines()]


def go_on(server: Server, folder: Path, dollars: float, chains: int) -> list[EvalSample]:
    """Run what is missing of an eval set under a ceiling, as `panelist run` does."""
    ceiling = Ceiling(dollars, PRICES, folder)
    with ceiling.applied():
        model = get_model(
            MODEL,
            base_url=server.url,
            api_key="none",
            memoize=False,
            client_timeout=6,
            config=GenerateConfig(max_connections=16, max_retries=20, max_tokens=64),
        )
        _, [log] = eval_set(
            panel_hedging,
            log_dir=str(folder),
            model=guarded(model),
            limit=chains,
            epochs=1,
            display="none",
            fail_on_error=True,
            continue_on_fail=True,
            retry_attempts=1,
            retry_wait=0.01,
        )
    assert ceiling.reserved == 0.0
    # Every request was reserved, those included that were sent again.
    assert sum("most" in entry for entry in ledger(folder)) == len(server.requests)
    assert server.billed(PRICE.input, PRICE.output) <= ceiling.spent <= dollars
    return read_log(log.location).samples or []


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
@pytest.mark.parametrize(
    "faults",
    [
        {},
        {"429": 0.1, "500": 0.1, "drop": 0.1, "slow": 0.05, "no_usage": 0.2, "length": 0.1},
    ],
    ids=["healthy", "faulty"],
)
def test_a_run_stops_at_its_ceiling_and_goes_on(tmp_path: Path, faults: dict[Fault, float]) -> None:
    chains = 60
    with Server(faults, seed=5, delay=0.1) as server:
        # A chain may cost about 0.09 dollars, and costs about 0.03.
        first = go_on(server, tmp_path, 2.0 if faults else 1.0, chains)
        assert len(first) == chains
        done = {s.uuid: s.store[CHAIN_KEY] for s in first if s.error is None}
        errors = [s.error.message for s in first if s.error is not None]
        assert len(done) >= 10
        assert len(errors) >= 10
        assert all("Raise limits.dollars and run again" in error for error in errors)
        assert max(request.at_once for request in server.requests) >= 5
        asked = len(server.requests)
        answered = len(server.answered)
        assert answered == len(done)
        [run], table = read_logs([tmp_path])
        assert run.found == run.expected == chains
        assert Counter(table["status"])["error"] == len(errors)

        # The same ceiling again: nothing is lost, and without a request that failed and was
        # settled below its reservation there is no room for another one.
        if not faults:
            assert len(go_on(server, tmp_path, 1.0, chains)) == chains
            assert len(server.requests) == asked

        last = go_on(server, tmp_path, 20.0, chains)
        assert all(s.error is None for s in last)
        now = {s.uuid: s.store[CHAIN_KEY] for s in last}
        assert done.items() <= now.items()
        assert len(server.answered) - answered == chains - len(done)
        assert len({Chain.from_dict(chain).id for chain in now.values()}) == chains


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_without_its_ledger_a_run_counts_by_its_logs(tmp_path: Path) -> None:
    with Server() as server:
        go_on(server, tmp_path, 20.0, 8)
        assert len(ledger(tmp_path)) == 2 * 8
        booked = sum(float(str(entry.get("spent", 0))) for entry in ledger(tmp_path))
        (tmp_path / LEDGER).unlink()
        spent = Ceiling(20.0, PRICES, tmp_path).spent
        assert spent == pytest.approx(server.billed(PRICE.input, PRICE.output))
        assert spent == pytest.approx(booked)
