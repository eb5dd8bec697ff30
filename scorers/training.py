"""Fit the learned detectors. The weights that are shipped come from `panelist train`.

What is fitted on: the train files of the corpora in `PLANS`, whose licences allow it (labels.md:
MIT, CC0, Apache-2.0, CC BY, CC BY-SA), and `data/authored.<behaviour>.jsonl`, written for this
purpose by language models under this package's licence. No rated, test or heldout file is read.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from panelist.panels.bank import DEFAULT, find_bank
from panelist.scorers.detector import Behaviour
from panelist.scorers.features import describe
from panelist.scorers.labelled import family, read_set
from panelist.scorers.learned_model import FORM, STEP, Model, Weights, columns

Floats = NDArray[np.float64]

AUTHORED: Final = "authored"
"""The corpus name of the texts in `data/authored.<behaviour>.jsonl`."""

SCRIPTED: Final = "scripted"
"""The corpus name of the partner bank's turns."""

PENALTY: Final = 0.02
"""Weights smaller than this are dropped from the table."""


@dataclass(frozen=True)
class Plan:
    """What a behaviour's model is fitted on.

    Attributes:
        corpora: by corpus file name, its expert and its weight against the others.
        authored: by register of the authored texts, the same.
        scripted: the expert that learns from the partner bank's turns at the lowest and the highest
            dose of hedging, the same content worded twice; "" for none.
        strength: inverse of the L2 penalty, as scikit-learn's C.
        words: scale of the word features against the others: smaller is more penalty.
        least: rows a feature must occur in, within an expert.
    """

    corpora: Mapping[str, tuple[str, float]]
    authored: Mapping[str, tuple[str, float]]
    scripted: str = ""
    strength: float = 0.3
    words: float = 0.5
    least: int = 3


@dataclass(frozen=True)
class Row:
    """One labelled reply, with its features."""

    corpus: str
    conversation: str
    expert: str
    weight: float
    label: int
    found: Mapping[str, float]
    words: frozenset[str]


PLANS: Final[Mapping[Behaviour, Plan]] = {
    "hedging": Plan(
        corpora={"pei_science": ("science", 1.0)},
        authored={
            "one_line_answer": ("answer", 1.0),
            "encyclopedia": ("encyclopedia", 1.0),
            "science": ("science", 1.0),
            "panel_reply": ("panel", 1.0),
        },
        scripted="panel",
    ),
    "repair": Plan(
        corpora={
            "minecraft": ("building", 1.0),
            "minecraft_q": ("building", 0.05),
            "mrda": ("meeting", 0.1),
            "mrda_q": ("meeting", 1.0),
            "molweni": ("support", 1.0),
        },
        authored={
            "panel_reply": ("panel", 1.0),
            "qa_followup": ("panel", 1.0),
            "meeting": ("meeting", 1.0),
            "directions": ("meeting", 1.0),
        },
    ),
    "challenge": Plan(
        corpora={
            "mrda": ("meeting", 1.0),
            "minecraft": ("building", 1.0),
            "mrbench": ("tutor", 1.0),
        },
        authored={
            "meeting": ("meeting", 1.0),
            "building": ("building", 1.0),
            "tutor": ("tutor", 1.0),
            "panel_reply": ("panel", 1.0),
            "forum": ("forum", 1.0),
            "false_premise": ("answer", 1.0),
        },
    ),
}


def rows(behaviour: Behaviour, labels: Path, without: str = "", within: str = "") -> list[Row]:
    """The labelled replies of a behaviour's plan.

    Args:
        behaviour: whose plan.
        labels: folder of labelled sets.
        without: a corpus family to leave out.
        within: a set that is not in the plan to fit on too, with an expert of its own: what
            in-corpus training would give. Never for shipped weights.

    Raises:
        PanelistError: a train file of the plan is missing or damaged.
    """
    plan = PLANS[behaviour]
    found = []
    corpora = dict(plan.corpora) | ({within: (within, 1.0)} if within else {})
    for corpus, (expert, weight) in corpora.items():
        if family(corpus) == without:
            continue
        table = read_set(labels / behaviour / f"{corpus}.train.jsonl").table
        share = weight / len(table) ** 0.5
        for item in table.to_dict("records"):
            described = _frozen(describe(item["text"], item["context"], behaviour))
            label = int(item["label"])
            found.append(Row(corpus, str(item["conv"]), expert, share, label, *described))
    found += _authored(behaviour, plan)
    return found + _scripted(plan.scripted) if plan.scripted else found


def _frozen(
    described: tuple[dict[str, float], set[str]],
) -> tuple[dict[str, float], frozenset[str]]:
    return described[0], frozenset(described[1])


def _authored(behaviour: Behaviour, plan: Plan) -> list[Row]:
    source = files("panelist.scorers") / "data" / f"authored.{behaviour}.jsonl"
    items = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    items = [item for item in items if item["register"] in plan.authored]
    made = []
    for number, item in enumerate(items):
        expert, weight = plan.authored[item["register"]]
        described = describe(item["text"], item["context"], behaviour)
        share = weight / len(items) ** 0.5
        # Texts were written in pairs on one turn: two lines are one conversation.
        name = f"{AUTHORED}{number // 2}"
        made.append(Row(AUTHORED, name, expert, share, item["label"], *_frozen(described)))
    return made


