"""Recipe against family, round-robins and panels against simulated truth (suite points 4, 6)."""

import numpy as np
import pytest
from worlds import crossed, mcse, round_robin

from panelist.analysis.composition import compose
from panelist.analysis.diversity import class_means, diversity, pair_classes
from panelist.analysis.generality import general_claim
from panelist.analysis.permutation import permutation_test
from panelist.analysis.profiles import Profiles, second_moment, squared_distances
from panelist.analysis.srm import COMPONENTS, social_relations

TIMES = pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])

COMPLETE = [(f, r) for f in range(3) for r in range(4)]
GAPS = {(0, 1), (1, 4), (2, 2), (3, 0), (3, 3), (1, 2)}
UNBALANCED = [(f, r) for f in range(4) for r in range(5) if (f, r) not in GAPS]
GRIDS = pytest.mark.parametrize("grid", [COMPLETE, UNBALANCED], ids=["3x4", "4x5 less 6"])


def profiles(x, grid):
    return Profiles.from_arrays(
        x, family=[f"f{f}" for f, _ in grid], recipe=[f"r{r}" for _, r in grid], scale=1.0
    )


@TIMES
@GRIDS
def test_components_are_unbiased(grid, times):
    """Family .09, recipe 1, family x recipe .25: all three come back, noise and gaps or not."""
    rng = np.random.default_rng(1)
    classes = pair_classes(profiles(np.zeros((2, len(grid), 1)), grid))
    est, naive = [], []
    for x in crossed(rng, 800 * times, grid, 3, 30, 0.3, 1.0, 0.5, 2.0):
        m = class_means(squared_distances(second_moment(x)), classes)
        est.append([(m["C"] - m["A"]) / 2, (m["C"] - m["B"]) / 2, (m["A"] + m["B"] - m["C"]) / 2])
        e = x.mean(axis=0)
        naive.append(((e[0] - e[1]) ** 2).mean() - squared_distances(second_moment(x))[0, 1])
    for values, truth in zip(np.array(est).T, (0.09, 1.0, 0.25), strict=True):
        assert abs(values.mean() - truth) < 3 * mcse(values)
    # What a naive distance would have added: twice the squared standard error.
    assert np.mean(naive) == pytest.approx(2 * 4 / 30, rel=0.03)


@TIMES
@pytest.mark.parametrize("effects", [(0.3, 1.0, 0.5), (0.0, 0.0, 0.0)])
def test_these_checkpoints_interval_covers(effects, times):
    """Fixed checkpoints, new seeds: the jackknife interval of A - B covers."""
    rng = np.random.default_rng(2)
    fixed = crossed(rng, 1, COMPLETE, 2, 1, *effects, 0.0)[0, 0]
    d2 = ((fixed[:, None] - fixed[None]) ** 2).mean(-1)
    p = profiles(np.zeros((2, 12, 2)), COMPLETE)
    m = class_means(d2, pair_classes(p))
    cover = []
    for _ in range(300 * times):
        x = fixed + rng.standard_normal((50, 1, 2)) + 2 * rng.standard_normal((50, 12, 2))
        gap = diversity(profiles(x, COMPLETE)).quantities["A-B"]
        cover.append(gap.low <= m["A"] - m["B"] <= gap.high)
    assert np.mean(cover) >= 0.92
    if effects[1]:
        assert np.mean(cover) <= 0.985


@TIMES
@pytest.mark.parametrize(
    ("axis", "effects", "arrangements"),
    [("recipe", (1.0, 0.0, 0.0), 576), ("family", (0.0, 1.0, 0.0), 216)],
)
def test_restricted_permutation_level(axis, effects, arrangements, times):
    """A strong effect of the other axis does not make this one significant."""
    rng = np.random.default_rng(3)
    x = crossed(rng, 500 * times, COMPLETE, 2, 20, *effects, 2.0)
    found = [permutation_test(profiles(v, COMPLETE), axis) for v in x]
    assert found[0].arrangements == arrangements and found[0].exact
    assert 0.02 <= np.mean([f.p <= 0.05 for f in found]) <= 0.085


def test_restricted_permutation_power():
    rng = np.random.default_rng(4)
    x = crossed(rng, 100, COMPLETE, 3, 30, 0.3, 1.0, 0.3, 2.0)
    assert np.mean([permutation_test(profiles(v, COMPLETE), "recipe").p <= 0.05 for v in x]) > 0.9


@TIMES
@GRIDS
@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_general_claim_level(grid, correlation, times):
    """Family = recipe: the bootstrap rejects at most 7 %, with correlated behaviours too."""
    rng = np.random.default_rng(5)
    x = crossed(rng, 400 * times, grid, 6, 30, 0.7, 0.7, 0.5, 2.0, correlation)
    rejected = np.mean([general_claim(profiles(v, grid), draws=200).p < 0.05 for v in x])
    assert rejected <= 0.07


