"""A corpus: chains by the million as zstd Parquet, one row a turn.

    CORPUS/
        manifest.json                                what was asked of whom (`panels.manifest`)
        turns/focal=F/partner=P/<key>.<hash>.parquet
        scores/<detector>@<version>/focal=F/partner=P/<key>.<hash>.parquet
        corrupt/                                     files that are not what their names say

Any Parquet reader takes `turns/` as a dataset partitioned by focal and partner. A *part*, one file,
holds some chains of one focal and one partner, whole from its first turn to its last. Turns that
another engine speaks later lie in parts of their own, each naming the part that it goes on from.

Parts are never changed. One is written under a temporary name and renamed; its name holds the hash
of its chains (the key) and of its bytes, so that it can be checked without anything beside it, and
so that a killed, repeated or concurrent writer leaves either a whole part or none.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from panelist.panels.chain import Chain, Turn
from panelist.panels.errors import PanelistError

TURNS = "turns"
SCORES = "scores"
CORRUPT = "corrupt"
LOCK = ".lock"

_NAME = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
    [
        pa.field("chain", pa.string(), nullable=False),
        pa.field("seed", _NAME, nullable=False),
        pa.field("replicate", pa.int32(), nullable=False),
        pa.field("turn", pa.int16(), nullable=False),
        pa.field("role", _NAME, nullable=False),
        pa.field("speaker", _NAME, nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("reasoning", pa.large_string(), nullable=False),
        pa.field("stop_reason", _NAME, nullable=False),
        pa.field("output_tokens", pa.int32()),
        pa.field("max_tokens", pa.int32()),
    ]
)
"""Columns of a part: those of `panels.chain.Turn` and the chain's; focal and partner are its
folders. `chain` is `chain_id`, from which with the manifest's base seed follows the sampling seed
of every turn."""

_LEG, _PARENT = b"panelist.leg", b"panelist.parent"
_DIGITS = 16


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One file of a corpus, by its name.

    Attributes:
        path: the file.
        focal, partner: whose chains it holds.
        key: hash of the ids of the chains that were asked for, and of their leg.
        digest: hash of its bytes; both are the first 16 hexadecimal digits of a sha256.
    """

    path: Path
    focal: str
    partner: str
    key: str
    digest: str

    @property
    def name(self) -> str:
        """What parts that go on from it call it."""
        return f"{self.key}.{self.digest}"


def folder_of(root: Path, focal: str, partner: str) -> Path:
    """The folder of a pair; names are percent-encoded, as Hive partitions are.

    >>> str(folder_of(Path("turns"), "vllm/a", "self"))
    'turns/focal=vllm%2Fa/partner=self'
    """
    return root / f"focal={quote(focal, safe='')}" / f"partner={quote(partner, safe='')}"


def part_at(path: Path) -> Part | None:
    """The part that lies at a path; None for a file that is none, such as a half-written one."""
    key, _, digest = path.stem.partition(".")
    kind, _, focal = path.parent.parent.name.partition("=")
    also, _, partner = path.parent.name.partition("=")
    named = (kind, also) == ("focal", "partner") and path.suffix == ".parquet"
    if not named or {len(key), len(digest)} != {_DIGITS}:
        return None
    return Part(path, unquote(focal), unquote(partner), key, digest)


def parts_in(folder: Path) -> list[Part]:
    """The parts of one pair's folder, in the order of their names."""
    if not folder.is_dir():
        return []
    found = (part_at(Path(entry.path)) for entry in os.scandir(folder))
    return sorted(part for part in found if part)


def parts(root: Path) -> Iterator[Part]:
    """Every part below `turns/` or a detector's scores, pair by pair."""
    for focal in sorted(root.glob("focal=*")):
        for pair in sorted(focal.glob("partner=*")):
            yield from parts_in(pair)


