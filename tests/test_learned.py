"""The learned detectors: what they read, what ships, and what they do with odd text."""

import json
import math
from importlib.resources import files
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panelist.scorers.detector import BEHAVIOURS, COLUMNS, Behaviour
from panelist.scorers.detectors import detector, shipped
from panelist.scorers.features import NUMBERS, features
from panelist.scorers.learned import LearnedDetector, weights
from panelist.scorers.learned_model import read, write
from panelist.scorers.lexicon import shipped as lexicon
from panelist.scorers.training import PLANS

ODD = {
    "empty": "",
    "blank": " \n\t",
    "nul": "\x00" * 1000,
    "emoji": "\U0001f389" * 1000,
    "right to left": "\u202eربما " * 500,
    "one megabyte": "perhaps it might be so. " * 43_000,
    "one word": "a" * 1_000_000,
    "quotation marks": '"' * 1_000_000,
    "open quotations": "\u201c" * 1_000_000,
    "backticks": "`" * 999_999,
    "open reasoning": "<think>" * 100_000,
    "regex bait": "a " * 100_000 + "!",
    "hyphens": "a-" * 300_000,
    "apostrophes": "i'" * 300_000,
    "spaces": " " * 1_000_000,
    "new lines": "\n" * 1_000_000,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_text_is_scored_in_bounded_time(name: str) -> None:
    start = perf_counter()
    for behaviour in BEHAVIOURS:
        for one in shipped(behaviour):
            table = one.score([ODD[name]], [ODD[name]])
            value = table["probability"][0]
            assert math.isnan(value) or 0 <= value <= 1
    # Six scores of a megabyte twice; what backtracks takes hours.
    assert perf_counter() - start < 60


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_scored(text: str, context: str) -> None:
    for behaviour in BEHAVIOURS:
        for one in shipped(behaviour):
            table = one.score([text], [context])
            assert list(table.columns) == list(COLUMNS)
            assert table["label"].dtype == bool
            for start, end in table["spans"][0]:
                assert 0 <= start < end <= len(text)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_shipped_weights_are_small_read_back_and_of_their_plan(behaviour: Behaviour) -> None:
    model = read(weights(behaviour), behaviour)
    assert write(model) == weights(behaviour)
    planned = {expert for expert, _ in PLANS[behaviour].corpora.values()}
    assert planned <= set(model.experts)


def test_all_shipped_weights_stay_under_three_megabytes() -> None:
    assert sum(len(weights(behaviour).encode()) for behaviour in BEHAVIOURS) < 3_000_000


def test_a_damaged_table_is_refused() -> None:
    with pytest.raises(ValueError, match="damaged table"):
        read(weights("repair").replace("\t", " ", 40), "repair")


def test_the_turn_before_changes_the_score() -> None:
    repair = LearnedDetector("repair")
    alone = repair.probability("On the left?")
    after = repair.probability("On the left?", "put the block on the left")
    assert alone != after


def test_contexts_must_match_the_texts() -> None:
    with pytest.raises(ValueError, match="1 contexts for 2 texts"):
        shipped("repair")[0].score(["a", "b"], ["c"])


def test_an_unknown_detector_is_named() -> None:
    with pytest.raises(ValueError, match=r"'mood'.*hedging-cues, hedging-learned"):
        detector("mood")


@pytest.mark.parametrize(
    ("hedged", "plain"),
    [
        ("I'm not sure, but it may be that prices fall.", "Prices will fall by June."),
        ("Perhaps both could be right, it seems to depend on the case.", "Both are right."),
        ("Don't quote me on that, but I think it was 1912.", "It was definitely 1912."),
    ],
)
def test_hedged_scores_above_plain(hedged: str, plain: str) -> None:
    score = LearnedDetector("hedging").probability
    assert score(hedged) > 0.5 > score(plain)


def test_a_hedge_quoted_from_the_partner_is_not_the_repliers() -> None:
    score = LearnedDetector("hedging").probability
    own = score("I think perhaps it might rain, and that decides it.")
    quoted = score('You say "I think perhaps it might rain", and that decides it.')
    assert quoted < own


def test_features_have_known_names_only() -> None:
    found = features("Do you mean 5 of them?", "Put 4 there.", lexicon("repair"))
    kinds = {name.partition(":")[0] for name in found}
    assert kinds <= {"w", "^", "l", "$", "c^", "c$", "t", "h", "e", "c", "n", "?h", "-h", "c?h"}
    assert {name[2:] for name in found if name.startswith("n:")} <= {*NUMBERS}
    assert found["n:question"] == 1 and found["h:you_mean"] == 1


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_authored_texts_are_whole(behaviour: Behaviour) -> None:
    source = files("panelist.scorers.data") / f"authored.{behaviour}.jsonl"
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    assert len(rows) >= 400
    assert len({(row["context"], row["text"]) for row in rows}) == len(rows)
    assert {row["label"] for row in rows} == {0, 1}
    assert set(PLANS[behaviour].authored) <= {row["register"] for row in rows}
