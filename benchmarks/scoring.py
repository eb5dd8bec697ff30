"""Replies scored per CPU-second: cue detector and learned detector against pattern counting.

    python benchmarks/scoring.py

200,000 replies of panel prose: turns of the shipped partner bank, each with one sentence exchanged
for one of another turn; one in ten with curly apostrophes, one in twenty with a quotation, one in
fifty with code. Every count is held against the reference implementation in the same run.

References: Python's `re` with the cues that occur as one alternation (2,000 replies, scaled: it is
slow), the same alternation in Polars and Hyperscan, where they are installed. They count cues; the
detectors also leave out what is not the speaker's own prose and what only looks like a cue, and
count words, sentences and every class.
"""

import os

os.environ["POLARS_MAX_THREADS"] = "1"

import random
import re
import sys
from collections.abc import Callable
from time import process_time

import numpy as np
import pyarrow as pa

from panelist.panels.bank import find_bank
from panelist.scorers.cues import detect
from panelist.scorers.cues_fast import columns
from panelist.scorers.features_fast import probabilities
from panelist.scorers.learned import LearnedDetector
from panelist.scorers.lexicon import shipped
from panelist.scorers.segment import fold

REPLIES = 200_000
SLOW = 2_000
CHECKED = 20_000


def replies(count: int) -> tuple[list[str], list[str]]:
    """Replies and the turns before them, the same ones every time."""
    draw = random.Random(1)
    turns = [text for _, text in sorted(find_bank("v1").turns.items())]
    sentences = [re.split(r"(?<=[.!?])\s+", turn) for turn in turns]
    made, before = [], []
    for _ in range(count):
        parts = list(draw.choice(sentences))
        parts[draw.randrange(len(parts))] = draw.choice(draw.choice(sentences))
        if draw.random() < 0.05:
            parts.insert(1, f'You say "{draw.choice(draw.choice(sentences))}"')
        text = " ".join(parts)
        if draw.random() < 0.1:
            text = text.replace("'", "\u2019")
        if draw.random() < 0.02:
            text += " Try `perhaps()` first."
        made.append(text)
        before.append(draw.choice(turns))
    return made, before


def rate(work: Callable[[], object], count: int, tries: int = 3) -> float:
    """Replies per CPU-second, the best of some tries."""
    spent = []
    for _ in range(tries):
        start = process_time()
        work()
        spent.append(process_time() - start)
    return count / min(spent)


def main() -> None:
    """Measure, check, print."""
    texts, contexts = replies(REPLIES)
    column, context_column = (
        pa.array(texts, pa.large_string()),
        pa.array(contexts, pa.large_string()),
    )
    lexicon = shipped("hedging")
    # The lexicon has 20,000 counted cues, more than `re` or Polars take: they get those that occur.
    occurring = {
        " ".join(text[a:b].lower().split())
        for text in map(fold, texts[:CHECKED])
        for a, b in detect(text).spans
    }
    longest_first = sorted(occurring, key=lambda cue: (-len(cue), cue))
    pattern = "|".join(re.escape(cue).replace(r"\ ", r"\s+") for cue in longest_first)
    pattern = rf"\b(?:{pattern})\b"
    found = columns(column, lexicon)  # compiled here, before any clock runs
    probabilities(column[:10], context_column[:10], "repair")
    size = sum(len(text.encode()) for text in texts) / len(texts)
    print(f"{REPLIES:,} replies of {size:.0f} bytes, {(found.cues > 0).mean():.0%} with a cue")
    print(f"the references count the {len(longest_first)} cues that occur")

    rates = {
        "cues, Arrow column": rate(lambda: columns(column, lexicon), REPLIES),
        "cues, list of str": rate(lambda: columns(texts, lexicon), REPLIES),
        "learned, Arrow column": rate(
            lambda: probabilities(column, context_column, "repair"), REPLIES, tries=2
        ),
        "cues, reference": rate(lambda: [detect(text) for text in texts[:SLOW]], SLOW),
    }
    compiled = re.compile(pattern, re.IGNORECASE)
    rates["re alternation"] = rate(
        lambda: [sum(1 for _ in compiled.finditer(text)) for text in texts[:SLOW]], SLOW, tries=1
    )
    rates |= _polars(texts, pattern) | _hyperscan(texts, longest_first)
    for name, value in rates.items():
        print(f"{name:24} {value:12,.0f} replies a CPU-second")
    differing = _differences(texts, contexts, found)
    print(f"differences from the reference in {CHECKED:,} replies: {differing}")
    for name, top, target in (
        ("cues_per_cpu_second_over_400000", rates["cues, Arrow column"] / 400_000, "1"),
        ("learned_per_cpu_second_over_20000", rates["learned, Arrow column"] / 20_000, "1"),
    ):
        print(f"ratio {name} {top:.2f} target {target}")
    for beside in ("re alternation", "polars", "hyperscan"):
        if beside in rates:
            for one in ("cues", "learned"):
                value = rates[f"{one}, Arrow column"] / rates[beside]
                print(f"ratio {one}_over_{beside.split()[0]} {value:.2f} target -")
    sys.exit(bool(differing))


def _polars(texts: list[str], pattern: str) -> dict[str, float]:
    try:
        import polars as pl
    except ImportError:
        print("polars: not installed")
        return {}
    series = pl.Series(texts)
    count = f"(?i){pattern}"
    series[:10].str.count_matches(count)
    return {"polars": rate(lambda: series.str.count_matches(count), REPLIES)}


def _hyperscan(texts: list[str], cues: list[str]) -> dict[str, float]:
    try:
        import hyperscan
    except ImportError:
        print("hyperscan: not installed")
        return {}
    base = hyperscan.Database()
    flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SOM_LEFTMOST
    patterns = [rf"\b{re.escape(cue)}\b".encode() for cue in cues]
    base.compile(expressions=patterns, flags=[flags] * len(patterns))
    blocks = ["\n".join(texts[i : i + 4096]).encode() for i in range(0, len(texts), 4096)]
    hits = [0]

    def hit(*_: object) -> None:
        hits[0] += 1

    return {
        "hyperscan": rate(
            lambda: [base.scan(b, match_event_handler=hit) for b in blocks], REPLIES, 1
        )
    }


def _differences(texts: list[str], contexts: list[str], found: object) -> int:
    """Replies whose numbers are not those of the reference."""
    differing = 0
    for i, text in enumerate(texts[:CHECKED]):
        seen = detect(text)
        numbers = ("words", "cues", "sentences", "cued_sentences", "window_words", "window_cues")
        differing += any(getattr(found, name)[i] != getattr(seen, name) for name in numbers)
    few = slice(CHECKED // 10)
    learned = LearnedDetector("repair")
    expected = [learned.probability(*pair) for pair in zip(texts[few], contexts[few], strict=True)]
    made = probabilities(texts[few], contexts[few], "repair")
    return differing + int((np.abs(made - expected) > 1e-9).sum())


if __name__ == "__main__":
    main()
