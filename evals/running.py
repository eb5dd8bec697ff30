"""Running units through Inspect: one eval set a unit, so that everything resumes.

Every unit has a folder of logs of its own. A folder whose eval set is complete is passed over; of
one that was interrupted, finished chains are kept (Inspect recovers them from its buffer even after
`kill -9`) and the rest is generated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio
from inspect_ai import eval_set
from inspect_ai.log import EvalLog
from inspect_ai.model import Model, get_model

from panelist.evals.units import Unit
from panelist.panels.batch_engines import lora_arguments
from panelist.panels.embedded_hf import served
from panelist.panels.errors import PanelistError

TRIES = 2
"""Times that what failed is tried again before it is reported."""


@dataclass(frozen=True)
class Outcome:
    """How a unit went: its logs' folder, and the samples that failed in the end."""

    folder: Path
    chains: int
    failed: int
    first_error: str


class Engines:
    """Models by engine; the last engine is stopped before another is started."""

    def __init__(self, units: Sequence[Unit] = ()) -> None:
        """Nothing is started yet.

        Args:
            units: all that will be asked for. vLLM has to know when it starts whether adapters of
                its base will come, and of which rank.
        """
        self._units = units
        self._adapters: dict[str, Any] = {}
        self._key = ""
        self._model: Model | None = None

    def model(self, unit: Unit) -> Model:
        """The model of a unit.

        Raises:
            PanelistError: it cannot be made.
        """
        name = served(unit.model)
        key = _engine_of(name, unit)
        if key != self._key:
            self.stop()
            every = [n for u in self._units if _engine_of(n := served(u.model), u) == key]
            self._adapters = _lora_arguments(every)
            for other in every if self._adapters else ():
                # Starts nothing; Inspect notes for the base that adapters will be loaded.
                get_model(other, memoize=False)
        try:
            # Not memoized: a model that was closed is not to be met again.
            arguments = {**self._adapters, **unit.args}
            made = get_model(name, config=unit.config, memoize=False, **arguments)
        except PanelistError:
            raise
        except Exception as ex:
            raise PanelistError(
                f"checkpoints: the model {unit.model!r} of {unit.checkpoint.name} cannot be made: "
                f"{ex}"
            ) from ex
        self._key, self._model = key, made
        return made

    def stop(self) -> None:
        """Stop the engine that runs."""
        if self._model is not None:
            anyio.run(self._model.api.aclose)
        self._key, self._model = "", None


def _lora_arguments(models: Sequence[str]) -> dict[str, Any]:
    """As `lora_arguments`, for the models that one server is to serve."""
    if not any(model.startswith("vllm/") for model in models):
        return {}
    return lora_arguments([tail for model in models if (tail := model.partition(":")[2])])


def _engine_of(name: str, unit: Unit) -> str:
    """What two units must share to share an engine: adapters of one base do, in vLLM."""
    weights = name.partition(":")[0] if name.startswith("vllm/") else name
    return f"{weights} {sorted(unit.args.items())}"


def run_unit(
    unit: Unit,
    tasks: Sequence[str],
    arguments: Mapping[str, Any],
    folder: Path,
    engines: Engines,
    *,
    limit: int | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Outcome:
    """Run the tasks of a unit, or what is missing of them.

    Args:
        unit: the checkpoint in its runtime.
        tasks: registered names.
        arguments: of every task; the checkpoint's row is added.
        folder: of its logs.
        engines: makes the model.
        limit: samples a task, for a rehearsal.
        metadata: stands in the logs beside the run record.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = engines.model(unit)
    row = {**asdict(unit.checkpoint), "model": unit.model}
    _, logs = eval_set(
        list(tasks),
        log_dir=str(folder),
        model=model,
        task_args={**arguments, "checkpoint": row},
        limit=limit,
        # A failure is one chain's: the others go on, and the eval set comes back to it.
        fail_on_error=True,
        continue_on_fail=True,
        retry_attempts=TRIES,
        retry_wait=1,
        log_buffer=1,
        metadata=dict(metadata or {}),
        tags=["panelist-design"],
    )
    return _outcome(folder, logs)


def _outcome(folder: Path, logs: Sequence[EvalLog]) -> Outcome:
    from inspect_ai.log import read_eval_log

    failed, chains, first = 0, 0, ""
    for log in logs:
        samples = read_eval_log(log.location, exclude_fields={"events", "messages", "store"})
        for sample in samples.samples or []:
            chains += 1
            if sample.error is not None:
                failed += 1
                first = first or sample.error.message
    return Outcome(folder, chains, failed, first)
