"""The folder that raters label in: written whole, and read back with care.

| file | for whom | holds |
|---|---|---|
| items.jsonl | raters | id, partner (the turn before), reply |
| rater-1.csv, rater-2.csv | a rater with a spreadsheet | the same, and an empty column label |
| label.html | a rater with a browser | the same, with the definition; works without a network |
| key.jsonl | nobody before both have finished | one line for every reply that could be drawn |
| adjudicated.csv | both raters | their disagreements, to be decided; written by `adjudicate` |
"""

import csv
import io
import json
import re
import shutil
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from tempfile import NamedTemporaryFile, mkdtemp
from typing import Any

import pandas as pd

from panelist.analysis.table import KEY
from panelist.panels.errors import PanelistError
from panelist.scorers.detector import Behaviour
from panelist.scorers.judge_rubric import RUBRICS
from panelist.scorers.labelling_raters import Label, has_labels, listed, read_rater, rows

KEY_COLUMNS = (
    "id",
    *KEY,
    "status",
    "drawn",
    "sampling_probability",
    "detector_label",
    "detector_probability",
    "behaviour",
    "detector",
    "detector_version",
)
"""Columns of the key, one row a scored reply of the logs.

| column | meaning |
|---|---|
| id | opaque; the same reply has the same id in every sample of one seed |
| focal, partner, seed, replicate, turn, status | as in the tidy table |
| drawn | whether it is in items.jsonl |
| sampling_probability | drawn replies / replies of its stratum, focal x partner |
| detector_label, detector_probability | 0 or 1; in [0, 1], null where the logs do not hold it |
| behaviour, detector, detector_version | what was detected, and by what |
"""

RATERS = ("rater-1", "rater-2")

ADJUDICATED = "adjudicated.csv"
"""Where the raters' disagreements are written, and decided."""

_FORMULA = re.compile(r"[\s\x00]*[=+\-@＝＋－＠]|[\t\r\n]")
"""What a spreadsheet may take for a formula at the start of a cell (OWASP, "CSV Injection")."""


def write_folder(folder: Path, items: Sequence[dict[str, str]], key: pd.DataFrame) -> None:
    """Write the folder under a temporary name, then rename it: all of it or nothing."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        temporary.chmod(0o755)
        body = _lines(items)
        (temporary / "items.jsonl").write_bytes(body)
        nulls = key.astype(object).where(key.notna(), None)
        (temporary / "key.jsonl").write_bytes(_lines(nulls.to_dict("records")))
        for rater in RATERS:
            (temporary / f"{rater}.csv").write_bytes(
                to_csv([{"id": i["id"], "label": "", **i} for i in items])
            )
        behaviour = str(key["behaviour"].iloc[0])
        page = to_page(behaviour, items, sha256(body).hexdigest()[:16])  # type: ignore[arg-type]
        (temporary / "label.html").write_text(page, encoding="utf-8")
        if folder.exists():  # empty
            folder.rmdir()
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _lines(rows: Sequence[dict[Any, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode("ascii")


def to_csv(rows: Sequence[dict[str, str]]) -> bytes:
    """A table for a spreadsheet: UTF-8 with a byte-order mark, no cell that runs as a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(rows[0])
    writer.writerows([plain_cell(value) for value in row.values()] for row in rows)
    return out.getvalue().encode("utf-8-sig", "replace")


def plain_cell(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would run it as a formula.

    >>> plain_cell("=1+1"), plain_cell("1+1")
    ("'=1+1", '1+1')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def to_page(behaviour: Behaviour, items: Sequence[dict[str, str]], sample_id: str) -> str:
    """The page to label in, one self-contained file; texts are data in it, never markup."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    source = files("panelist.scorers").joinpath("label.html").read_text(encoding="utf-8")
    data = {"behaviour": behaviour, "sample": sample_id, "items": list(items)}
    # `tojson` writes <, >, & and ' as escapes: no text can close the script that holds it.
    return environment.from_string(source).render(
        behaviour=behaviour, rubric=RUBRICS[behaviour], data=data, raters=RATERS
    )


def read_items(path: Path) -> tuple[list[dict[str, str]], str]:
    """The items, and the id of the sample: the start of their hash."""
    items = _read_lines(path)
    for number, item in enumerate(items, 1):
        if not all(isinstance(item.get(name), str) for name in ("id", "partner", "reply")):
            raise PanelistError(
                f"{path}, line {number}: lacks id, partner or reply; restore the file that "
                "`panelist label sample` wrote"
            )
    return items, sha256(path.read_bytes()).hexdigest()[:16]


def read_key(path: Path, ids: Sequence[str]) -> pd.DataFrame:
    key = pd.DataFrame(_read_lines(path))
    if lacking := [name for name in KEY_COLUMNS if name not in key]:
        raise PanelistError(
            f"{path}: lacks {', '.join(lacking)}; restore the file that `panelist label sample` "
            "wrote"
        )
    drawn = key.loc[key["drawn"].astype(bool), "id"]
    if odd := sorted(set(drawn).symmetric_difference(ids)) or sorted(drawn[drawn.duplicated()]):
        raise PanelistError(
            f"{path}: does not belong to items.jsonl beside it: {listed(odd)}; restore both files"
        )
    return key


def _read_lines(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_bytes().splitlines()
        found = [json.loads(line) for line in lines]
    except OSError as ex:
        raise PanelistError(
            f"{path}: {ex.strerror}; give the folder that `panelist label sample` wrote"
        ) from ex
    except (ValueError, RecursionError) as ex:
        raise PanelistError(f"{path}: not JSON lines ({ex}); restore the file") from ex
    if not found or not all(isinstance(row, dict) for row in found):
        raise PanelistError(f"{path}: holds no rows, or rows that are none; restore the file")
    return found


def rater_file(folder: Path, rater: str) -> Path:
    paths = [folder / f"{rater}.json", folder / f"{rater}.csv"]
    found = [path for path in paths if has_labels(path)]
    if len(found) != 1:
        names = " and ".join(path.name for path in paths)
        said = f"both {names} hold labels; remove one" if found else f"no labels in {names}"
        raise PanelistError(
            f"{folder}: {said}. A rater fills {rater}.csv, or saves {rater}.json from label.html "
            "into this folder"
        )
    return found[0]


def adjudicate(
    path: Path,
    items: Sequence[dict[str, str]],
    disputed: Sequence[str],
    first: dict[str, Label],
    second: dict[str, Label],
) -> dict[str, Label]:
    """What stands decided in the file; it is written where it lacks a disputed reply."""
    decided: dict[str, Label] = {}
    there: set[str] = set()
    if path.is_file():
        decided = read_rater(path, [item["id"] for item in items], complete=False)
        there = {name for _, name, _ in rows(path)}
    if not there.issuperset(disputed):
        wanted = {*disputed, *there}
        sheet = [
            {
                "id": item["id"],
                "label": decided.get(item["id"], ""),
                "rater_1": first[item["id"]],
                "rater_2": second[item["id"]],
                "partner": item["partner"],
                "reply": item["reply"],
            }
            for item in items
            if item["id"] in wanted
        ]
        _write(path, to_csv(sheet))
    return decided


def _write(path: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        file.write(content)
    temporary = Path(file.name)
    try:
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise
