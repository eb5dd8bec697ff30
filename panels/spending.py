"""A ceiling on what a whole run may cost, kept request by request, whatever the provider.

Inspect's own `cost_limit` holds for one sample, and is checked after the money is spent. This one
holds for all samples of a run and of the runs that go on with it, and it is kept beforehand: every
request is reserved at the most it may cost before it is sent, and settled at what it did cost.

    with Ceiling(10.0, prices, folder).applied():
        eval_set(...)              # and where a model is called: await guarded(model).generate(...)

It sits between Inspect's retries and the provider, so that a request sent again is paid again.

What counts as spent:
- an answer with usage, at its usage. Cached input counts at the full price of input, and what is
  written to a cache at twice that: never less than any provider takes.
- an answer without usage, at the most it may have cost.
- a request refused with an HTTP status (429, 500, ...), at its reserved input. Providers mostly do
  not charge for it; the ceiling would rather stop early than late.
- a request whose answer did not come or could not be read (time-out, lost connection, gateway
  error, cut JSON, cancelled or killed run), at the most it may have cost: the answer may have been
  generated and charged.

The most a request may cost is its output limit and its input, estimated from above. Where more than
that is charged (a tokenizer with more than one token per three bytes, output beyond `max_tokens`),
it is known only afterwards: it is booked, and the run stops the sooner.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import anyio
from inspect_ai.log import list_eval_logs, read_eval_log_sample_summaries
from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelOutput, ModelUsage
from tenacity import RetryError

from panelist.panels import pacing
from panelist.panels.errors import PanelistError

LOCAL = ("panelist", "vllm", "hf", "sglang", "mockllm", "llama-cpp-python", "ollama")
"""Inspect providers whose tokens cost nothing that a price list knows."""

LEDGER = "spending.jsonl"
"""Where a folder's ledger lies: a line before each request, and one after it."""

BYTES_PER_TOKEN = 3
"""Fewer than any common tokenizer makes of prose; bytes, so that it holds for other scripts too."""

MESSAGE_TOKENS = 16
"""What a chat template adds to a message, at most."""

MAYBE_CHARGED = (408, 499, 502, 504)
"""HTTP statuses of a go-between that gave up: the model may have generated the answer."""

POLL = 0.05
"""Seconds between looks at whether a request on its way has been settled. An event would belong to
one event loop; a run has several."""


class Tariff(Protocol):
    """Dollars per million tokens."""

    @property
    def input(self) -> float:
        """Of what the model reads."""

    @property
    def output(self) -> float:
        """Of what it generates, reasoning included."""


@dataclass(frozen=True, slots=True)
class Price:
    """A `Tariff`."""

    input: float
    output: float


@dataclass(frozen=True, slots=True)
class Reserved:
    """A request that may be on its way.

    Attributes:
        id: in the ledger.
        model: Inspect model string.
        most: dollars it may cost.
        input: dollars of that for its input.
    """

    id: str
    model: str
    most: float
    input: float


