"""A rater's labels: a table saved by a spreadsheet, or the JSON that label.html saves.

Spreadsheets change what they open: they add or drop the byte-order mark, write semicolons or tabs
for commas, another encoding, empty rows and columns, and may reflow the texts. Only the columns id
and label are read; the texts are those of items.jsonl.
"""

import csv
import io
import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal

from panelist.panels.errors import PanelistError

Label = Literal["1", "0", "unsure"]

LABELS: tuple[Label, ...] = ("1", "0", "unsure")
"""The behaviour is there, is not there, cannot be told."""

Row = tuple[str, str, str]
"""Where it stands, id, label as given."""

MOST_LISTED = 5
"""Ids that an error names at most."""


def read_rater(
    path: Path,
    ids: Collection[str],
    *,
    sample_id: str = "",
    complete: bool = True,
) -> dict[str, Label]:
    """The labels of a file by id, in the order of `ids`.

    Args:
        path: .csv or .json.
        ids: the replies that were given to the rater.
        sample_id: of the sample; a JSON file that says another one is refused.
        complete: whether every reply must have a label.

    Raises:
        PanelistError: the file cannot be read; an id is unknown or stands twice, a label is none of
            `LABELS`, or, if complete, one is missing.
    """
    found: dict[str, Label] = {}
    known = set(ids)
    for where, name, given in rows(path, sample_id):
        if name not in known:
            raise PanelistError(
                f"{where}, id: {_said(name)} is not in this sample; was the file made from another "
                "one, or the cell changed?"
            )
        if name in found:
            raise PanelistError(f"{where}, id: {name!r} stands twice; keep one of them")
        label = given.strip().lower()
        if label in LABELS:
            found[name] = label
        elif label:
            raise PanelistError(
                f"{where}, label: {_said(given)}; write 1 (there), 0 (not there) or unsure"
            )
    missing = [name for name in ids if name not in found]
    if complete and missing:
        raise PanelistError(
            f"{path}: {len(missing)} of {len(known)} replies have no label: {listed(missing)}; "
            "label them, or write unsure"
        )
    return {name: found[name] for name in ids if name in found}


def has_labels(path: Path) -> bool:
    """Whether a rater's file is there and holds any label.

    Raises:
        PanelistError: it cannot be read.
    """
    return path.is_file() and any(given.strip() for _, _, given in rows(path))


def rows(path: Path, sample_id: str = "") -> list[Row]:
    """The rows of a rater's file as they stand, unchecked; arguments and errors as `read_rater`."""
    content = _content(path)
    if path.suffix.lower() == ".json":
        return _json(path, content, sample_id)
    return _table(path, content)


def listed(names: Iterable[str]) -> str:
    """The first few of them."""
    some = list(names)
    more = f" and {len(some) - MOST_LISTED} more" if len(some) > MOST_LISTED else ""
    return ", ".join(some[:MOST_LISTED]) + more


def _content(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as ex:
        raise PanelistError(f"{path}: cannot read the labels ({ex.strerror})") from ex
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):  # a spreadsheet's "Unicode text"
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Ids and labels are ASCII: any of the old one-byte encodings reads them.
        return raw.decode("latin-1")


def _table(path: Path, content: str) -> list[Row]:
    content = re.sub(r"\A\"?sep=[,;\t]\"?\s*", "", content, flags=re.IGNORECASE)
    head = re.split(r"[\r\n]", content, maxsplit=1)[0]
    delimiter = max(",;\t", key=head.count)
    limit = csv.field_size_limit(max(csv.field_size_limit(), len(content)))
    try:
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
        lines = [(reader.line_num, row) for row in reader]
    except csv.Error as ex:
        raise PanelistError(
            f"{path}: not a table ({ex}); save it as CSV again, or label in label.html"
        ) from ex
    finally:
        csv.field_size_limit(limit)
    columns = [cell.strip().lower() for cell in lines[0][1]] if lines else []
    at = {}
    for name in ("id", "label"):
        if columns.count(name) != 1:
            raise PanelistError(
                f"{path}, first line: has {columns.count(name)} columns {name!r}; it must hold "
                f"id and label once, found {_said(', '.join(columns))}"
            )
        at[name] = columns.index(name)
    pairs = []
    for line, row in lines[1:]:
        if not any(cell.strip() for cell in row):
            continue
        cells = [*row, *[""] * len(columns)]  # a spreadsheet may drop empty cells at the end
        pairs.append((f"{path}, line {line}", cells[at["id"]].strip(), cells[at["label"]]))
    return pairs


def _json(path: Path, content: str, sample_id: str) -> list[Row]:
    try:
        data = json.loads(content, object_pairs_hook=_Object)
    except (ValueError, RecursionError) as ex:
        raise PanelistError(f"{path}: not JSON ({ex}); save it from label.html again") from ex
    labels = data.first("labels") if isinstance(data, _Object) else None
    if not isinstance(data, _Object) or not isinstance(labels, _Object):
        raise PanelistError(f"{path}: has no labels by id; save it from label.html again")
    given = data.first("sample")
    if sample_id and given != sample_id:
        raise PanelistError(
            f"{path}, sample: {_said(given)}, but this folder's is {sample_id!r}; the labels are "
            "of another sample"
        )
    return [
        (f"{path}, labels", name, label if isinstance(label, str) else json.dumps(label))
        for name, label in labels
    ]


class _Object(list[tuple[str, Any]]):
    """A JSON object as its pairs, so that a name that stands twice is seen."""

    def first(self, name: str) -> Any:
        return next((value for key, value in self if key == name), None)


def _said(value: object) -> str:
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:57]}..."
