"""Whatever is done to a good submission: the checks neither break, nor take what means more."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bad_submissions import Draft, good_submission, placed

from panelist.leaderboard.submission import (
    FILES,
    MANIFEST,
    RUN,
    SCHEMA,
    TRANSCRIPTS,
    canonical,
)
from panelist.leaderboard.verify import examine

Files = dict[str, bytes]

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**40, 0.5, -0.0, "", "x", "0", "x" * 5000, "\u202e", "é", [], {},
    [[]], {"a": 1}, "../..", "=1+1", "<script>", "2026-11-10T10:00:00+00:00", "a\nb",
)  # fmt: skip

FREE = ("hardware", "source", "submitter", "licence", "engine_version", "dtype", "quantization",
        "weights_sha256", "chat_template_sha256", "git", "value", "id", "status", "started",
        "completed", "output_tokens", "version", "model", "max_tokens", "base_seed")  # fmt: skip
"""Fields of which a submitter may say more than one thing; to change them need not be refused."""


def raw(files: Files, rng: random.Random) -> Files:
    """Bytes flipped, cut, doubled or put in; the hashes stay what they were."""
    name = rng.choice(FILES)
    data = bytearray(files[name])
    at = rng.randrange(len(data))
    kind = rng.randrange(4)
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        data[at:at] = rng.randbytes(rng.randrange(1, 9))
    else:
        data[at:at] = data[at : at + rng.randrange(1, 200)]
    return files | {name: bytes(data)}


def fields(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of everything in parsed JSON."""
    found = [path] if path else []
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += fields(item, (*path, key))
    return found


def mutate_json(said: Any, rng: random.Random) -> tuple[Any, str, bool]:
    """Parsed JSON with one change, the field that it is in, and whether anything did change."""
    path = rng.choice(fields(said))
    at = said
    for key in path[:-1]:
        at = at[key]
    before = json.dumps(said, sort_keys=True)
    kind = rng.randrange(3)
    if kind == 0 and isinstance(at, dict):
        del at[path[-1]]
    elif kind == 1 and isinstance(at, dict):
        at[rng.choice(("score", "x", "\u200b", "__proto__", "format "))] = rng.choice(VALUES)
    else:
        at[path[-1]] = rng.choice(VALUES)
    strings = [key for key in path if isinstance(key, str)]
    return said, strings[-1], json.dumps(said, sort_keys=True) != before


def mutate_rows(rows: list[dict[str, Any]], rng: random.Random) -> bool:
    """One change to the turns; whether it has to be refused."""
    at, other = rng.randrange(len(rows)), rng.randrange(len(rows))
    kind = rng.randrange(9)
    if kind == 0:
        del rows[at]
    elif kind == 1:
        rows.insert(at, dict(rows[at]))
    elif kind == 2:
        rows[at], rows[other] = rows[other], rows[at]
        return at != other
    elif kind == 3:
        del rows[at - at % 2 : at - at % 2 + 2]
    elif kind == 4:
        rows[at - at % 2]["text"] += rng.choice((" ", "x", "\u200b", "\u0301"))
    elif kind == 5:
        field = rng.choice(("panel", "partner", "seed", "chain", "role", "speaker", "stop_reason"))
        value = rng.choice(
            ("", "x", "focal", "partner", "hedging ", "scripted", rows[other][field])
        )
        changed = rows[at][field] != value
        rows[at][field] = value
        # Where a reply ended may be said in several ways.
        return changed and not (field == "stop_reason" and at % 2)
    elif kind == 6:
        field = rng.choice(("replicate", "turn"))
        rows[at][field] += rng.choice((-2, -1, 1, 2, 100))
    elif kind == 7:
        rows[at]["output_tokens"] = rng.choice((-1, 10**6))
    else:
        rows[at]["text"] = rng.choice(("\0", "hf_" + "a" * 34)) + rows[at]["text"]
    return True


def sealed(files: Files, manifest: Any) -> Files:
    """With the hashes that fit."""
    from hashlib import sha256

    for name in (RUN, TRANSCRIPTS):
        said = manifest["files"][name]
        said |= {"bytes": len(files[name]), "sha256": sha256(files[name]).hexdigest()}
    return files | {MANIFEST: canonical(manifest)}


def one(good: Files, rng: random.Random) -> tuple[Files, bool, bool]:
    """A changed submission, whether it has to be refused, and whether its folder is renamed."""
    kind = rng.randrange(4)
    if kind == 0:
        changed, renamed = raw(good, rng), bool(rng.randrange(2))
        # A manifest with another letter in a free text, under its own name, is a good one.
        free = renamed and changed[MANIFEST] != good[MANIFEST]
        return changed, changed != good and not free, renamed
    manifest = json.loads(good[MANIFEST])
    if kind == 1:
        said, field, different = mutate_json(manifest, rng)
        return good | {MANIFEST: canonical(said)}, different and field not in FREE, True
    if kind == 2:
        run, field, different = mutate_json(json.loads(good[RUN]), rng)
        files = sealed(good | {RUN: canonical(run)}, manifest)
        return files, different and field not in FREE, True
    rows = Draft().rows
    must = mutate_rows(rows, rng)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), sink, compression="zstd")
    manifest["files"][TRANSCRIPTS]["rows"] = len(rows)
    return sealed(good | {TRANSCRIPTS: sink.getvalue().to_pybytes()}, manifest), must, True


def fuzz(folder: Path, count: int, seed: int) -> int:
    """Try so many changes; how many were refused."""
    rng = random.Random(seed)
    start = good_submission(folder / "good")
    good = {name: (start / name).read_bytes() for name in FILES}
    refused = 0
    for number in range(count):
        files, must, renamed = one(good, rng)
        parent = folder / "one"
        made = placed(parent, *(files[name] for name in (MANIFEST, RUN, TRANSCRIPTS)))
        if not renamed:
            made = made.rename(parent / start.name)
        faults = examine(made)
        assert faults or not must, f"change {number} was taken: {made}"
        for fault in faults:
            assert fault.code and "\n" not in str(fault)
        refused += bool(faults)
        for file in made.iterdir():
            file.unlink()
        made.rmdir()
    return refused


def test_changed_submissions_are_refused_and_break_nothing(tmp_path: Path) -> None:
    assert fuzz(tmp_path, 300, 1) > 200


@pytest.mark.slow
def test_ten_thousand_changes(tmp_path: Path) -> None:
    assert fuzz(tmp_path, 10_000, 2) > 7_000