class Ceiling:
    """What a run may spend and has spent; safe to share among tasks, event loops and threads.

    Two processes must not share a folder: each would know only what the other had spent when it
    started.
    """

    def __init__(self, dollars: float, prices: Mapping[str, Tariff], folder: Path) -> None:
        """Go on from what was spent in a folder before.

        Args:
            dollars: the ceiling, of everything spent in this folder, earlier runs included.
            prices: by Inspect model string. Models of a local engine need none.
            folder: of the run's logs, for the ledger. What a ledger does not know of (it was
                deleted, or is older than the logs) is read from the logs themselves, where retried
                requests do not stand.

        Raises:
            PanelistError: the ceiling or a price is negative or infinite; the ledger is damaged.
        """
        for what, value in [
            ("the ceiling", dollars),
            *((f"a price of {name}", side) for name, p in prices.items() for side in _sides(p)),
        ]:
            if not 0 <= value < float("inf"):
                raise PanelistError(f"{what} is {value!r}; give dollars, 0 or more")
        self.dollars = dollars
        self.prices = dict(prices)
        self._lock = threading.Lock()
        self._ledger = folder / LEDGER
        self._open: dict[str, Reserved] = {}
        self._refused = ""
        folder.mkdir(parents=True, exist_ok=True)
        self._spent = max(_in_ledger(self._ledger), _in_logs(folder, self.prices))

    @property
    def spent(self) -> float:
        """Dollars, by what is settled."""
        return self._spent

    @property
    def reserved(self) -> float:
        """Dollars that what is on its way may cost."""
        with self._lock:
            return self._held()

    @property
    def reached(self) -> bool:
        """Whether a request was refused."""
        return bool(self._refused)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the ceiling in force, for every model that went through `guarded`.

        Raises:
            PanelistError: another one is.
        """
        global _in_force
        if _in_force is not None:
            raise PanelistError("a cost ceiling is in force already; end that run first")
        _in_force = self
        try:
            yield
        finally:
            _in_force = None

    async def reserve(
        self, model: str, messages: Sequence[ChatMessage], config: GenerateConfig
    ) -> Reserved | None:
        """Set aside the most that a request may cost; None for a model that costs nothing.

        Where it would not fit only because of requests on their way, these are waited for: most
        cost less than was reserved. Once one was refused, all are: short prompts would still fit
        where long ones do not, and the finished chains would be a choice by length.

        Args:
            model: Inspect model string.
            messages: the prompt.
            config: settings as they are sent.

        Raises:
            PanelistError: the ceiling would be passed; the model has no price, or no limit of
                output tokens.
        """
        price = self.prices.get(model)
        if price is None:
            if model.partition("/")[0] in LOCAL:
                return None
            known = ", ".join(self.prices) or "none"
            raise PanelistError(
                f"cost ceiling: {model} has no price; add it to the prices (there: {known})"
            )
        asked = input_bound(messages) * price.input / 1e6
        most = asked + _output_bound(model, config) * price.output / 1e6
        held = Reserved(uuid4().hex, model, most, asked)
        while not self._fits(held):
            await anyio.sleep(POLL)
        return held

    def settle(self, held: Reserved, usage: ModelUsage | None) -> None:
        """Book an answered request at its usage, or at the most where there is none."""
        if usage is None:
            self._book(held, held.most, "usage not reported")
        else:
            self._book(held, cost(usage, self.prices[held.model]), "")

    def settle_failed(self, held: Reserved, error: BaseException) -> None:
        """Book a request that failed: at its input if it was refused, else at the most."""
        status = _status(error)
        refused = status is not None and status >= 400 and status not in MAYBE_CHARGED
        note = f"{type(error).__name__} {status or ''}".strip()
        self._book(held, held.input if refused else held.most, note)

    def _held(self) -> float:
        return sum(held.most for held in self._open.values())

    def _fits(self, held: Reserved) -> bool:
        """Reserve it if it fits; False if it may fit later."""
        with self._lock:
            if self._refused:
                raise PanelistError(self._refused)
            if self._spent + held.most > self.dollars:
                self._refused = (
                    f"cost ceiling of ${self.dollars:,.4f} reached: ${self._spent:,.4f} spent, "
                    f"${self._held():,.4f} on its way, and the next request to {held.model} may "
                    f"cost ${held.most:,.4f}. Raise limits.dollars and run again: it goes on where "
                    "this stopped, and finished chains are not asked again"
                )
                raise PanelistError(self._refused)
            if self._spent + self._held() + held.most > self.dollars:
                return False
            self._open[held.id] = held
            self._write({"id": held.id, "model": held.model, "most": held.most})
            return True

    def _book(self, held: Reserved, dollars: float, note: str) -> None:
        with self._lock:
            del self._open[held.id]
            self._spent += dollars
            self._write({"id": held.id, "spent": dollars} | ({"note": note} if note else {}))

    def _write(self, line: Mapping[str, object]) -> None:
        # Written before the request is sent: a process that is killed has not lost the entry.
        with self._ledger.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def cost(usage: ModelUsage, price: Tariff) -> float:
    """Dollars that a usage stands for."""
    read = usage.input_tokens + (usage.input_tokens_cache_read or 0)
    written = usage.input_tokens_cache_write or 0
    return ((read + 2 * written) * price.input + usage.output_tokens * price.output) / 1e6


def input_bound(messages: Sequence[ChatMessage]) -> int:
    """Tokens that messages have at most.

    >>> from inspect_ai.model import ChatMessageUser
    >>> input_bound([ChatMessageUser(content="Why so?")])
    19
    """
    sizes = [len(message.text.encode()) for message in messages]
    return sum(-(-size // BYTES_PER_TOKEN) + MESSAGE_TOKENS for size in sizes)


def _output_bound(model: str, config: GenerateConfig) -> int:
    if config.max_tokens is None:
        raise PanelistError(
            f"cost ceiling: {model} has no limit of output tokens, so no most that a reply may "
            "cost; set max_tokens"
        )
    # Some providers take the reasoning budget on top of the limit.
    return (config.max_tokens + (config.reasoning_tokens or 0)) * (config.num_choices or 1)


_in_force: Ceiling | None = None
"""Not a context variable: Inspect's full-screen display runs an eval in a context of its own."""

