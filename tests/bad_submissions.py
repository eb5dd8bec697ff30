"""Submissions made without a model: a good one, and one for every reason to refuse one.

python tests/bad_submissions.py OUT    writes them all
"""

import json
import random
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from panelist.leaderboard.submission import (
    ATTESTATIONS,
    FORMAT,
    MANIFEST,
    ORDER,
    RUN,
    SCHEMA,
    TRANSCRIPTS,
    canonical,
    folder_name,
)
from panelist.panels.bank import BANKS, find_bank
from panelist.panels.chain import chain_id
from panelist.panels.checkpoint import find_checkpoint
from panelist.panels.coverage import covered_seeds
from panelist.panels.protocol import BENCHMARK, prompt_sha256
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier

NAME = "smollm2-135m-instruct"
DAY = "2026-11-10"

Rows = list[dict[str, Any]]
Json = dict[str, Any]

OPENERS = ("Perhaps", "I think", "It may be that", "Clearly", "No doubt", "In fact", "Yes,", "No,")


@cache
def turns(panel: str, name: str, salt: str) -> Rows:
    """Both turns of every chain of the demo tier, in order."""
    bank, tier = find_bank(BANKS[panel]), find_tier("demo")
    made: Rows = []
    for partner in bank.partners:
        for seed in covered_seeds(shipped_seeds(), bank, tier):
            for replicate in range(1, tier.replies + 1):
                chain = chain_id(
                    benchmark=BENCHMARK,
                    seed=seed.id,
                    focal=name,
                    partner=partner.name,
                    replicate=replicate,
                )
                draw = random.Random(f"{salt} {chain}")
                text = " ".join(
                    f"{draw.choice(OPENERS)} the {draw.randrange(10**6)}th reason counts for this."
                    for _ in range(draw.randrange(2, 6))
                )
                key = (panel, partner.name, seed.id, replicate)
                made.append(row(key, 1, chain, "partner", partner.name,
                                bank.opening(seed.id, partner), "scripted"))  # fmt: skip
                made.append(row(key, 2, chain, "focal", name, text, "stop", 40, 384))
    return sorted(made, key=lambda one: tuple(one[field] for field in ORDER))


def row(
    key: tuple[str, str, str, int],
    turn: int,
    chain: str,
    role: str,
    speaker: str,
    text: str,
    reason: str,
    tokens: int | None = None,
    limit: int | None = None,
) -> Json:
    """A turn."""
    panel, partner, seed, replicate = key
    values = (panel, partner, seed, replicate, turn, chain, role, speaker, text, "", reason,
              tokens, limit)  # fmt: skip
    return dict(zip(SCHEMA.names, values, strict=True))


class Draft:
    """A submission before it is sealed: what may be changed about it.

    Attributes:
        manifest, run, rows: what the files will say.
        table: in place of the rows, if set.
    """

    def __init__(self, name: str = NAME, day: str = DAY, panels: tuple[str, ...] = ("hedging",)):
        checkpoint = find_checkpoint(name)
        provider = checkpoint.model.partition("/")[0]
        self.rows = [dict(one) for panel in sorted(panels) for one in turns(panel, name, day)]
        self.table: pa.Table | None = None
        self.run: Json = {
            "runs": [
                {
                    "id": f"run-{panel}",
                    "panel": panel,
                    "started": f"{day}T10:00:00+00:00",
                    "completed": f"{day}T11:00:00+00:00",
                    "status": "success",
                }
                for panel in sorted(panels)
            ],
            "failed": [],
            "output_tokens": 7680,
        }
        runtime = dict.fromkeys(
            ("engine_version", "dtype", "quantization", "weights_sha256", "chat_template_sha256")
        )
        self.manifest: Json = {
            "format": FORMAT,
            "benchmark": BENCHMARK,
            "prompt_sha256": prompt_sha256(),
            "package": {"version": "0.1.0", "git": None, "dirty": False},
            "checkpoint": {
                "name": name,
                "family": checkpoint.family,
                "base": checkpoint.base,
                "recipe": checkpoint.recipe,
                "model": checkpoint.model,
                "weights": {"kind": "sha256", "value": sha256(name.encode()).hexdigest()},
            },
            "runtime": {"engine": provider, **runtime},
            "hardware": "made up",
            "sampling": {"temperature": 0.7, "top_p": 0.95, "max_tokens": 384},
            "base_seed": 0,
            "panels": {panel: self._panel(panel) for panel in panels},
            "submitter": "a-team",
            "source": "https://example.org/paper",
            "licence": "CC-BY-4.0",
            "attestations": dict.fromkeys(ATTESTATIONS, True),
            "files": {},
        }

    def _panel(self, panel: str) -> Json:
        bank, tier = find_bank(BANKS[panel]), find_tier("demo")
        return {
            "bank": bank.version,
            "bank_sha256": bank.sha256,
            "tier": "demo",
            "seeds": tier.seeds,
            "replies": tier.replies,
            "chains": 24 * 2 * len(bank.partners),
            "failed": 0,
        }

    def seal(self, parent: Path) -> Path:
        """Write it with the hashes and the name that fit it."""
        table = self.table
        if table is None:
            table = pa.Table.from_pylist(self.rows, SCHEMA)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        return self.seal_bytes(parent, sink.getvalue().to_pybytes(), len(table))

    def seal_bytes(self, parent: Path, data: bytes, rows: int) -> Path:
        """The same with other bytes as transcripts."""
        run = canonical(self.run)
        self.manifest["files"] = {
            RUN: {"bytes": len(run), "sha256": sha256(run).hexdigest()},
            TRANSCRIPTS: {
                "bytes": len(data),
                "rows": rows,
                "sha256": sha256(data).hexdigest(),
            },
        }
        return placed(parent, canonical(self.manifest), run, data)


