"""Ray, and the actors on it that hold the engines.

An engine is an actor that stays until the last leg that needs it: it starts once, not once a turn.
"""

import os
import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import panelist
from panelist.panels.batch import Asked, Said
from panelist.panels.batch_engines import EngineSpec, make_engine
from panelist.panels.errors import PanelistError

SLOTS = 8
"""CPUs that a local Ray believes in, at least: its tasks mostly wait, and with two it stalls."""

IN_FLIGHT = 2
"""Chunks at each engine: one fills the slots that the other leaves empty at its end."""

ATTEMPTS = 3
"""How often a chunk may outlive its engine before the run is stopped."""


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Ray on this machine, or the cluster at an address.

    Raises:
        PanelistError: Ray is not installed, cannot start, or the cluster cannot be reached.
    """
    try:
        # Niced workers starve on a machine that others use too.
        os.environ.setdefault("RAY_worker_niceness", "0")
        # Its own account of what it does; what goes wrong comes as an exception.
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        os.environ.setdefault("RAY_DATA_LOG_LEVEL", "CRITICAL")
        import ray
    except ImportError as ex:
        raise PanelistError(
            "--engine ray needs Ray; install it with: pip install 'panelist[ray]'"
        ) from ex
    local = {"num_cpus": max(SLOTS, os.cpu_count() or 1), "include_dashboard": False}
    there = ray.is_initialized()
    try:
        if not there:
            _reach(address or "")
            # Workers look for modules first where the driver stood when it called this: in a
            # checkout there lies a folder called panelist, which is not the whole package.
            with chdir(Path(panelist.__file__).parents[1]):
                ray.init(
                    address=address or "local",  # without one, Ray joins any cluster that it finds
                    log_to_driver=False,
                    logging_level="error",
                    **({} if address else local),
                )
    except Exception as ex:  # where it takes too long, Ray raises just that
        where = f"--address {address}: no Ray cluster there" if address else "Ray cannot start here"
        raise PanelistError(f"{where} ({ex})") from ex
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.raise_original_map_exception = True  # what Ray wraps one in forgets its cause
    try:
        yield
    finally:
        if not there:
            ray.shutdown()


def _reach(address: str) -> None:
    """Fail at once where nobody listens; Ray tries for minutes, and ends the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


class Engines:
    """The actors that hold engines; each starts when it is first asked for."""

    def __init__(self, replicas: int | None, loaded: int | None) -> None:
        """Nothing is started.

        Args:
            replicas: actors of each engine; None for as many as there are accelerators for.
            loaded: engines kept side by side; None for as many as there are accelerators for, and
                for all where there are none.
        """
        import ray

        self._ray = ray
        self._gpus = int(ray.cluster_resources().get("GPU", 0))
        self._replicas, self._loaded = replicas, loaded
        self._actors: dict[str, list[Any]] = {}
        self.started = 0

    @property
    def loaded(self) -> list[str]:
        """Keys of the engines that are ready."""
        return list(self._actors)

    def start(self, spec: EngineSpec, keep: Collection[str]) -> list[Any]:
        """The actors of an engine, loaded.

        Args:
            spec: of the engine.
            keep: keys of engines that are needed later; others are stopped.
        """
        for key in [key for key in self._actors if key != spec.key and key not in keep]:
            self.stop(key)
        if spec.key in self._actors:
            return self._actors[spec.key]
        each = int(spec.args.get("tensor_parallel_size", 1)) if self._gpus else 0
        if spec.provider == "mockllm":
            each = 0
        limit = self._loaded or (max(1, self._gpus // each) if each else len(self._actors) + 1)
        while len(self._actors) >= limit:
            self.stop(next(iter(self._actors)))
        held = len(self._actors) * each
        count = self._replicas or (max(1, (self._gpus - held) // each) if each else 1)
        actor = self._ray.remote(EngineActor).options(
            num_gpus=each,
            num_cpus=1,
            max_restarts=-1,
            max_task_retries=ATTEMPTS,
            # The next chunk fills the slots that the last replies of one leave empty.
            max_concurrency=IN_FLIGHT,
        )
        made = [actor.remote(spec, Path.cwd()) for _ in range(count)]
        try:
            self._ray.get([one.ready.remote() for one in made])
        except self._ray.exceptions.RayError as ex:
            raise PanelistError(f"{', '.join(spec.models)}: cannot be loaded: {cause(ex)}") from ex
        self._actors[spec.key] = made
        self.started += count
        return made

    def stop(self, key: str) -> None:
        """Stop the actors of an engine."""
        for actor in self._actors.pop(key):
            self._ray.kill(actor)


class EngineActor:
    """An engine in a process of its own."""

    def __init__(self, spec: EngineSpec, folder: Path) -> None:
        """Load the engine; relative paths of weights start from a folder, where it exists here."""
        with suppress(OSError):
            os.chdir(folder)
        self._engine = make_engine(spec)
        self._stream = ""
        self._claiming = Lock()

    def ready(self) -> bool:
        """Once the engine is loaded."""
        return True

    def claim(self, stream: str) -> bool:
        """Whether nobody else has asked for this actor on behalf of a stream."""
        with self._claiming:
            free, self._stream = self._stream != stream, stream
            return free

    def generate(self, asked: Sequence[Asked]) -> list[Said]:
        """See `Engine`."""
        try:
            return self._engine.generate(asked)
        except Exception as ex:
            if type(ex).__name__ != "EngineDeadError":
                raise
            # vLLM's core died in another process: only a new actor can load it again.
            os._exit(1)

    def runtime(self, model: str) -> dict[str, Any]:
        """See `Engine`."""
        return self._engine.runtime(model).to_dict()


@dataclass(frozen=True)
class RemoteEngine:
    """An engine's actor, as `speak` takes it."""

    actor: Any

    def generate(self, asked: Sequence[Asked]) -> list[Said]:
        import ray

        try:
            made: list[Said] = ray.get(self.actor.generate.remote(asked))
        except ray.exceptions.RayActorError as ex:
            models = ", ".join(sorted({one.model for one in asked}))
            raise PanelistError(
                f"{models}: the engine died {ATTEMPTS + 1} times over the same chains "
                f"({cause(ex)}); mend the cause, too little memory for instance, and run it again: "
                "what is written already is kept"
            ) from ex
        return made


def cause(ex: BaseException) -> str:
    """What an error of Ray's stands for, without its traces of other processes."""
    while (inner := getattr(ex, "cause", None) or ex.__cause__) is not None:
        ex = inner
    return str(ex).strip().splitlines()[0] if str(ex).strip() else type(ex).__name__
