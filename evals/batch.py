"""The batch engine: chains as a stream of Ray Data, spoken by actors that hold the engines.

Pairs of focal and partner go in; each is compared with the corpus, and what it lacks comes out as
chunks of chains. A chunk is one row of the stream: a task lets its chains speak to their leg's end
and writes them as parts of the corpus; only counts come back to the driver, whose memory is the
same for ten chains and for ten million. Ray repeats tasks whose node or engine died; a part is
written whole or not at all, and a repeated chunk finds the part that it has written.

An engine is an actor that stays until the last leg that needs it: it starts once, not once a turn.
"""

import os
import pickle
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Protocol
from uuid import uuid4

import panelist
from panelist.evals.batch_plan import Chunk, Work, chains_in, missing
from panelist.panels.batch import Asked, Cast, Said, speak
from panelist.panels.batch_engines import EngineSpec, make_engine
from panelist.panels.chain import Chain, Turn
from panelist.panels.corpus import (
    TURNS,
    folder_of,
    key_of,
    part_at,
    parts_in,
    table_of,
    turns_up_to,
    write_part,
)
from panelist.panels.errors import PanelistError

SLOTS = 8
"""CPUs that a local Ray believes in, at least: its tasks mostly wait, and with two it stalls."""

IN_FLIGHT = 2
"""Chunks at each engine: one fills the slots that the other leaves empty at its end."""

ATTEMPTS = 3
"""How often a chunk may outlive its engine before the run is stopped."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a chunk came to, or several.

    Attributes:
        chains: that reached their leg's end; failed: that did not; error: the first.
        generations, tokens: made.
    """

    chains: int = 0
    failed: int = 0
    generations: int = 0
    tokens: int = 0
    error: str = ""

    def plus(self, other: "Tally") -> "Tally":
        """Both."""
        return Tally(
            self.chains + other.chains,
            self.failed + other.failed,
            self.generations + other.generations,
            self.tokens + other.tokens,
            self.error or other.error,
        )


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
class _Remote:
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


class Progress(Protocol):
    """Who watches a run."""

    def begin(self, engine: str, chains: int) -> None:
        """An engine begins with so many chains."""

    def add(self, made: Tally) -> None:
        """A chunk is done."""


def generate(
    works: Sequence[Work],
    engines: Engines,
    progress: Progress,
    loaded: Callable[[Work, str, dict[str, Any]], None],
    say: Callable[[str], None],
    then: Collection[str] = (),
) -> list[Tally]:
    """Make every chain that some corpora lack, engine by engine.

    Args:
        works: what each corpus is to hold.
        engines: started as they are needed.
        progress: told of every engine and chunk.
        loaded: told of what runs a model, before it speaks into a corpus; may refuse it.
        say: told of what was found wrong, line by line.
        then: keys of engines that are needed once more afterwards.

    Returns:
        What was made, by corpus.

    Raises:
        PanelistError: an engine cannot be loaded or does not survive its work, or a part cannot be
            written.
    """
    import ray

    made = [Tally() for _ in works]
    order: dict[tuple[int, str], list[tuple[int, list[int]]]] = {}
    for at, work in enumerate(works):
        for level, key, numbers in work.levels():
            order.setdefault((level, key), []).append((at, numbers))
    legs = sorted(order, key=lambda leg: leg[0])  # stable: engines keep their order
    for place, (level, key) in enumerate(legs):
        later = {*then, *(other for _, other in legs[place + 1 :])}
        for at, numbers in order[level, key]:
            work = works[at]
            short = survey(work, level, numbers, say)
            if not short:
                continue
            spec = work.engines[key]
            if key not in engines.loaded:
                say(f"loading {', '.join(spec.models)}")
            actors = engines.start(spec, later)
            for model in spec.models:
                loaded(work, model, ray.get(actors[0].runtime.remote(model)))
            progress.begin(", ".join(spec.models), sum(chains for _, chains in short))
            for more in _stream(work, level, [group for group, _ in short], actors):
                progress.add(more)
                made[at] = made[at].plus(more)
    return made


def survey(
    work: Work, level: int, numbers: Sequence[int], say: Callable[[str], None]
) -> list[tuple[list[int], int]]:
    """The groups of pairs that lack chains on a level, and how many; sets bad parts aside."""
    import ray

    rows = [{"pairs": group} for group in work.groups(numbers)]
    surveyed = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        _survey, fn_kwargs={"shared": ray.put(work), "level": level}, num_cpus=1
    )
    found = []
    with _ray_errors():
        for row in surveyed.iter_rows():
            for note in row["notes"]:
                say(str(note))
            if row["lacking"]:
                found.append(([int(number) for number in row["pairs"]], int(row["lacking"])))
    return sorted(found)


def _survey(row: dict[str, Any], *, shared: Any, level: int) -> dict[str, Any]:
    import ray

    work: Work = ray.get(shared)
    notes: list[str] = []
    lacking = sum(len(c.pairs) for c in missing(work, level, row["pairs"], notes.append))
    return {"pairs": list(row["pairs"]), "lacking": lacking, "notes": notes}


