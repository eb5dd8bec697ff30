"""Detectors held against human labels: every detector on every labelled set of its behaviour.

A detector may say more than `panelist.scorers.detector.Detector` asks:

- `trained_on: frozenset[str]`, the corpora it was fitted on, by family ("mrda", not "mrda_q");
  absent or empty for a detector that was not fitted;
- `without(corpus: str) -> Detector`, the same kind of detector fitted without that family;
- `within(corpus: str) -> Detector | None`, the same kind fitted on that set's train file too.

A set of a corpus that it was not trained on needs no second fit: the detector itself is already
out of corpus there.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from panelist.panels.errors import PanelistError
from panelist.scorers.agreement import (
    LEVEL,
    REPLICATES,
    SEED,
    Floats,
    Ints,
    conversation_weights,
    label_measures,
    spearman,
    summarise,
)
from panelist.scorers.bars import BARS, QUESTION_RULE, outcomes, status
from panelist.scorers.detector import BEHAVIOURS, Behaviour, Detector
from panelist.scorers.labelled import LAYOUT, LabelledSet, family, read_labels

MIN_BY_AUTHOR = 30
"""Fewest texts of an author that are reported apart."""

NO_WORDS = 0.0
"""The probability of a text for which a detector has none."""

Progress = Callable[[Sequence[Any]], Iterable[Any]]
"""Wraps the sets to be scored and shows how far a run has come, as `tqdm` does."""


class QuestionRule:
    """The baseline for repair: a turn that contains a question mark."""

    behaviour: Behaviour = "repair"
    name = QUESTION_RULE
    version = "1"

    def score(self, texts: Sequence[str], contexts: Sequence[str] | None = None) -> pd.DataFrame:
        """Probability 1 or 0, as `Detector.score`."""
        asks = ["?" in text for text in texts]
        spans = [[m.span() for m in re.finditer(r"\?", text)] for text in texts]
        return pd.DataFrame(
            {"probability": np.asarray(asks, float), "label": asks, "spans": spans, "version": "1"}
        )


def run(
    labels: Path,
    detectors: Sequence[Detector],
    progress: Progress = iter,
    *,
    split: str = "test",
    replicates: int = REPLICATES,
    limit: int | None = None,
) -> dict[str, Any]:
    """Every detector on every labelled set of its behaviour, whatever their order.

    Args:
        labels: the folder of labels.
        detectors: one or more; no two of one behaviour with one name.
        progress: wraps the sequence of sets.
        split: "test" or "heldout"; the sets with ratings are scored beside either.
        replicates: resamples of conversations.
        limit: at most so many rows of a set, for detectors that cost; None for all.

    Returns:
        split, bootstrap (replicates, seed, level), sets (`LabelledSet.facts`), detectors and
        baselines. A detector has behaviour, name, version, trained_on, scores (one for each set
        and part of it), transfer (one for each set of the split), transfer_mean, and, if it is no
        baseline, bars and status. A score has corpus, split, part, kind (all, bar, length or
        author), trained_on, n, base_rate, conversations, unscored and measures; a measure has
        estimate, low, high (unrounded, None where not defined) and left_out.

    Raises:
        PanelistError: labels are not as they should be; two detectors have one name; a detector's
            table is not what its interface says.
    """
    chosen = sorted(detectors, key=lambda d: (BEHAVIOURS.index(d.behaviour), d.name, d.version))
    names = [(d.behaviour, d.name) for d in chosen]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise PanelistError(f"detectors: two are named {doubled[0]}; rename one")
    behaviours = {d.behaviour for d in chosen}
    baselines: list[Detector] = [QuestionRule()] if "repair" in behaviours else []
    sets = [s.cut(limit) for s in read_labels(labels, (split, "rated"), behaviours)]
    if all(s.split != split for s in sets):
        raise PanelistError(f"{labels}: no set of the split {split!r} is there, such as {LAYOUT}")
    examined = {id(d): _Examined(d, split) for d in (*chosen, *baselines)}
    for sample in progress([_Sample(s, replicates) for s in sets]):
        for one in examined.values():
            if one.detector.behaviour == sample.set.behaviour:
                one.examine(sample)
        sample.forget()
    rule = examined[id(baselines[0])].results() if baselines else None
    results = [_judged(examined[id(d)].results(), rule, split) for d in chosen]
    return {
        "split": split,
        "limit": limit,
        "bootstrap": {"replicates": replicates, "seed": SEED, "level": LEVEL},
        "sets": [s.facts() for s in sets],
        "detectors": results,
        "baselines": [rule] if rule else [],
    }


def _judged(detector: dict[str, Any], rule: dict[str, Any] | None, split: str) -> dict[str, Any]:
    met = outcomes(detector, rule, split)
    bars = [
        {"bar": o.bar.text, "met": o.met, "value": o.value, "missed_by": o.missed_by, "why": o.why}
        for o in met
    ]
    return {**detector, "bars": bars, "status": status(met)}


@dataclass(frozen=True)
class _Part:
    """Rows of a set that are reported apart."""

    name: str
    kind: str
    rows: Ints


class _Sample:
    """A set with its conversations as indices, their weights in resamples, and its parts."""

    def __init__(self, labelled: LabelledSet, replicates: int) -> None:
        self.set = labelled
        self.conversation = pd.factorize(labelled.table["conv"])[0].astype(np.intp)
        self.parts = list(_parts(labelled))
        self.replicates = replicates
        self._weights: Floats | None = None

    @property
    def weights(self) -> Floats:
        """(K, B + 1), as `conversation_weights`; the same for every detector and part."""
        if self._weights is None:
            conversations = int(self.conversation.max()) + 1
            self._weights = conversation_weights(conversations, self.set.file, self.replicates)
        return self._weights

    def forget(self) -> None:
        """Free the weights, some 10 MB a set."""
        self._weights = None

    def measure(self, table: pd.DataFrame, rows: Ints) -> dict[str, Floats]:
        """Measures of a detector's table in every resample, from these rows of it."""
        conversation, people = self.conversation[rows], self.set.table.iloc[rows]
        probability = table["probability"].to_numpy(float)[rows]
        if self.set.split == "rated":
            # The ratings say how assertive a text is, the opposite of what is detected.
            rating = -people["rating"].to_numpy(float)
            return {"spearman": spearman(self.weights, conversation, probability, rating)}
        truth, label = people["label"].to_numpy(bool), table["label"].to_numpy(bool)[rows]
        return label_measures(self.weights, conversation, truth, label, probability)


