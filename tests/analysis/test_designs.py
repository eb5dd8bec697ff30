"""Planted designs, detector error, echo, equivalence, power: simulated truth and refusals."""

import numpy as np
import pytest
from made_up import table
from scipy.stats import norm
from worlds import hedging, marginal, mcse

from panelist.analysis.detection import detection, signal_detection
from panelist.analysis.detector_error import corrected_cells, detector_error, rogan_gladen
from panelist.analysis.dose import dose_response
from panelist.analysis.echo import echo, echo_model
from panelist.analysis.equivalence import equivalence, runtime_cells
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.length import length_control
from panelist.analysis.pilot import refit
from panelist.analysis.power import Noise, omnibus_power, plan
from panelist.analysis.sensitivity import fixed_effects
from panelist.analysis.shift import hotelling, shift
from panelist.analysis.sufficient import Cells

TIMES = pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])


# --- signal detection -----------------------------------------------------------------------


@TIMES
def test_d_prime_covers_and_counts_seeds_not_replies(times):
    """Replies share their seed: the interval of d' still covers the marginal d'."""
    rng = np.random.default_rng(0)
    seeds, runs = 80, 400 * times
    lift = 0.7 * rng.standard_normal((runs, seeds))
    hit, alarm = norm.cdf(0.5 + lift), norm.cdf(-0.8 + lift)
    scale = np.sqrt(1 + 0.49)
    truth = (0.5 + 0.8) / scale
    h, f = rng.binomial(4, hit), rng.binomial(4, alarm)
    n = np.full(seeds, 4)
    found = [signal_detection(a, n, b, n) for a, b in zip(h, f, strict=True)]
    cover = np.mean([v.d_prime.low <= truth <= v.d_prime.high for v in found])
    assert 0.92 <= cover <= 0.98
    cover = np.mean([v.hit.low <= norm.cdf(0.5 / scale) <= v.hit.high for v in found])
    assert 0.92 <= cover <= 0.98
    # Hit and false alarm move together with the seed, so d' is known better than either.
    assert np.mean([v.d_prime.se for v in found]) < 0.12


@TIMES
@pytest.mark.parametrize("seeds", [24, 200])
@pytest.mark.parametrize("rates", [(0.5, 0.002), (0.9, 0.002), (0.02, 0.01), (0.98, 0.01)], ids=str)
def test_signal_detection_covers_where_a_rate_is_seldom_or_never_seen(rates, seeds, times):
    """Where the jackknife alone sees no spread in many worlds."""
    rng = np.random.default_rng(3)
    runs, n = 400 * times, np.full(seeds, 2)
    truth = norm.ppf(rates[0]) - norm.ppf(rates[1])
    hits, alarms = (rng.binomial(2, rng.beta(8 * p, 8 - 8 * p, (runs, seeds))) for p in rates)
    found = [signal_detection(a, n, b, n).d_prime for a, b in zip(hits, alarms, strict=True)]
    cover = np.mean([v.low <= truth <= v.high for v in found])
    assert cover >= 0.94 - 3 * np.sqrt(0.94 * 0.06 / runs)
    assert all(v.high > v.low for v in found)


def test_perfect_detection_stays_finite():
    n = np.full(30, 2)
    v = signal_detection(n, n, np.zeros(30), n)
    assert v.hit.estimate == 1 and v.hit.low == pytest.approx(0.8865, abs=1e-3)
    expected = norm.ppf(60.5 / 61) - norm.ppf(0.5 / 61)
    assert v.d_prime.estimate == pytest.approx(expected)
    assert v.criterion.estimate == pytest.approx(0.0, abs=1e-12)


def test_detection_from_the_table():
    rng = np.random.default_rng(1)
    t = table(rng, seeds=40, replies=4)
    t["planted"] = (t["replicate"] % 2).astype(float)
    t["repair"] = (rng.random(len(t)) < np.where(t["planted"] == 1, 0.7, 0.2)).astype(float)
    d = detection(t)
    planted = t[t["planted"] == 1]
    assert d.hit.estimate == pytest.approx(planted["repair"].mean())
    assert d.d_prime.low > 0 and "tells the two apart" in d.summary()
    one = detection(t, partner="b")
    assert one.hit.estimate == pytest.approx(planted[planted["partner"] == "b"]["repair"].mean())
    assert isinstance(detection(t[t["planted"] == 1]), NotIdentified)
    assert isinstance(detection(t[t["seed"] < "s010"]), NotIdentified)
    with pytest.raises(AnalysisError, match="planted"):
        detection(t.drop(columns="planted"))


# --- detector error -------------------------------------------------------------------------


def errs(rng, y, specificity, sensitivity=0.85):
    """Detector labels of true labels (S, k, R), specificity by partner."""
    wrong = np.where(y == 1, 1 - sensitivity, 1 - np.asarray(specificity)[:, None])
    return np.where(rng.random(y.shape) < wrong, 1 - y, y)


