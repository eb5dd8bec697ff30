"""Tidy tables to files, frame by frame."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from panelist.analysis.table import check_table
from panelist.panels.errors import PanelistError
from panelist.panels.manifest import NAME
from panelist.scorers.corpus_table import Corpus
from panelist.scorers.lm_eval import read_lm_eval
from panelist.scorers.logs import read_logs


def tidy_tables(
    paths: Sequence[Path], *, behaviour: str | None = None, texts: bool = True
) -> Iterator[pd.DataFrame]:
    """The tidy table of logs, lm-eval samples or a corpus; of a corpus, pair by pair.

    Args:
        paths: logs and folders of them, `.jsonl` files of lm-eval, or one corpus.
        behaviour: only logs of this behaviour's task.
        texts: of a corpus, with what was said.

    Raises:
        PanelistError: a path is none of these, or a corpus stands beside something else.
    """
    if corpora := [path for path in paths if (path / NAME).exists()]:
        if len(paths) > 1:
            raise PanelistError(f"{corpora[0]}: a corpus is a table of its own; give it alone")
        yield from Corpus(corpora[0]).tables(texts=texts)
        return
    samples = [path for path in paths if path.suffix == ".jsonl"]
    logs = [path for path in paths if path not in samples]
    parts = [read_lm_eval(path) for path in samples]
    if logs:
        parts.append(read_logs(logs, behaviour=behaviour)[1])
    yield check_table(pd.concat(parts, ignore_index=True))


def write_tables(frames: Iterator[pd.DataFrame], output: Path) -> int:
    """Write frames of one table to a .parquet or .csv file, whole or not at all.

    Returns:
        Number of rows.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(output.name + ".part")
    count = 0
    try:
        if output.suffix == ".csv":
            for frame in frames:
                frame.to_csv(temporary, mode="a" if count else "w", header=not count, index=False)
                count += len(frame)
        else:
            count = _parquet(frames, temporary)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _parquet(frames: Iterator[pd.DataFrame], path: Path) -> int:
    writer: pq.ParquetWriter | None = None
    count = 0
    try:
        for frame in frames:
            schema = writer.schema if writer else _schema(frame)
            table = pa.Table.from_pandas(frame, schema, preserve_index=False)
            writer = writer or pq.ParquetWriter(path, schema, compression="zstd")
            writer.write_table(table)
            count += len(frame)
    finally:
        if writer:
            writer.close()
    return count


def _schema(frame: pd.DataFrame) -> pa.Schema:
    """Of a whole table, told from its first frame, in which some lists may be empty."""
    found = pa.Schema.from_pandas(frame, preserve_index=False)
    if "spans" in frame:
        spans = pa.field("spans", pa.list_(pa.list_(pa.int64())))
        found = found.set(found.get_field_index("spans"), spans)
    return found