def _stream(
    work: Work, level: int, groups: list[list[int]], actors: Sequence[Any]
) -> Iterator[Tally]:
    import ray
    from ray.data import ActorPoolStrategy

    shared = ray.put(work)
    rows = [{"pairs": group} for group in groups]
    spoken = (
        ray.data.from_items(rows, override_num_blocks=len(rows))
        .flat_map(_plan, fn_kwargs={"shared": shared, "level": level}, num_cpus=1)
        # Ray repeats whole blocks, and joins small ones: a chunk is to be a block of its own.
        .repartition(target_num_rows_per_block=1)
        .map(
            _Speak,
            fn_kwargs={"shared": shared, "actors": actors, "stream": uuid4().hex},
            compute=ActorPoolStrategy(
                size=len(actors),
                max_tasks_in_flight_per_actor=IN_FLIGHT,
                max_concurrent_calls_per_actor=IN_FLIGHT,
                enable_true_multi_threading=True,
            ),
            num_cpus=0.5,
        )
    )
    with _ray_errors():
        for row in spoken.iter_rows():
            yield pickle.loads(row["tally"])


@contextmanager
def _ray_errors() -> Iterator[None]:
    import ray

    try:
        yield
    except (ray.exceptions.RayError, RuntimeError) as ex:
        raise PanelistError(cause(ex)) from ex


def cause(ex: BaseException) -> str:
    """What an error of Ray's stands for, without its traces of other processes."""
    while (inner := getattr(ex, "cause", None) or ex.__cause__) is not None:
        ex = inner
    return str(ex).strip().splitlines()[0] if str(ex).strip() else type(ex).__name__


def _plan(row: dict[str, Any], *, shared: Any, level: int) -> list[dict[str, Any]]:
    import ray

    work: Work = ray.get(shared)
    return [{"chunk": pickle.dumps(chunk)} for chunk in missing(work, level, row["pairs"])]


class _Speak:
    """Lets chunks speak through one engine's actor, and writes them: a worker of Ray Data."""

    def __init__(self) -> None:
        self._starting = Lock()
        self._ready: tuple[Work, _Remote] | None = None

    def __call__(
        self, row: dict[str, Any], *, shared: Any, actors: Sequence[Any], stream: str
    ) -> dict[str, Any]:
        with self._starting:
            if self._ready is None:
                self._ready = _claimed(shared, actors, stream)
        made = speak_chunk(self._ready[0], pickle.loads(row["chunk"]), self._ready[1])
        return {"tally": pickle.dumps(made)}


def _claimed(shared: Any, actors: Sequence[Any], stream: str) -> tuple[Work, _Remote]:
    import ray

    # None is free where a worker died and this one is in its place: any will do.
    free = next((actor for actor in actors if ray.get(actor.claim.remote(stream))), actors[0])
    return ray.get(shared), _Remote(free)


def speak_chunk(work: Work, chunk: Chunk, engine: Any) -> Tally:
    """Let the chains of a chunk speak to their leg's end, and write them.

    Args:
        work: of the corpus.
        chunk: the chains.
        engine: an `Engine`.

    Raises:
        PanelistError: a part cannot be written.
    """
    groups: dict[tuple[int, str], list[int]] = {}
    for row, group in enumerate(zip(chunk.pairs, chunk.parents, strict=True)):
        groups.setdefault(group, []).append(row)
    waiting: list[tuple[Cast, Chain, int]] = []
    asked: list[tuple[int, str, str, list[str]]] = []
    there = 0
    for (number, parent), members in groups.items():
        pair = work.pairs[number]
        chains = list(_opened(work, chunk, number, parent, members))
        ids = [chain.id for chain in chains]
        key = key_of(ids, chunk.level)
        folder = folder_of(work.corpus / TURNS, pair.cast.focal, pair.cast.partner)
        if written := [p for path in folder.glob(f"{key}.*.parquet") if (p := part_at(path))]:
            there += len(chains_in(written[0]))  # by this chunk, before its task was lost
            continue
        last = pair.legs[chunk.level].last
        waiting += [(pair.cast, chain, last) for chain in chains]
        asked.append((number, parent, key, ids))
    spoken = speak(engine, waiting)
    by_id = {chain.id: chain for chain in spoken.chains}
    for number, parent, key, ids in asked:
        pair = work.pairs[number]
        made = [by_id[chain] for chain in ids if chain in by_id]
        if made:
            write_part(
                work.corpus / TURNS,
                pair.cast.focal,
                pair.cast.partner,
                table_of(made, pair.legs[chunk.level - 1].last + 1 if chunk.level else 1),
                key=key,
                leg=chunk.level,
                parent=parent,
            )
    error = spoken.failed[0][1] if spoken.failed else ""
    return Tally(
        len(spoken.chains) + there, len(spoken.failed), spoken.generations, spoken.tokens, error
    )


def _opened(
    work: Work, chunk: Chunk, number: int, parent: str, members: Sequence[int]
) -> Iterator[Chain]:
    """The chains of a group as they are before the leg."""
    cast = work.pairs[number].cast
    said = turns_before(work, cast, parent)
    for row in members:
        seed = work.seeds[chunk.seeds[row]]
        opening = None if parent else work.openings.get((seed.id, cast.partner))
        chain = cast.open(seed.id, seed.text, chunk.replicates[row], opening)
        yield replace(chain, turns=said[chain.id]) if parent else chain


def turns_before(work: Work, cast: Cast, parent: str) -> dict[str, tuple[Turn, ...]]:
    """By chain, all turns up to the end of a part; {} for no part."""
    here = parts_in(folder_of(work.corpus / TURNS, cast.focal, cast.partner))
    return turns_up_to({part.name: part for part in here}, parent)