@TIMES
def test_differential_specificity_fakes_a_shift_and_labels_take_it_back(times):
    """Sp .95 and .80: no true shift; uncorrected rejects far too often, corrected covers."""
    rng = np.random.default_rng(2)
    raw, corrected, cover = [], [], []
    seeds, replies = 200, 4
    for _ in range(300 * times):
        p = np.clip(0.4 + 0.1 * rng.standard_normal((seeds, 1, 1)), 0, 1)
        y = (rng.random((seeds, 2, replies)) < p).astype(int)
        f = errs(rng, y, [0.95, 0.80])
        raw.append(hotelling(f.mean(2))[2] < 0.05)
        labelled = rng.random(y.shape) < 0.3
        pseudo = f + np.where(labelled, (y - f) / 0.3, 0.0)
        d = pseudo.mean(2)
        corrected.append(hotelling(d)[2] < 0.05)
        level = shift(Cells.from_arrays(d)).levels[1]
        cover.append(level.low <= 0.4 <= level.high)
    assert np.mean(raw) > 0.5
    assert np.mean(corrected) <= 0.09
    assert np.mean(cover) >= 0.92


def test_corrected_cells_are_the_pseudo_outcomes():
    rng = np.random.default_rng(3)
    t = table(rng, seeds=25, replies=2)
    human = np.where(rng.random(len(t)) < 0.4, rng.integers(0, 2, len(t)), np.nan)
    c = corrected_cells(t, human, 0.4)
    pseudo = t["hedging"] + np.where(
        np.isnan(human), 0, (np.nan_to_num(human) - t["hedging"]) / 0.4
    )
    expected = pseudo.groupby([t["seed"], t["partner"]]).sum().unstack().to_numpy()
    np.testing.assert_allclose(c.total, expected)
    with pytest.raises(AnalysisError, match="labels no row"):
        corrected_cells(t, np.full(len(t), np.nan), 0.4)
    with pytest.raises(AnalysisError, match="probability"):
        corrected_cells(t, human, 0.0)


def test_strata_and_rogan_gladen():
    e = detector_error([1, 1, 0, 0, 1, 1], [1, 0, 0, 0, 1, 1], ["a", "a", "a", "a", "b", "b"])
    a, b = e.strata
    assert (a.sensitivity.estimate, a.specificity.estimate) == (0.5, 1.0)
    assert isinstance(b.specificity, NotIdentified) and b.sensitivity.estimate == 1.0
    assert len(e.to_frame()) == 4 and "Sensitivity runs from 0.50 to 1.00" in e.summary()
    assert isinstance(rogan_gladen(0.4, 0.5, 0.5), NotIdentified)
    # 18 % relative shift seen through Se .85, Sp .95 is 15.3 %: method.md 4a.10.
    seen = np.array([0.4, 0.4 * 1.18]) * 0.8 + 0.05
    assert seen[1] / seen[0] - 1 == pytest.approx(0.156, abs=0.002)
    assert rogan_gladen(seen, 0.85, 0.95).tolist() == pytest.approx([0.4, 0.472])
    with pytest.raises(AnalysisError, match="0 and 1"):
        detector_error([1, 0.5], [1, 1])


# --- echo and dose --------------------------------------------------------------------------


@TIMES
def test_echo_takes_mirroring_out_and_keeps_its_level(times):
    """All shift is mirroring: before it is found, after it the omnibus keeps its level."""
    rng = np.random.default_rng(4)
    after, before, slopes = [], [], []
    for _ in range(250 * times):
        rate = rng.gamma(4, 0.5, (120, 3)) * [0.6, 1.0, 1.6]
        words = rng.integers(20, 90, rate.shape)
        d = rng.standard_normal((120, 1)) + rng.standard_normal((120, 3)) + 5 + 0.4 * rate
        e = echo_model(Cells.from_arrays(d), rate, words)
        before.append(e.before.p < 0.05)
        after.append(e.after.p < 0.05)
        slopes.append(e.echo.estimate)
    assert np.mean(before) > 0.9
    assert 0.015 <= np.mean(after) <= 0.09
    assert abs(np.mean(slopes) - 0.4) < 3 * mcse(slopes)


def test_echo_of_scripted_partners_is_refused_and_reads_the_table():
    t = table(np.random.default_rng(5), seeds=40, level=[0.2, 0.4, 0.6])
    e = echo(t)
    assert e.before.n_seeds == 40 and {"before", "after"} <= set(e.summary().split())
    scripted = t.assign(partner_words=50.0, partner_hedging_cues=(t["partner"] == "a") * 2.0)
    assert "same rate on every seed" in echo(scripted).summary()
    with pytest.raises(AnalysisError, match="partner_words"):
        echo(t.assign(partner_words=0.0))


