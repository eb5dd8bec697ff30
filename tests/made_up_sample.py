"""A made-up table of replies, and a sample of it with two made-up raters."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from panelist.analysis.table import KEY
from panelist.scorers.labelling_folder import KEY_COLUMNS, to_csv, write_folder
from panelist.scorers.labelling_sample import draw


def replies(seeds: int = 30, replicates: int = 2, **rates: float) -> pd.DataFrame:
    """A tidy table of two focals and three partners, hedging at the rates of the partners."""
    rng = np.random.default_rng(7)
    rates = rates or {"low": 0.2, "mid": 0.4, "high": 0.6}
    return pd.DataFrame(
        {
            "focal": focal,
            "partner": partner,
            "seed": f"s{seed}",
            "replicate": replicate,
            "turn": 2,
            "status": "ok",
            "hedging": float(rng.random() < rate),
            "partner_text": f"{partner} opens {seed}",
            "text": f"{focal} replies to {partner} on {seed}, {replicate}",
        }
        for focal in ("f1", "f2")
        for partner, rate in rates.items()
        for seed in range(seeds)
        for replicate in range(1, replicates + 1)
    )


def write(folder: Path, n: int = 60, table: pd.DataFrame | None = None) -> pd.DataFrame:
    """A sample's folder, without logs."""
    table = replies() if table is None else table
    key = draw(table, "hedging", n, 0).assign(detector="made-up", detector_version="1")
    drawn = key[key["drawn"]]
    texts = table.set_index(KEY)
    items = [
        {"id": row["id"], "partner": said["partner_text"], "reply": said["text"]}
        for row in drawn.to_dict("records")
        for said in [texts.loc[tuple(row[name] for name in KEY)]]
    ]
    write_folder(folder, items, key[list(KEY_COLUMNS)])
    return key


def ids_in(folder: Path) -> list[str]:
    return [item["id"] for item in lines(folder / "items.jsonl")]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def fill(path: Path, labels: dict[str, str]) -> None:
    """As a spreadsheet fills."""
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    path.write_bytes(to_csv([row | {"label": labels.get(row["id"], row["label"])} for row in rows]))


def save_with_sample(folder: Path, name: str, labels: dict[str, str]) -> None:
    page = (folder / "label.html").read_text()
    sample_id = re.findall(r'"sample": "([0-9a-f]+)"', page)[0]
    (folder / name).write_text(json.dumps({"sample": sample_id, "labels": labels}))
