"""The preset bars that a detector must clear to be called validated, and whether it does.

The bars were set before any detector was built (issue 4) and are data here, so that a change of
one is seen as a change of one line. A detector is validated if every bar of its behaviour was
measured and its point estimate meets it; otherwise it is exploratory.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from panelist.scorers.detector import Behaviour
from panelist.scorers.labelled import family

Status = Literal["validated", "exploratory"]


def figure(value: float, digits: int = 3) -> float:
    """A number as it is published.

    >>> figure(0.06250000000000001) == figure(0.0625) == figure(0.06249999999999999)
    True
    """
    return round(round(value, 10), digits) + 0.0  # + 0.0: no -0.0


QUESTION_RULE = "question-rule"
"""Name of the baseline that calls every turn with a "?" a repair."""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        measure: "kappa", "auc" or "spearman" on one set; "transfer": the mean over test sets of
            the AUC of a detector that was not trained on their corpus; "above_rule": kappa above
            that of the question rule on every test set.
        at_least: the value that meets it.
        corpus: of the set; "" if the bar is on all of them.
        split: "test" (the split that is scored, if it is another one) or "rated".
        part: part of the set, "all", "author A" or "without A", A as in the set's `author`.
        untrained: met only by a detector that was not trained on the corpus.
    """

    behaviour: Behaviour
    measure: Literal["kappa", "auc", "spearman", "transfer", "above_rule"]
    at_least: float
    corpus: str = ""
    split: Literal["test", "rated"] = "test"
    part: str = "all"
    untrained: bool = False

    @property
    def text(self) -> str:
        """Such as "mrda_q AUC at least 0.86"."""
        if self.measure == "above_rule":
            return 'every set: kappa above the "contains ?" rule'
        if self.measure == "transfer":
            return f"leave-one-corpus-out mean AUC at least {self.at_least:.2f}"
        name = f"{self.corpus}.rated" if self.split == "rated" else self.corpus
        part = "" if self.part == "all" else f" ({self.part})"
        measure = {"kappa": "kappa", "auc": "AUC", "spearman": "Spearman"}[self.measure]
        untrained = ", not trained on it" if self.untrained else ""
        return f"{name}{part} {measure} at least {self.at_least:.2f}{untrained}"


BARS = (
    Bar("hedging", "spearman", 0.65, "epint", "rated", "author gpt-4-0125", untrained=True),
    Bar("hedging", "kappa", 0.66, "llmconf_raw"),
    Bar("hedging", "auc", 0.87, "llmconf_raw"),
    Bar("hedging", "kappa", 0.70, "pei_science"),
    Bar("hedging", "auc", 0.90, "pei_science"),
    Bar("hedging", "auc", 0.82, "conll2010wiki"),
    Bar("hedging", "transfer", 0.75),
    Bar("repair", "kappa", 0.80, "minecraft"),
    Bar("repair", "auc", 0.86, "mrda_q"),
    Bar("repair", "auc", 0.92, "maptask_q"),
    Bar("repair", "above_rule", 0.0),
    Bar("repair", "transfer", 0.70),
    Bar("challenge", "kappa", 0.55, "subreddit"),
    Bar("challenge", "auc", 0.92, "mrda"),
    Bar("challenge", "auc", 0.80, "falseqa", untrained=True),
    Bar("challenge", "auc", 0.90, "mrbench", part="without Phi3"),
    Bar("challenge", "transfer", 0.70),
)


@dataclass(frozen=True)
class Outcome:
    """How a detector fared at a bar.

    Attributes:
        met: None where it was not measured.
        value: what is held against the bar; for "above_rule" the smallest lead over the rule.
        why: of a bar that is not met, in words.
    """

    bar: Bar
    met: bool | None
    value: float | None
    why: str

    @property
    def missed_by(self) -> float | None:
        """How far the value is below the bar; None if it was not measured, 0 if not below."""
        return None if self.value is None else max(0.0, self.bar.at_least - self.value)

    @property
    def text(self) -> str:
        """The bar, and why it is not met."""
        return f"{self.bar.text}: {self.why or 'met'}"