_MARK = "_panelist_guarded"


def guarded(model: Model) -> Model:
    """The model itself, its requests held to the ceiling and the pace in force, if any."""
    api: Any = model.api
    if (_in_force is None and pacing.in_force() is None) or hasattr(api, _MARK):
        return model
    setattr(api, _MARK, True)
    send = api.generate

    async def generate(
        input: list[ChatMessage], tools: Any, tool_choice: Any, config: GenerateConfig
    ) -> Any:
        if pace := pacing.in_force():
            await pace.wait()
        ceiling = _in_force
        held = await ceiling.reserve(str(model), input, config) if ceiling else None
        if ceiling is None or held is None:
            return await send(input, tools, tool_choice, config)
        # Clients of OpenAI's make send a failed request twice again by themselves, unseen. Inspect
        # retries it as well, through here.
        client: Any = getattr(api, "client", None)
        if hasattr(client, "max_retries"):
            client.max_retries = 0
        try:
            result = await send(input, tools, tool_choice, config)
        except BaseException as ex:
            ceiling.settle_failed(held, ex)
            raise
        output = result[0] if isinstance(result, tuple) else result
        if isinstance(output, ModelOutput):
            ceiling.settle(held, output.usage)
        else:
            ceiling.settle_failed(held, output)
        return result

    api.generate = generate
    return model


def _status(error: BaseException) -> int | None:
    """The HTTP status that a request was refused with, None where there was none."""
    if isinstance(error, RetryError) and (cause := error.last_attempt.exception()) is not None:
        return _status(cause)
    for at in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            if isinstance(status := getattr(at, name, None), int):
                return status
    return None


def _sides(price: Tariff) -> tuple[float, float]:
    return price.input, price.output


def _in_ledger(path: Path) -> float:
    """Dollars spent by a ledger; what was never settled counts at its most."""
    if not path.exists():
        return 0.0
    whole, _, cut = path.read_text(encoding="utf-8").rpartition("\n")
    if cut:
        # The process was killed as it wrote: what it meant to settle stays at its most, and what
        # it meant to reserve was not sent yet.
        path.write_text(whole + "\n" if whole else "", encoding="utf-8")
    spent = 0.0
    unsettled: dict[str, float] = {}
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            entry = json.loads(line)
            if "most" in entry:
                unsettled[entry["id"]] = float(entry["most"])
            else:
                del unsettled[entry["id"]]
                spent += float(entry["spent"])
        except (ValueError, KeyError, TypeError) as ex:
            raise PanelistError(
                f"{path}, line {number}: not an entry of a ledger ({ex!r}); without it nobody "
                "knows what was spent. Restore it, or delete it to count by the logs"
            ) from ex
    return spent + sum(unsettled.values())


def _in_logs(folder: Path, prices: Mapping[str, Tariff]) -> float:
    """Dollars by the usage of every sample in a folder's logs, each sample once.

    A log of a retry holds the finished samples of the log it goes on from.
    """
    samples: dict[str, float] = {}
    for info in list_eval_logs(str(folder)):
        for sample in read_eval_log_sample_summaries(info):
            key = sample.uuid or f"{info.name} {sample.id} {sample.epoch}"
            samples[key] = sum(
                cost(usage, prices[model])
                for model, usage in sample.model_usage.items()
                if model in prices
            )
    return sum(samples.values())
