"""Agreement with independent implementations, to 1e-8: statsmodels, scipy, brute force."""

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

from panelist.analysis.diversity import diversity
from panelist.analysis.dose import dose_response
from panelist.analysis.echo import echo_model
from panelist.analysis.errors import NotIdentified
from panelist.analysis.interval import ncx2_interval, t_interval
from panelist.analysis.pairs import adjust, log_ratios
from panelist.analysis.permutation import permutation_test
from panelist.analysis.profiles import Profiles, second_moment, squared_distances
from panelist.analysis.sensitivity import fixed_effects
from panelist.analysis.shift import hotelling, noise_variance, shift, tau2_estimate
from panelist.analysis.srm import social_relations
from panelist.analysis.sufficient import Cells

EXACT = {"rel": 1e-8, "abs": 1e-10}


@pytest.fixture
def d():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 1)) + rng.normal(size=(60, 4)) * [1, 1.5, 1, 0.5] + [5, 5.2, 5, 5.4]


def test_tau2_is_the_mean_product_over_pairs_of_different_seeds(d):
    d = d[:12]
    u = d - d.mean(axis=1, keepdims=True)
    brute = np.mean([u[s] @ u[t] for s, t in itertools.permutations(range(12), 2)]) / 3
    assert tau2_estimate(d) == pytest.approx(brute, **EXACT)
    h = np.eye(4) - 0.25
    v = np.trace(h @ (np.cov(d, rowvar=False) / 12) @ h) / 3
    assert noise_variance(d) == pytest.approx(v, **EXACT)


def test_omnibus_of_two_partners_is_the_paired_t_test(d):
    f, df, p = hotelling(d[:, :2])
    t = stats.ttest_rel(d[:, 0], d[:, 1])
    assert (f, p) == pytest.approx((t.statistic**2, t.pvalue), **EXACT)
    assert df == (1, 59)


def test_omnibus_does_not_depend_on_the_reference_partner(d):
    assert hotelling(d)[0] == pytest.approx(hotelling(d[:, ::-1])[0], **EXACT)


def test_levels_are_scipys_t_intervals(d):
    for j, v in enumerate(shift(d).levels):
        test = stats.ttest_1samp(d[:, j], 0)
        ci = test.confidence_interval(0.95)
        assert (v.low, v.high, v.p) == pytest.approx((ci.low, ci.high, test.pvalue), **EXACT)


def test_ncx2_ends_solve_their_equations():
    for q, df in [(10, 3), (3, 1), (500, 7), (4000, 3), (0.05, 3)]:
        low, high = ncx2_interval(q, df)
        for end, target in ((low, 0.975), (high, 0.025)):
            if stats.chi2.cdf(q, df) <= target:
                assert end == 0
            else:
                root = optimize.brentq(
                    lambda v, q=q, df=df, t=target: stats.ncx2.cdf(q, df, v) - t, 1e-9, 2 * q + 99
                )
                assert end == pytest.approx(root, rel=1e-6)


def test_two_partners_log_ratio_matches_the_delta_method_of_a_cluster_glm():
    """Poisson with offset and cluster sandwich: the same log-ratio and, up to its factor, se."""
    rng = np.random.default_rng(3)
    words = rng.integers(40, 200, (50, 2)).astype(float)
    cues = rng.poisson(words * [0.02, 0.03] * rng.gamma(4, 0.25, (50, 1)))
    pairs = log_ratios(Cells.from_arrays(cues, words, measure="rate"))
    x = np.tile([[1.0, 1.0], [1.0, 0.0]], (50, 1))
    fit = sm.GLM(cues.ravel(), x, family=sm.families.Poisson(), offset=np.log(words).ravel()).fit(
        cov_type="cluster", cov_kwds={"groups": np.repeat(range(50), 2)}, use_t=True
    )
    assert pairs.log_ratio[0] == pytest.approx(fit.params[1], **EXACT)
    # statsmodels multiplies by G/(G-1) (N-1)/(N-K); the seed-level t interval by G/(G-1).
    factor = np.sqrt((100 - 1) / (100 - 2))
    assert pairs.se[0] == pytest.approx(fit.bse[1] / factor, **EXACT)


def test_dose_slope_is_cluster_ols_with_seed_effects(d):
    dose = np.random.default_rng(1).gamma(2, 1, d.shape)
    r = dose_response(d, dose)
    dummies = np.kron(np.eye(60), np.ones((4, 1)))
    x = np.column_stack([dose.ravel(), dummies])
    fit = sm.OLS(d.ravel(), x).fit(
        cov_type="cluster",
        cov_kwds={"groups": np.repeat(range(60), 4), "use_correction": False},
    )
    assert r.slope.estimate == pytest.approx(fit.params[0], **EXACT)
    assert r.slope.se == pytest.approx(fit.bse[0] * np.sqrt(60 / 59), **EXACT)
    fixed = dose_response(d, [0.0, 1.0, 2.0, 5.0])
    slopes = [stats.linregress([0, 1, 2, 5], row).slope for row in d]
    assert fixed.slope.estimate == pytest.approx(np.mean(slopes), **EXACT)
    assert fixed.slope.low == pytest.approx(t_interval(slopes).low, **EXACT)


