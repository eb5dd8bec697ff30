"""Rank intervals: right together with the confidence they claim, whatever is missing or ranked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panelist.analysis.detection import detection_of_cells
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.ranking import (
    Ranking,
    detection_values,
    level_values,
    ranking,
    shift_values,
)
from panelist.analysis.shift import shift
from panelist.analysis.sufficient import Cells

MCSE = 3.0


def made(x: object, **options: object) -> Ranking:
    found = ranking(x, **options)  # type: ignore[arg-type]
    assert isinstance(found, Ranking)
    return found


def counts(p: np.ndarray, replies: int, rng: np.random.Generator) -> Cells:
    total = rng.binomial(replies, p).astype(float)
    n = np.full_like(total, replies)
    return Cells.from_arrays(total, n, replies=n, measure="label")


@pytest.mark.parametrize("rows", [2, 3, 7])
def test_the_reference_is_the_largest_of_all_pairs(rows: int) -> None:
    rng = np.random.default_rng(rows)
    x = rng.normal(0, 1, (30, rows)) * np.arange(1, rows + 1)
    # As in `ranking`: the same draws, every pair written out.
    psi = (x - x.mean(axis=0)) / 30 * np.sqrt(30 / 29)
    draw = np.random.default_rng(5)
    z, chi = draw.standard_normal((400, 30)) @ psi, draw.chisquare(29, 400)
    spread = np.sqrt(((psi[:, :, None] - psi[:, None, :]) ** 2).sum(axis=0))
    t = [
        np.abs(z[:, i] - z[:, j]) / spread[i, j] / np.sqrt(chi / 29)
        for i in range(rows)
        for j in range(i)
    ]
    found = made(x, draws=400, seed=5)
    assert found.critical == pytest.approx(np.quantile(np.max(t, axis=0), 0.95))


@pytest.mark.parametrize("seeds, rows, missing", [(24, 5, 0.0), (200, 12, 0.0), (60, 8, 0.15)])
def test_identical_rows_are_told_apart_in_five_percent_of_worlds(
    seeds: int, rows: int, missing: float
) -> None:
    rng = np.random.default_rng(1)
    worlds, wrong = 400, 0
    for world in range(worlds):
        x = rng.normal(0, 1, (seeds, 1)) + rng.normal(0, 1, (seeds, rows)) * np.arange(1, rows + 1)
        x[rng.random(x.shape) < missing] = np.nan
        found = made(x, draws=400, seed=world)
        wrong += bool((found.tied < rows).any())
    assert abs(wrong / worlds - 0.05) < MCSE * np.sqrt(0.05 * 0.95 / worlds) + 0.01


def test_true_ranks_lie_in_all_intervals_with_the_confidence_claimed() -> None:
    rng = np.random.default_rng(2)
    truth = np.array([0.0, 0.3, 0.3, 1.0, 2.0])
    first = 1 + (truth[None, :] > truth[:, None]).sum(axis=1)
    last = len(truth) - (truth[None, :] < truth[:, None]).sum(axis=1)
    worlds, held, narrow = 300, 0, 0.0
    for world in range(worlds):
        x = rng.normal(0, 2, (80, 1)) + truth + rng.normal(0, 1, (80, 5))
        found = made(x, draws=400, seed=world)
        held += bool(((found.low <= first) & (found.high >= last)).all())
        narrow += float((found.high - found.low).mean()) / worlds
    assert held / worlds > 0.95 - MCSE * np.sqrt(0.05 * 0.95 / worlds)
    assert narrow < 1.5  # of a possible 4: what differs is told apart


def test_what_seeds_share_cancels() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(0, 50, (60, 1)) + rng.normal([0.0, 2.0], 1, (60, 2))
    assert made(x).top == ("r2",)


def test_equal_checkpoints_keep_one_rank_by_their_shift_too() -> None:
    rng = np.random.default_rng(4)
    worlds, wrong = 200, 0
    for world in range(worlds):
        base = rng.beta(2, 3, (120, 1))
        rows = [shift_values(counts(np.repeat(base, 4, axis=1), 2, rng)) for _ in range(6)]
        x = np.stack([row[1] for row in rows if not isinstance(row, NotIdentified)], axis=1)
        wrong += bool((made(x, draws=300, seed=world).tied < 6).any())
    assert wrong / worlds < 0.05 + MCSE * np.sqrt(0.05 * 0.95 / worlds)


def test_one_that_moves_with_its_partner_stands_first() -> None:
    rng = np.random.default_rng(5)
    still = np.full((300, 4), 0.4)
    moved = still + np.array([-0.25, -0.1, 0.1, 0.25])
    rows = [shift_values(counts(p, 4, rng)) for p in (still, moved, still)]
    known = [row for row in rows if not isinstance(row, NotIdentified)]
    x = np.stack([v for _, v in known], axis=1)
    found = made(x, values=[e for e, _ in known])
    assert (found.low[1], found.high[1], found.top) == (1, 1, ("r2",))


def test_pseudo_values_are_those_of_the_published_statistics() -> None:
    rng = np.random.default_rng(6)
    c = counts(rng.beta(2, 2, (50, 3)), 2, rng)
    moved, pseudo = shift(c), shift_values(c)
    assert not isinstance(moved, NotIdentified) and not isinstance(pseudo, NotIdentified)
    level = float(level_values(c).mean())
    assert pseudo[0] == pytest.approx(moved.tau2.estimate / level**2, rel=1e-10)
    one = shift_values(c.rows(np.arange(50) != 7))
    assert not isinstance(one, NotIdentified)
    assert pseudo[1][7] == pytest.approx(50 * pseudo[0] - 49 * one[0], rel=1e-9)
    planted, clean = c.select(["p1"]), c.select(["p2"])
    d, values, unseen = detection_values(planted, clean)
    found = detection_of_cells(planted, clean)
    assert not isinstance(found, NotIdentified)
    assert d == pytest.approx(found.d_prime.estimate, rel=1e-12)
    se = np.std(values, ddof=1) / np.sqrt(50)
    assert se == pytest.approx(found.d_prime.se, rel=1e-9) and unseen == 0


def test_rare_events_set_no_row_apart() -> None:
    """At rates near 0 the jackknife sees no spread in most rows, and lost replies move d'."""
    rng = np.random.default_rng(8)
    worlds, wrong, blind = 300, 0, 0
    for world in range(worlds):
        rows = []
        for lost in (0, 0, 12):
            total = rng.binomial(2, 0.004, (24, 2)).astype(float)
            n = np.full((24, 2), 2.0)
            n[:lost, 0] -= 1
            c = Cells.from_arrays(np.minimum(total, n), n, replies=n, measure="label")
            rows.append(detection_values(c.select(["p1"]), c.select(["p2"])))
        x, values = np.stack([row[1] for row in rows], axis=1), [row[0] for row in rows]
        found = made(x, values=values, variance=[row[2] for row in rows], draws=300, seed=world)
        wrong += bool((found.tied < 3).any())
        blind += bool((made(x, values=values, draws=300, seed=world).tied < 3).any())
    assert wrong / worlds < 0.05 + MCSE * np.sqrt(0.05 * 0.95 / worlds)
    assert blind / worlds > 0.5


