"""The learned detectors on columns of a million replies: the probabilities of `learned`, compiled.

Needs numba (`pip install 'panelist[fast]'`). The features are those of `features`, name by name; a
feature's name becomes a 64-bit key of its kind and the hashes of its words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from panelist.scorers.cues_fast import STACK, Ints, character_kinds, table, tables, utf8, word_hash
from panelist.scorers.detector import Behaviour
from panelist.scorers.features import CONTEXT_TOKENS, EMPTY_WORDS, FILLERS, NUMBERS
from panelist.scorers.learned import weights
from panelist.scorers.learned_model import STEP, Model, Weights, read
from panelist.scorers.lexicon import shipped
from panelist.scorers.segment import QUOTE_LIMIT

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]

OF_WORDS = ("w", "^", "l", "$", "c^", "c$", "g")
"""Kinds of features that are made of words; their place is their number in a key."""

OF_CLASSES = ("t", "h", "e", "c", "?h", "-h", "c?h")
"""Kinds that are made of a cue class; "none" is class 0."""

_MOST = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True)
class Part:
    """Experts or gate as arrays: R rows of K weights, and where each feature's row is.

    Attributes:
        keys, values: open-addressing table from the key of a word feature to its row.
        of_classes: kinds x classes, rows of the class features, -1 for none.
        of_numbers: rows of `NUMBERS`, -1 for none.
        rows: the weights; the last row is the bias.
    """

    keys: NDArray[np.uint64]
    values: Ints
    of_classes: Ints
    of_numbers: Ints
    rows: Floats

    def arrays(self) -> tuple[Any, ...]:
        """What the kernel takes, in its order."""
        return (self.keys, self.values, self.of_classes, self.of_numbers, self.rows)


def probabilities(
    texts: "Sequence[str] | pa.Array", contexts: "Sequence[str] | pa.Array", behaviour: Behaviour
) -> Floats:
    """Score N replies with the shipped weights.

    Args:
        texts: strings, or an Arrow array of them.
        contexts: for each, the turn before it; "" where there is none.
        behaviour: hedging, repair or challenge.

    Returns:
        N probabilities, within 1e-9 of `LearnedDetector.score`; NaN for a text without words.

    Raises:
        PanelistError: numba is not installed.
        ValueError: contexts are not one for each text.
    """
    from panelist.scorers.feature_kernels import score

    if len(contexts) != len(texts):
        raise ValueError(f"{len(contexts)} contexts for {len(texts)} texts; give one for each")
    lexicon = tables(shipped(behaviour))
    expert, gate, fillers, empty = _model(behaviour)
    made: Floats = score(
        *utf8(texts), *utf8(contexts), character_kinds(), *lexicon.arrays(), lexicon.grades,
        *expert.arrays(), *gate.arrays(), *fillers, *empty, CONTEXT_TOKENS, QUOTE_LIMIT, STACK,
    )  # fmt: skip
    return made


@lru_cache(maxsize=3)
def _model(behaviour: Behaviour) -> tuple[Part, Part, tuple[Any, ...], tuple[Any, ...]]:
    model: Model = read(weights(behaviour), behaviour)
    classes = ("none", *tables(shipped(behaviour)).classes)
    size = len(model.experts)
    fillers, empty = ([word_hash(word) for word in words] for words in (FILLERS, EMPTY_WORDS))
    return (
        _part(model.expert, classes, size),
        _part(model.gate, classes, size),
        table(fillers, [1] * len(fillers)),
        table(empty, [1] * len(empty)),
    )


def _part(weights: Mapping[str, Weights], classes: Sequence[str], size: int) -> Part:
    rows = [np.zeros(size)]
    keys: dict[int, int] = {}
    of_classes = np.full((len(OF_CLASSES), len(classes)), -1, np.int32)
    of_numbers = np.full(len(NUMBERS), -1, np.int32)
    for name, row in weights.items():
        if name == "bias":
            continue
        kind, _, rest = name.partition(":")
        at = len(rows)
        if kind == "n":
            of_numbers[NUMBERS.index(rest)] = at
        elif kind in OF_CLASSES:
            of_classes[OF_CLASSES.index(kind), classes.index(rest)] = at
        else:
            keys[feature_key(OF_WORDS.index(kind), rest)] = at
        rows.append(np.array(row, np.float64) * STEP)
    rows.append(np.array(weights["bias"], np.float64) * STEP)
    return Part(*table(list(keys), list(keys.values())), of_classes, of_numbers, np.array(rows))


def feature_key(kind: int, words: str) -> int:
    """Key of a feature of one or two words, as `feature_kernels.key` makes it."""
    first, _, second = words.partition(" ")
    value = word_hash(first) + (kind + 1) * 0x9E3779B97F4A7C15 & _MOST
    value = (value ^ value >> 31) * 0xBF58476D1CE4E5B9 & _MOST
    value = value + (word_hash(second) if second else 0) & _MOST
    return (value ^ value >> 27) * 0x94D049BB133111EB & _MOST
