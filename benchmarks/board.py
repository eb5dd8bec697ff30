"""A board of 500 checkpoints with three behaviours: how long it takes, how large its page is.

    python benchmarks/board.py [--checkpoints 500] [--keep FOLDER]

The submissions are synthetic (sentences of the shipped bank, more of them hedged for some
checkpoints than for others; 10 families by 5 recipes by 10 sizes; demo tier, 576 chains each),
everything else is real: checked, scored, ranked, composed and written as `panelist board build`
does. Making the submissions is not measured, nor is compiling the detectors, which an installed
panelist does once. Reference: the limits of issue 7, 30 s on two cores and 300 kB of gzip.
"""

import argparse
import gzip
import json
import random
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from panelist.leaderboard.board import build
from panelist.leaderboard.rescoring import rescore_bytes
from panelist.leaderboard.site import write_site
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
from panelist.panels.batch import Asked
from panelist.panels.chain import chain_id, sampling_seed
from panelist.panels.coverage import covered_seeds
from panelist.panels.protocol import BENCHMARK, prompt_sha256
from panelist.panels.runtime import Runtime
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier

SECONDS, KILOBYTES = 30.0, 300.0

RECIPES = ("base", "sft", "dpo", "rlvr", "merge")


def checkpoint(number: int) -> dict[str, Any]:
    """A row of the registry."""
    family, recipe, size = number % 10, RECIPES[number // 10 % 5], number // 50
    return {
        "name": f"family{family}-{size}b-{recipe}",
        "family": f"family{family}",
        "base": f"org{family}/family{family}-{size}b",
        "recipe": recipe,
        "model": f"vllm/org{family}/family{family}-{size}b-{recipe}",
        "revision": "main",
        "licence": "apache-2.0",
        "parameters": float(size),
    }


def panel(behaviour: str, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a manifest says of a panel, and its turns."""
    # Not above: `build` starts processes that import this file, and these need no Inspect.
    from corpus import Babbler

    row, bank, tier = checkpoint(number), find_bank(BANKS[behaviour]), find_tier("demo")
    seeds = covered_seeds(shipped_seeds(), bank, tier)
    babbler = Babbler()
    turns = []
    for partner in bank.partners:
        for seed in seeds:
            for replicate in range(1, tier.replies + 1):
                chain = chain_id(
                    benchmark=BENCHMARK,
                    seed=seed.id,
                    focal=row["name"],
                    partner=partner.name,
                    replicate=replicate,
                )
                model = f"{row['model']}-{1 + number % 18}"
                drawn = random.Random(sampling_seed(number, chain, 2)).getrandbits(31)
                [said] = babbler.generate([Asked(model, [], {}, drawn)])
                common = {
                    "panel": behaviour,
                    "partner": partner.name,
                    "seed": seed.id,
                    "replicate": replicate,
                    "chain": chain,
                    "reasoning": "",
                }
                turns.append(
                    common
                    | {
                        "turn": 1,
                        "role": "partner",
                        "speaker": partner.name,
                        "text": bank.opening(seed.id, partner),
                        "stop_reason": "scripted",
                    }
                )
                turns.append(
                    common
                    | {
                        "turn": 2,
                        "role": "focal",
                        "speaker": row["name"],
                        "text": said.text,
                        "stop_reason": "stop",
                        "output_tokens": min(383, said.output_tokens or 1),
                        "max_tokens": 384,
                    }
                )
    asked = {
        "bank": bank.version,
        "bank_sha256": bank.sha256,
        "tier": "demo",
        "seeds": len(seeds),
        "replies": tier.replies,
        "chains": len(turns) // 2,
        "failed": 0,
    }
    return asked, turns


def write_submission(folder: Path, number: int) -> None:
    """One submission, in a process of its own."""
    row = checkpoint(number)
    panels = {behaviour: panel(behaviour, number) for behaviour in BANKS}
    rows = [turn for _, turns in panels.values() for turn in turns]
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(rows, SCHEMA).sort_by([(n, "ascending") for n in ORDER])
    pq.write_table(table, sink, compression="zstd")
    data = sink.getvalue().to_pybytes()
    day = datetime(2026, 11, 1 + number % 24, tzinfo=UTC).isoformat()
    told = [
        {
            "id": f"run-{number}-{b}",
            "panel": b,
            "started": day,
            "completed": day,
            "status": "success",
        }
        for b in sorted(panels)
    ]
    run = canonical({"runs": told, "failed": [], "output_tokens": None})
    said = {
        "format": FORMAT,
        "benchmark": BENCHMARK,
        "prompt_sha256": prompt_sha256(),
        "package": {"version": "0.1.0", "git": None, "dirty": False},
        "checkpoint": {
            **{key: row[key] for key in ("name", "family", "base", "recipe", "model")},
            "weights": {"kind": "revision", "value": sha256(str(number).encode()).hexdigest()[:40]},
        },
        "runtime": asdict(Runtime("vllm", "vllm 0.20", "bfloat16")),
        "hardware": "made up",
        "sampling": {"temperature": 0.7, "top_p": 0.95, "max_tokens": 384},
        "base_seed": 0,
        "panels": {behaviour: asked for behaviour, (asked, _) in panels.items()},
        "submitter": f"team{number % 7}",
        "source": "",
        "licence": "CC0-1.0",
        "attestations": dict.fromkeys(ATTESTATIONS, True),
        "files": {
            RUN: {"bytes": len(run), "sha256": sha256(run).hexdigest()},
            TRANSCRIPTS: {
                "bytes": len(data),
                "rows": len(table),
                "sha256": sha256(data).hexdigest(),
            },
        },
    }
    manifest = canonical(said)
    own = folder / folder_name(row["name"], manifest)
    own.mkdir()
    for name, content in ((MANIFEST, manifest), (RUN, run), (TRANSCRIPTS, data)):
        (own / name).write_bytes(content)


def make_submissions(folder: Path, count: int) -> None:
    """Registry and submissions."""
    rows = {"checkpoints": [checkpoint(number) for number in range(count)]}
    (folder / "checkpoints.yaml").write_text(yaml.safe_dump(rows))
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(write_submission, [folder] * count, range(count), chunksize=8))


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoints", type=int, default=500)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        submissions = folder / "submissions"
        submissions.mkdir(parents=True, exist_ok=True)
        if not any(submissions.iterdir()):
            make_submissions(submissions, given.checkpoints)
        warm = next(path for path in sorted(submissions.iterdir()) if path.is_dir())
        rescore_bytes(warm)
        start = time.monotonic()
        board = build(submissions, workers=2)
        middle = time.monotonic()
        page = write_site(board, folder / "site")
        end = time.monotonic()
        size = len(gzip.compress(page.read_bytes(), 9)) / 1000
        panels = [p for row in board.data["rows"] for p in row["panels"].values()]
        replies = sum(p["replies"] + p["aa_replies"] for p in panels)
        print(
            f"{len(board.data['rows'])} checkpoints, {replies:,} replies: checked, scored and laid "
            f"out in {middle - start:.1f} s, written in {end - middle:.1f} s; page "
            f"{page.stat().st_size / 1000:,.0f} kB, {size:.0f} kB gzipped"
        )
        print(json.dumps(board.data["decomposition"].get("summary", board.data["decomposition"])))
        print(f"ratio board-seconds {(end - start) / SECONDS:.2f} target 1.00")
        print(f"ratio board-page-kilobytes {size / KILOBYTES:.2f} target 1.00")


if __name__ == "__main__":
    main()
