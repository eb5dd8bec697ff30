"""`panelist score`: the detectors over a corpus, part by part, several processes at once.

Scores lie beside the turns, in a folder of each detector and version, so that a new version never
touches what was generated. A part of scores is named after the part of turns that it is about; what
is there already is not made again.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from panelist.panels.corpus import (
    SCORES,
    TURNS,
    CorruptPart,
    Part,
    alone,
    folder_of,
    intact,
    lineage,
    part_at,
    parts,
    parts_in,
    read_part,
    sweep,
    write_part,
)
from panelist.panels.errors import PanelistError
from panelist.panels.manifest import read_manifest
from panelist.scorers.columns import Column, Replies, score_columns
from panelist.scorers.detector import DEFAULTS, Detector
from panelist.scorers.detectors import detector as named

WHOLE = 3
"""Parts that one process scores faster than several start."""

KEYS = ("chain", "seed", "replicate", "turn")
"""Columns of the turns that stand in the scores too."""


@dataclass(frozen=True)
class Scored:
    """What `score_corpus` did.

    Attributes:
        detectors: names and versions.
        made, there: parts of scores written, and those that were there.
        replies: scored anew, by each detector.
    """

    detectors: tuple[tuple[str, str], ...]
    made: int
    there: int
    replies: int


def score_corpus(
    corpus: Path,
    names: Sequence[str] | None = None,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Scored:
    """Score what is not scored yet.

    Args:
        corpus: its folder.
        names: detectors; default those of the corpus' behaviours (`default_detectors`).
        workers: processes; default one for each CPU.
        progress: told the parts of turns that are done, and how many there are to do.

    Raises:
        PanelistError: there is no corpus, no such detector, another process scores it, a part
            cannot be written, or parts are corrupt; those are named once the others are scored.
    """
    chosen = tuple(names or default_detectors(corpus))
    versions = tuple((name, named(name).version) for name in chosen)
    with alone(corpus / SCORES):
        sweep(corpus, scores=True)
        jobs: list[tuple[Part, tuple[str, ...]]] = []
        there = 0
        for part in parts(corpus / TURNS):
            lacking = tuple(name for name in chosen if not _is_there(corpus, name, part))
            there += len(chosen) - len(lacking)
            if lacking:
                jobs.append((part, lacking))
        made = replies = 0
        corrupt: list[str] = []
        for done, future in enumerate(_run(corpus, jobs, workers or cpu_count() or 1), 1):
            try:
                n, files = future.result()
                replies, made = replies + n, made + files
            except CorruptPart as ex:
                corrupt.append(ex.message)
            progress(done, len(jobs))
    if corrupt:
        more = f" (and {len(corrupt) - 1} more like it)" if corrupt[1:] else ""
        raise PanelistError(f"{corrupt[0]}{more}. All other parts are scored")
    return Scored(versions, made, there, replies)


def default_detectors(corpus: Path) -> list[str]:
    """Names of the detectors that a corpus is scored by, its own behaviour first."""
    return [DEFAULTS[behaviour] for behaviour in read_manifest(corpus).behaviours]  # type: ignore[index]


def scores_root(corpus: Path, name: str) -> Path:
    """Where the scores of a detector lie, in its version of today."""
    return corpus / SCORES / f"{name}@{named(name).version}"


def score_key(part: Part) -> str:
    """Key of the scores of a part of turns."""
    return sha256(part.name.encode()).hexdigest()[:16]


def _is_there(corpus: Path, name: str, part: Part) -> bool:
    folder = folder_of(scores_root(corpus, name), part.focal, part.partner)
    found = [p for path in folder.glob(f"{score_key(part)}.*.parquet") if (p := part_at(path))]
    for scores in found:
        if intact(scores):
            return True
        scores.path.unlink()  # made anew from the turns
    return False


def _run(
    corpus: Path, jobs: Sequence[tuple[Part, tuple[str, ...]]], workers: int
) -> "Iterator[Future[tuple[int, int]]]":
    """The jobs' futures as they are done; a bounded number of them waits."""
    if len(jobs) <= WHOLE or workers == 1:
        for part, names in jobs:
            future: Future[tuple[int, int]] = Future()
            try:
                future.set_result(score_part(corpus, part, names))
            except CorruptPart as ex:
                future.set_exception(ex)
            yield future
        return
    waiting = iter(jobs)
    with ProcessPoolExecutor(min(workers, len(jobs)), get_context("spawn")) as pool:

        def submit(count: int) -> "set[Future[tuple[int, int]]]":
            return {
                pool.submit(score_part, corpus, part, names)
                for part, names in islice(waiting, count)
            }

        running = submit(4 * workers)
        while running:
            done = next(as_completed(running))
            running.remove(done)
            running |= submit(1)
            yield done