def _scripted(expert: str) -> list[Row]:
    bank = find_bank(DEFAULT)
    dosed = [p for p in bank.partners if p.dose is not None and not p.same_turns_as]
    by_dose = sorted(dosed, key=lambda partner: partner.dose or 0)
    label = {by_dose[0].name: 0, by_dose[-1].name: 1}
    turns = [turn for turn in sorted(bank.turns.items()) if turn[0][1] in label]
    weight = len(turns) ** -0.5
    return [
        Row(
            SCRIPTED,
            seed,
            expert,
            weight,
            label[partner],
            *_frozen(describe(text, "", "hedging")),
        )
        for (seed, partner), text in turns
    ]


def fit(behaviour: Behaviour, given: Sequence[Row]) -> Model:
    """Fit experts and gate on labelled replies."""
    plan = PLANS[behaviour]
    experts = tuple(sorted({row.expert for row in given}))
    tables = []
    for expert in experts:
        own = [row for row in given if row.expert == expert]
        counts = columns([row.found for row in own])
        names = sorted(name for name, n in counts.items() if n >= plan.least)
        scale = np.array([plan.words if name[0] in "w^l$" else 1.0 for name in names])
        x = _matrix([row.found for row in own], names)
        largest = np.maximum(abs(x).max(axis=0).toarray().ravel(), 1e-9)
        scale /= largest
        y = np.array([row.label for row in own], dtype=float)
        w = np.array([row.weight for row in own])
        w *= len(own) / w.sum()
        beta = _logistic(x @ sparse.diags(scale), y[:, None], w, plan.strength)[:, 0]
        tables.append(dict(zip([*names, "bias"], beta * np.append(scale, 1.0), strict=True)))
    gate = _gate(given, experts) if len(experts) > 1 else [{"bias": 0.0}]
    corpora = tuple(sorted({family(row.corpus) for row in given} - {AUTHORED, SCRIPTED}))
    return Model(behaviour, experts, corpora, _integers(tables), _integers(gate))


def _gate(given: Sequence[Row], experts: Sequence[str]) -> list[dict[str, float]]:
    counts = columns([dict.fromkeys(row.words, 1.0) for row in given])
    known = {word for word, n in counts.items() if n >= 5}
    seen = []
    for row in given:
        mine = row.words & known
        found = {f"g:{word}": len(mine) ** -0.5 for word in mine}
        seen.append(found | {name: row.found.get(name, 0.0) for name in FORM})
    names = sorted({name for found in seen for name in found})
    y = np.array([[row.expert == expert for expert in experts] for row in given], dtype=float)
    # Balanced: how much of each kind of talk was labelled says nothing of what will be scored.
    even = (y / y.sum(axis=0)).sum(axis=1) * len(given) / len(experts)
    beta = _logistic(_matrix(seen, names), y, even, 3.0)
    return [dict(zip([*names, "bias"], column, strict=True)) for column in beta.T]


def _matrix(found: Sequence[Mapping[str, float]], names: Sequence[str]) -> sparse.csr_matrix:
    column = {name: i for i, name in enumerate(names)}
    data, index, start = [], [], [0]
    for row in found:
        for name, value in row.items():
            if (i := column.get(name)) is not None:
                index.append(i)
                data.append(value)
        start.append(len(index))
    return sparse.csr_matrix((data, index, start), shape=(len(found), len(names)))


def _logistic(x: sparse.csr_matrix, y: Floats, weight: Floats, strength: float) -> Floats:
    """Weights and, last, the bias, of a (multinomial) logistic regression; y is N x 1 or N x K.

    Minimises the weighted log loss plus |beta|^2 / (2 strength), bias unpenalised.
    """
    n, size = x.shape[1], y.shape[1]

    def loss(flat: Floats) -> tuple[float, Floats]:
        beta = flat.reshape(n + 1, size)
        z = x @ beta[:n] + beta[n]
        if size == 1:
            value = np.logaddexp(0, z) - y * z
            slope = 1 / (1 + np.exp(-z)) - y
        else:
            top = z.max(axis=1, keepdims=True)
            total = np.exp(z - top).sum(axis=1, keepdims=True)
            value = (top + np.log(total)).ravel() - (y * z).sum(axis=1)
            slope = np.exp(z - top) / total - y
        penalty = (beta[:n] ** 2).sum() / (2 * strength)
        slope = slope * weight[:, None]
        gradient = np.vstack([x.T @ slope + beta[:n] / strength, slope.sum(axis=0)])
        return float((value.ravel() * weight).sum() + penalty), gradient.ravel()

    start = np.zeros((n + 1) * size)
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "gtol": 1e-7, "ftol": 0}
    )
    return np.asarray(found.x).reshape(n + 1, size)


def _integers(tables: Sequence[Mapping[str, float]]) -> dict[str, Weights]:
    names: Iterable[str] = sorted({name for table in tables for name in table})
    made = {}
    for name in names:
        values = np.array([table.get(name, 0.0) for table in tables])
        values[abs(values) < PENALTY] = 0.0
        if name == "bias" or values.any():
            made[name] = tuple(int(value) for value in np.round(values / STEP))
    return made