def read_part(part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a part, once its bytes were found to be what its name says.

    Raises:
        CorruptPart: they are not.
    """
    data = part.path.read_bytes()
    if sha256(data).hexdigest()[:_DIGITS] != part.digest:
        raise CorruptPart(part)
    return pq.read_table(pa.BufferReader(data), columns=columns)


def intact(part: Part) -> bool:
    """Whether a part's bytes are what its name says."""
    return sha256(part.path.read_bytes()).hexdigest()[:_DIGITS] == part.digest


def lineage(part: Part) -> tuple[int, str]:
    """Which leg of its chains a part holds, 0 for the first, and the part that it goes on from."""
    said = pq.read_schema(part.path).metadata or {}
    return int(said.get(_LEG, b"0")), said.get(_PARENT, b"").decode()


class CorruptPart(PanelistError):
    """A part whose bytes are not those that were written."""

    def __init__(self, part: Part) -> None:
        mend = "run the design again, which sets it aside and generates its chains anew"
        if SCORES in part.path.parts:
            mend = "run `panelist score` again, which makes it anew"
        super().__init__(
            f"{part.path}: corrupt, its bytes have not the hash {part.digest} of its name; {mend}"
        )
        self.part = part

    def __reduce__(self) -> tuple[type["CorruptPart"], tuple[Part]]:
        """It crosses processes."""
        return CorruptPart, (self.part,)


def key_of(chains: Sequence[str], leg: int = 0) -> str:
    """The key of the part that some chains, by id, are asked to make: the same for the same."""
    return sha256("\x1f".join((str(leg), *chains)).encode()).hexdigest()[:_DIGITS]


def write_part(
    root: Path,
    focal: str,
    partner: str,
    table: pa.Table,
    *,
    key: str,
    leg: int = 0,
    parent: str = "",
) -> Part:
    """Write a part, whole or not at all.

    Args:
        root: `turns/` of a corpus, or the folder of a detector's scores.
        focal, partner: whose chains these are.
        table: its rows.
        key: of the part (`key_of`).
        leg: which of its chains' legs it holds.
        parent: name of the part that they go on from.

    Raises:
        PanelistError: it cannot be written, for lack of room for instance.
    """
    if leg:
        table = table.replace_schema_metadata({_LEG: str(leg), _PARENT: parent})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=3)
    data = sink.getvalue()
    digest = sha256(data).hexdigest()[:_DIGITS]
    folder = folder_of(root, focal, partner)
    target = folder / f"{key}.{digest}.parquet"
    write_whole(target, data)
    return Part(target, focal, partner, key, digest)


def write_whole(target: Path, data: Any) -> None:
    """Write bytes under a temporary name, flush them to the disk, and rename.

    Raises:
        PanelistError: they cannot be written; nothing is left behind.
    """
    temporary = target.with_name(f".{target.name}.{uuid4().hex[:8]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as ex:
        temporary.unlink(missing_ok=True)
        raise PanelistError(
            f"{target}: cannot be written ({ex.strerror}); make room or mend the cause, and run it "
            "again: what is written already is kept"
        ) from ex


def set_aside(corpus: Path, part: Part) -> Path:
    """Move a part to `corrupt/`, where nothing reads it."""
    target = corpus / CORRUPT / part.path.relative_to(corpus)
    target.parent.mkdir(parents=True, exist_ok=True)
    part.path.replace(target)
    return target


def sweep(corpus: Path, *, scores: bool = False) -> None:
    """Remove what killed writers left half-written; only while nobody else writes there.

    Args:
        corpus: its folder, or one that holds several.
        scores: what writers of scores left, in place of all others.
    """
    for left in corpus.glob("**/.*.part"):
        if (SCORES in left.relative_to(corpus).parts) == scores:
            left.unlink()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; the system frees it when the process dies, however it dies.

    Raises:
        PanelistError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout as ex:
        raise PanelistError(
            f"{folder}: another run is writing to it; wait for it, or name another folder with -o"
        ) from ex


def table_of(chains: Sequence[Chain], first: int = 1) -> pa.Table:
    """The turns of chains from a turn on, one row each, in the order of the chains."""
    rows: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for chain in chains:
        for turn in chain.turns[first - 1 :]:
            rows["chain"].append(chain.id)
            rows["seed"].append(chain.seed)
            rows["replicate"].append(chain.replicate)
            rows["turn"].append(turn.index)
            for name in SCHEMA.names[4:]:
                rows[name].append(getattr(turn, name))
    return pa.table(rows, schema=SCHEMA)


def turns_of(table: pa.Table) -> dict[str, tuple[Turn, ...]]:
    """Turns by chain id, the inverse of `table_of`."""
    names = ("role", "speaker", "text", "reasoning", "stop_reason", "output_tokens", "max_tokens")
    columns: Mapping[str, list[Any]] = {name: table[name].to_pylist() for name in names}
    found: dict[str, list[Turn]] = {}
    for row, (chain, turn) in enumerate(
        zip(table["chain"].to_pylist(), table["turn"].to_pylist(), strict=True)
    ):
        made = Turn(index=turn, **{name: columns[name][row] for name in names})
        found.setdefault(chain, []).append(made)
    return {chain: tuple(turns) for chain, turns in found.items()}


def turns_up_to(here: Mapping[str, Part], name: str) -> dict[str, tuple[Turn, ...]]:
    """By chain of a part, all turns up to its end, those of the parts that it goes on from too.

    Args:
        here: the parts of its pair, by name.
        name: of the part; "" for none.
    """
    found: dict[str, tuple[Turn, ...]] = {}
    while name:
        part = here[name]
        before = turns_of(read_part(part))
        # Some of its chains may not go on: they failed.
        wanted = found.keys() or before.keys()
        found = {chain: (*before[chain], *found.get(chain, ())) for chain in wanted}
        name = lineage(part)[1]
    return found
