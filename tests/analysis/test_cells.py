"""The tidy table to cells: the same sums as pandas, and every kind of bad input named."""

import numpy as np
import pandas as pd
import pytest
from made_up import table

from panelist.analysis.cells import Cells, cells, cells_by_focal
from panelist.analysis.errors import AnalysisError


@pytest.fixture
def replies():
    return table(np.random.default_rng(0), focals=("f", "g"), seeds=12, replies=3, lost=0.05)


@pytest.mark.parametrize(
    ("measure", "y", "x"),
    [
        ("label", "hedging", None),
        ("score", "hedging_score", None),
        ("rate", "hedging_cues", "words"),
        ("window_rate", "hedging_window_cues", "window_words"),
        ("words", "words", None),
    ],
)
def test_sums_are_those_of_a_group_by(replies, measure, y, x):
    shuffled = replies.sample(frac=1.0, random_state=1)
    c = cells(shuffled, measure=measure, focal="g")
    ok = replies[(replies["focal"] == "g") & (replies["status"] == "ok")]
    groups = ok.groupby(["seed", "partner"])

    def grid(column):
        return column.unstack("partner").reindex(c.seeds)[list(c.partners)].fillna(0).to_numpy()

    np.testing.assert_allclose(c.total, grid(groups[y].sum()), rtol=1e-12)
    np.testing.assert_allclose(c.replies, grid(groups[y].count()))
    np.testing.assert_allclose(c.sumsq, grid(groups[y].agg(lambda v: (v**2).sum())), rtol=1e-12)
    exposure = grid(groups[x].sum()) if x else c.replies
    np.testing.assert_allclose(c.exposure, exposure, rtol=1e-12)
    lost = replies[(replies["focal"] == "g") & (replies["status"] != "ok")]
    assert {k: v for k, v in c.missing.items() if v} == lost["status"].value_counts().to_dict()


def test_one_pass_over_all_focals_is_the_same(replies):
    every = cells_by_focal(replies, measure="rate")
    assert list(every) == ["f", "g"]
    for f, c in every.items():
        alone = cells(replies, measure="rate", focal=f)
        np.testing.assert_array_equal(c.total, alone.total)
        assert (c.seeds, c.partners, c.missing) == (alone.seeds, alone.partners, alone.missing)


def test_the_first_turn_is_the_focals_first(replies):
    later = replies.assign(turn=4, hedging=1.0 - replies["hedging"])
    both = pd.concat([later, replies])
    np.testing.assert_array_equal(cells(both, focal="f").total, cells(replies, focal="f").total)
    np.testing.assert_array_equal(
        cells(both, focal="f", turn=4).total, cells(later, focal="f").total
    )
    # A chain that lost its first reply is missing; its later turn does not stand in.
    c = cells(pd.concat([later, replies.iloc[3:]]), focal="f")
    assert c.replies[0, 0] == 0


def test_truncated_replies_keep_their_scores(replies):
    cut = replies.assign(status=replies["status"].where(replies["status"] != "ok", "truncated"))
    np.testing.assert_array_equal(cells(cut, focal="f").total, cells(replies, focal="f").total)


def test_rates_are_ratios_of_sums(replies):
    c = cells(replies, measure="rate", focal="f").common()
    np.testing.assert_allclose(c.levels(), 100 * c.total.sum(0) / c.exposure.sum(0), rtol=1e-12)


def test_common_counts_what_it_drops():
    c = Cells.from_arrays([[1, 0], [1, 1], [0, 1]], [[1, 0], [2, 2], [1, 1]], measure="label")
    assert not c.complete
    kept = c.common()
    assert (kept.seeds, kept.dropped_seeds) == ((1, 2), 1)
    assert "1 seeds lack a reply" in kept.summary()
    with pytest.raises(AnalysisError, match="common"):
        c.matrix()
    assert kept.select(["p2"]).total.tolist() == [[1.0], [1.0]]
    assert len(kept.to_frame()) == 4


def at_three(t, value):
    return t.assign(hedging=t["hedging"].where(t.index != 3, value))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: pd.concat([t, t.iloc[[7]]]), "twice"),
        (
            lambda t: t.assign(hedging=np.where(t.index == 3, np.nan, t["hedging"])),
            "column hedging",
        ),
        (
            lambda t: t.assign(hedging=np.where(t.index == 3, np.inf, t["hedging"])),
            "column hedging",
        ),
        (lambda t: at_three(t, -1.0), "negative"),
        (lambda t: at_three(t, 0.5), "0 or 1"),
        (lambda t: t.assign(seed=t["seed"].where(t.index != 3)), "column seed"),
        (lambda t: t.assign(partner=t["partner"].where(t.index != 3)), "column partner"),
        (lambda t: t.assign(status=t["status"].where(t.index != 3, "odd")), "odd"),
        (lambda t: t.drop(columns="turn"), "turn"),
        (lambda t: t.drop(columns="hedging"), "hedging"),
        (lambda t: t.iloc[:0], "no rows"),
    ],
)
def test_bad_tables_are_named(change, words):
    t = table(np.random.default_rng(1), seeds=5)
    with pytest.raises(AnalysisError, match=words):
        cells(change(t))


def test_bad_requests_are_named(replies):
    for call, words in (
        ({}, "must be named"),
        ({"focal": "h"}, "not in the table"),
        ({"focal": "f", "behaviour": "sulking"}, "unknown"),
        ({"focal": "f", "measure": "share"}, "unknown"),
        ({"focal": "f", "partners": ["a", "z"]}, "absent"),
        ({"focal": "f", "partners": ["a", "a"]}, "repeated"),
        ({"focal": "f", "turn": 9}, "no replies"),
    ):
        with pytest.raises(AnalysisError, match=words):
            cells(replies, **call)
    wordless = replies.assign(words=0.0)
    with pytest.raises(AnalysisError, match="0 in a scored reply"):
        cells(wordless[wordless["status"] == "ok"], focal="f", measure="rate")
