"""Human-labelled sets: how they are read, and what is known of the people who labelled them.

A folder of labels holds `<behaviour>/<corpus>.<split>.jsonl`, one JSON object a line:

| field | type | meaning |
|---|---|---|
| id | str | names the row; may stand twice |
| conv | str | the conversation, the unit of resampling; may be absent in `rated` |
| text | str | the turn that was labelled |
| context | str, optional | the turn before it, by another speaker |
| label | 0 or 1 | whether the behaviour is there; absent in `rated` |
| rating | number | mean human rating, higher is more assertive; needed in `rated` only |
| author, domain | str, optional | who wrote the text, and about what |

The labels are not part of this package: several of the corpora may not be passed on.
"""

import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from panelist.panels.errors import PanelistError
from panelist.scorers.detector import BEHAVIOURS, Behaviour

SPLITS = ("train", "test", "heldout", "rated")

COLUMNS = ("id", "conv", "text", "context", "label", "author", "domain", "rating")

LAYOUT = "<behaviour>/<corpus>.<split>.jsonl, such as repair/mrda_q.test.jsonl"

HUMAN_CEILING = {
    ("hedging", "epint"): "GPT-4 answers: Spearman 0.83",
    ("hedging", "llmconf"): "Spearman 0.61",
    ("hedging", "swda"): "kappa 0.80 (*)",
    ("repair", "mrda"): "kappa 0.8 (*)",
    ("repair", "swda"): "kappa 0.80 (*)",
    ("repair", "maptask"): "kappa 0.83 (*)",
    ("repair", "stac"): "kappa 0.6 to 0.7 (*)",
    ("repair", "molweni"): "Fleiss kappa 0.56 (*)",
    ("challenge", "mrda"): "kappa 0.8 (*)",
    ("challenge", "swda"): "kappa 0.80 (*)",
    ("challenge", "stac"): "kappa 0.6 to 0.7 (*)",
    ("challenge", "subreddit"): "kappa 0.80 to 0.82",
    ("challenge", "mrbench"): "kappa 0.65 to 0.71 (*)",
}
"""How well people agree, by behaviour and corpus family.

The two Spearman ceilings are computed from the spread of the raters; subreddit's is its authors'
(over three classes). An asterisk marks a figure quoted from memory, of a whole tag set.
"""


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """One file of labels.

    Attributes:
        behaviour, corpus, split: from its path.
        table: a row a line, in the order of the file, with `COLUMNS`; label is 0, 1 or, in `rated`,
            missing; rating is NaN, and context, author and domain "" where there is none.
        sha256: of the file's bytes.
    """

    behaviour: Behaviour
    corpus: str
    split: str
    table: pd.DataFrame
    sha256: str

    @property
    def file(self) -> str:
        """Its path within the folder of labels."""
        return f"{self.behaviour}/{self.corpus}.{self.split}.jsonl"

    @property
    def ceiling(self) -> str:
        """How well people agree on it; "" where it is not known."""
        return HUMAN_CEILING.get((self.behaviour, family(self.corpus)), "")

    def cut(self, limit: int | None) -> "LabelledSet":
        """At most so many rows, the same ones every time, whatever their order and label."""
        if limit is None or len(self.table) <= limit:
            return self
        keys = [
            sha256(f"{i} {text}".encode()).hexdigest() for i, text in self.table["text"].items()
        ]
        rows = sorted(np.argsort(keys)[:limit])
        return replace(self, table=self.table.iloc[rows].reset_index(drop=True))

    def facts(self) -> dict[str, Any]:
        """What may be published of it: no text, no id."""
        return {
            "behaviour": self.behaviour,
            "corpus": self.corpus,
            "split": self.split,
            "n": len(self.table),
            "base_rate": None if self.split == "rated" else float(self.table["label"].mean()),
            "conversations": int(self.table["conv"].nunique()),
            "ceiling": self.ceiling,
            "file": self.file,
            "sha256": self.sha256,
        }


def family(corpus: str) -> str:
    """The corpus that sibling sets were taken from.

    >>> family("mrda_q"), family("llmconf_raw"), family("pei_science")
    ('mrda', 'llmconf', 'pei_science')
    """
    return re.sub(r"_(q|raw|confirmed|llm|human)$", "", corpus)


