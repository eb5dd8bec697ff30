"""Shift against simulated truth: error rates, bias and coverage (method.md, validation suite 1-3).

A ``slow`` version runs ten times the replications in the same bands.
"""

import numpy as np
import pytest
from worlds import cue_counts, hedging, mcse

from panelist.analysis.errors import NotIdentified
from panelist.analysis.extent import crossfit_range, relative_range
from panelist.analysis.floor import floor
from panelist.analysis.interval import ncx2_interval
from panelist.analysis.pairs import log_ratios
from panelist.analysis.quadratic import tail_share
from panelist.analysis.shift import hotelling, identified, noise_variance, shift, tau2_estimate
from panelist.analysis.sufficient import Cells

TIMES = pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])


def tau_cover(d, truth):
    """Estimates, and whether the interval that `shift` prints covers the truth, for each run."""
    k = d.shape[2]
    cover, est = [], []
    for x in d:
        est.append(tau2_estimate(x))
        u = x - x.mean(axis=1, keepdims=True)
        share = tail_share(u.mean(0), np.cov(u, rowvar=False) / len(u), (k - 1) * truth)
        cover.append(0.025 <= share <= 0.975 if truth else share <= 0.975)
    return np.array(est), np.array(cover)


def rates(world):
    """Linearised seed-level rates (reps, S, k) of a world of counts."""
    cues, words, true = world
    d = [Cells.from_arrays(c, w, measure="rate").matrix() for c, w in zip(cues, words, strict=True)]
    return np.array(d), true


@TIMES
@pytest.mark.parametrize(("seeds", "replies", "partners"), [(200, 1, 4), (300, 2, 8), (40, 2, 4)])
def test_null(seeds, replies, partners, times):
    """No partner effect: the omnibus rejects at its level and tau2 averages nought."""
    rng = np.random.default_rng(seeds + partners)
    d, _ = hedging(rng, 2000 * times, seeds, replies, partners, 0.0)
    rejected = np.mean([hotelling(x)[2] < 0.05 for x in d])
    assert 0.035 <= rejected <= 0.065
    est, cover = tau_cover(d, 0.0)
    assert abs(est.mean()) < 3 * mcse(est)
    assert cover.mean() >= 0.95
    crossed = [crossfit_range(x, splits=10) for x in d[: 500 * times]]
    assert abs(np.mean(crossed)) < 3 * mcse(crossed)


def test_the_raw_range_is_a_trap():
    """200 seeds, one reply, four identical partners: a raw range of 18 %, as method.md warns."""
    d, _ = hedging(np.random.default_rng(0), 300, 200, 1, 4, 0.0)
    raw = [relative_range(x).raw for x in d]
    assert np.mean(raw) == pytest.approx(0.18, abs=0.01)


@TIMES
@pytest.mark.parametrize(
    ("seeds", "replies", "partners", "effect"),
    [(200, 1, 4, 0.18), (500, 2, 4, 0.18), (500, 2, 4, 0.05), (800, 4, 4, 0.05), (300, 2, 8, 0.18)],
)
def test_planted_shift(seeds, replies, partners, effect, times):
    """Planted 5 % and 18 %: tau2 unbiased, its interval covers at its level."""
    rng = np.random.default_rng(int(1000 * effect) + seeds)
    d, levels = hedging(rng, 2000 * times, seeds, replies, partners, effect)
    truth = levels.var(ddof=1)
    est, cover = tau_cover(d, truth)
    assert abs(est.mean() - truth) < 3 * mcse(est)
    assert 0.93 <= cover.mean() <= 0.97


@TIMES
@pytest.mark.parametrize(
    ("seeds", "effect", "ref"),
    [
        (200, 0.18, "mean"),
        (500, 0.05, "mean"),
        (200, 0.0, "mean"),
        (200, 0.0, "min"),
        (200, 0.18, "min"),
        (200, 0.18, "self"),
    ],
)
def test_range_interval(seeds, effect, ref, times):
    """The simultaneous interval of the relative range covers the true one."""
    rng = np.random.default_rng(seeds)
    d, levels = hedging(rng, 1000 * times, seeds, 2, 4, effect)
    base = {"mean": levels.mean(), "min": levels.min(), "self": levels[1]}[ref]
    truth = (levels.max() - levels.min()) / base
    found = [relative_range(x, ref=ref, self_column=1, splits=1) for x in d]
    assert np.mean([r.low <= truth <= r.high for r in found]) >= 0.93


def test_omnibus_agrees_with_permuting_partners_within_seeds():
    """The cross-check of method.md 4a.1: blocks are seeds, the statistic is var(m)."""
    rng = np.random.default_rng(12)
    d, _ = hedging(rng, 12, 100, 4, 3, 0.12)
    for x in d:
        order = np.argsort(rng.random((2000, *x.shape)), axis=2)
        shuffled = np.take_along_axis(np.broadcast_to(x, order.shape), order, axis=2)
        p = np.mean(shuffled.mean(axis=1).var(axis=1) >= x.mean(axis=0).var() * (1 - 1e-12))
        assert hotelling(x)[2] == pytest.approx(p, abs=0.09)


@TIMES
def test_rates_with_unequal_lengths(times):
    """Negative binomial counts, lengths that differ by partner: level, bias and coverage hold."""
    rng = np.random.default_rng(11)
    d, _ = rates(cue_counts(rng, 2000 * times, 100, 2, 4, 0.0))
    assert 0.035 <= np.mean([hotelling(x)[2] < 0.05 for x in d]) <= 0.065
    est, _ = tau_cover(d, 0.0)
    assert abs(est.mean()) < 3 * mcse(est)
    for effect in (0.05, 0.18):
        d, true = rates(cue_counts(rng, 2000 * times, 200, 2, 4, effect))
        est, cover = tau_cover(d, true.var(ddof=1))
        assert 0.93 <= cover.mean() <= 0.97
        assert abs(est.mean() - true.var(ddof=1)) < 3 * mcse(est)


