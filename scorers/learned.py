"""The learned detectors: features of a reply and the turn before it, and shipped weights.

How the weights were made is in `training`; what they are good for is in VALIDATION.md.
"""

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING

from panelist.scorers.cues import detect
from panelist.scorers.detector import COLUMNS, Behaviour, paired
from panelist.scorers.features import describe
from panelist.scorers.learned_model import Model, read, write
from panelist.scorers.lexicon import source

if TYPE_CHECKING:
    import pandas as pd

VERSION = "1"

THRESHOLD = 0.5


class LearnedDetector:
    """A mixture of linear experts over words, cue classes and the turn before."""

    def __init__(self, behaviour: Behaviour, model: Model | None = None) -> None:
        self.behaviour: Behaviour = behaviour
        self.name = f"{behaviour}-learned"
        self._given = model

    @cached_property
    def model(self) -> Model:
        """The fitted weights."""
        return self._given or read(weights(self.behaviour), self.behaviour)

    @property
    def ships(self) -> bool:
        """Whether its weights are those of the package."""
        return self._given is None

    @property
    def trained_on(self) -> frozenset[str]:
        """Corpus families that the weights were fitted on."""
        return frozenset(self.model.corpora)

    @cached_property
    def version(self) -> str:
        """Changes with the weights and with the lexicon that the features are read from."""
        made = write(self._given) if self._given else weights(self.behaviour)
        digest = sha256((made + source(self.behaviour)).encode()).hexdigest()
        return f"{VERSION}.{digest[:8]}"

    def probability(self, text: str, context: str = "") -> float:
        """Of the behaviour in one reply; NaN for a text without words."""
        found, words = describe(text, context, self.behaviour)
        return self.model.probability(found, words) if found.get("n:words") else nan

    def score(self, texts: Sequence[str], contexts: Sequence[str] | None = None) -> "pd.DataFrame":
        """See `Detector.score`; the spans are those of the behaviour's cues."""
        made = [self.probability(text, context) for text, context in paired(texts, contexts)]
        import pandas as pd

        return pd.DataFrame(
            {
                "probability": made,
                "label": [value >= THRESHOLD for value in made],
                "spans": [list(detect(text, self.behaviour).spans) for text in texts],
                "version": self.version,
            },
            columns=list(COLUMNS),
        )


class Refittable(LearnedDetector):
    """A learned detector with the labelled sets at hand that it was fitted on."""

    def __init__(self, behaviour: Behaviour, labels: Path) -> None:
        super().__init__(behaviour)
        self._labels = labels

    def without(self, corpus: str) -> LearnedDetector:
        """The same kind of detector, fitted without a corpus family."""
        return self._fitted(without=corpus)

    def within(self, corpus: str) -> LearnedDetector | None:
        """The same kind, fitted on the train file of one more set too; None if it is not there."""
        if not (self._labels / self.behaviour / f"{corpus}.train.jsonl").is_file():
            return None
        return self._fitted(within=corpus)

    def _fitted(self, **sets: str) -> LearnedDetector:
        from panelist.scorers.training import fit, rows

        model = fit(self.behaviour, rows(self.behaviour, self._labels, **sets))
        return LearnedDetector(self.behaviour, model)


def weights(behaviour: Behaviour) -> str:
    """The shipped weights, as `learned_model.write` wrote them."""
    path = files("panelist.scorers") / "data" / f"{behaviour}.weights.tsv"
    return path.read_text(encoding="utf-8")
