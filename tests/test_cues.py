"""The cue detectors: what counts, what does not, and that no text breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panelist.scorers.cues import WINDOW_WORDS, CueDetector, detect
from panelist.scorers.lexicon import shipped

CUES = [
    " ".join(entry)
    for entry, name in shipped("hedging").entries.items()
    if name != "not" and not shipped("hedging").classes[name].quiet and not set(entry) & {"#", "*"}
]


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
        ("It may well be so.", ["may well be"]),
        ("May be it is.", ["may be"]),
        ("About 30 people came, around half of them late.", ["about 30", "around half"]),
        ("It tends to fail.", ["tends to"]),
        ("It is possible that it fails.", ["it is possible that"]),
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
        'You said "perhaps it could work", and it does.',
        "You said \u201cI think it might\u201d; it does.",
        "Vous dites \u00abmaybe\u00bb, et voil\u00e0.",
        "<think>Maybe, perhaps, I am not sure.</think>It works.",
        "<think>Maybe it could",
    ],
)
def test_what_is_not_a_hedge_is_left(text: str) -> None:
    assert cues(text) == []


def test_longest_match_counts_once() -> None:
    assert cues("That could be wrong.") == ["could be wrong"]


def test_measures_of_one_reply() -> None:
    found = detect("Perhaps it could work. It costs little. It seems cheap.")
    assert (found.words, found.cues, found.sentences, found.cued_sentences) == (10, 3, 3, 2)
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


def test_marks_around_the_whole_reply_are_no_quotation() -> None:
    assert cues('"Perhaps it works."') == ["perhaps"]


def test_a_lone_quotation_mark_hides_nothing() -> None:
    assert cues('A 12" pipe might do.') == ["might"]


def test_lists_and_headings_are_prose() -> None:
    found = detect("# Maybe so\n\n- it might rain\n- it is dry\n* perhaps")
    assert (found.cues, found.sentences, found.cued_sentences) == (3, 4, 3)


@pytest.mark.parametrize("behaviour", ["repair", "challenge"])
def test_the_other_behaviours_have_cues_too(behaviour: str) -> None:
    text = {"repair": "Sorry, what do you mean by that?", "challenge": "I disagree: it is false."}
    table = CueDetector(behaviour).score([text[behaviour], "It rains."])  # type: ignore[arg-type]
    assert list(table["label"]) == [True, False]
    assert table["probability"][0] > table["probability"][1]


@given(st.lists(st.sampled_from([*CUES, "İ", "ß", "\n", "`", ">", "May", "5", "."]), max_size=12))
def test_spans_are_ordered_and_inside_the_text(parts: list[str]) -> None:
    text = " ".join(parts)
    found = detect(text)
    ends = [0, *(at for span in found.spans for at in span), len(text)]
    assert ends == sorted(ends)
    assert found.cued_sentences <= found.sentences
    assert found.window_cues <= found.cues


@given(st.text(max_size=200))
def test_any_text_is_scored(text: str) -> None:
    assert 0 <= detect(text).sentence_share <= 1
