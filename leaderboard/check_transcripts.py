"""Parquet of strangers: opened only as far as it has been shown to be harmless.

A file of a few hundred bytes can expand to gigabytes, and what its footer says of that need not be
true. So text columns are read as dictionaries first, batch by batch, and what they would expand to
is summed up before anything is expanded.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from panelist.leaderboard.faults import Fault, shown
from panelist.leaderboard.sandbox import little
from panelist.leaderboard.submission import SCHEMA, TRANSCRIPTS

ROWS = 200_000
"""Turns at most: three panels of the tier full have 26,600."""

LONGEST = 200_000
"""Bytes of one text at most."""

EXPANDED = 160_000_000
"""Bytes of all texts at most: 12,000 for each chain of all panels at the tier full."""

SMALLEST = 12
"""Bytes of a Parquet file: both magic words and the length of its footer."""

BATCH = 512
"""Rows that are measured at a time."""

ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"(\xb5/\xfd": "zstd",
    b"7z\xbc\xaf": "7z",
}

_TEXTS = [field.name for field in SCHEMA if pa.types.is_string(field.type)]


def read_transcripts(path: Path, rows: int) -> tuple[pa.Table | None, list[Fault]]:
    """The turns of a submission, and why they cannot be read.

    Args:
        path: of the file.
        rows: that the manifest says.
    """
    with path.open("rb") as file:
        head = file.read(8)
        size = file.seek(0, 2)
        file.seek(max(0, size - 4))
        tail = file.read()
    if kind := next((kind for magic, kind in ARCHIVES.items() if head.startswith(magic)), None):
        return None, [_fault("archive-inside", "", kind)]
    if b"PARE" in (head[:4], tail):
        return None, [_fault("parquet-encrypted")]
    if head[:4] != b"PAR1":
        return None, [_fault("not-parquet", "", head[:4])]
    if size < SMALLEST or tail != b"PAR1":
        return None, [_fault("parquet-truncated")]
    try:
        return _read(path, rows)
    except (pa.ArrowMemoryError, MemoryError):
        return None, [_fault("parquet-bomb", "", "more than the reader's memory")]
    except (pa.ArrowException, OSError, ValueError, UnicodeDecodeError) as ex:
        return None, [_fault("not-parquet", "", str(ex))]


def _fault(code: str, field: str = "", got: Any = "", expected: str = "") -> Fault:
    return Fault(code, TRANSCRIPTS, field, None, shown(got), expected)


def _read(path: Path, rows: int) -> tuple[pa.Table | None, list[Fault]]:
    file = pq.ParquetFile(path, memory_map=False)
    if file.metadata.num_rows > ROWS:
        return None, [_fault("too-many-rows", "", file.metadata.num_rows, f"at most {ROWS}")]
    if faults := _columns(file.schema_arrow):
        return None, faults
    if file.metadata.num_rows != rows:
        said = file.metadata.num_rows
        return None, [_fault("row-count", "", said, str(rows))]
    if strange := _metadata(file):
        return None, [Fault("unknown-key", TRANSCRIPTS, shown(strange), mend="Leave it out")]
    with little():
        fault = _too_large(path)
    if fault:
        return None, [fault]
    table = file.read()
    for name in SCHEMA.names:
        if not SCHEMA.field(name).nullable and table[name].null_count:
            return None, [_fault("wrong-column-type", name, "a null", "a value in every row")]
    table = table.cast(SCHEMA)
    table.validate(full=True)
    return table, []


def _metadata(file: pq.ParquetFile) -> str:
    """A key in the footer beside Arrow's own; it would be published unread. "" for none."""
    keys = set(file.metadata.metadata or {}) - {b"ARROW:schema"} | set(
        file.schema_arrow.metadata or {}
    )
    for field in file.schema_arrow:
        keys |= set(field.metadata or {}) - {b"PARQUET:field_id"}
    return min(keys).decode("utf-8", "replace") if keys else ""


def _columns(schema: pa.Schema) -> list[Fault]:
    faults = []
    for field in schema:
        if pa.types.is_nested(field.type) or isinstance(field.type, pa.BaseExtensionType):
            faults.append(_fault("nested-type", shown(field.name), str(field.type)))
    if not faults and schema.names != SCHEMA.names:
        found = ", ".join(shown(name, 30) for name in schema.names[:20])
        faults.append(_fault("wrong-column", "", found, ", ".join(SCHEMA.names)))
    if not faults:
        for field in SCHEMA:
            got = schema.field(field.name).type
            if got != field.type:
                faults.append(_fault("wrong-column-type", field.name, str(got), str(field.type)))
    return faults


def _too_large(path: Path) -> Fault | None:
    """What the texts expand to, summed up a few rows at a time."""
    file = pq.ParquetFile(path, memory_map=False)
    expanded = 0
    for batch in file.iter_batches(batch_size=BATCH, columns=_TEXTS, use_threads=False):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            lengths = pc.binary_length(column)
            longest = pc.max(lengths).as_py() or 0
            if longest > LONGEST:
                return _fault("parquet-bomb", name, f"{longest} B", f"a text of {LONGEST} B")
            expanded += pc.sum(lengths).as_py() or 0
            if expanded > EXPANDED:
                return _fault("parquet-bomb", name, f"{expanded} B", f"{EXPANDED} B in all")
    return None