@TIMES
@pytest.mark.parametrize("seeds", [20, 40, 200])
def test_few_clusters(seeds, times):
    """20, 40 and 200 seeds: the F test keeps its level; tau2 covers a planted 18 %."""
    rng = np.random.default_rng(seeds)
    d, _ = hedging(rng, 2000 * times, seeds, 4, 4, 0.0)
    assert 0.035 <= np.mean([hotelling(x)[2] < 0.05 for x in d]) <= 0.065
    d, levels = hedging(rng, 2000 * times, seeds, 4, 4, 0.18)
    _, cover = tau_cover(d, levels.var(ddof=1))
    assert 0.93 <= cover.mean() <= 0.97


@TIMES
@pytest.mark.parametrize(
    "noise", [[1.0, 1.0, 1.0, 2.0], [1.0, 1.0, 1.3, 1.6], [1.0, 2.0, 3.0, 4.0]]
)
@pytest.mark.parametrize("size", [1.0, 3.0, 10.0])
def test_partners_with_unequal_noise(noise, size, times):
    """One partner's replies vary more: the interval still covers, where ncx2 falls to .91."""
    rng = np.random.default_rng(int(10 * sum(noise) + size))
    noise = np.array(noise, float)
    u = np.array([-1.3, -0.4, 0.5, 1.2])
    v = (noise**2).mean() / 100
    levels = u / np.sqrt((u**2).sum()) * np.sqrt(3 * size * v)
    shape = (600 * times, 100)
    d = rng.standard_normal((*shape, 1)) + levels + noise * rng.standard_normal((*shape, 4))
    _, cover = tau_cover(d, levels.var(ddof=1))
    assert cover.mean() >= 0.93


@TIMES
def test_missing_cells(times):
    """One cell in twenty missing: common seeds keep level and lack of bias."""
    rng = np.random.default_rng(5)
    d, levels = hedging(rng, 1500 * times, 150, 2, 4, 0.18)
    seen = rng.random(d.shape) > 0.05
    est, dropped = [], 0
    for x, ok in zip(d, seen, strict=True):
        c = Cells.from_arrays(np.where(ok, x, 0), ok * 1.0, replies=ok * 2.0).common()
        dropped += c.dropped_seeds
        est.append(tau2_estimate(c.matrix()))
    assert dropped / d[..., 0].size == pytest.approx(1 - 0.95**4, abs=0.01)
    assert abs(np.mean(est) - levels.var(ddof=1)) < 3 * mcse(est)


@TIMES
def test_pairs_family_wise_error_and_coverage(times):
    """Max-T keeps the chance of any false pair at 5 %; t intervals of log-ratios cover."""
    rng = np.random.default_rng(7)
    d, _ = hedging(rng, 800 * times, 100, 2, 4, 0.0)
    any_false = np.mean([log_ratios(x).p_max_t.min() < 0.05 for x in d])
    assert 0.027 <= any_false <= 0.073
    d, levels = hedging(rng, 500 * times, 100, 2, 4, 0.18)
    truth = np.log(levels[0] / levels[3])
    found = [log_ratios(x) for x in d]
    cover = np.mean([p.low[2] <= truth <= p.high[2] for p in found])
    assert 0.92 <= cover <= 0.98


@TIMES
def test_aa_floor_is_a_live_type_one_meter(times):
    """Two names of one partner, sampled apart: p is uniform, tau2 nought."""
    rng = np.random.default_rng(8)
    d, _ = hedging(rng, 400 * times, 60, 2, 2, 0.0)
    found = [floor(Cells.from_arrays(x, partners=["a", "a again"]), "a", "a again") for x in d]
    p = np.array([f.p for f in found])
    assert 0.02 <= (p < 0.05).mean() <= 0.085
    assert p.mean() == pytest.approx(0.5, abs=4 * 0.289 / np.sqrt(len(p)))
    est = [f.tau2.estimate for f in found]
    assert abs(np.mean(est)) < 3 * mcse(est)


def test_shift_prints_what_the_suite_checks():
    """The pieces above are those that `shift` reports."""
    d, _ = hedging(np.random.default_rng(3), 1, 120, 2, 4, 0.6)
    s = shift(d[0])
    assert s.tau2.estimate == pytest.approx(tau2_estimate(d[0]), rel=1e-12)
    v = noise_variance(d[0])
    assert s.tau2.estimate == pytest.approx(d[0].mean(0).var(ddof=1) - v, rel=1e-9)
    u = d[0] - d[0].mean(axis=1, keepdims=True)
    args = u.mean(0), np.cov(u, rowvar=False) / 120
    assert tail_share(*args, 3 * s.tau2.low) == pytest.approx(0.975, abs=1e-4)
    assert tail_share(*args, 3 * s.tau2.high) == pytest.approx(0.025, abs=1e-4)
    low, high = ncx2_interval(3 * d[0].mean(0).var(ddof=1) / v, 3)
    assert (s.tau2.low, s.tau2.high) == pytest.approx((low * v / 3, high * v / 3), rel=0.1)
    assert s.rel_sd.estimate == pytest.approx(np.sqrt(max(s.tau2.estimate, 0)) / d[0].mean())
    assert (s.F, s.df, s.p) == hotelling(d[0])


def test_nineteen_seeds_are_refused_twenty_are_not():
    d, _ = hedging(np.random.default_rng(3), 1, 20, 4, 3, 0.18)
    assert identified(Cells.from_arrays(d[0])) is None
    assert isinstance(shift(d[0][:19]), NotIdentified)