def placed(parent: Path, manifest: bytes, run: bytes, data: bytes, name: str = NAME) -> Path:
    """Write three files into a folder that is named after the manifest."""
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        name = str(json.loads(manifest)["checkpoint"]["name"])
    folder = parent / folder_name(name, manifest)
    folder.mkdir(parents=True)
    for file, content in ((MANIFEST, manifest), (RUN, run), (TRANSCRIPTS, data)):
        (folder / file).write_bytes(content)
    return folder


def good_submission(
    parent: Path, name: str = NAME, *, day: str = DAY, panels: tuple[str, ...] = ("hedging",)
) -> Path:
    """A submission that the board takes."""
    return Draft(name, day, panels).seal(parent)


Make = Callable[[Path], Path]
CASES: dict[str, tuple[str, Make]] = {}
"""By name, the code that a bad submission is refused with, and what writes it into a folder."""


def case(code: str, name: str = "") -> Callable[[Make], Make]:
    """Register a bad submission."""

    def add(make: Make) -> Make:
        CASES[name or make.__name__] = (code, make)
        return make

    return add


def drafted(code: str, name: str, change: Callable[[Draft], Any]) -> None:
    """Register one that differs from a good one before it is sealed."""

    def make(parent: Path) -> Path:
        draft = Draft()
        change(draft)
        return draft.seal(parent)

    CASES[name] = (code, make)


def put(*path: Any, value: Any) -> Callable[[Draft], None]:
    """Set a field of the manifest."""

    def change(draft: Draft) -> None:
        at: Any = draft.manifest
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


def cell(number: int, field: str, value: Any) -> Callable[[Draft], None]:
    """Set a column of a row; even rows are partners' turns, odd ones replies."""

    def change(draft: Draft) -> None:
        draft.rows[number][field] = value

    return change


def run_field(field: str, value: Any) -> Callable[[Draft], None]:
    """Set a field of the only run."""

    def change(draft: Draft) -> None:
        draft.run["runs"][0][field] = value

    return change


def raw_manifest(change: Callable[[bytes], bytes]) -> Make:
    """A manifest whose bytes are changed after it is written; the folder is named after them."""

    def make(parent: Path) -> Path:
        folder = good_submission(parent / "draft")
        data = {name: (folder / name).read_bytes() for name in (MANIFEST, RUN, TRANSCRIPTS)}
        return placed(parent, change(data[MANIFEST]), data[RUN], data[TRANSCRIPTS])

    return make


def touched(change: Callable[[Path], Any]) -> Make:
    """A sealed submission whose files are touched."""

    def make(parent: Path) -> Path:
        folder = good_submission(parent)
        change(folder)
        return folder

    return make


def bytes_as_transcripts(data: bytes, rows: int = 384) -> Make:
    """Other bytes as transcripts, with the right hash."""
    return lambda parent: Draft().seal_bytes(parent, data, rows)


def write_all(out: Path) -> dict[str, tuple[str, Path]]:
    """Every bad submission: its code and folder, by name."""
    return {name: (code, make(out / name)) for name, (code, make) in sorted(CASES.items())}


if __name__ == "__main__":
    import bad_cases

    assert bad_cases
    target = Path(sys.argv[1])
    sys.modules["bad_submissions"].write_all(target)
    for number, entry in enumerate(sorted(target.iterdir()), 1):
        print(number, entry.name)
