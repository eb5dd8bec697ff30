"""A limit on how often a run asks its models: requests spaced evenly, retries included."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio


class Pace:
    """At most so many requests a minute, one after another at equal distances."""

    def __init__(self, requests_per_minute: float) -> None:
        self._gap = 60 / requests_per_minute
        self._free_at = 0.0

    async def wait(self) -> None:
        """Until the next request may be sent."""
        now = time.monotonic()
        mine = max(now, self._free_at)
        self._free_at = mine + self._gap
        await anyio.sleep(mine - now)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put it in force, for every model that went through `panelist.panels.spending.guarded`."""
        _in_force.append(self)
        try:
            yield
        finally:
            _in_force.remove(self)


_in_force: list[Pace] = []


def in_force() -> Pace | None:
    """The pace that requests are held to."""
    return _in_force[-1] if _in_force else None