def test_fixed_effects_are_statsmodels_with_a_dummy_a_seed():
    rng = np.random.default_rng(2)
    words = rng.integers(40, 200, (40, 4)).astype(float)
    cues = rng.poisson(words * [0.02, 0.03, 0.025, 0.02] * rng.gamma(4, 0.25, (40, 1)))
    seen = rng.random(words.shape) > 0.15
    c = Cells.from_arrays(
        np.where(seen, cues, 0), np.where(seen, words, 0), replies=seen * 1.0, measure="rate"
    )
    mine = fixed_effects(c)
    use = seen & (seen.sum(1) >= 2)[:, None] & (np.where(seen, cues, 0).sum(1) > 0)[:, None]
    row, col = np.nonzero(use)
    kept, seed = np.unique(row, return_inverse=True)
    x = np.column_stack([np.eye(4)[col][:, 1:], np.eye(len(kept))[seed]])
    fit = sm.GLM(cues[use], x, family=sm.families.Poisson(), offset=np.log(words[use])).fit(
        cov_type="cluster", cov_kwds={"groups": seed}, use_t=True, tol=1e-14, maxiter=200
    )
    np.testing.assert_allclose(mine.log_ratio, fit.params[:3], rtol=1e-8)
    # statsmodels counts the dummies, nested in the clusters as they are, as parameters.
    n, groups = len(seed), len(kept)
    factor = (n - 1) / (n - x.shape[1])
    np.testing.assert_allclose(mine.se, fit.bse[:3] / np.sqrt(factor), rtol=1e-8)
    wald = fit.wald_test(np.eye(3, x.shape[1]), use_f=True, scalar=True)
    hotelling_scale = (groups - 3) / (groups - 1)
    assert pytest.approx(float(wald.statistic) * factor * hotelling_scale, rel=1e-8) == mine.F
    assert mine.df == (3, groups - 3) and mine.n_incomplete > 0


def test_echo_is_two_way_cluster_ols(d):
    rng = np.random.default_rng(4)
    hedge, words = rng.gamma(2, 1, d.shape), rng.integers(20, 90, d.shape)
    d = d + 0.5 * hedge
    e = echo_model(Cells.from_arrays(d), hedge, words)
    x = np.column_stack(
        [
            hedge.ravel(),
            np.log(words).ravel(),
            np.kron(np.eye(60), np.ones((4, 1))),
            np.tile(np.eye(4)[:, 1:], (60, 1)),
        ]
    )
    fit = sm.OLS(d.ravel(), x).fit(
        cov_type="cluster",
        cov_kwds={"groups": np.repeat(range(60), 4), "use_correction": False},
    )
    assert e.echo.estimate == pytest.approx(fit.params[0], **EXACT)
    assert e.length.estimate == pytest.approx(fit.params[1], **EXACT)
    assert e.echo.se == pytest.approx(fit.bse[0] * np.sqrt(60 / 59), **EXACT)


def test_adjusted_p_values_are_statsmodels():
    p = np.random.default_rng(5).random(9) ** 2
    np.testing.assert_allclose(adjust(p, "holm"), sm.stats.multipletests(p, method="holm")[1])
    np.testing.assert_allclose(adjust(p, "bh"), stats.false_discovery_control(p), rtol=1e-12)


def test_distances_are_brute_force_over_pairs_of_seeds():
    x = np.random.default_rng(6).normal(size=(9, 3, 2))
    d2 = squared_distances(second_moment(x))
    e = x[:, 0] - x[:, 2]
    pairs = itertools.permutations(range(9), 2)
    assert d2[0, 2] == pytest.approx(np.mean([e[s] @ e[t] for s, t in pairs]) / 2, **EXACT)
    counts = np.array([0, 2, 1, 1, 0, 3, 1, 1, 0.0])
    w = squared_distances(second_moment(x, counts))[0, 2]
    weights = [(s, t, counts[s] * counts[t]) for s, t in itertools.permutations(range(9), 2)]
    brute = sum(c * (e[s] @ e[t]) for s, t, c in weights) / sum(c for *_, c in weights) / 2
    assert w == pytest.approx(brute, **EXACT)


def test_jackknife_is_recomputation_without_each_seed():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(25, 4, 2))
    labels = {"family": list("aabb"), "recipe": list("xyxy"), "scale": 1.0}
    d = diversity(Profiles.from_arrays(x, **labels))
    gap = d.quantities["A-B"]
    left = []
    for s in range(25):
        m = squared_distances(second_moment(np.delete(x, s, axis=0)))
        left.append((m[0, 1] + m[2, 3]) / 2 - (m[0, 2] + m[1, 3]) / 2)
    se = np.sqrt(24 / 25 * ((left - np.mean(left)) ** 2).sum())
    assert gap.se == pytest.approx(se, **EXACT)


