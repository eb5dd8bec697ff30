"""Made-up labels and detectors for the tests of `panelist validate`.

Every text ends in the probability that a detector is to read from it.
"""

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from panelist.scorers.detector import BEHAVIOURS

SECRET = "zebra"
"""In every text and id; must be in no report."""


class Reader:
    """Reads the probability that its text ends in."""

    version = "1"

    def __init__(self, behaviour: str, name: str = "reader") -> None:
        self.behaviour: Any = behaviour
        self.name = name

    def probability(self, text: str) -> float:
        return float(text.split()[-1])

    def score(self, texts: Sequence[str], contexts: Sequence[str] | None = None) -> pd.DataFrame:
        assert contexts is not None and len(contexts) == len(texts)
        p = [self.probability(text) for text in texts]
        label = [value >= 0.5 for value in p]
        return pd.DataFrame({"probability": p, "label": label, "spans": "", "version": "1"})


class Inverted(Reader):
    def probability(self, text: str) -> float:
        return 1 - super().probability(text)


class Random(Reader):
    def probability(self, text: str) -> float:
        return sha256(text.encode()).digest()[0] / 255


class Trained(Reader):
    """Perfect on what it was trained on, and inverted without a corpus."""

    def __init__(self, behaviour: str, *corpora: str) -> None:
        super().__init__(behaviour, "trained")
        self.trained_on = frozenset(corpora)
        self.fits: list[str] = []

    def without(self, corpus: str) -> Reader:
        self.fits.append(corpus)
        return Inverted(self.behaviour)


SETS = {
    "hedging": ["conll2010wiki.test", "epint.rated", "llmconf_raw.test", "pei_science.test"],
    "repair": ["maptask_q.test", "minecraft.test", "minecraft_q.test", "mrda_q.test"],
    "challenge": ["falseqa.test", "mrbench.test", "mrda.test", "subreddit.test"],
}
AUTHORS = {"mrbench": ("GPT4", "Phi3", "Mistral"), "epint": ("gpt-4-0125", "CMV")}


def rows_of(corpus: str, *, rated: bool, wrong: int) -> Iterator[dict[str, Any]]:
    """A hundred rows, two a conversation, of which the first `wrong` mislead a reader."""
    for i in range(100):
        label = i % 2
        says = 1 - label if i < wrong else label
        # The rated sets are read in order; the others as certain as they are right.
        p = i / 100 if rated else 0.25 + says / 2
        row = {
            "id": f"{SECRET}{i}",
            "text": f"{SECRET} {'word ' * (i % 7)}{p}",
            "author": AUTHORS.get(corpus, ("",))[i % 10 % len(AUTHORS.get(corpus, ("",)))],
        }
        if rated:
            yield {**row, "rating": 7 - i / 50}
        else:
            yield {**row, "conv": f"c{i // 2}", "context": "before", "label": label}


def write_labels(folder: Path, wrong: dict[str, int] | None = None, leave_out: str = "") -> Path:
    """A folder of labels, in which some rows of a corpus mislead, or without a corpus."""
    for behaviour, names in SETS.items():
        (folder / behaviour).mkdir(parents=True, exist_ok=True)
        for name in names:
            corpus, split = name.split(".")
            path = folder / behaviour / f"{name}.jsonl"
            path.unlink(missing_ok=True)
            rows = rows_of(corpus, rated=split == "rated", wrong=(wrong or {}).get(corpus, 0))
            if corpus != leave_out:
                path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def everyone() -> list[Reader]:
    return [
        kind(behaviour, name)
        for behaviour in BEHAVIOURS
        for kind, name in ((Reader, "reader"), (Inverted, "inverted"), (Random, "random"))
    ]
