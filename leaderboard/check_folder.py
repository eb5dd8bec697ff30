"""A submission's files: which they are, how large, and whether their bytes are those promised."""

import os
import re
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from panelist.leaderboard.faults import Fault, shown
from panelist.leaderboard.submission import FILES, MANIFEST, RUN, TRANSCRIPTS, folder_name

LIMITS = {MANIFEST: 256_000, RUN: 2_000_000, TRANSCRIPTS: 64_000_000}
"""Bytes of each file at most."""

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,80}-[0-9a-f]{12}")


def check_files(folder: Path) -> list[Fault]:
    """Which files are there, looked at from outside: nothing is opened."""
    if folder.is_symlink():
        return [Fault("not-plain-file", shown(folder.name), expected="a folder")]
    try:
        there = {entry.name: entry for entry in os.scandir(folder)}
    except OSError as ex:
        return [
            Fault(
                "missing-file",
                shown(folder.name),
                got=ex.strerror or "",
                expected="a folder",
                mend="Give the folder that `panelist submit` made",
            )
        ]
    inside = sorted(name for name in there if (folder / name / MANIFEST).is_file())
    if MANIFEST not in there and inside:
        mend = f"Give one submission, such as {shown(inside[0])}"
        return [Fault("missing-file", MANIFEST, got=f"{len(inside)} submissions", mend=mend)]
    faults = []
    for name in sorted(set(there) - set(FILES)):
        near = [known for known in FILES if known.casefold() == name.casefold()]
        faults.append(
            Fault(
                "case-collision" if near else "extra-file",
                shown(name),
                expected=near[0] if near else f"only {', '.join(FILES)}",
                mend="Remove it",
            )
        )
    for name in FILES:
        if name not in there:
            faults.append(Fault("missing-file", name))
            continue
        said = there[name].stat(follow_symlinks=False)
        if not stat.S_ISREG(said.st_mode):
            faults.append(Fault("not-plain-file", name, expected="a file", mend="Copy it there"))
        elif said.st_nlink > 1:
            faults.append(Fault("hard-link", name, got=f"{said.st_nlink} links", mend="Copy it"))
        elif not said.st_size:
            faults.append(Fault("empty-file", name))
        elif said.st_size > LIMITS[name]:
            faults.append(
                Fault("file-too-large", name, "", None, f"{said.st_size} B", f"{LIMITS[name]} B")
            )
    return faults


def check_name(folder: Path, checkpoint: str, manifest: bytes) -> list[Fault]:
    """The folder's name follows from the manifest's bytes."""
    expected = folder_name(checkpoint, manifest)
    if folder.name == expected and NAME.fullmatch(folder.name):
        return []
    return [
        Fault(
            "folder-name",
            shown(folder.name),
            expected=expected,
            mend="A manifest that was edited is another submission: run `panelist submit` again",
        )
    ]


def check_bytes(folder: Path, promised: Mapping[str, Mapping[str, Any]]) -> list[Fault]:
    """Sizes and hashes of the other files, as the manifest says them."""
    faults = []
    for name, said in sorted(promised.items()):
        data = (folder / name).read_bytes()
        mend = "Files may not change once they are made: run `panelist submit` again"
        if len(data) != said["bytes"]:
            faults.append(
                Fault(
                    "size-mismatch", name, "bytes", None, str(len(data)), str(said["bytes"]), mend
                )
            )
        elif (digest := sha256(data).hexdigest()) != said["sha256"]:
            faults.append(
                Fault("sha256-mismatch", name, "sha256", None, digest, str(said["sha256"]), mend)
            )
    return faults
