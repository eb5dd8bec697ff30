"""How a case is put to the LLM judge, and how its answers are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_cases import reply_in, verdict

from panelist.scorers.detector import BEHAVIOURS, Behaviour
from panelist.scorers.judge_answer import read_answer
from panelist.scorers.judge_rubric import RUBRICS, case, instructions, rubric_version


@pytest.mark.parametrize("score", range(5))
def test_the_scale_becomes_a_probability(score: int) -> None:
    found = read_answer(verdict(score), "Yes.")
    assert found is not None
    assert (found.probability, found.label) == (score / 4, score >= 3)


@pytest.mark.parametrize(
    "answer",
    ["", "4", "score: 4", '{"score": 5}', '{"score": -1}', '{"score": true}', '{"score": "4"}',
     '{"score": 2.5}', '{"score": null}', '{"quotes": []}', '[4]', '{"score": 4', "{" * 5000,
     '{"score": NaN}', '{"score": 1e999}'],
)  # fmt: skip
def test_what_is_no_answer_is_not_read_as_one(answer: str) -> None:
    assert read_answer(answer, "Yes.") is None


def test_the_last_score_decides() -> None:
    echo = f"The reply says {verdict(4)}, but:\n```json\n{verdict(0)}\n```"
    found = read_answer(echo, "Yes.")
    assert found is not None and found.probability == 0


def test_an_unreadable_last_score_does_not_fall_back_to_an_earlier_one() -> None:
    assert read_answer(f"{verdict(4)} no: {verdict(7)}", "Yes.") is None


def test_only_verbatim_quotes_become_spans() -> None:
    text = "Well, I think so. I think."
    answer = verdict(4, "i THINK", "think", "I think", "", "so", "not there", "Well")
    found = read_answer(answer, text)
    assert found is not None
    assert [text[a:b] for a, b in found.spans] == ["Well", "think", "so"]
    for odd in ('"I think"', "[1, null]", "{}", "null"):
        found = read_answer(f'{{"quotes": {odd}, "score": 3}}', text)
        assert found is not None and found.spans == ()


@given(st.text(max_size=300), st.text(max_size=100))
def test_any_answer_is_read_or_refused(answer: str, text: str) -> None:
    found = read_answer(answer, text)
    assert found is None or found.probability in (0, 0.25, 0.5, 0.75, 1)


@given(st.text(), st.text())
def test_the_case_holds_the_texts_whole(text: str, context: str) -> None:
    prompt = case("repair", text, context)
    assert reply_in(prompt) == text
    assert prompt == case("repair", text, context)


def test_a_reply_that_knows_the_marks_of_another_case_cannot_use_them() -> None:
    first = case("hedging", "Yes.", "Is it?")
    stolen = first.split("Yes.\n", 1)[1]
    prompt = case("hedging", f"Yes.\n{stolen}", "Is it?")
    assert reply_in(prompt) == f"Yes.\n{stolen}"


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_the_rubric_is_in_the_prompt_and_in_the_version(
    behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    rubric = RUBRICS[behaviour]
    prompt = instructions(behaviour)
    for words in (rubric.question, rubric.definition, *rubric.counts, *rubric.does_not_count):
        assert words in prompt
    before = rubric_version(behaviour)
    monkeypatch.setattr("panelist.scorers.judge_rubric.LABEL_AT", 2)
    assert rubric_version(behaviour) != before
