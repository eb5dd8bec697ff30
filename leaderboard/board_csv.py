"""The board as a flat table, one row a checkpoint and behaviour: board.csv, board.parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from panelist.leaderboard.board_words import Value, discrimination

if TYPE_CHECKING:
    import pandas as pd

FACTS = (
    "id",
    "name",
    "family",
    "base",
    "recipe",
    "parameters",
    "class",
    "trust",
    "model",
    "engine",
    "dtype",
    "quantization",
    "template",
    "package",
    "submitter",
    "date",
    "licence",
    "source",
    "hardware",
    "superseded_by",
)
COUNTS = ("tier", "seeds", "complete_seeds", "replies", "expected", "aa_replies", "chains", "lost")
METRICS = ("level", "shift", "d_prime")

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""First characters that make a spreadsheet take a text for a formula."""


def to_frame(board: Mapping[str, Any]) -> pd.DataFrame:
    """One row a checkpoint and behaviour; where there is no number, its `_why` says why."""
    import pandas as pd

    frame = pd.DataFrame(_records(board), columns=list(_types()))
    return frame.astype(_types())


def to_csv(board: Mapping[str, Any]) -> str:
    """The same for a spreadsheet: no text can run as a formula, numbers stay numbers."""
    text = io.StringIO(newline="")
    # With "\n" alone, Python 3.11 leaves a cell that holds "\r" unquoted: two lines to a reader.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_types())
    for record in _records(board):
        writer.writerow([_cell(record[column]) for column in _types()])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _types() -> dict[str, str]:
    """Columns in order, with their pandas types."""
    types = {"board": "string", "behaviour": "string"}
    types |= {f: "Float64" if f == "parameters" else "string" for f in FACTS}
    types |= {"weights_kind": "string", "weights": "string"}
    types |= {"detector": "string", "detector_version": "string", "detector_status": "string"}
    types |= {c: "string" if c == "tier" else "Int64" for c in COUNTS}
    for metric in (*METRICS, "words"):
        types |= {metric: "Float64", f"{metric}_low": "Float64", f"{metric}_high": "Float64"}
        types |= {f"{metric}_why": "string"}
    types |= {"d_prime_pair": "string"}
    for metric in METRICS:
        types |= {f"{metric}_rank_{part}": "Int64" for part in ("low", "high", "tied")}
        types |= {f"{metric}_rank_why": "string"}
    return types | {"shift_p": "Float64", "floor_p": "Float64"}


def _records(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for row in board["rows"]:
        for behaviour in board["behaviours"]:
            if behaviour in row["panels"]:
                found.append(_record(board, row, behaviour))
    return found


def _record(board: Mapping[str, Any], row: Mapping[str, Any], behaviour: str) -> dict[str, Any]:
    panel, detector = row["panels"][behaviour], board["detectors"].get(behaviour, {})
    record: dict[str, Any] = {"board": board["version"], "behaviour": behaviour}
    record |= {fact: _text(row[fact]) for fact in FACTS}
    record |= {"weights_kind": _text(row["weights"]["kind"])}
    record |= {"weights": _text(row["weights"]["value"])}
    record |= {"detector": detector.get("name"), "detector_version": detector.get("version")}
    record |= {"detector_status": detector.get("status")}
    record |= {count: panel[count] for count in COUNTS}
    values = {"level": panel["level"], "shift": panel["shift"], "words": panel["words"]}
    pair, d_prime = discrimination(panel)
    for name, value in (values | {"d_prime": d_prime}).items():
        record |= _interval(name, value)
    record |= {"d_prime_pair": _text(pair) or None}
    for metric in METRICS:
        rank = panel["ranks"].get(metric, {"why": "Not ranked by this."})
        record |= {f"{metric}_rank_{p}": rank.get(p) for p in ("low", "high", "tied", "why")}
    return record | {"shift_p": panel["shift_p"], "floor_p": panel["floor_p"]}


def _interval(name: str, value: Value) -> dict[str, Any]:
    return {
        name: value.get("estimate"),
        f"{name}_low": value.get("low"),
        f"{name}_high": value.get("high"),
        f"{name}_why": value.get("why"),
    }


def _text(value: Any) -> Any:
    """Text that UTF-8 can carry: JSON may hold a lone surrogate."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
