"""Grow a corpus in a process that may be killed: DESIGN OUTPUT and, as JSON, what is to go wrong.

    batch: chains of a chunk
    slow: seconds that an engine takes for a chunk
    dies: whether engines die of every chunk
    full_after: flushes of a worker after which its disk is full
    engine_each: every model has an engine of its own, so that chains go from engine to engine
    address: of the cluster

Classes of `__main__` travel to Ray's workers by value: what they replace is replaced there too.
"""

import errno
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from panelist.evals import batch, batch_cluster, batch_plan
from panelist.evals.corpus_run import Options, grow
from panelist.evals.design import read_design
from panelist.panels.batch import Asked, Said
from panelist.panels.batch_engines import EngineSpec
from panelist.panels.errors import PanelistError

FAULTS = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
SLOW, DIES, FULL_AFTER = FAULTS.get("slow", 0), FAULTS.get("dies"), FAULTS.get("full_after")


class EngineActor(batch_cluster.EngineActor):
    """An engine that takes its time."""

    def generate(self, asked: Sequence[Asked]) -> list[Said]:
        time.sleep(SLOW)
        if DIES:
            os._exit(1)
        return super().generate(asked)


class Speak(batch._Speak):
    """A worker whose disk fills up."""

    def __init__(self) -> None:
        super().__init__()
        flush, flushed = os.fsync, []

        def fsync(number: int) -> None:
            flushed.append(number)
            if FULL_AFTER is not None and len(flushed) > FULL_AFTER:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            flush(number)

        os.fsync = fsync


def engine_each(model: str, args: Mapping[str, Any]) -> EngineSpec:
    return EngineSpec(f"mockllm {model}", "mockllm", (model,), {})


def main() -> None:
    path, output = Path(sys.argv[1]), Path(sys.argv[2])
    batch_cluster.EngineActor, batch._Speak = EngineActor, Speak  # type: ignore[misc]
    if FAULTS.get("engine_each"):
        batch_plan.engine_spec = engine_each
    options = Options(address=FAULTS.get("address"), batch=FAULTS.get("batch"))
    try:
        grown = grow(read_design(path), path, output, options)
    except PanelistError as ex:
        sys.exit(f"PanelistError: {ex}")
    print(json.dumps({"made": grown.made.chains, "lacking": grown.lacking}))


if __name__ == "__main__":
    main()