def test_dose_response_finds_the_planted_slope():
    t = table(np.random.default_rng(6), seeds=200, replies=4, level=[0.2, 0.4, 0.6])
    c = Cells.from_arrays(
        t.groupby(["seed", "partner"])["hedging"].sum().unstack().to_numpy(),
        np.full((200, 3), 4.0),
        partners=["a", "b", "c"],
        measure="label",
    )
    d = dose_response(c, {"a": 0.0, "c": 4.0, "b": 2.0})
    assert d.slope.low < 0.1 < d.slope.high and d.monotone and d.trend.low > 0
    assert "shows more hedging" in d.summary()
    assert isinstance(dose_response(c, [1.0, 1.0, 1.0]), NotIdentified)
    with pytest.raises(AnalysisError, match="lacks the partners"):
        dose_response(c, {"a": 0.0})
    with pytest.raises(AnalysisError, match="NaN"):
        dose_response(c, [0.0, np.nan, 1.0])


# --- runtime equivalence --------------------------------------------------------------------


@TIMES
@pytest.mark.parametrize(
    ("gap", "low", "high"), [(0.05, 0.0, 0.075), (-0.05, 0.0, 0.075), (0.0, 0.6, 1.0)]
)
def test_tost_level_at_the_margin_and_power_at_equality(gap, low, high, times):
    """A true gap of the margin passes at most 5 %; equal runtimes mostly pass."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(300 * times):
        d = 2 + rng.standard_normal((400, 1)) + 0.45 * rng.standard_normal((400, 2))
        d[:, 1] += 2 * gap
        found.append(equivalence(Cells.from_arrays(d), margin=0.05).verdict == "equivalent")
    assert low <= np.mean(found) <= high


def test_runtimes_from_the_table():
    rng = np.random.default_rng(8)
    t = table(rng, seeds=60, replies=4)
    t["runtime"] = np.where(t["replicate"] <= 2, "bf16", "int4")
    c = runtime_cells(t)
    assert c.partners == ("bf16", "int4") and len(c.seeds) == 60
    first = t[t["runtime"] == "bf16"].groupby("seed")["hedging"].mean()
    np.testing.assert_allclose(c.total[:, 0], first.to_numpy())
    e = equivalence(c, partners=shift(c))
    assert e.verdict == "undecided" and "More seeds" in e.summary()
    assert len(e.to_frame()) == 1
    with pytest.raises(AnalysisError, match="runtime"):
        runtime_cells(t.drop(columns="runtime"))


# --- power ----------------------------------------------------------------------------------

TABLE = {
    (0.18, "contrast"): [(1457, 548, 245), (730, 276, 124), (367, 139, 64), (185, 71, 34)],
    (0.18, "pairs"): [(2247, 846, 378), (1126, 425, 192), (565, 215, 98), (285, 110, 51)],
    (0.05, "contrast"): [
        (18873, 7100, 3175),
        (9454, 3568, 1606),
        (4745, 1802, 821),
        (2390, 919, 428),
    ],
}
COUNTS = {
    (2, 80): (552, 140, 6344, 1604),
    (3, 80): (432, 110, 4970, 1261),
    (4, 200): (265, 68, 3047, 780),
}


@pytest.mark.parametrize(("key", "rows"), TABLE.items())
def test_the_table_of_method_4c(key, rows):
    effect, target = key
    for i, base in enumerate((0.2, 0.4, 0.6)):
        assert plan(effect, base, 4, target=target).seeds == tuple(row[i] for row in rows)


@pytest.mark.parametrize(("key", "row"), COUNTS.items())
def test_the_counts_of_method_4c(key, row):
    rate, words = key
    got = []
    for effect in (0.18, 0.05):
        p = plan(effect, rate, 4, counts=True, words=words, target="contrast", replies=(1, 4))
        got += list(p.seeds)
    assert np.abs(np.subtract(got, row)).max() <= 1  # the table rounds to the nearest, not up


@TIMES
@pytest.mark.parametrize(("seeds", "replies"), [(200, 1), (500, 2), (300, 4)])
def test_power_formula_against_simulated_power(seeds, replies, times):
    """Within five points, with icc and w refitted from a pilot of the same world."""
    rng = np.random.default_rng(9)
    runs = 1500 * times
    d, levels = hedging(rng, runs, seeds, replies, 4, 0.18)
    simulated = np.mean([hotelling(x)[2] < 0.05 for x in d])
    pilot, _ = hedging(rng, 1, 3000, 4, 4, 0.0)
    noise = refit(Cells.from_arrays(4 * pilot[0], np.full((3000, 4), 4.0), measure="label")).noise
    assert omnibus_power(levels, seeds, replies, noise=noise) == pytest.approx(simulated, abs=0.05)


def test_omnibus_plan_reaches_its_power():
    p = plan(0.18, 0.35, 4, target="omnibus", replies=(2,))
    levels = 0.35 * (1 + 0.18 * np.linspace(-0.5, 0.5, 4))
    assert omnibus_power(levels, p.seeds[0], 2, noise=p.noise) == pytest.approx(0.8, abs=0.005)


def test_refit_recovers_icc_and_w():
    rng = np.random.default_rng(10)
    d, _ = hedging(rng, 1, 20000, 2, 4, 0.0)
    pilot = refit(Cells.from_arrays(2 * d[0], np.full((20000, 4), 2.0), measure="label"))
    z = rng.standard_normal((400000, 1)) * 0.9 + 0.25 * rng.standard_normal((400000, 2))
    mid = np.log(0.35 / 0.65)
    grid = np.linspace(-2, 1, 301)
    at = np.interp(0.35, marginal(grid), grid)
    p = 1 / (1 + np.exp(-(at + z)))
    assert abs(mid - at) > 0.01
    assert pilot.w2 == pytest.approx(((p[:, 0] - p[:, 1]) ** 2).mean() / 2, abs=0.0015)
    assert pilot.icc == pytest.approx(1 - (p * (1 - p)).mean() / (0.35 * 0.65), abs=0.01)
    assert isinstance(refit(Cells.from_arrays(d[0], measure="label")), NotIdentified)


def test_refit_of_counts():
    rng = np.random.default_rng(11)
    mean = 1.6 * np.exp(0.3 * rng.standard_normal((8000, 3)) - 0.045)
    y = rng.poisson(mean[..., None] * rng.gamma(3.0, 1 / 3, (8000, 3, 2))).astype(float)
    c = Cells.from_arrays(
        y.sum(2),
        np.full((8000, 3), 160.0),
        replies=np.full((8000, 3), 2.0),
        sumsq=(y**2).sum(2),
        measure="rate",
    )
    pilot = refit(c)
    assert pilot.base == pytest.approx(2.0, rel=0.03)
    assert pilot.theta == pytest.approx(3.0, rel=0.15)
    # A log-normal with sd .3 has a relative variance of exp(.09) - 1.
    assert pilot.w2 == pytest.approx(np.expm1(0.09), abs=0.012)
    assert isinstance(pilot.noise, Noise)


def test_plan_prices_and_advises_two_replies():
    p = plan(price=0.5, tokens_per_second=1000.0)
    frame = p.to_frame()
    np.testing.assert_allclose(frame["cost"], frame["tokens"] * 0.5e-6)
    np.testing.assert_allclose(frame["hours"] * 3.6e6, frame["tokens"])
    assert p.replies[p.best] >= 2 and "pilot" in p.summary()
    for bad in (
        {"shift": 0},
        {"base": 1.5},
        {"partners": 1},
        {"power": 1.0},
        {"replies": ()},
        {"icc": 1.0},
        {"w": -1.0},
        {"target": "all"},
    ):
        with pytest.raises(AnalysisError):
            plan(**bad)


# --- length and missing cells ---------------------------------------------------------------


def test_length_control_puts_the_measures_side_by_side():
    t = table(np.random.default_rng(12), seeds=60, level=[0.2, 0.4, 0.6])
    out = length_control(t)
    assert list(out.by_measure) == ["label", "rate", "window_rate", "words"]
    assert out.by_measure["label"].p < 0.01 < out.by_measure["words"].p
    assert len(out.to_frame()) == 4 and "Length is itself" in out.summary()


@TIMES
def test_fixed_effects_use_incomplete_seeds_and_keep_their_level(times):
    rng = np.random.default_rng(13)
    d, _ = hedging(rng, 800 * times, 100, 2, 4, 0.0)
    seen = rng.random(d.shape) > 0.2
    p = []
    for x, ok in zip(d, seen, strict=True):
        c = Cells.from_arrays(2 * x * ok, 2.0 * ok, replies=2.0 * ok, measure="label")
        p.append(fixed_effects(c).p)
    assert 0.027 <= np.mean(np.array(p) < 0.05) <= 0.073


def test_fixed_effects_refusals():
    zero = Cells.from_arrays(np.column_stack([np.ones(30), np.zeros(30)]), measure="label")
    assert "never occurs" in fixed_effects(zero).summary()
    assert isinstance(fixed_effects(Cells.from_arrays(-np.ones((30, 2)))), NotIdentified)
    unlinked = np.ones((40, 4))
    unlinked[:20, 2:] = unlinked[20:, :2] = 0
    c = Cells.from_arrays(unlinked, unlinked, replies=unlinked, measure="label")
    assert isinstance(fixed_effects(c), NotIdentified)