def _parts(of: LabelledSet) -> Iterator[_Part]:
    """All rows, the parts that bars are on, tertiles of length, and authors."""
    everything = np.arange(len(of.table))
    yield _Part("all", "all", everything)
    author = of.table["author"].to_numpy(object)
    for bar in BARS:
        if (bar.behaviour, bar.corpus) == (of.behaviour, of.corpus) and bar.part != "all":
            kind, _, name = bar.part.partition(" ")
            rows = everything[(author == name) == (kind == "author")]
            if len(rows) and (bar.split == "rated") == (of.split == "rated"):
                yield _Part(bar.part, "bar", rows)
    length = np.asarray([len(text.split()) for text in of.table["text"]])
    first, second = np.sort(length)[[-(-len(length) // 3) - 1, -(-2 * len(length) // 3) - 1]]
    for low, high in ((0, first), (first, second), (second, length.max())):
        if len(rows := everything[(length > low) & (length <= high)]):
            shortest = length[rows].min()
            yield _Part(f"{shortest} to {length[rows].max()} words", "length", rows)
    for name in sorted(set(author) - {""}):
        if len(rows := everything[author == name]) >= MIN_BY_AUTHOR:
            yield _Part(f"author {name}", "author", rows)


class _Examined:
    """A detector, and what was measured of it so far."""

    def __init__(self, detector: Detector, split: str) -> None:
        self.detector = detector
        self.split = split
        self.trained_on = {family(corpus) for corpus in getattr(detector, "trained_on", ())}
        self.scores: list[dict[str, Any]] = []
        self.transfer: list[dict[str, Any]] = []
        self.in_corpus: list[dict[str, Any]] = []
        self._transfer_auc: list[Floats] = []
        self._fitted: dict[str, Detector] = {}

    def examine(self, sample: _Sample) -> None:
        """Score a set, in all its parts, and once more without its corpus."""
        table, unscored = _score(self.detector, sample.set)
        for part in sample.parts:
            people = sample.set.table.iloc[part.rows]
            rated = sample.set.split == "rated"
            measured = sample.measure(table, part.rows)
            self.scores.append(
                {
                    "corpus": sample.set.corpus,
                    "split": sample.set.split,
                    "part": part.name,
                    "kind": part.kind,
                    "trained_on": family(sample.set.corpus) in self.trained_on,
                    "n": len(part.rows),
                    "base_rate": None if rated else float(people["label"].mean()),
                    "conversations": int(people["conv"].nunique()),
                    "unscored": int(unscored[part.rows].sum()),
                    "measures": {name: summarise(v).to_dict() for name, v in measured.items()},
                }
            )
            if part.name == "all":
                whole = measured
        if sample.set.split != "rated":
            self._examine_transfer(sample, whole)
            self._examine_in_corpus(sample)

    def _examine_transfer(self, sample: _Sample, whole: dict[str, Floats]) -> None:
        corpus = family(sample.set.corpus)
        if corpus not in self.trained_on:
            how, measured = "never trained on it", whole
        elif hasattr(self.detector, "without"):
            table, _ = _score(self._without(corpus), sample.set)
            how = f"fitted without {corpus}"
            measured = sample.measure(table, np.arange(len(table)))
        else:
            how, measured = "not measured", {}
        measures = {name: summarise(values).to_dict() for name, values in measured.items()}
        self.transfer.append({"corpus": sample.set.corpus, "how": how, "measures": measures})
        if "auc" in measured:
            self._transfer_auc.append(measured["auc"])

    def _examine_in_corpus(self, sample: _Sample) -> None:
        """What training on a set's own train file would give, where the detector has none of it."""
        corpus = sample.set.corpus
        if family(corpus) in self.trained_on or not hasattr(self.detector, "within"):
            return
        if (fitted := self.detector.within(corpus)) is not None:
            table, _ = _score(fitted, sample.set)
            measured = sample.measure(table, np.arange(len(table)))
            measures = {name: summarise(values).to_dict() for name, values in measured.items()}
            self.in_corpus.append({"corpus": corpus, "measures": measures})

    def _without(self, corpus: str) -> Detector:
        """The detector fitted without a corpus, once for all its sibling sets."""
        if corpus not in self._fitted:
            fitted: Detector = self.detector.without(corpus)  # type: ignore[attr-defined]
            if corpus in {family(c) for c in getattr(fitted, "trained_on", ())}:
                raise PanelistError(
                    f"{self.detector.name}: without({corpus!r}) gave a detector trained on "
                    f"{corpus}; leave the corpus and its sibling sets out"
                )
            self._fitted[corpus] = fitted
        return self._fitted[corpus]

    def results(self) -> dict[str, Any]:
        """What was measured, as plain dicts."""
        mean = None
        if self.transfer and len(self._transfer_auc) == len(self.transfer):
            mean = summarise(np.mean(self._transfer_auc, axis=0)).to_dict()
        return {
            "behaviour": self.detector.behaviour,
            "name": self.detector.name,
            "version": self.detector.version,
            "trained_on": sorted(self.trained_on),
            "scores": self.scores,
            "transfer": self.transfer,
            "transfer_mean": mean,
            "in_corpus": self.in_corpus,
        }


def _score(detector: Detector, of: LabelledSet) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """A detector's table of a set, with a probability for every row; and which rows had none."""
    texts, contexts = of.table["text"].tolist(), of.table["context"].tolist()
    table = detector.score(texts, contexts).reset_index(drop=True)
    if len(table) != len(texts):
        raise PanelistError(
            f"{detector.name} on {of.file}: {len(table)} rows for {len(texts)} texts; give one each"
        )
    probability = table["probability"].to_numpy(float)
    unscored = np.isnan(probability)
    filled = np.where(unscored, NO_WORDS, probability)
    if len(wrong := np.flatnonzero((filled < 0) | (filled > 1))):
        raise PanelistError(
            f"{detector.name} on {of.file}, row {wrong[0] + 1}, probability: "
            f"{float(filled[wrong[0]])!r}; must lie in 0..1"
        )
    return table.assign(probability=filled), unscored
