"""The hedging cue detector: what counts, what does not, and that no text breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panelist.scorers.hedging_cues import WINDOW_WORDS, detect
from panelist.scorers.hedging_lexicon import CUES


def cues(text: str) -> list[str]:
    return [text[a:b].lower() for a, b in detect(text).spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It might rain.", ["might"]),
        ("PERHAPS it will.", ["perhaps"]),
        ("I'm not sure, but it could work.", ["not sure", "could"]),
        ("I\u2019m not entirely sure.", ["not entirely sure"]),
        ("As far as I can tell, it works.", ["as far as i can tell"]),
        ("as  far\nas I know it works", ["as  far\nas i know"]),
        ("It may well be so.", ["may well"]),
        ("May be it is.", ["may"]),
        ("About 30 people came, around half of them late.", ["about", "around"]),
        ("It tends to fail.", ["tends to"]),
        ("It is possible that it fails.", ["it is possible"]),
        ("I don't think so.", ["i don't think"]),
        ("It is kind of odd.", ["kind of"]),
        ("The evidence suggests that it works.", ["suggests that"]),
        ("It is unlikely.", ["unlikely"]),
    ],
)
def test_a_hedge_is_found(text: str, expected: list[str]) -> None:
    assert cues(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It works.",
        "We met in May and again on 3 May.",
        "Theresa May resigned.",
        "May I come in?",
        "Could you pass the salt?",
        "He did it with all his might.",
        "They talked about it and walked around the block.",
        "What kind of tree is this kind of tree?",
        "I think of you when I think about home.",
        "There is no uncertainty in it.",
        "It is not possible.",
        "I would rather walk than drive.",
        "I suggest you leave.",
        "It could not be clearer.",
        "I believe in hard work.",
        "mightily dismayed, unmaybelike",
        "Run `maybe()` now.",
        "```\nmaybe perhaps\n```\nDone.",
        "> Perhaps it is so.\n\nIt is so.",
    ],
)
def test_what_is_not_a_hedge_is_left(text: str) -> None:
    assert cues(text) == []


def test_longest_match_counts_once() -> None:
    assert cues("I could be wrong about it.") == ["i could be wrong"]


def test_measures_of_one_reply() -> None:
    found = detect("Perhaps it could work. It costs little. It seems cheap.")
    assert (found.words, found.cues, found.sentences, found.hedged_sentences) == (10, 3, 3, 2)
    assert found.per_100_words == 30
    assert found.sentence_share == pytest.approx(2 / 3)


def test_the_window_ends_with_its_last_word() -> None:
    head = "word " * (WINDOW_WORDS - 1)
    assert detect(f"{head}perhaps perhaps").window_cues == 1
    assert detect(f"{head}perhaps perhaps").window_words == WINDOW_WORDS
    assert detect("perhaps").window_words == 1


@pytest.mark.parametrize("text", ["", " \n", "...", "🎉🎉", "\x00", "؟"])
def test_a_text_without_words_scores_nought(text: str) -> None:
    found = detect(text)
    assert (found.cues, found.per_100_words, found.sentence_share) == (0, 0.0, 0.0)


def test_lexicon_is_lower_case_and_without_repeats() -> None:
    assert len(set(CUES)) == len(CUES)
    assert all(cue == cue.lower().strip() for cue in CUES)


@given(st.lists(st.sampled_from([*CUES, "İ", "ß", "\n", "`", ">", "May", "5", "."]), max_size=12))
def test_spans_are_ordered_and_inside_the_text(parts: list[str]) -> None:
    text = " ".join(parts)
    found = detect(text)
    ends = [0, *(at for span in found.spans for at in span), len(text)]
    assert ends == sorted(ends)
    assert found.hedged_sentences <= found.sentences
    assert found.window_cues <= found.cues


@given(st.text(max_size=200))
def test_any_text_is_scored(text: str) -> None:
    assert 0 <= detect(text).sentence_share <= 1
