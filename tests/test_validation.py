"""Made-up labels and detectors in, measures and statuses out."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up_labels import Inverted, Random, Reader, Trained, write_labels

from panelist.cli_validate import checkout
from panelist.panels.errors import PanelistError
from panelist.scorers.agreement import conversation_weights, label_measures, summarise
from panelist.scorers.bars import BARS, Bar, outcomes, status
from panelist.scorers.detector import BEHAVIOURS
from panelist.scorers.labelled import family, read_set
from panelist.scorers.validation import run
from panelist.scorers.validation_report import to_markdown

Folder = Callable[..., Path]


@pytest.fixture
def labels(tmp_path: Path) -> Folder:
    """Writes a folder of labels; `wrong` says for how many rows of a corpus texts mislead."""
    return partial(write_labels, tmp_path / "labels")


def result_of(folder: Path, *detectors: Reader, replicates: int = 20) -> dict[str, Any]:
    """The results of the first of the detectors."""
    results = run(folder, detectors, replicates=replicates)
    return dict(
        next(
            d
            for d in results["detectors"]
            if (d["behaviour"], d["name"]) == (detectors[0].behaviour, detectors[0].name)
        )
    )


def missed(detector: dict[str, Any]) -> list[str]:
    return [f"{bar['bar']}: {bar['why']}" for bar in detector["bars"] if not bar["met"]]


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_only_a_detector_that_agrees_with_people_is_validated(
    labels: Folder, behaviour: str
) -> None:
    folder = labels()
    perfect = result_of(folder, Reader(behaviour))
    assert (perfect["status"], missed(perfect)) == ("validated", [])
    for other in (Inverted(behaviour), Random(behaviour)):
        found = result_of(folder, other)
        assert found["status"] == "exploratory"
        assert len(missed(found)) == len(found["bars"])


@pytest.mark.parametrize(
    ("behaviour", "corpus", "enough", "bar"),
    [
        # One wrong row of 100, half with the behaviour, takes 0.02 from kappa and 0.01 from AUC.
        ("repair", "minecraft", 10, "minecraft kappa at least 0.80: 0.780 against 0.80"),
        ("repair", "mrda_q", 14, "mrda_q AUC at least 0.86: 0.850 against 0.86"),
        ("challenge", "falseqa", 20, "falseqa AUC at least 0.80, not trained on it: 0.790 "),
        ("hedging", "pei_science", 10, "pei_science AUC at least 0.90: 0.890 against 0.90"),
    ],
)
def test_a_status_flips_exactly_at_its_bar(
    labels: Folder, behaviour: str, corpus: str, enough: int, bar: str
) -> None:
    assert result_of(labels({corpus: enough}), Reader(behaviour))["status"] == "validated"
    found = result_of(labels({corpus: enough + 1}), Reader(behaviour))
    assert found["status"] == "exploratory"
    [why] = missed(found)
    assert why.startswith(bar)


def at(bar: Bar, value: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """A detector's results, and the rule's, in which one bar is held against this value."""

    def scores(measure: str, estimate: float) -> list[dict[str, Any]]:
        every = {name: {"estimate": None} for name in ("kappa", "auc", "spearman")}
        measures = {**every, measure: {"estimate": estimate}}
        name = {"corpus": bar.corpus or "any", "split": bar.split, "part": bar.part}
        return [{**name, "measures": measures}]

    detector = {
        "behaviour": bar.behaviour,
        "trained_on": [],
        "scores": scores("kappa" if bar.measure == "above_rule" else bar.measure, value),
        "transfer": [{"corpus": "any", "how": "never trained on it"}],
        "transfer_mean": {"estimate": value},
    }
    return detector, {"scores": scores("kappa", 0.0)}


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: f"{bar.behaviour} {bar.text}")
def test_every_bar_is_met_from_its_value_on(bar: Bar) -> None:
    def outcome(value: float) -> Any:
        return next(o for o in outcomes(*at(bar, value)) if o.bar is bar)

    strict = 1e-6 if bar.measure == "above_rule" else 0.0
    assert outcome(bar.at_least + strict).met is True
    below = outcome(bar.at_least - 1e-6 + strict)
    assert below.met is False and below.why
    assert below.missed_by == pytest.approx(1e-6 - strict, abs=1e-9)
    # Every other bar lacks its set or its value here, so it cannot be called met by accident.
    assert status(outcomes(*at(bar, 1.0))) == "exploratory"


def test_a_value_that_rounds_to_its_bar_is_still_below_it() -> None:
    bar = next(b for b in BARS if b.measure == "kappa" and b.corpus == "minecraft")
    [why] = [o.why for o in outcomes(*at(bar, 0.7998)) if o.bar is bar]
    assert why == "0.800 just below 0.80"
    assert status([]) == "exploratory"


def test_a_bar_without_its_set_is_not_measured(labels: Folder) -> None:
    found = result_of(labels(leave_out="mrda_q"), Reader("repair"))
    assert found["status"] == "exploratory"
    assert missed(found) == ["mrda_q AUC at least 0.86: not measured, no set mrda_q.test"]


@pytest.mark.parametrize(
    ("behaviour", "corpus"), [("challenge", "falseqa"), ("hedging", "epint_llm")]
)
def test_training_on_a_corpus_misses_a_bar_that_forbids_it(
    labels: Folder, behaviour: str, corpus: str
) -> None:
    folder = labels()
    found = result_of(folder, Trained(behaviour, corpus))
    assert any(f"trained on {family(corpus)}" in why for why in missed(found))


def test_the_question_rule_is_to_be_beaten_on_every_set(labels: Folder) -> None:
    folder = labels()
    path = folder / "repair" / "minecraft_q.test.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["text"] = ("? " if row["label"] else "") + row["text"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    results = run(folder, [Reader("repair")], replicates=20)
    [rule] = results["baselines"]
    kappas = {s["corpus"]: s["measures"]["kappa"]["estimate"] for s in rule["scores"]}
    assert (kappas["minecraft_q"], kappas["minecraft"]) == (1.0, 0.0)
    [why] = missed(results["detectors"][0])
    assert why.endswith("not on 1 of 4 sets, least on minecraft_q: 1.000 against 1.000")


def test_transfer_is_of_a_detector_fitted_without_the_corpus(labels: Folder) -> None:
    detector = Trained("repair", "minecraft", "mrda_q")
    found = result_of(labels(), detector)
    assert sorted(detector.fits) == ["minecraft", "mrda"]  # once for both sets of minecraft
    transfer = {
        t["corpus"]: (t["how"], t["measures"]["auc"]["estimate"]) for t in found["transfer"]
    }
    assert transfer == {
        "maptask_q": ("never trained on it", 1.0),
        "minecraft": ("fitted without minecraft", 0.0),
        "minecraft_q": ("fitted without minecraft", 0.0),
        "mrda_q": ("fitted without mrda", 0.0),
    }
    assert found["transfer_mean"]["estimate"] == 0.25
    assert missed(found) == ["leave-one-corpus-out mean AUC at least 0.70: 0.250 against 0.70"]
    assert {s["corpus"] for s in found["scores"] if s["trained_on"]} == {
        "minecraft", "minecraft_q", "mrda_q",
    }  # fmt: skip


def test_a_detector_that_cannot_be_fitted_without_a_corpus_is_not_validated(labels: Folder) -> None:
    detector = Reader("repair")
    detector.trained_on = frozenset({"mrda"})
    found = result_of(labels(), detector)
    assert found["status"] == "exploratory"
    [why] = missed(found)
    assert "not measured, trained on mrda_q and cannot be fitted without" in why
    assert found["transfer_mean"] is None


def test_a_second_fit_that_saw_the_corpus_is_refused(labels: Folder) -> None:
    detector = Trained("repair", "mrda")
    detector.without = lambda corpus: detector
    with pytest.raises(PanelistError, match=r"trained: without\('mrda'\) gave a detector trained"):
        run(labels(), [detector], replicates=20)


def test_parts_are_the_bars_slices_tertiles_of_length_and_authors(labels: Folder) -> None:
    found = result_of(labels(), Reader("challenge"))
    parts = {(s["kind"], s["part"]): s["n"] for s in found["scores"] if s["corpus"] == "mrbench"}
    # Rows 0 to 9 of ten are by GPT4, Phi3, Mistral, ...: 40, 30 and 30 of a hundred.
    assert parts[("bar", "without Phi3")] == 70
    assert parts[("author", "author GPT4")] == 40
    assert parts[("author", "author Phi3")] == 30
    lengths = [n for (kind, _), n in parts.items() if kind == "length"]
    assert sum(lengths) == 100 and len(lengths) == 3
    assert ("length", "2 to 4 words") in parts


def test_a_part_keeps_the_conversations_of_its_rows(labels: Folder) -> None:
    folder, detector = labels(), Random("challenge")
    found = result_of(folder, detector, replicates=200)
    [score] = [
        s
        for s in found["scores"]
        if (s["corpus"], s["kind"], s["part"]) == ("mrbench", "author", "author Phi3")
    ]
    table = read_set(folder / "challenge" / "mrbench.test.jsonl").table
    rows = np.flatnonzero(table["author"] == "Phi3")
    scored = detector.score(table["text"].iloc[rows].tolist(), [""] * len(rows))
    weights = conversation_weights(50, "challenge/mrbench.test.jsonl", 200)
    measured = label_measures(
        weights, rows // 2, table["label"].iloc[rows], scored["label"], scored["probability"]
    )
    assert score["measures"]["auc"] == summarise(measured["auc"]).to_dict()


def test_an_author_of_few_texts_is_not_reported_apart(labels: Folder) -> None:
    folder = labels()
    path = folder / "challenge" / "mrbench.test.jsonl"
    path.write_text(path.read_text().replace('"Phi3"', '"GPT4"', 1))
    found = result_of(folder, Reader("challenge"))
    parts = {s["part"] for s in found["scores"] if s["kind"] == "author"}
    assert parts == {"author GPT4", "author Mistral"}


def test_a_text_without_words_counts_as_probability_zero(labels: Folder) -> None:
    class Silent(Reader):
        def probability(self, text: str) -> float:
            p = super().probability(text)
            return p if p >= 0.5 else float("nan")

    results = run(labels(), [Silent("repair")], replicates=20)
    [found] = results["detectors"]
    assert found["status"] == "validated"
    assert [s["unscored"] for s in found["scores"] if s["kind"] == "all"] == [50] * 4
    assert "50 of mrda_q in reader" in " ".join(to_markdown(results).split())


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (lambda n: pd.DataFrame({"probability": [0.5], "label": [True]}), "1 rows for 100 texts"),
        (
            lambda n: pd.DataFrame({"probability": [1.5] * n, "label": [True] * n}),
            r"row 1, probability: 1\.5; must lie in 0\.\.1",
        ),
    ],
)
def test_a_table_that_is_none_is_refused(
    labels: Folder, score: Callable[[int], pd.DataFrame], said: str
) -> None:
    detector = Reader("repair", "odd")
    detector.score = lambda texts, contexts=None: score(len(texts))
    with pytest.raises(PanelistError, match=rf"odd on repair/maptask_q\.test\.jsonl.*{said}"):
        run(labels(), [detector], replicates=20)


def test_two_detectors_of_one_name_are_refused(labels: Folder) -> None:
    with pytest.raises(PanelistError, match=r"two are named \('repair', 'reader'\)"):
        run(labels(), [Reader("repair"), Inverted("repair")], replicates=20)


def test_a_split_that_is_not_there_is_said(labels: Folder) -> None:
    with pytest.raises(PanelistError, match="no set of the split 'heldout'"):
        run(labels(), [Reader("hedging")], split="heldout", replicates=20)


def test_the_heldout_split_is_held_against_the_same_bars(labels: Folder) -> None:
    folder = labels({"minecraft": 11})
    for path in (folder / "repair").glob("*.test.jsonl"):
        path.rename(path.with_name(path.name.replace(".test.", ".heldout.")))
    results = run(folder, [Reader("repair")], split="heldout", replicates=20)
    assert missed(results["detectors"][0]) == ["minecraft kappa at least 0.80: 0.780 against 0.80"]
    assert "`panelist validate --split heldout`" in to_markdown(results)


REAL = (checkout() or Path("/nowhere")).parent / "shared" / "labels"


@pytest.mark.skipif(not REAL.is_dir(), reason="the labels are not passed on")
def test_every_bar_names_a_set_and_a_part_that_is_there() -> None:
    results = run(REAL, [Random(b, "random") for b in BEHAVIOURS], replicates=2)
    for detector in results["detectors"]:
        assert [bar["why"] for bar in detector["bars"] if bar["met"] is None] == []
