"""Reasoning is split off, whatever way it is marked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panelist.panels.reasoning import split_reasoning


@pytest.mark.parametrize(
    ("raw", "visible", "reasoning"),
    [
        ("Plain.", "Plain.", ""),
        ("<think>a</think>\n\nB.", "B.", "a"),
        ("a</think>B.", "B.", "a"),
        ("<think>a", "", "a"),
        ("<THINK>a</THINK>B.<think>c</think>", "B.", "a\nc"),
        ("<thinking>a</thinking>B", "B", "a"),
        ("x</think><think>y</think>z", "z", "x\ny"),
    ],
)
def test_split(raw: str, visible: str, reasoning: str) -> None:
    assert split_reasoning(raw) == (visible, reasoning)


def test_a_reply_cut_inside_an_unmarked_block_is_reasoning() -> None:
    assert split_reasoning("Okay, so perhaps", cut=True) == ("", "Okay, so perhaps")
    assert split_reasoning("so it is</think>Yes", cut=True) == ("Yes", "so it is")


@given(st.text(alphabet="ab <>/think\n", max_size=80))
def test_no_mark_of_reasoning_is_left(raw: str) -> None:
    visible, _ = split_reasoning(raw)
    assert "<think>" not in visible
    assert "</think>" not in visible
