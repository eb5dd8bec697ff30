"""`panelist verify`: whether the board would take a submission, and if not, every reason why.

The board's own checks run this, and nothing else. What strangers sent is read in a child process
under limits (`sandbox`); what is good there is scored twice, in a second child.
"""

import sys
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panelist.leaderboard import check_manifest as manifests
from panelist.leaderboard import check_run as runs
from panelist.leaderboard.check_folder import check_bytes, check_files, check_name
from panelist.leaderboard.check_json import (
    check_canonical,
    check_shape,
    check_texts,
    read_json,
)
from panelist.leaderboard.check_private import check_private
from panelist.leaderboard.faults import Fault, shown
from panelist.leaderboard.sandbox import SECONDS, Answer, answer, limited
from panelist.leaderboard.submission import MANIFEST, REGISTRY, RUN, TRANSCRIPTS
from panelist.panels.checkpoint import read_checkpoints

if TYPE_CHECKING:
    import pyarrow as pa

SHAPES = {MANIFEST: manifests.SHAPE, RUN: runs.SHAPE}

MOST = 20
"""Faults that are listed."""

PER_OTHER = 2
"""Seconds more for each submission that one is held against."""

SCORING = {"memory": 6_000_000_000, "seconds": 600, "write": True}
"""Limits of the child that scores: compiling the detectors takes more of both."""


def verify(
    folder: Path,
    *,
    against: Path | None = None,
    registry: Path | None = None,
    now: datetime | None = None,
) -> list[Fault]:
    """Why the board would not take a submission; [] if it would.

    Args:
        folder: of the submission.
        against: other submissions, which it must not repeat; their `checkpoints.yaml` is a
            registry.
        registry: a YAML file of checkpoints beside those that ship.
        now: the time; default the clock's.

    Raises:
        PanelistError: the registry cannot be read.
    """
    registry = _registry(against, registry)
    if registry is not None:
        read_checkpoints(registry)  # what is wrong with it would be lost with the child
    words = [str(folder.absolute())]
    for one in (against, registry):
        words.append(str(one.absolute()) if one else "")
    words.append(now.isoformat() if now else "")
    # Each that it is held against has to be read.
    others = len(list(against.rglob(MANIFEST))) if against else 0
    seconds = SECONDS + PER_OTHER * others
    found = faults_of(limited(__name__, ["examine", *words], seconds=seconds), folder)
    if found:
        return found
    return faults_of(limited(__name__, ["rescore", words[0]], **SCORING), folder)  # type: ignore[arg-type]


def faults_of(said: Answer, folder: Path) -> list[Fault]:
    """The faults that a child found, or what became of it."""
    if said.timed_out:
        return [Fault("reader-timeout", shown(folder.name))]
    if not isinstance(said.value, list):
        return [Fault("reader-died", shown(folder.name))]
    return [Fault(**fault) for fault in said.value]


def examine(
    folder: Path,
    *,
    against: Path | None = None,
    registry: Path | None = None,
    now: datetime | None = None,
) -> list[Fault]:
    """All checks of `verify` but the scoring, in this process and without its limits."""
    return read_checked(folder, against=against, registry=registry, now=now)[1]


def read_checked(
    folder: Path,
    *,
    against: Path | None = None,
    registry: Path | None = None,
    now: datetime | None = None,
) -> tuple["pa.Table | None", list[Fault]]:
    """The turns of a submission, None where they cannot be read, and what `examine` finds."""
    table, faults = _examined(folder, against, registry, now)
    return table, faults[:MOST]


def _registry(against: Path | None, registry: Path | None) -> Path | None:
    if against is not None and registry is None and (against / REGISTRY).exists():
        return against / REGISTRY
    return registry


def _examined(
    folder: Path, against: Path | None, registry: Path | None, now: datetime | None
) -> tuple["pa.Table | None", list[Fault]]:
    registry = _registry(against, registry)
    if faults := check_files(folder):
        return None, faults
    data = (folder / MANIFEST).read_bytes()
    manifest, faults = _json(MANIFEST, data)
    if faults:
        return None, faults
    faults = check_name(folder, manifest["checkpoint"]["name"], data)
    faults = [
        *manifests.check_manifest(manifest, registry),
        *check_private(MANIFEST, manifest),
        *faults,
    ]
    if faults:
        return None, faults
    if faults := check_bytes(folder, manifest["files"]):
        return None, faults
    run, faults = _json(RUN, (folder / RUN).read_bytes())
    if faults := faults or [*runs.check_run(run, manifest, now), *check_private(RUN, run)]:
        return None, faults
    # Arrow is not loaded for what is refused before.
    from panelist.leaderboard.check_grid import check_grid
    from panelist.leaderboard.check_transcripts import read_transcripts

    table, faults = read_transcripts(folder / TRANSCRIPTS, manifest["files"][TRANSCRIPTS]["rows"])
    if table is None:
        return None, faults
    faults = list(islice(check_grid(table, manifest, run), MOST))
    if not faults and against is not None:
        from panelist.leaderboard.check_against import check_against

        faults = list(islice(check_against(folder, manifest, table, against), MOST))
    return table, faults


def _json(name: str, data: bytes) -> tuple[Any, list[Fault]]:
    value, faults = read_json(name, data)
    faults = faults or list(islice(check_texts(name, value, manifests.FREE), MOST))
    faults = faults or list(islice(check_shape(name, value, SHAPES[name]), MOST))
    return value, faults or check_canonical(name, value, data)


def _rescored(folder: Path) -> list[Fault]:
    """Scored twice, the bytes are the same."""
    from panelist.leaderboard.rescoring import rescore_bytes

    first, second = (sha256(rescore_bytes(folder)).hexdigest() for _ in range(2))
    return [] if first == second else [Fault("rescore-differs", TRANSCRIPTS, got=second)]


def _main() -> None:
    """The child's side."""
    what, folder, *rest = sys.argv[1:]
    if what == "rescore":
        found = _rescored(Path(folder))
    else:
        against, registry, now = rest
        found = examine(
            Path(folder),
            against=Path(against) if against else None,
            registry=Path(registry) if registry else None,
            now=datetime.fromisoformat(now) if now else None,
        )
    answer([fault.to_dict() for fault in found])


if __name__ == "__main__":
    _main()