def test_general_claim_needs_an_axis_that_brings_checkpoints_together():
    """Recipes of one base that avoid each other make A the largest, and no recipe effect."""
    rng = np.random.default_rng(7)
    grid = [(f, r) for f in range(8) for r in range(4)]
    x = crossed(rng, 100, grid, 6, 30, 0.0, 0.0, 1.0, 2.0)
    own = x.mean(axis=1, keepdims=True).reshape(100, 1, 8, 4, 6).mean(axis=3, keepdims=True)
    x = (x.reshape(100, 30, 8, 4, 6) - own).reshape(x.shape)
    found = [general_claim(profiles(v, grid), draws=200) for v in x]
    assert np.mean([f.statistic > 0 for f in found]) > 0.95
    assert np.mean([f.p < 0.05 for f in found]) <= 0.05
    assert all("no closer together" in f.summary() for f in found if f.shared <= 0)


def test_general_claim_power_and_direction():
    rng = np.random.default_rng(6)
    x = crossed(rng, 100, UNBALANCED, 6, 30, 0.3, 1.0, 0.5, 2.0)
    found = [general_claim(profiles(v, UNBALANCED), draws=400) for v in x]
    assert np.mean([f.p < 0.05 for f in found]) > 0.75
    assert np.mean([f.statistic > 0 for f in found]) > 0.95


@TIMES
@pytest.mark.parametrize("self_play", [True, False])
@pytest.mark.parametrize(("reciprocity", "covariance"), [(0.0, 0.0), (0.4, 0.15)])
def test_social_relations(self_play, reciprocity, covariance, times):
    """Actor .36, partner .25, relationship 1, with seed x actor noise: within 3 MCSE."""
    rng = np.random.default_rng(7)
    y = round_robin(rng, 400 * times, 8, 40, 0.36, 0.25, 1.0, reciprocity, covariance)
    found = [social_relations(v, self_play=self_play).components for v in y]
    for key, truth in zip(COMPONENTS, (0.36, 0.25, 1.0, covariance, reciprocity), strict=True):
        values = np.array([f[key].estimate for f in found])
        assert abs(values.mean() - truth) < 3 * mcse(values), key


def test_social_relations_split_by_class():
    """Recipe moves actors, family moves partners: each shows where it was planted, on average."""
    rng = np.random.default_rng(8)
    f, r = np.array(COMPLETE).T
    labels = {
        f"m{i + 1}": {"family": f"f{a}", "recipe": f"r{b}"} for i, (a, b) in enumerate(COMPLETE)
    }
    values = []
    for _ in range(250):
        actor, partner = rng.standard_normal(4)[r], 0.8 * rng.standard_normal(3)[f]
        y = actor[:, None] + partner + 0.5 * rng.standard_normal((12, 12))
        y = y + rng.standard_normal((25, 12, 12)) + rng.standard_normal((25, 12, 1))
        split = social_relations(y, labels=labels).split
        values.append([v.estimate for v in split.values()])
    for v, truth in zip(np.array(values).T, (1.0, 0.0, 0.0, 0.64), strict=True):
        assert abs(v.mean() - truth) < 3 * mcse(v)


@TIMES
def test_panels_of_identical_checkpoints(times):
    """Zero spread, half of the checkpoints noisier: cross-fitted value and gain are nought."""
    rng = np.random.default_rng(9)
    x = crossed(rng, 120 * times, COMPLETE, 2, 100, 0.0, 0.0, 0.0, 1.0)
    x[:, :, 6:] *= 2.0
    found = [compose(profiles(v, COMPLETE), 3, splits=4, draws=40) for v in x]
    for part in ("value", "gain_random", "gain_one_per_family"):
        values = [getattr(f, part).estimate for f in found]
        assert abs(np.mean(values)) < 3 * mcse(values), part
    assert np.mean([f.gain_random.low <= 0 <= f.gain_random.high for f in found]) > 0.9
    naive = []
    for v in x[:50]:
        e = v.mean(axis=0)
        naive.append(((e[:, None] - e[None]) ** 2).mean(-1).max())
    assert np.mean(naive) > 0.1  # the trap is there to be fallen into


@TIMES
def test_panels_find_the_planted_three_and_keep_them_tied(times):
    """The truly best panel is in the tied set at least as often as promised."""
    rng = np.random.default_rng(10)
    centre = np.zeros((12, 2))
    centre[[1, 5, 9]] = [[0.3, 0.0], [-0.15, 0.26], [-0.15, -0.26]]
    tied = hit = 0
    runs = 100 * times
    for _ in range(runs):
        x = centre + rng.standard_normal((120, 1, 2)) + rng.standard_normal((120, 12, 2))
        p = compose(profiles(x, COMPLETE), 3, splits=4, draws=100)
        best = ("m2", "m6", "m10")
        tied += best in p.tied
        hit += p.members == best
    assert tied / runs >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / runs)
    assert 0.4 < hit / runs < 0.9  # not so clear that a margin of nought would do