def read_labels(
    folder: Path, splits: Collection[str] = ("test", "rated"), behaviours: Collection[str] = ()
) -> list[LabelledSet]:
    """All sets of these splits (and, if any are named, behaviours), by behaviour, corpus and split.

    Raises:
        PanelistError: there is none, or a file is named or filled wrongly.
    """
    found = []
    for behaviour in BEHAVIOURS:
        for path in sorted((folder / behaviour).glob("*.jsonl")):
            split = path.name.split(".")[-2]
            if split not in SPLITS or path.name.count(".") != 2:
                raise PanelistError(f"{path}: its name must be {LAYOUT}; splits: {SPLITS}")
            if split in splits and (not behaviours or behaviour in behaviours):
                found.append(read_set(path))
    if not found:
        raise PanelistError(
            f"{folder}: holds no labels of the splits {', '.join(splits)}; give a folder that "
            f"holds {LAYOUT}"
        )
    return sorted(found, key=lambda s: (BEHAVIOURS.index(s.behaviour), s.corpus, s.split))


def read_set(path: Path) -> LabelledSet:
    """One file; its behaviour, corpus and split are those of its path.

    Raises:
        PanelistError: it cannot be read, has no rows, or a row is not as the module says.
    """
    corpus, split, _ = path.name.rsplit(".", 2)
    behaviour = next((b for b in BEHAVIOURS if b == path.parent.name), None)
    if behaviour is None:
        raise PanelistError(f"{path}: lies in none of the folders {', '.join(BEHAVIOURS)}")
    try:
        content = path.read_bytes()
    except OSError as ex:
        raise PanelistError(f"{path}: cannot read the labels ({ex.strerror})") from ex
    # Not splitlines, which would break a text at U+2028 and its like.
    rows = [
        _Row(path, number, line).read(rated=split == "rated")
        for number, line in enumerate(content.split(b"\n"), 1)
        if line.strip()
    ]
    if not rows:
        raise PanelistError(f"{path}: has no rows; remove it, or write one JSON object a line")
    # Object columns: the str type of pandas 3 refuses the lone surrogates that JSON can hold.
    table = pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=object) for name in COLUMNS}
    )
    table = table.astype({"rating": "float64", "label": "Int64" if split == "rated" else "int64"})
    return LabelledSet(behaviour, corpus, split, table, sha256(content).hexdigest())


class _Row:
    """One line of a file, which knows where it stands."""

    def __init__(self, path: Path, number: int, line: bytes) -> None:
        self.where = f"{path}, line {number}"
        try:
            self.fields: dict[str, Any] = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as ex:  # ValueError: bad UTF-8, JSON, or a huge number
            raise PanelistError(
                f"{self.where}: not JSON ({ex}); write one object a line, in UTF-8"
            ) from ex
        if not isinstance(self.fields, dict):
            raise self._error("row", self.fields, "write a JSON object")
        self.number = number

    def read(self, *, rated: bool) -> dict[str, Any]:
        return {
            "id": self._text("id"),
            # Without a conversation a row stands for itself.
            "conv": self._text("conv") if "conv" in self.fields or not rated else f"#{self.number}",
            "text": self._text("text"),
            "context": self._optional("context"),
            "label": None if rated else self._label(),
            "author": self._optional("author"),
            "domain": self._optional("domain"),
            "rating": self._rating(needed=rated),
        }

    def _text(self, name: str) -> str:
        value = self._needed(name)
        if not isinstance(value, str) or not value.strip():
            raise self._error(name, value, "write a string that is not empty")
        return value

    def _optional(self, name: str) -> str:
        value = self.fields.get(name)
        if not (value is None or isinstance(value, str)):
            raise self._error(name, value, "write a string, or leave it out")
        return value or ""

    def _label(self) -> int:
        value = self._needed("label")
        if isinstance(value, bool) or value not in (0, 1):
            raise self._error("label", value, "write 0 (absent) or 1 (present)")
        return int(value)

    def _rating(self, *, needed: bool) -> float:
        value = self._needed("rating") if needed else self.fields.get("rating")
        if value is None and not needed:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error("rating", value, "write a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._error("rating", value, "write a finite number")
        return number

    def _needed(self, name: str) -> Any:
        if name not in self.fields:
            raise PanelistError(f"{self.where}: lacks the field {name}; add it")
        return self.fields[name]

    def _error(self, name: str, value: object, remedy: str) -> PanelistError:
        said = repr(value)
        said = said if len(said) <= 60 else f"{said[:57]}..."
        return PanelistError(f"{self.where}, {name}: {said}; {remedy}")
