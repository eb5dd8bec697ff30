"""The learned detectors' model: one linear expert for each kind of talk, and a gate between them.

p(reply) = sum over experts k of gate_k(reply) * sigmoid(w_k . features(reply)); the gate is a
softmax over the words and the form of the reply and the turn before it. One model for all kinds of
talk fits none: an inverted question is an ordinary one in a meeting and a clarification between
builders (labels.md, warning 3). Jacobs et al. (1991), with the gate fitted to the kind of talk.

The weights are integers in steps of `STEP`, in a text table that a person can read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import exp, sqrt
from typing import Final

STEP: Final = 1 / 256

Weights = tuple[int, ...]
"""One for each expert, in steps of `STEP`."""

FORM: Final = (
    "n:capital",
    "n:full_stop",
    "n:spaced",
    "n:digit",
    "n:unpunctuated",
    "n:context_capital",
    "n:context_punctuated",
    "n:context_spaced",
    "n:no_context",
    "n:words",
    "n:context_words",
)
"""Features of form that the gate looks at besides the words."""


@dataclass(frozen=True)
class Model:
    """Experts and gate of one behaviour.

    Attributes:
        behaviour: what it detects.
        experts: names of the K kinds of talk.
        corpora: what it was fitted on, as `labelled.family` names.
        expert: by feature name, K weights in steps of `STEP`; "bias" is one of the names.
        gate: by name (`g:` and a word, a name of `FORM`, "bias"), K weights.
    """

    behaviour: str
    experts: tuple[str, ...]
    corpora: tuple[str, ...]
    expert: Mapping[str, Weights]
    gate: Mapping[str, Weights]

    def probability(self, found: Mapping[str, float], words: Iterable[str]) -> float:
        """Of the behaviour, from `features` and the words of the reply and the turn before."""
        z = _sum(self.expert, found.items())
        known = [f"g:{word}" for word in sorted(set(words)) if f"g:{word}" in self.gate]
        share = 1 / sqrt(len(known)) if known else 0.0
        form = [(name, found.get(name, 0.0)) for name in FORM]
        g = _sum(self.gate, [*((name, share) for name in known), *form])
        top = max(g)
        odds = [exp(value - top) for value in g]
        return sum(o * _sigmoid(value) for o, value in zip(odds, z, strict=True)) / sum(odds)


def _sum(table: Mapping[str, Weights], found: Iterable[tuple[str, float]]) -> list[float]:
    total = [float(weight) for weight in table["bias"]]
    for name, value in found:
        if value and (weights := table.get(name)) is not None:
            for k, weight in enumerate(weights):
                total[k] += value * weight
    return [value * STEP for value in total]


def _sigmoid(value: float) -> float:
    return 1 / (1 + exp(-value)) if value > -700 else 0.0


def write(model: Model) -> str:
    """The model as a text table, the same bytes for the same model."""
    lines = [
        f"# {model.behaviour}: one row a feature, one column an expert, weights in 1/256",
        f"corpora\t{' '.join(model.corpora)}",
        "\t".join(["experts", *model.experts]),
    ]
    for part, table in (("expert", model.expert), ("gate", model.gate)):
        lines.append(f"[{part}]")
        lines += ["\t".join([name, *map(str, table[name])]) for name in sorted(table)]
    return "\n".join(lines) + "\n"


def read(source: str, behaviour: str) -> Model:
    """The inverse of `write`.

    Raises:
        ValueError: the table is damaged; with the line.
    """
    lines = source.split("\n")
    try:
        corpora = tuple(lines[1].split("\t")[1].split())
        experts = tuple(lines[2].split("\t")[1:])
        tables: dict[str, dict[str, Weights]] = {}
        table: dict[str, Weights] = {}
        for line in lines[3:]:
            if line.startswith("["):
                table = tables.setdefault(line.strip("[]"), {})
            elif line:
                name, *weights = line.split("\t")
                table[name] = tuple(map(int, weights))
                if len(weights) != len(experts):
                    raise ValueError(f"{len(weights)} weights for {len(experts)} experts")
        return Model(behaviour, experts, corpora, tables["expert"], tables["gate"])
    except (IndexError, KeyError, ValueError) as ex:
        raise ValueError(f"{behaviour} weights: damaged table ({ex})") from ex


def fingerprint(source: str) -> str:
    """sha256 of the table."""
    return sha256(source.encode()).hexdigest()


def columns(found: Sequence[Mapping[str, float]]) -> dict[str, int]:
    """How many of the rows have each feature."""
    counts: dict[str, int] = {}
    for row in found:
        for name in row:
            counts[name] = counts.get(name, 0) + 1
    return counts
