"""The batch engine: chains as a stream of Ray Data, spoken by actors that hold the engines.

Pairs of focal and partner go in; each is compared with the corpus, and what it lacks comes out as
chunks of chains. A chunk is one row of the stream: a task lets its chains speak to their leg's end
and writes them as parts of the corpus; only counts come back to the driver, whose memory is the
same for ten chains and for ten million. Ray repeats tasks whose node or engine died; a part is
written whole or not at all, and a repeated chunk finds the part that it has written.
"""

import pickle
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, Protocol
from uuid import uuid4

from panelist.evals.batch_chunk import Tally, speak_chunk
from panelist.evals.batch_cluster import IN_FLIGHT, Engines, RemoteEngine, cause
from panelist.evals.batch_plan import Work, missing
from panelist.panels.errors import PanelistError


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


def _plan(row: dict[str, Any], *, shared: Any, level: int) -> list[dict[str, Any]]:
    import ray

    work: Work = ray.get(shared)
    return [{"chunk": pickle.dumps(chunk)} for chunk in missing(work, level, row["pairs"])]


class _Speak:
    """Lets chunks speak through one engine's actor, and writes them: a worker of Ray Data."""

    def __init__(self) -> None:
        self._starting = Lock()
        self._ready: tuple[Work, RemoteEngine] | None = None

    def __call__(
        self, row: dict[str, Any], *, shared: Any, actors: Sequence[Any], stream: str
    ) -> dict[str, Any]:
        with self._starting:
            if self._ready is None:
                self._ready = _claimed(shared, actors, stream)
        made = speak_chunk(self._ready[0], pickle.loads(row["chunk"]), self._ready[1])
        return {"tally": pickle.dumps(made)}


def _claimed(shared: Any, actors: Sequence[Any], stream: str) -> tuple[Work, RemoteEngine]:
    import ray

    # None is free where a worker died and this one is in its place: any will do.
    free = next((actor for actor in actors if ray.get(actor.claim.remote(stream))), actors[0])
    return ray.get(shared), RemoteEngine(free)
