"""A submission beside others: not there already, not their replies, not their files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from panelist.leaderboard.check_folder import NAME
from panelist.leaderboard.check_grid import LONG, SHARED
from panelist.leaderboard.check_transcripts import read_transcripts
from panelist.leaderboard.faults import Fault, shown
from panelist.leaderboard.submission import FILES, MANIFEST, TRANSCRIPTS

SAID = ["panel", "chain", "turn", "text"]


def check_against(folder: Path, manifest: Any, table: pa.Table, others: Path) -> Iterator[Fault]:
    """Compare with every submission below a folder; those that cannot be read are passed over."""
    name = manifest["checkpoint"]["name"]
    digest = manifest["files"][TRANSCRIPTS]["sha256"]
    own = _long_replies(table)
    for at in sorted(others.rglob(MANIFEST)):
        other = at.parent
        if other.resolve() == folder.resolve():
            continue
        if other.name == folder.name:
            mend = "Nothing to do: it was taken before"
            yield Fault("duplicate-manifest", MANIFEST, got=str(other.name), mend=mend)
            return
        try:
            said = json.loads(at.read_bytes())
            rows, whose = said["files"][TRANSCRIPTS], said["checkpoint"]["name"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if rows["sha256"] == digest:
            yield Fault("duplicate-transcripts", TRANSCRIPTS, got=f"those of {other.name}")
            return
        theirs, _ = read_transcripts(other / TRANSCRIPTS, rows["rows"])
        if theirs is None:
            continue
        if whose == name:
            # The same words may be compressed in another way.
            if theirs.select(SAID).equals(table.select(SAID)):
                yield Fault("duplicate-transcripts", TRANSCRIPTS, got=f"those of {other.name}")
                return
            continue
        if not own:
            continue
        shared = len(own & _long_replies(theirs))
        if shared > SHARED * len(own):
            same = f"{shared} of {len(own)} long replies are those of {other.name}"
            yield Fault("shared-text", TRANSCRIPTS, "text", None, same)
            return


def _long_replies(table: pa.Table) -> set[str]:
    text = table.filter(pc.equal(table["role"], "focal"))["text"]
    return {value for value in text.unique().to_pylist() if len(value) >= LONG}


def check_pull(base: Path, head: Path) -> list[Fault]:
    """What a pull request changes beside the one submission that it adds.

    Args:
        base: the submissions before it.
        head: with it.
    """
    before, after = _files(base), _files(head)
    faults = []
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) == after.get(path):
            continue
        if path in before:
            what = "changed" if path in after else "removed"
            mend = "Take that out of the pull request: what others submitted stays as it is"
            faults.append(Fault("touches-other-submission", shown(path), got=what, mend=mend))
    added = sorted({str(Path(path).parent) for path in after.keys() - before.keys()})
    for place in added[1:] if len(added) > 1 else []:
        mend = "One pull request, one submission"
        faults.append(Fault("touches-other-submission", shown(place), got="added too", mend=mend))
    for path in sorted(after.keys() - before.keys()):
        if Path(path).name not in FILES or not NAME.fullmatch(Path(path).parent.name):
            mend = "A pull request adds one submission's folder, nothing else"
            faults.append(Fault("touches-other-submission", shown(path), got="added", mend=mend))
    return faults


def _files(folder: Path) -> dict[str, bytes]:
    from hashlib import sha256

    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).digest()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }
