"""The compiled detectors give the numbers of the reference, whatever the text."""

import builtins
import sys
from time import process_time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

from panelist.panels.bank import find_bank
from panelist.panels.errors import PanelistError
from panelist.scorers.cues import detect
from panelist.scorers.cues_fast import columns, word_hash
from panelist.scorers.detector import BEHAVIOURS, Behaviour
from panelist.scorers.features_fast import feature_key, probabilities
from panelist.scorers.learned import LearnedDetector
from panelist.scorers.lexicon import parse, shipped

PIECES = [
    '"', "\u201c", "\u201d", "\u00ab", "\u00bb", "`", "```", "<think>", "</think>", "<thinking>",
    "</thinking>", "> ", "'", "\u2019", "\u2018", "-", "\u2011", "\u00a0", "\u202f", "\u2003",
    "\u0085", "\u2028", "\x1c", "\x1f", "\t", "\n", "\n\n", " ", " ", " ", "e\u0301", "\u0130",
    "\u017f", "\u212a", "\U0001f389", "\u0631\u0628", "\u202e", "\x00", "1", "5 ", "$", "\u00a3",
    "\u20ac", ".", "!", "?", ")", "]", ",", "*", "_", "\u6211", "caf\u00e9", "May", "may", "MAY",
    "perhaps", "might", "not sure", "i'm not", "about", "as", "possible", "so you mean", "you mean",
    "no", "wrong", "in may", "seventy", "a" * 7, "b" * 8, "c" * 17, "\u00e9" * 9,
]  # fmt: skip
ODD = [
    "", " ", "\x00", "I", "May", "I may", "In May it may. May 5.", "don't", "don\u2019t", "-a-",
    "a-b-c'd", "'tis", "\u201cperhaps\u201d", "\u201cperhaps\u201d it may", '"a" b. "c', "x" * 64,
    "x" * 63 + "-y", "x" * 62 + " - y", "x" * 63 + "'", "a" * 128 + ". B", "`` `a`` b",
    "> may\n > may\nmay", "<think>may", "<think>may</thinking> may", "One. Two?\n\nThree",
    'He said so."  Then?', "one.two. three", "...", "a.\n\n\nb", "caf\u00e9 may", "caf\u00c9 MAY",
    "as good as possible", "about $5", "about half", "1-2 may", "\u0130 may", "perhaps" * 3,
]  # fmt: skip


def same(texts: list[str], behaviour: Behaviour) -> None:
    found = columns(texts, shipped(behaviour))
    for i, text in enumerate(texts):
        seen = detect(text, behaviour)
        for name in ("words", "cues", "sentences", "cued_sentences", "window_words", "window_cues"):
            assert getattr(found, name)[i] == getattr(seen, name), (name, text)
        assert found.strength[i] == pytest.approx(seen.strength, abs=1e-9), text


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_the_bank_and_odd_texts(behaviour: Behaviour) -> None:
    same([*ODD, *sorted(find_bank("v1").turns.values())[::4]], behaviour)


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), max_size=4))
def test_texts_made_to_hurt(texts: list[str]) -> None:
    for behaviour in BEHAVIOURS:
        same(texts, behaviour)


@given(st.lists(st.text(max_size=100), min_size=1, max_size=3))
def test_any_text(texts: list[str]) -> None:
    same(texts, "hedging")


def test_a_small_lexicon_with_wild_cards() -> None:
    lexicon = parse("[not]\nso #\n[a 2]\nso\n# of *\nseven\nas * as # x\n[b -1 quiet]\nof it\n")
    texts = ["so 5 of them", "so, 5 of it", "seven of it", "as big as 7 x", "as big as 7 of it so"]
    found = columns(texts, lexicon)
    from panelist.scorers.lexicon import tokenize

    for i, text in enumerate(texts):
        cues = lexicon.cues(text, tokenize(text))
        assert found.counts[i].sum() == len(cues), text
        assert found.strength[i] == sum(lexicon.classes[cue.name].grade for cue in cues)


def test_arrow_columns_are_read_where_they_lie() -> None:
    texts = ["It may be.", "No.", "\u00c9t\u00e9, perhaps."] * 5
    expected = columns(texts, shipped("hedging")).cues
    for kind in (pa.string(), pa.large_string()):
        array = pa.array(["x", *texts, "y"], kind)[1:-1]
        assert (columns(array, shipped("hedging")).cues == expected).all()
    chunks = pa.chunked_array([texts[:4], texts[4:]])
    assert (columns(chunks, shipped("hedging")).cues == expected).all()
    nulls = columns(pa.array(["may", None, "may"]), shipped("hedging"))
    assert list(nulls.words) == [1, 0, 1]
    assert len(columns([], shipped("hedging")).cues) == 0
    assert len(columns(pa.array([], pa.string()), shipped("hedging")).cues) == 0


def test_a_lone_surrogate_is_read_as_the_reference_reads_it() -> None:
    same(["it may \ud800 be", "plain"], "hedging")


@pytest.mark.parametrize(
    "text",
    [
        "perhaps " * 125_000, '"' * 1_000_000, "\u201c" * 300_000, "`" * 999_999,
        "<think>" * 140_000, "\x00" * 1_000_000, "\U0001f389" * 250_000, "a" * 1_000_000,
        "a-" * 500_000, " " * 1_000_000, "\n> " * 300_000, ". " * 500_000,
    ],
    ids=lambda text: repr(text[:4]),
)  # fmt: skip
def test_a_megabyte_takes_bounded_time(text: str) -> None:
    columns(["warm"], shipped("hedging"))
    start = process_time()
    columns([text], shipped("hedging"))
    assert process_time() - start < 10


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_learned_probabilities_are_those_of_the_reference(behaviour: Behaviour) -> None:
    turns = sorted(find_bank("v1").turns.values())[::9]
    texts = [*ODD, *turns, "So you mean 5?", "No 5.", "Seven of 7!"]
    contexts = [*reversed(texts)]
    reference = LearnedDetector(behaviour)
    expected = [reference.probability(t, c) for t, c in zip(texts, contexts, strict=True)]
    made = probabilities(texts, contexts, behaviour)
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-9)


@given(
    st.lists(st.sampled_from(PIECES), max_size=40), st.lists(st.sampled_from(PIECES), max_size=90)
)
def test_learned_probabilities_of_texts_made_to_hurt(text: list[str], context: list[str]) -> None:
    one, before = "".join(text), "".join(context)
    made = probabilities([one], [before], "repair")[0]
    assert made == pytest.approx(LearnedDetector("repair").probability(one, before), nan_ok=True)


def test_contexts_must_match_the_texts() -> None:
    with pytest.raises(ValueError, match="1 contexts for 2 texts"):
        probabilities(["a", "b"], ["c"], "repair")


def test_without_numba_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name == "numba":
            raise ImportError(name)
        return real(name, *rest, **more)

    for name in list(sys.modules):
        if name.split(".")[0] == "numba" or name == "panelist.scorers.kernels":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(PanelistError, match=r"pip install 'panelist\[fast\]'"):
        columns(["a"], shipped("hedging"))


def test_keys_of_words_and_features_differ() -> None:
    words = {
        word for lexicon in map(shipped, BEHAVIOURS) for entry in lexicon.entries for word in entry
    }
    assert len({word_hash(word) for word in words}) == len(words)
    keys = {feature_key(kind, f"{a} {b}") for kind in range(7) for a in "abc" for b in "abc"}
    assert len(keys) == 63
