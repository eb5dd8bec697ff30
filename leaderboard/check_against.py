"""A submission beside others: not there already, not their replies, not their files."""

import json
import stat
from collections.abc import Iterator, Sequence
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from panelist.leaderboard.check_folder import NAME
from panelist.leaderboard.check_grid import LONG, SHARED
from panelist.leaderboard.check_transcripts import read_transcripts
from panelist.leaderboard.faults import Fault, shown
from panelist.leaderboard.submission import FILES, MANIFEST, TRANSCRIPTS
from panelist.panels.protocol import BENCHMARK

SAID = ["panel", "chain", "turn", "text"]

SAMPLED = 64
"""Seeds on which replies are compared: a board has hundreds of submissions, each with hundreds."""

SENTENCE = 40
"""Characters from which on two equal sentences are no accident: of those in the example board, no
checkpoint shares two in a hundred with another recipe of its base."""

COPIED = 0.9
"""Share of long phrases from which on another submitter's row of the same checkpoint is no second
measurement."""

_RERUN = (
    "A rerun that gives the same replies is a reproduction: tell the maintainers, who write it "
    "into trust.yaml; it is no second row"
)


def check_against(folder: Path, manifest: Any, table: pa.Table, others: Path) -> Iterator[Fault]:
    """Compare with every submission below a folder; those that cannot be read are passed over."""
    name = manifest["checkpoint"]["name"]
    digest = manifest["files"][TRANSCRIPTS]["sha256"]
    # Which seeds cannot be known before the transcripts are whole.
    by_chance = sorted(table["seed"].unique().to_pylist(), key=lambda s: _lot(digest, s))
    seeds = by_chance[:SAMPLED]
    own = _phrases(table, seeds)
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
            by = said["submitter"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if rows["sha256"] == digest:
            yield _repeated(f"those of {other.name}")
            return
        try:
            theirs, _ = read_transcripts(other / TRANSCRIPTS, rows["rows"])
        except (OSError, KeyError):
            continue  # not this one's fault
        if theirs is None:
            continue
        # The same words may be compressed in another way.
        if whose == name and theirs.select(SAID).equals(table.select(SAID)):
            yield _repeated(f"those of {other.name}")
            return
        if whose == name and by == manifest["submitter"]:
            continue  # a newer one of theirs
        shared = pc.sum(pc.is_in(own, value_set=_phrases(theirs, seeds))).as_py() or 0
        same = f"{shared} of {len(own)} long phrases are those of {other.name}"
        if whose == name and shared > COPIED * len(own):
            yield _repeated(same, "text")
            return
        if whose != name and shared > SHARED * len(own):
            yield Fault("shared-text", TRANSCRIPTS, "text", None, same)
            return


def _repeated(got: str, field: str = "") -> Fault:
    return Fault("duplicate-transcripts", TRANSCRIPTS, field, got=got, mend=_RERUN)


def _lot(digest: str, seed: str) -> bytes:
    return sha256(f"{digest} {seed}".encode()).digest()


def _phrases(table: pa.Table, seeds: Sequence[str]) -> pa.Array:
    """Long sentences, and long replies as a whole, on some seeds.

    Another space, capital or comma makes no other phrase; a word added to each reply leaves most of
    its sentences.
    """
    there = pc.is_in(table["seed"], value_set=pa.array(seeds, pa.string()))
    text = table["text"].filter(pc.and_(there, pc.equal(table["role"], "focal"))).combine_chunks()
    ends = r"[.!?\n]+"
    sentences, replies = (
        pc.utf8_lower(pc.replace_substring_regex(one, r"[^\pL\pN]+", " "))
        for one in (pc.list_flatten(pc.split_pattern_regex(text, ends)), text)
    )
    long = [
        one.filter(pc.greater_equal(pc.utf8_length(one), least))
        for one, least in ((sentences, SENTENCE), (replies, LONG))
    ]
    return pa.concat_arrays(long).unique()


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
    for place in added[:1]:
        if any(f"{up}/{MANIFEST}".removeprefix("./") in after for up in Path(place).parents):
            mend = "Put it beside the other submissions, not into one"
            faults.append(Fault("touches-other-submission", shown(place), got="inside", mend=mend))
        if Path(place).name in {Path(path).parent.name for path in before}:
            mend = "It is there already: nothing to do"
            faults.append(Fault("duplicate-manifest", shown(place), mend=mend))
        # As `publish` places it, which a pull request made by hand may not.
        right = f"submissions/{BENCHMARK}/{Path(place).name}"
        if f"{place}/{MANIFEST}" not in after:
            faults.append(Fault("missing-file", shown(f"{place}/{MANIFEST}")))
        elif place != right:
            faults.append(Fault("wrong-place", shown(place), expected=shown(right)))
    for path in sorted(after.keys() - before.keys()):
        if Path(path).name not in FILES or not NAME.fullmatch(Path(path).parent.name):
            mend = "A pull request adds one submission's folder, nothing else"
            faults.append(Fault("touches-other-submission", shown(path), got="added", mend=mend))
    return faults


def _files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Kind and content of all that is no folder; links, which git can hold, are not followed."""
    found = {}
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        kind = stat.S_IFMT(path.lstat().st_mode)
        if kind == stat.S_IFDIR or ".git" in inside.parts:
            continue
        content = b""
        if kind == stat.S_IFREG:
            with path.open("rb") as file:
                content = file_digest(file, "sha256").digest()
        elif kind == stat.S_IFLNK:
            content = str(path.readlink()).encode()
        found[inside.as_posix()] = (kind, content)
    return found