def test_permutation_is_exact_enumeration_by_hand():
    rng = np.random.default_rng(8)
    x = rng.normal(size=(25, 6, 1)) + np.tile([0.0, 1.0, 2.0], 2)[:, None]
    family, recipe = list("aaabbb"), list("xyzxyz")
    p = Profiles.from_arrays(x, family=family, recipe=recipe, scale=1.0)
    found = permutation_test(p, "recipe")
    d2 = squared_distances(second_moment(x))
    values = []
    for a in itertools.permutations("xyz"):
        labels = list(a) + list("xyz")
        pairs = [(i, j) for i in range(3) for j in range(3, 6)]
        same = np.mean([d2[i, j] for i, j in pairs if labels[i] == labels[j]])
        values.append(np.mean([d2[i, j] for i, j in pairs if labels[i] != labels[j]]) - same)
    assert found.statistic == pytest.approx(values[0], **EXACT)
    assert found.p == pytest.approx(np.mean(np.array(values) >= values[0] - 1e-9))
    assert found.arrangements == 6


def test_round_robin_formulas_against_a_noiseless_grid():
    """Without noise U is the plain square: Kenny's estimators on the mean grid, by hand."""
    rng = np.random.default_rng(9)
    y = rng.normal(size=(5, 5))
    grid = np.repeat(y[None], 25, axis=0)
    n = 5
    c = social_relations(np.where(np.eye(n), np.nan, grid)).components
    off = np.where(np.eye(n), 0, y)
    row, col, grand = off.sum(1) / (n - 1), off.sum(0) / (n - 1), off.sum() / (n * (n - 1))
    a = ((n - 1) ** 2 * row + (n - 1) * col) / (n * (n - 2)) - (n - 1) / (n - 2) * grand
    b = ((n - 1) ** 2 * col + (n - 1) * row) / (n * (n - 2)) - (n - 1) / (n - 2) * grand
    g = y - a[:, None] - b[None] - grand
    i, j = np.triu_indices(n, 1)
    between = ((g[i, j] + g[j, i]) ** 2).sum() / 2 / ((n - 1) * (n - 2) / 2 - 1)
    within = ((g[i, j] - g[j, i]) ** 2).sum() / 2 / ((n - 1) * (n - 2) / 2)
    s2, cov = (between + within) / 2, (between - within) / 2
    assert c["relationship"].estimate == pytest.approx(s2, **EXACT)
    assert c["reciprocity"].estimate == pytest.approx(cov, **EXACT)
    actor = (a**2).sum() / (n - 1) - (s2 * (n - 1) + cov) / (n * (n - 2))
    assert c["actor"].estimate == pytest.approx(actor, **EXACT)


@pytest.mark.parametrize("self_play", [True, False])
def test_round_robin_components_are_unbiased_exactly(self_play):
    """A quadratic form's mean is its sum over the eigenvectors of the covariance: no simulation."""
    n, truth = 5, {"actor": 0.36, "partner": 0.25, "relationship": 1.0}
    truth |= {"actor-partner covariance": 0.15, "reciprocity": 0.4}
    f, p = np.indices((n, n)).reshape(2, -1)
    covariance = (
        truth["actor"] * (f[:, None] == f)
        + truth["partner"] * (p[:, None] == p)
        + truth["actor-partner covariance"] * ((f[:, None] == p) * 1.0 + (p[:, None] == f))
        + truth["reciprocity"] * ((f[:, None] == p) & (p[:, None] == f) & (f != p))
        + truth["relationship"] * np.eye(n * n)
    )
    eigen, vectors = np.linalg.eigh(covariance)
    total = dict.fromkeys(truth, 0.0)
    for value, vector in zip(eigen, vectors.T, strict=True):
        grid = np.repeat((np.sqrt(max(value, 0)) * vector).reshape(1, n, n), 20, axis=0)
        for key, v in social_relations(grid, self_play=self_play).components.items():
            total[key] += v.estimate
    assert total == pytest.approx(truth, rel=1e-8)


def test_self_play_form_is_the_two_way_layout_where_reciprocity_is_nought():
    """method.md 4b.5: U(r) / (n-1)^2, and the same up to reciprocity / (n (n-1))."""
    rng = np.random.default_rng(10)
    y = rng.normal(size=(40, 6, 6))
    c = social_relations(y).components
    r = y - y.mean(2, keepdims=True) - y.mean(1, keepdims=True) + y.mean((1, 2), keepdims=True)
    total = r.sum(0)
    u = ((total**2).sum() - (r**2).sum()) / (40 * 39)
    simple = u / 25
    corrected = c["relationship"].estimate + c["reciprocity"].estimate / (6 * 5)
    assert corrected == pytest.approx(simple, **EXACT)
    assert not isinstance(c, NotIdentified)
