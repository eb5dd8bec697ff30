"""The board: a pure function of submissions and of the detectors of today.

The same submissions and the same version of panelist give the same bytes, whoever builds it and
when; no clock, no address, no order of files goes into it.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import sha256
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panelist.leaderboard.board_rows import TRUST, Entry, columns, entry
from panelist.leaderboard.board_sets import RankedBy, composer, decomposition, rank
from panelist.leaderboard.check_manifest import known_checkpoints
from panelist.leaderboard.rescoring import detector_of, rescore
from panelist.leaderboard.submission import MANIFEST, REGISTRY, canonical
from panelist.leaderboard.verify import read_checked
from panelist.panels.checkpoint import Checkpoint
from panelist.panels.errors import PanelistError
from panelist.panels.protocol import BENCHMARK
from panelist.scorers.detector import BEHAVIOURS
from panelist.scorers.validation_report import status_of
from panelist.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1

TRUSTED = "trust.yaml"
"""What maintainers keep beside it: which submissions have been spot-checked or reproduced."""

CHUNK = 16
"""Submissions that a process takes at a time."""


@dataclass(frozen=True)
class Board:
    """A board, and what its pages need beside.

    Attributes:
        data: `board.json`.
        chains: by submission, the chains on its page.
        left_out: by another benchmark, how many submissions to it lay there.
    """

    data: dict[str, Any]
    chains: dict[str, list[dict[str, Any]]]
    left_out: dict[str, int] = field(default_factory=dict)


def submissions_in(folder: Path) -> list[Path]:
    """The submissions below a folder, in the order of their names.

    Raises:
        PanelistError: there is none.
    """
    found = sorted((at.parent for at in folder.rglob(MANIFEST)), key=lambda path: path.name)
    if not found:
        raise PanelistError(
            f"{folder}: no submission in it (a folder with {MANIFEST}); make one with "
            "`panelist submit`"
        )
    return found


def _benchmark(at: Path) -> str:
    """The benchmark of a submission; this one where it does not say another: `examine` judges."""
    try:
        said = json.loads((at / MANIFEST).read_bytes())["benchmark"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return BENCHMARK
    return said if isinstance(said, str) and re.fullmatch(r"\d+(\.\d+)+", said) else BENCHMARK


def build(
    folder: Path,
    *,
    dataset: str = "",
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Board:
    """Build the board of the submissions below a folder.

    Args:
        folder: the submissions, and beside them `checkpoints.yaml` and `trust.yaml`.
        dataset: the dataset repository on the Hub that takes submissions, which the page names.
        workers: processes; default one for each CPU.
        progress: told the submissions that are scored, and how many there are.

    Raises:
        PanelistError: there is no submission, or one is not what the board takes.
    """
    of = {at: _benchmark(at) for at in submissions_in(folder)}
    found = [at for at in of if of[at] == BENCHMARK]
    left_out = dict(sorted(Counter(b for b in of.values() if b != BENCHMARK).items()))
    if not found:
        raise PanelistError(f"{folder}: no submission to benchmark {BENCHMARK} in it")
    registry = folder / REGISTRY if (folder / REGISTRY).exists() else None
    checkpoints = known_checkpoints(registry)
    trust = _trust(folder / TRUSTED)
    jobs = [
        (found[at : at + CHUNK], registry, checkpoints, trust) for at in range(0, len(found), CHUNK)
    ]
    entries: list[Entry] = []
    for made in _each(jobs, workers or cpu_count() or 1):
        entries += made
        progress(len(entries), len(found))
    return replace(assemble(entries, dataset), left_out=left_out)


def _each(jobs: Sequence[Any], workers: int) -> Iterator[list[Entry]]:
    if len(jobs) == 1 or workers == 1:
        yield from map(_entries, jobs)
        return
    with ProcessPoolExecutor(min(workers, len(jobs)), get_context("spawn")) as pool:
        yield from pool.map(_entries, jobs)


def _entries(
    job: tuple[list[Path], Path | None, Mapping[str, Checkpoint], Mapping[str, str]],
) -> list[Entry]:
    folders, registry, checkpoints, trust = job
    scored = rescore(_taken(folder, registry) for folder in folders)
    return [
        entry(folder, panels, checkpoints[_name(folder)], trust.get(folder.name, TRUST[0]))
        for folder, panels in zip(folders, scored, strict=True)
    ]


def _taken(folder: Path, registry: Path | None) -> "pa.Table":
    table, faults = read_checked(folder, registry=registry)
    if faults:
        raise PanelistError(
            f"{folder}: not what the board takes ({faults[0]}); `panelist verify {folder}` "
            "lists all that is wrong"
        )
    return table


def _name(folder: Path) -> str:
    return str(json.loads((folder / MANIFEST).read_bytes())["checkpoint"]["name"])


def _trust(path: Path) -> dict[str, str]:
    """Trust by submission, where it is more than re-scoring."""
    if not path.exists():
        return {}
    import yaml

    said = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(said, dict) or not set(said.values()) <= set(TRUST):
        raise PanelistError(
            f"{path}: write `<submission's folder>: <trust>`, one line each, trust being one of "
            f"{', '.join(TRUST)}"
        )
    return {str(name): str(value) for name, value in said.items()}


def assemble(entries: Sequence[Entry], dataset: str = "") -> Board:
    """The board of some entries, each with its ranks, and what the set of them says."""
    entries = sorted(entries, key=lambda e: (str(e.row["name"]), e.id))
    same: dict[str, list[Entry]] = {}
    for one in entries:
        same.setdefault(_identity(one), []).append(one)
    entries = [
        replace(one, row=one.row | {"superseded_by": _newer(one, same[_identity(one)])})
        for one in entries
    ]
    current = [one for one in entries if one.row["superseded_by"] is None]
    behaviours = [b for b in BEHAVIOURS if any(b in one.cells for one in entries)]
    with ThreadPoolExecutor() as pool:
        # Beside the ranks: most of what either takes is NumPy, which lets the other run.
        decomposed = pool.submit(decomposition, current, behaviours)
        ranking = {b: _ranked(current, entries, b) for b in behaviours}
    chosen = detectors(behaviours)
    # All that a board is a function of: its texts, and what maintainers say of them.
    labels = ("id", "name", "family", "base", "recipe", "parameters", "trust")
    said = canonical(
        {"rows": sorted([e.row[k] for k in labels] for e in entries), "detectors": chosen}
    )
    digest = sha256(said + __version__.encode()).hexdigest()[:12]
    distances, panels = composer(current, behaviours)
    data = {
        "format": FORMAT,
        "version": f"{BENCHMARK}-{digest}",
        "benchmark": BENCHMARK,
        "package": __version__,
        "dataset": dataset,
        "detectors": chosen,
        "behaviours": behaviours,
        "partners": {b: [partner.name for partner in columns(b)] for b in behaviours},
        "latest": max(one.date for one in entries),
        "rows": [one.row for one in entries],
        "ranking": ranking,
        "decomposition": decomposed.result(),
        "distances": distances,
        "composer": panels,
    }
    return Board(data, {one.id: one.chains for one in entries})


def detectors(behaviours: Sequence[str]) -> dict[str, dict[str, str]]:
    """Name, version and status of what each behaviour is scored with."""
    found = {}
    for behaviour in BEHAVIOURS:
        if behaviour in behaviours:
            one = detector_of(behaviour)
            status = status_of(behaviour, one.name, one.version)
            found[str(behaviour)] = {"name": one.name, "version": one.version, "status": status}
    return found


def _ranked(
    current: Sequence[Entry], entries: Sequence[Entry], behaviour: str
) -> dict[str, dict[str, Any]]:
    """Rank a behaviour's rows by everything it is ranked by; ranks are written into the rows."""
    by: list[RankedBy] = ["level", "shift"]
    planted = any(one.row["panels"].get(behaviour, {}).get("detection") for one in entries)
    said: dict[str, dict[str, Any]] = {}
    for name in [*by, *(["d_prime"] if planted else [])]:
        said[name], places = rank(current, behaviour, name)  # type: ignore[arg-type]
        for one in entries:
            if behaviour in one.cells:
                why = {"why": "superseded by a newer submission of the same checkpoint"}
                one.row["panels"][behaviour]["ranks"][name] = places.get(one.id, why)
    return said


def _newer(one: Entry, same: Sequence[Entry]) -> str | None:
    """The last submission of the same checkpoint in the same runtime, of all that this one has.

    Nobody's word supersedes another's: it takes the same submitter, or more trust.
    """
    later = [
        other
        for other in same
        if set(other.cells) >= set(one.cells)
        and (other.date, other.id) > (one.date, one.id)
        and other.trust >= one.trust
        and (other.trust > one.trust or other.submitter == one.submitter)
    ]
    return max(later, key=lambda other: (other.date, other.id)).id if later else None


def _identity(one: Entry) -> str:
    row = one.row
    keys = ("name", "model", "weights", "engine", "dtype", "quantization", "template")
    return json.dumps([row[key] for key in keys])
