"""Reading Inspect logs with their chains, also those that Inspect recovered after a crash."""

from pathlib import Path

from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.util import store_from_events

from panelist.panels.chain import CHAIN_KEY


def read_log(path: Path | str) -> EvalLog:
    """A log without its events and messages; every finished sample has its chain in its store.

    Samples that Inspect recovered from the buffer of a killed process have an empty store; their
    chains are taken from the recorded store events.
    """
    log = read_eval_log(str(path), exclude_fields={"events", "attachments", "messages"})
    lacking = [s for s in log.samples or [] if s.error is None and CHAIN_KEY not in s.store]
    if lacking:
        whole = read_eval_log(str(path), resolve_attachments=True)
        events = {(s.id, s.epoch): s.events for s in whole.samples or []}
        for sample in lacking:
            found = store_from_events(events[sample.id, sample.epoch]).get(CHAIN_KEY)
            if found is not None:
                sample.store[CHAIN_KEY] = found
    return log
