"""A ceiling on what a whole run may cost, and a limit on its rate of requests.

Inspect's own cost limit is one sample's. This one is a run's, and it holds across interruptions:
every generation is reserved at the most that it can cost before it is asked for, and settled at
what the model reports afterwards, in a ledger beside the logs. What was reserved and never settled
(the process died, the request failed, the engine reported nothing) counts in full.
"""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from inspect_ai.model import ChatMessage, GenerateConfig, ModelUsage

from panelist.panels.errors import PanelistError

CHARACTERS_PER_TOKEN = 2
"""Below what any tokenizer makes of English, so that a prompt's cost is never underestimated."""

PER_MESSAGE = 16
"""Tokens that a chat template adds to a message, at most."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Dollars per million tokens."""

    input: float
    output: float


class Budget:
    """What a run has spent, what it may spend, and how often it may ask."""

    def __init__(
        self,
        ledger: Path,
        prices: Mapping[str, Rates],
        *,
        dollars: float | None = None,
        requests_per_minute: float | None = None,
    ) -> None:
        """Open the ledger of a run, with what earlier tries of it spent.

        Args:
            ledger: JSON lines; made if need be.
            prices: by Inspect model string; a model without one costs nothing.
            dollars: the ceiling; None for none.
            requests_per_minute: None for no limit. Inspect's own retries are not counted.

        Raises:
            PanelistError: the ledger is damaged.
        """
        self._ledger, self._prices, self._ceiling = ledger, prices, dollars
        self._gap = 60 / requests_per_minute if requests_per_minute else 0.0
        self._free_at = 0.0
        self._open: dict[int, float] = {}
        self.spent = 0.0
        self._next = self._read()

    def _read(self) -> int:
        """Take over the ledger; the number of its next entry."""
        lines = self._ledger.read_text().splitlines() if self._ledger.exists() else []
        number = 0
        for at, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                number = max(number, int(entry["id"]) + 1)
                if "reserved" in entry:
                    self._open[entry["id"]] = float(entry["reserved"])
                else:
                    self.spent += float(entry["spent"])
                    self._open.pop(entry["id"], None)
            except (ValueError, KeyError, TypeError) as ex:
                if at == len(lines):
                    continue  # cut off in the middle of writing: its reservation stands
                raise PanelistError(
                    f"{self._ledger}, line {at}: not an entry of a ledger ({ex}); without it "
                    "nobody knows what was spent. Restore it, or start in a new folder"
                ) from ex
        # Nobody will settle what an earlier process left open.
        self.spent += sum(self._open.values())
        self._open.clear()
        return number

    @property
    def committed(self) -> float:
        """Dollars spent, and reserved by what is on its way."""
        return self.spent + sum(self._open.values())

    @asynccontextmanager
    async def generation(
        self, model: str, messages: Sequence[ChatMessage], config: GenerateConfig
    ) -> AsyncIterator[Callable[[ModelUsage | None], None]]:
        """Around one generation: wait for its turn, reserve its cost, settle it with what it used.

        Args:
            model: Inspect model string.
            messages: the prompt.
            config: with the limit of output tokens.

        Raises:
            PanelistError: it could pass the ceiling, or it has no limit of output tokens.
        """
        await self._wait()
        price = self._prices.get(model)
        if price is None:
            yield lambda usage: None
            return
        most = self._most(model, price, messages, config)
        # What is on its way mostly costs less than was reserved: wait for it before refusing.
        while (
            self._open and self._over(most) and not self._over(most - self.committed + self.spent)
        ):
            await anyio.sleep(0.05)
        number = self._reserve(model, most)
        settled: list[float] = []

        def settle(usage: ModelUsage | None) -> None:
            if usage is not None:
                said = (usage.input_tokens * price.input, usage.output_tokens * price.output)
                settled.append(sum(said) / 1e6)

        try:
            yield settle
        finally:
            cost = settled[0] if settled else self._open[number]
            del self._open[number]
            self.spent += cost
            self._write({"id": number, "spent": cost})

    def _most(
        self, model: str, price: Rates, messages: Sequence[ChatMessage], config: GenerateConfig
    ) -> float:
        """The most that a generation can cost."""
        if config.max_tokens is None:
            raise PanelistError(
                f"{model}: without a limit of output tokens its cost has none; set max_tokens"
            )
        given = sum(len(m.text) // CHARACTERS_PER_TOKEN + PER_MESSAGE for m in messages)
        return (given * price.input + config.max_tokens * price.output) / 1e6

    def _over(self, more: float) -> bool:
        return self._ceiling is not None and self.committed + more > self._ceiling

    def _reserve(self, model: str, most: float) -> int:
        if self._ceiling is not None and self._over(most):
            raise PanelistError(
                f"the ceiling of ${self._ceiling:,.2f} is reached: ${self.spent:,.4f} is spent, "
                f"${self.committed - self.spent:,.4f} on its way, and the next generation of "
                f"{model} may cost ${most:,.4f}. Raise limits.dollars and run it again: what is "
                "finished stays"
            )
        number, self._next = self._next, self._next + 1
        self._open[number] = most
        self._write({"id": number, "model": model, "reserved": most})
        return number

    def _write(self, entry: Mapping[str, object]) -> None:
        self._ledger.parent.mkdir(parents=True, exist_ok=True)
        with self._ledger.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    async def _wait(self) -> None:
        """Space the requests evenly."""
        if not self._gap:
            return
        now = time.monotonic()
        mine = max(now, self._free_at)
        self._free_at = mine + self._gap
        await anyio.sleep(mine - now)


_active: list[Budget] = []


@contextmanager
def spending(budget: Budget | None) -> Iterator[None]:
    """Let every generation of a conversation go through a budget, while it lasts."""
    if budget is None:
        yield
        return
    _active.append(budget)
    try:
        yield
    finally:
        _active.remove(budget)


@asynccontextmanager
async def paid(
    model: str, messages: Sequence[ChatMessage], config: GenerateConfig
) -> AsyncIterator[Callable[[ModelUsage | None], None]]:
    """`Budget.generation` of the budget that is in force; nothing where there is none."""
    if not _active:
        yield lambda usage: None
        return
    async with _active[-1].generation(model, messages, config) as settle:
        yield settle