def score_part(corpus: Path, part: Part, names: Sequence[str]) -> tuple[int, int]:
    """Score one part by some detectors.

    Returns:
        Replies in it, and files written.

    Raises:
        CorruptPart: the turns, or those before them, are not what was written.
    """
    keys, said = replies_of_part(part)
    chosen: list[Detector] = [named(name) for name in names]
    for one, found in zip(chosen, score_columns(chosen, said), strict=True):
        table = pa.table({**keys, **{n: _column(n, v) for n, v in found.items() if n != "turn"}})
        root = scores_root(corpus, one.name)
        write_part(root, part.focal, part.partner, table, key=score_key(part))
    return len(said.turn), len(chosen)


def _column(name: str, values: Column) -> pa.Array:
    if name == "status":
        return pa.array(values, pa.string()).dictionary_encode()
    missing = np.isnan(values)
    if name.endswith("_score"):
        return pa.array(values, mask=missing)
    return pa.array(np.where(missing, 0, values).astype(np.int32), mask=missing)


def replies_of_part(part: Part) -> tuple[dict[str, Any], Replies]:
    """The focal's turns in a part that reply to somebody, with their keys.

    Raises:
        CorruptPart: the part, or one that it goes on from, is not what was written.
    """
    table = read_part(part)
    chain = table["chain"].combine_chunks()
    text = table["text"].combine_chunks()
    names = chain.to_numpy(zero_copy_only=False)
    follows = np.zeros(len(table), bool)
    follows[1:] = names[1:] == names[:-1]
    focal = (table["role"].combine_chunks().cast(pa.string()).to_numpy(zero_copy_only=False)) == (
        "focal"
    )
    turn = table["turn"].to_numpy().astype(np.int64)
    rows = np.flatnonzero(focal & (turn > 1))
    before = text.take(pa.array(np.where(follows[rows], rows - 1, rows)))
    if not follows[rows].all():
        before = _with_last(before, rows, follows, names, _last_words(part))
    keys = {name: table[name].combine_chunks().take(pa.array(rows)) for name in KEYS}
    at = pa.array(rows)

    def column(name: str) -> pa.Array:
        return table[name].combine_chunks().take(at)

    return keys, Replies(
        turn[rows],
        column("text"),
        before,
        column("stop_reason").cast(pa.string()),
        column("output_tokens"),
        column("max_tokens"),
    )


def _with_last(
    before: pa.Array, rows: Column, follows: Column, names: Column, last: dict[str, str]
) -> pa.Array:
    texts = before.to_pylist()
    for place in np.flatnonzero(~follows[rows]).tolist():
        texts[place] = last[names[rows[place]]]
    return pa.array(texts, pa.large_string())


def _last_words(part: Part) -> dict[str, str]:
    """By chain, what was said last in the part that this one goes on from."""
    _, parent = lineage(part)
    for other in parts_in(part.path.parent):
        if other.name == parent:
            table = read_part(other, ["chain", "text"])
            return dict(zip(table["chain"].to_pylist(), table["text"].to_pylist(), strict=True))
    raise PanelistError(
        f"{part.path}: goes on from {parent}, which is not there; run the design again, which "
        "makes the chains anew"
    )
