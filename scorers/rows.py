"""Scored turns to rows of the tidy table (`panelist.analysis.table`), whatever ran them."""

from collections.abc import Mapping, Sequence
from typing import Any

from panelist.scorers.records import UNSCORED

NAN = float("nan")

_SHARED = {"words": "words", "window_words": "window_words", "sentences": "sentences"}
"""Columns of the reply itself, and the fields of a record that they come from."""

_OWN = {
    "": "label",
    "_score": "probability",
    "_cues": "cues",
    "_window_cues": "window_cues",
    "_sentences": "cued_sentences",
}
"""Columns of one behaviour, by what follows its name."""


def outcomes(seen: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Status and numbers of one turn.

    Args:
        seen: for each behaviour, its record of the turn (`panelist.scorers.records.score_turns`).
            What is said of the reply itself is taken from the first.
    """
    first = next(iter(seen.values()))
    row: dict[str, Any] = {
        "turn": first["turn"],
        "status": first["status"],
        "spans": first["spans"],
        "partner_words": float(first["partner_words"]),
    }
    scored = first["status"] not in UNSCORED
    numbers = {column: first[field] for column, field in _SHARED.items()}
    for behaviour, record in seen.items():
        row[f"partner_{behaviour}_cues"] = float(record["partner_cues"])
        numbers |= {behaviour + suffix: record[field] for suffix, field in _OWN.items()}
    there = {name for name, value in numbers.items() if scored and value is not None}
    return row | {name: float(numbers[name]) if name in there else NAN for name in numbers}


def no_outcome(behaviours: Sequence[str]) -> dict[str, Any]:
    """The row of a chain that failed."""
    columns = ["partner_words", *_SHARED]
    for behaviour in behaviours:
        columns += [f"partner_{behaviour}_cues", *(behaviour + suffix for suffix in _OWN)]
    return {"status": "error", **dict.fromkeys(columns, NAN)}