def outcomes(
    detector: Mapping[str, Any], rule: Mapping[str, Any] | None = None, split: str = "test"
) -> list[Outcome]:
    """A detector at each bar of its behaviour.

    Args:
        detector: one of `detectors` in the results of `panelist.scorers.validation.run`.
        rule: the question rule's results of the same shape, where it was scored.
        split: the split that was scored in the place of "test".
    """
    return [
        _outcome(bar, detector, rule, split)
        for bar in BARS
        if bar.behaviour == detector["behaviour"]
    ]


def status(met: Sequence[Outcome]) -> Status:
    """Validated if there are bars, and each was measured and met."""
    return "validated" if met and all(outcome.met is True for outcome in met) else "exploratory"


def _outcome(
    bar: Bar, detector: Mapping[str, Any], rule: Mapping[str, Any] | None, split: str
) -> Outcome:
    if bar.measure == "above_rule":
        return _above_rule(bar, detector, rule, split)
    if bar.measure == "transfer":
        return _transfer(bar, detector)
    name = f"{bar.corpus}.{split if bar.split == 'test' else bar.split}"
    of_set = [s for s in detector["scores"] if f"{s['corpus']}.{s['split']}" == name]
    scores = [s for s in of_set if s["part"] == bar.part]
    value = scores[0]["measures"][bar.measure]["estimate"] if scores else None
    if bar.untrained and family(bar.corpus) in detector["trained_on"]:
        return Outcome(bar, False, value, f"trained on {family(bar.corpus)}")
    if not of_set:
        return Outcome(bar, None, None, f"not measured, no set {name}")
    if not scores:
        return Outcome(bar, None, None, f"not measured, {name} has no rows for {bar.part!r}")
    return _held_against(bar, value)


def _held_against(bar: Bar, value: float | None) -> Outcome:
    if value is None:
        return Outcome(bar, None, None, "not measured, not defined on this set")
    # Rounded, so that a kappa of exactly 0.80 is not missed by its last bit.
    if round(value, 9) >= bar.at_least:
        return Outcome(bar, True, value, "")
    shown = f"{figure(value):.3f}"
    below = "just below" if float(shown) >= bar.at_least else "against"
    return Outcome(bar, False, value, f"{shown} {below} {bar.at_least:.2f}")


def _transfer(bar: Bar, detector: Mapping[str, Any]) -> Outcome:
    if not detector["transfer"]:
        return Outcome(bar, None, None, "not measured, no labelled set")
    if lacking := [t["corpus"] for t in detector["transfer"] if t["how"] == "not measured"]:
        why = f"not measured, trained on {', '.join(lacking)} and cannot be fitted without"
        return Outcome(bar, None, None, why)
    return _held_against(bar, detector["transfer_mean"]["estimate"])


def _above_rule(
    bar: Bar, detector: Mapping[str, Any], rule: Mapping[str, Any] | None, split: str
) -> Outcome:
    kappas, rules = (_kappas(of, split) for of in (detector, rule or {"scores": []}))
    if not kappas or kappas.keys() != rules.keys():
        return Outcome(bar, None, None, "not measured, no labelled set")
    if any(math.isnan(k) for k in (*kappas.values(), *rules.values())):
        return Outcome(bar, None, None, "not measured, kappa is not defined on every set")
    leads = {corpus: round(kappa - rules[corpus], 9) for corpus, kappa in kappas.items()}
    behind = [corpus for corpus, lead in leads.items() if lead <= 0]
    worst = min(leads, key=lambda corpus: leads[corpus])
    said = (
        f"not on {len(behind)} of {len(leads)} sets, least on {worst}: "
        f"{figure(kappas[worst]):.3f} against {figure(rules[worst]):.3f}"
    )
    return Outcome(bar, not behind, leads[worst], said if behind else "")


def _kappas(of: Mapping[str, Any], split: str) -> dict[str, float]:
    """Kappa on every whole set of the split, NaN where it is not defined."""
    kappas = {
        score["corpus"]: score["measures"]["kappa"]["estimate"]
        for score in of["scores"]
        if score["split"] == split and score["part"] == "all"
    }
    return {corpus: math.nan if k is None else k for corpus, k in kappas.items()}
