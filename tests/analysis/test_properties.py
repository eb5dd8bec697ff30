"""Whatever comes in, what comes out is a finite number, a typed error, or a reason in words."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from made_up import table

from panelist.analysis.cells import cells
from panelist.analysis.composition import Panel, compose
from panelist.analysis.detection import signal_detection
from panelist.analysis.diversity import (
    class_means,
    diversity,
    jackknife_class_means,
    pair_classes,
)
from panelist.analysis.dose import dose_response
from panelist.analysis.echo import echo_model
from panelist.analysis.equivalence import equivalence
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.floor import floor
from panelist.analysis.generality import general_claim
from panelist.analysis.permutation import permutation_test
from panelist.analysis.pilot import refit
from panelist.analysis.profiles import Profiles, second_moment, squared_distances
from panelist.analysis.sensitivity import fixed_effects
from panelist.analysis.shift import Shift, shift
from panelist.analysis.srm import social_relations
from panelist.analysis.sufficient import Cells

RUNS = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))

VALUES = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5, -1.0, np.nan, np.inf, -np.inf, 1e-300, 1e300]),
    st.floats(-5, 5),
)
LABELS = st.sampled_from([0.0, 1.0])


def grids(values, seeds=(1, 30), partners=(1, 5)):
    shape = st.tuples(st.integers(*seeds), st.integers(*partners))
    return shape.flatmap(lambda s: arrays(float, s, elements=values))


def sound(result):
    """Every number in a result is finite, except p-less or cost-less fields left at None."""
    if isinstance(result, NotIdentified):
        assert result.quantity and result.reason and result.remedy
        assert "not identified" in result.summary() and len(result.to_frame()) == 1
        return
    for f in dataclasses.fields(result):
        check(f.name, getattr(result, f.name))
    if hasattr(result, "summary"):
        assert result.summary() and "nan" not in result.summary().split()


def check(name, value):
    if dataclasses.is_dataclass(value):
        sound(value)
    elif isinstance(value, (tuple, list)):
        for v in value:
            check(name, v)
    elif isinstance(value, dict):
        for v in value.values():
            check(name, v)
    elif isinstance(value, (float, np.ndarray, np.floating)):
        assert np.isfinite(value).all(), name


def accept(call, *args, **kwargs):
    """Run a statistic: None on a typed error, otherwise its result, checked to be sound."""
    try:
        result = call(*args, **kwargs)
    except AnalysisError as e:
        assert len(str(e)) > 15  # the message says something
        return None
    sound(result)
    return result


@RUNS
@given(grids(VALUES, seeds=(1, 40)))
def test_any_matrix(d):
    s = accept(shift, d)
    if not np.isfinite(d).all():
        assert s is None
    accept(dose_response, d, np.arange(d.shape[1]))
    accept(equivalence, d)
    accept(lambda: fixed_effects(Cells.from_arrays(d)))


@RUNS
@given(grids(LABELS, seeds=(15, 40), partners=(1, 4)))
def test_any_labels(y):
    c = Cells.from_arrays(y, np.ones_like(y), measure="label", partners=list("abcd")[: y.shape[1]])
    s = accept(shift, c)
    if y.shape[0] < 20 or y.shape[1] < 2 or (y == y[0, 0]).all():
        assert isinstance(s, NotIdentified)
    accept(fixed_effects, c)
    accept(refit, c)
    if y.shape[1] > 1:
        accept(floor, c, "a", "b")


@RUNS
@given(grids(LABELS, seeds=(20, 40), partners=(2, 4)), st.floats(0, 0.9), st.integers(0, 99))
def test_any_missing_cells(y, share, seed):
    seen = np.random.default_rng(seed).random(y.shape) >= share
    c = Cells.from_arrays(y * seen, seen * 1.0, replies=seen * 1.0, measure="label")
    s = accept(shift, c)
    assert s is not None
    if seen.all(axis=1).sum() < 20:
        assert isinstance(s, NotIdentified)
    elif isinstance(s, Shift):
        assert s.n_seeds == seen.all(axis=1).sum() and s.n_dropped == len(y) - s.n_seeds
    assert accept(fixed_effects, c) is not None


@RUNS
@given(
    st.sampled_from(["total", "exposure", "replies", "sumsq"]),
    st.sampled_from([np.nan, np.inf, -np.inf, -1.0, "x", None]),
)
def test_one_bad_cell_is_a_typed_error(field, bad):
    grids = {k: np.ones((25, 3)).tolist() for k in ("total", "exposure", "replies", "sumsq")}
    grids[field][3][1] = bad
    with pytest.raises(AnalysisError, match=field):
        Cells.from_arrays(
            grids["total"],
            grids["exposure"],
            replies=grids["replies"],
            sumsq=grids["sumsq"],
            measure="label",
        )


@RUNS
@given(st.integers(3, 8), st.integers(1, 3), st.integers(0, 99), st.floats(-1e3, 1e3))
def test_a_seed_left_out_is_a_seed_that_was_not_there(seeds, behaviours, seed, offset):
    rng = np.random.default_rng(seed)
    x = offset + rng.normal(size=(seeds, 9, behaviours))
    p = Profiles.from_arrays(x, family=list("aabbccdde"), recipe=list("xyxyxyxyz"), scale=1.0)
    classes = pair_classes(p)
    for name, left in jackknife_class_means(p.values, classes).items():
        anew = [
            class_means(squared_distances(second_moment(np.delete(p.values, s, 0))), classes)[name]
            for s in range(seeds)
        ]
        np.testing.assert_allclose(left, anew, atol=1e-8)


@RUNS
@given(
    arrays(float, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5), elements=VALUES),
    st.integers(1, 12),
)
def test_any_profiles(x, stretch):
    x = np.repeat(x, stretch, axis=0)
    n = x.shape[1]
    try:
        p = Profiles.from_arrays(x, family=list("aabbc")[:n], recipe=list("xyxyz")[:n], scale=1.0)
    except AnalysisError:
        size = np.abs(x[x != 0])
        assert not np.isfinite(x).all() or size.max() > 1e100 or size.min() < 1e-100
        return
    accept(diversity, p)
    accept(general_claim, p, draws=100)
    accept(permutation_test, p, "recipe", draws=99)
    accept(permutation_test, p, "family", draws=99)
    found = accept(compose, p, 2, splits=2, draws=5)
    if len(x) < 40 and n >= 2:
        assert isinstance(found, NotIdentified)


@RUNS
@given(arrays(float, st.tuples(st.just(25), st.integers(1, 5)), elements=VALUES))
def test_any_round_robin(x):
    n = x.shape[1]
    with np.errstate(all="ignore"):
        y = x[:, :, None] + x[:, None, :] * np.linspace(1, 2, n)
    accept(social_relations, y)


@RUNS
@given(arrays(float, (4, 25), elements=st.sampled_from([0.0, 1.0, 2.0, -1.0, np.nan])))
def test_any_detection_counts(a):
    accept(signal_detection, *a)


@RUNS
@given(grids(st.sampled_from([0.0, 1.0, 3.0, np.nan, -1.0]), seeds=(20, 30), partners=(2, 3)))
def test_any_echo(x):
    rng = np.random.default_rng(0)
    accept(echo_model, Cells.from_arrays(rng.normal(5, 1, x.shape)), x, np.full(x.shape, 30.0))


@RUNS
@given(
    st.integers(0, 10**6),
    st.sampled_from(["hedging", "words", "hedging_cues"]),
    st.sampled_from([np.nan, np.inf, -2.0]),
)
def test_one_bad_reply_in_a_table_is_a_typed_error(row, column, bad):
    t = table(np.random.default_rng(0), seeds=6)
    t.loc[row % len(t), column] = bad
    with pytest.raises(AnalysisError, match=column):
        cells(t, measure="label" if column == "hedging" else "rate")


def test_identical_and_constant_replies_are_said_to_be():
    rng = np.random.default_rng(0)
    d = rng.normal(5, 1, (30, 3))
    same = np.column_stack([d, d[:, 0]])
    assert "identical replies" in shift(same).summary()
    assert "same value" in shift(np.full((30, 3), 0.5)).summary()
    both = Cells.from_arrays(same, partners=["a", "b", "c", "a2"])
    assert "not informative" in floor(both, "a", "a2").summary()
    assert "only partner" in shift(d[:, :1]).summary()
    dependent = np.column_stack([d, 2 * d[:, 1] - d[:, 0]])
    assert "linearly dependent" in shift(dependent).summary()


def test_a_claim_in_general_is_refused_where_it_must_be():
    rng = np.random.default_rng(0)
    labels = {"family": list("aaabbbccc"), "recipe": list("xyzxyzxyz")}
    one = Profiles.from_arrays(rng.normal(size=(30, 9, 1)), **labels)
    assert "one behaviour" in general_claim(one).summary()
    two = Profiles.from_arrays(rng.normal(size=(30, 9, 2)), **labels)
    assert not isinstance(general_claim(two, draws=100), NotIdentified)
    nested = Profiles.from_arrays(
        rng.normal(size=(30, 4, 2)), family=list("aabb"), recipe=list("wxyz")
    )
    d = diversity(nested)
    assert "same recipe" in d.quantities["B"].summary()
    assert isinstance(d.quantities["recipe"], NotIdentified) and "same recipe" in d.summary()
    assert not isinstance(d.quantities["A"], NotIdentified)
    assert isinstance(general_claim(nested), NotIdentified)
    assert isinstance(permutation_test(nested, "recipe"), NotIdentified)
    lone = Profiles.from_arrays(rng.normal(size=(30, 3, 2)), family=list("abc"), recipe=list("xxx"))
    assert "same base" in diversity(lone).quantities["A-B"].summary()


def test_budgets():
    rng = np.random.default_rng(0)
    p = Profiles.from_arrays(rng.normal(size=(50, 4, 2)), names=list("abcd"), scale=1.0)
    cost = {"a": 5.0, "b": 1.0, "c": 1.0, "d": 1.0}
    found = compose(p, 2, cost=cost, max_cost=2.0, draws=20)
    assert isinstance(found, Panel) and found.n_panels == 3 and found.selection["a"] == 0
    assert isinstance(compose(p, 2, cost=cost, max_cost=1.0), NotIdentified)
    with pytest.raises(AnalysisError, match="lacking"):
        compose(p, 2, cost={"a": 1.0}, max_cost=2.0)
    with pytest.raises(AnalysisError, match="panels at most"):
        compose(Profiles.from_arrays(rng.normal(size=(50, 40, 1))), 6)


def test_the_package_is_cheap_to_import():
    """`inspect` starts with us: the package itself loads neither numpy nor pandas."""
    code = (
        "import sys; before = set(sys.modules); import panelist.analysis; "
        "heavy = {'numpy', 'scipy', 'pandas', 'statsmodels'} & (set(sys.modules) - before); "
        "assert not heavy, heavy; "
        "import panelist.analysis.shift, panelist.analysis.cells; "
        "assert 'statsmodels' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
