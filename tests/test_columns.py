"""Scoring by columns gives what scoring reply by reply gives."""

import sys
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panelist.panels.bank import find_bank
from panelist.panels.chain import Turn
from panelist.scorers import columns
from panelist.scorers.columns import Replies, score_columns
from panelist.scorers.detector import BEHAVIOURS
from panelist.scorers.detectors import detector
from panelist.scorers.records import score_turns
from panelist.scorers.rows import outcomes

NAMES = [f"{behaviour}-{kind}" for behaviour in BEHAVIOURS for kind in ("cues", "learned")]

ODD = [
    "",
    "...",
    "`code only`",
    '"a quotation, perhaps"',
    "I'm sorry, but I can’t help with that.",
    "I refuse.",
    "I cannot support that view, and here is why: it may fail.",
    "x" * 190 + " I can't help with that request.",
    "Das hängt davon ab, was man unter einer guten Lösung versteht, und das ist nicht klar.",
    "NON SONO SICURO CHE QUESTA SIA LA SOLUZIONE, PERCHÉ NON È CHIARO.",
    "Это зависит от того, что считать хорошим решением.",
    "一个好的解决方案取决于很多因素。",
    "Perhaps the plus side is that it is plus one.",
    "Maybe “der Hund” was said – by whom? 🙂 → I'd guess…",
    "ℝ ℂ ℕ ℚ",
    "İL der das und",
    "What do you mean by that? I think you may be wrong.",
    "I can\u202fnot help with that.",
    "I will\u00a0not help you with this.",
    "I am not\u00a0able to help with that.",
    "I must decl\u0131ne to answer the question.",
    "I w\u0130ll not help you with that.",
    "darİ inİ text here",
    "Ə Ə Ə Ə ab",
    "Ⱥ Ⱦ Ⱥ",
    "\u03bc \u039c \u03bc ab",
    "I refuſe.",
]


def replies(said: Sequence[tuple[str, Turn]]) -> Replies:
    turns = [turn for _, turn in said]
    return Replies(
        np.array([turn.index for turn in turns], np.int64),
        pa.array([turn.text for turn in turns], pa.large_string()),
        pa.array([before for before, _ in said], pa.large_string()),
        pa.array([turn.stop_reason for turn in turns]),
        pa.array([turn.output_tokens for turn in turns], pa.int32()),
        pa.array([turn.max_tokens for turn in turns], pa.int32()),
    )


def agree(said: Sequence[tuple[str, Turn]], names: Sequence[str] = NAMES) -> None:
    chosen = [detector(name) for name in names]
    for made, one in zip(score_columns(chosen, replies(said)), chosen, strict=True):
        rows = [outcomes({one.behaviour: record}) for record in score_turns(one, said)]
        assert set(made) == set(rows[0]) - {"spans"}
        for name, values in made.items():
            expected = [row[name] for row in rows]
            if name == "status":
                assert values.tolist() == expected
            else:
                np.testing.assert_allclose(
                    values, expected, atol=1e-9, err_msg=f"{one.name} {name}"
                )


def turn(text: str, stop: str = "stop", tokens: int | None = 9, most: int | None = 9) -> Turn:
    return Turn(2, "focal", "f", text, "", stop, tokens, most)


def test_the_shipped_turns() -> None:
    texts = [text for _, text in sorted(find_bank("v1").turns.items())][:60]
    agree([(texts[-1 - at], turn(text)) for at, text in enumerate(texts)])


def test_odd_replies_after_odd_turns() -> None:
    reasons = ("stop", "max_tokens", "model_length", "content_filter", "unknown", "")
    said = [(ODD[-1 - at], turn(text, reasons[at % 6])) for at, text in enumerate(ODD)]
    # Only replies that stopped of themselves may be passed by without a closer look.
    plain = [("What?", turn(text)) for text in ODD]
    agree([*said, *plain, ("What?", turn("Fine.", "unknown", None, None))])


WORDS = [
    *"der und das per que plus the it maybe не ça İle “ ” ' _ ` . K ſ \n".split(" "),
    "I can't",
    "I can\u202fnot",
    "I w\u0131ll\u00a0not",
    "I am not\u2007able to",
    "inİ Ə",
    "help with that",
    "decline to",
    "I must",
]


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=12), min_size=1, max_size=8))
def test_any_mixture_of_words(texts: list[list[str]]) -> None:
    said = [" ".join(words) for words in texts]
    agree([(text[::-1], turn(text)) for text in said], ["hedging-cues"])


REFUSALS = [
    "i can't help with this.",
    "i can not help with this.",
    "i won't assist.",
    "i will not assist you",
    "i am unable to comply",
    "i'm not able to answer that question",
    "i must decline to answer your request",
    "i have to refuse to participate",
]

ALIKE = {" ": " \u00a0\u202f\u2007\n", "'": "'’‘ʼ`", "i": "iIıİ", "s": "sSſ", "k": "kK\u212a"}
"""What `fold` or case makes of a character, or nearly."""


def disguised(text: str) -> st.SearchStrategy[str]:
    """A text in other characters that may read the same."""
    return st.tuples(*(st.sampled_from(ALIKE.get(c, c + c.upper())) for c in text)).map("".join)


@given(st.lists(st.sampled_from(REFUSALS).flatmap(disguised), min_size=1, max_size=8))
def test_any_spelling_of_a_refusal(said: list[str]) -> None:
    agree([("What?", turn(text)) for text in said], ["hedging-cues"])


@given(st.lists(st.text(max_size=60), min_size=1, max_size=5))
def test_any_text(texts: list[str]) -> None:
    agree([(text, turn(text)) for text in texts], ["challenge-learned"])


def test_without_numba_reply_by_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setattr(columns, "find_spec", lambda name: None)
    agree([(ODD[at - 1], turn(text)) for at, text in enumerate(ODD)], ["hedging-learned"])


def test_no_replies() -> None:
    assert all(
        len(v) == 0 for v in score_columns([detector("repair-cues")], replies([]))[0].values()
    )
