"""A corpus of 1.6 million chains: scored with all shipped detectors, and reported.

    python benchmarks/corpus.py [--tier 390x128] [--keep FOLDER]

The chains are synthetic, everything else is real: 8 checkpoints meet the 4 partners of bank v1 on
390 seeds, 128 replies each. A reply is five sentences of the shipped bank, drawn with the chain's
own sampling seed, so that checkpoints differ in how often they hedge. The parts are written by the
code that writes those of the batch engine. Making the corpus is not measured.

Measured: `score_corpus` with the cue and the learned detector of all three behaviours (six), and
`corpus_report` of the three defaults with all intervals. Memory is the proportional set size of the
whole tree of processes, sampled twice a second. Reference: the limits of issue 6, 600 s and 4 GB on
two cores. Ratios are the share of the limit that was used: less is better.
"""

import argparse
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from threading import Event, Thread

import yaml

from panelist.evals.batch_chunk import speak_chunk
from panelist.evals.batch_plan import Work, missing
from panelist.evals.corpus_report import corpus_report
from panelist.evals.corpus_run import LARGE, Growth, Options
from panelist.evals.design import read_design
from panelist.leaderboard.report import to_markdown
from panelist.panels.bank import find_bank
from panelist.panels.batch import Asked, Said
from panelist.panels.manifest import write_manifest
from panelist.panels.tier import find_tier
from panelist.scorers.corpus import score_corpus
from panelist.scorers.detector import BEHAVIOURS

DETECTORS = [f"{behaviour}-{kind}" for behaviour in BEHAVIOURS for kind in ("learned", "cues")]

SECONDS, BYTES = 600, 4e9

SENTENCES = 5

RECIPES = ("sft", "dpo", "rlvr", "merge")


class Babbler:
    """Draws sentences of the bank; a model's name says how many of them from hedging turns."""

    def __init__(self) -> None:
        turns = sorted(find_bank("v1").turns.items())
        self._plain = self._of([text for (_, who), text in turns if who == "scripted-low"])
        self._hedged = self._of([text for (_, who), text in turns if who == "scripted-high"])

    def _of(self, texts: Sequence[str]) -> list[str]:
        return [s for text in texts for s in re.split(r"(?<=[.!?])\s+", text)]

    def generate(self, asked: Sequence[Asked]) -> list[Said]:
        """See `panels.batch.Engine`."""
        made = []
        for one in asked:
            draw = random.Random(one.seed)
            share = 0.05 * int(one.model.rpartition("-")[2])
            pools = [
                self._hedged if draw.random() < share else self._plain for _ in range(SENTENCES)
            ]
            text = " ".join(draw.choice(pool) for pool in pools)
            made.append(Said(text, "stop", len(text) // 4))
        return made


def write_some(work: Work, numbers: list[int]) -> int:
    """The chains of some pairs, in a process of its own."""
    engine = Babbler()
    return sum(speak_chunk(work, chunk, engine).chains for chunk in missing(work, 0, numbers))


def make_corpus(folder: Path, tier: str) -> Path:
    """Write the corpus; the folder of it."""
    path = folder / "design.yaml"
    families = ("north", "south")
    rows = [
        {
            "name": f"{family}-{recipe}",
            "model": f"mockllm/{family}-{recipe}-{1 + 4 * f + r}",
            "family": family,
            "base": family,
            "recipe": recipe,
        }
        for f, family in enumerate(families)
        for r, recipe in enumerate(RECIPES)
    ]
    said = {"name": "synthetic", "kind": "corpus", "tier": tier, "checkpoints": rows}
    path.write_text(yaml.safe_dump(said))
    design = read_design(path)
    growth = Growth(design, path, folder, Options(batch=LARGE), print)
    work, manifest = growth.planned(growth.plan.steps[0], find_tier(tier), None)
    write_manifest(work.corpus, replace(manifest, behaviours=list(BEHAVIOURS)))
    numbers = [[number] for number in range(len(work.pairs))]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        made = sum(pool.map(write_some, [work] * len(numbers), numbers))
    size = sum(file.stat().st_size for file in work.corpus.glob("turns/**/*.parquet"))
    print(f"corpus of {made:,} chains, {size / 1e6:,.0f} MB in {work.corpus}")
    return work.corpus


class Memory:
    """The most memory that this process and those below it had at once."""

    def __init__(self) -> None:
        self.most = 0
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            self.most = max(self.most, sum(map(self._size, self._tree())))

    def _tree(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(status.parent.name))
        found, waiting = [], [int(Path("/proc/self").readlink().name)]
        while waiting:
            found.append(waiting.pop())
            waiting += children.get(found[-1], [])
        return found

    def _size(self, process: int) -> int:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tier", default="390x128")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        corpus = make_corpus(folder, given.tier)
        with Memory() as memory:
            start = time.monotonic()
            scored = score_corpus(corpus, DETECTORS, progress=_progress)
            middle = time.monotonic()
            report = corpus_report([corpus])
            end = time.monotonic()
    print(to_markdown(report).partition("\n## ")[0])
    print(
        f"{scored.replies:,} replies scored by {len(DETECTORS)} detectors in {middle - start:.0f} s"
        f" ({scored.replies / (middle - start):,.0f} replies/s), reported in {end - middle:.0f} s, "
        f"at most {memory.most / 1e9:.2f} GB"
    )
    print(f"ratio corpus-seconds {(end - start) / SECONDS:.2f} target 1.00")
    print(f"ratio corpus-memory {memory.most / BYTES:.2f} target 1.00")


def _progress(done: int, of: int) -> None:
    if done % 50 == 0 or done == of:
        print(f"{done} of {of} parts scored", file=sys.stderr)


if __name__ == "__main__":
    main()
