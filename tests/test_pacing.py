"""Requests a minute."""

from time import monotonic

import anyio

from panelist.panels.pacing import Pace, in_force


def test_requests_are_spaced() -> None:
    pace = Pace(1200)

    async def five() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(pace.wait)

    begun = monotonic()
    anyio.run(five)
    assert monotonic() - begun >= 4 * 60 / 1200


def test_a_pace_is_in_force_while_it_lasts() -> None:
    assert in_force() is None
    with Pace(60).applied():
        assert in_force() is not None
    assert in_force() is None
