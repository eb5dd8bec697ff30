"""What a run record says: one run for each panel, at honest times, and every failure."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from panelist.leaderboard.check_json import Each, Keys, Number, Text
from panelist.leaderboard.faults import Fault, shown
from panelist.leaderboard.submission import RUN

STATUSES = ("success", "error", "cancelled", "started")
"""How a run may have ended, as Inspect has it."""

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
"""Before it there was no benchmark to run."""

AHEAD = timedelta(minutes=10)
"""How far a clock may be off."""

SHAPE = Keys(
    {
        "runs": Each(
            Keys(
                {
                    "id": Text(),
                    "panel": Text(20),
                    "started": Text(40),
                    "completed": Text(40, null=True),
                    "status": Text(20),
                }
            ),
            list,
            8,
        ),
        "failed": Each(
            Keys(
                {
                    "panel": Text(20),
                    "partner": Text(96),
                    "seed": Text(96),
                    "replicate": Number(),
                    "error": Text(320),
                }
            ),
            list,
        ),
        "output_tokens": Number(null=True),
    }
)


def check_run(run: Any, manifest: Any, now: datetime | None) -> Iterator[Fault]:
    """What a run record of the right shape says that is not so."""
    panels = [one["panel"] for one in run["runs"]]
    if sorted(panels) != sorted(manifest["panels"]):
        yield Fault("runs-mismatch", RUN, "runs", None, shown(panels),
                    ", ".join(sorted(manifest["panels"])))  # fmt: skip
    for field, panel in [(f"failed.{n}.panel", f["panel"]) for n, f in enumerate(run["failed"])]:
        if panel not in manifest["panels"]:
            yield Fault("unknown-panel", RUN, field, None, shown(panel))
            break
    if run["output_tokens"] is not None and run["output_tokens"] < 0:
        yield Fault("wrong-type", RUN, "output_tokens", None, shown(run["output_tokens"]), "0 up")
    for number, one in enumerate(run["runs"]):
        if one["status"] not in STATUSES:
            field = f"runs.{number}.status"
            yield Fault("unknown-status", RUN, field, None, shown(one["status"]),
                        " or ".join(STATUSES))  # fmt: skip
        started, faults = _time(one["started"], f"runs.{number}.started", now)
        yield from faults
        if one["completed"] is None:
            continue
        completed, faults = _time(one["completed"], f"runs.{number}.completed", now)
        yield from faults
        if started and completed and completed < started:
            yield Fault("time-not-monotone", RUN, f"runs.{number}.completed", None,
                        shown(one["completed"]), f"after {one['started']}")  # fmt: skip
    keys = [(f["panel"], f["partner"], f["seed"], f["replicate"]) for f in run["failed"]]
    if keys != sorted(set(keys)):
        yield Fault("rows-not-sorted", RUN, "failed", mend="Each failed chain once, in order")
    for name, panel in manifest["panels"].items():
        listed = sum(key[0] == name for key in keys)
        if listed != panel["failed"]:
            yield Fault("counts-mismatch", RUN, "failed", None, f"{listed} of {name}",
                        str(panel["failed"]))  # fmt: skip


_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(?:Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII
)


def _time(text: str, field: str, now: datetime | None) -> tuple[datetime | None, list[Fault]]:
    try:
        # Python knows other forms, which nobody reads as a date.
        found = datetime.fromisoformat(text if _TIME.fullmatch(text) else "")
    except ValueError:
        return None, [Fault("bad-time", RUN, field, None, shown(text), "2026-11-25T10:00:00+00:00")]
    if found.tzinfo is None:
        return None, [Fault("naive-time", RUN, field, None, shown(text), "with its offset")]
    if found < FIRST:
        expected, mend = f"{FIRST.date()} or later", "Set this machine's clock, and run it again"
        return None, [Fault("bad-time", RUN, field, None, shown(text), expected, mend)]
    if found > (now or datetime.now(UTC)) + AHEAD:
        return found, [Fault("time-in-future", RUN, field, None, shown(text))]
    return found, []