def test_too_little_is_said_in_words() -> None:
    few = ranking(np.zeros((19, 3)))
    assert isinstance(few, NotIdentified) and "19" in few.summary()
    alone = ranking(np.zeros((40, 1)))
    assert isinstance(alone, NotIdentified)
    never = shift_values(Cells.from_arrays(np.zeros((30, 2)), np.ones((30, 2)), measure="label"))
    assert isinstance(never, NotIdentified)
    with pytest.raises(AnalysisError, match="same seeds"):
        detection_values(
            Cells.from_arrays([[1.0]], seeds=["a"]), Cells.from_arrays([[1.0]], seeds=["b"])
        )
    with pytest.raises(AnalysisError, match="2 entries"):
        ranking(np.zeros((40, 2)), [1.0])


def test_rows_without_any_spread_are_tied_only_if_they_are_equal() -> None:
    x = np.repeat([[0.0, 0.0, 1.0]], 30, axis=0)
    found = made(x)
    assert found.low.tolist() == [2, 2, 1] and found.tied.tolist() == [2, 2, 1]
    assert "1 of 3" in found.summary() and len(found.to_frame()) == 3
    assert "all are tied" in made(np.zeros((30, 3))).summary()


@given(st.integers(0, 10_000), st.integers(2, 7))
def test_intervals_hold_the_plain_rank_and_agree_with_each_other(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(rng.normal(0, 1, rows), 1, (25, rows))
    found = made(x, draws=100)
    plain = 1 + (found.values[None, :] > found.values[:, None]).sum(axis=1)
    assert ((found.low <= plain) & (plain <= found.high)).all()
    assert (found.high - found.low + 1 == found.tied).all()
    turned = made(-x, draws=100)
    assert (turned.low == rows + 1 - found.high).all()
