"""Paired differences of checkpoints: coverage and type-I error by simulation; arithmetic."""

import numpy as np
import pytest

from panelist.analysis.contrasts import Contrasts, contrasts, equivalent, joint_p
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import Interval
from panelist.analysis.sufficient import Cells

REPS, SEEDS = 600, 40


@pytest.fixture(autouse=True)
def no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """statsmodels' multipletests collects garbage on every call: 0.1 s in a long pytest process."""
    monkeypatch.setattr("gc.collect", lambda *_: 0)


def cells(values: np.ndarray, name: str) -> Cells:
    return Cells.from_arrays(values, partners=["p", "q"], focal=name)


def draw(rng: np.random.Generator, shift: float) -> Contrasts:
    easy = rng.normal(0, 1.0, (SEEDS, 1))  # what makes a seed easy is shared by both
    both = [cells(easy + rng.normal(m, 0.5, (SEEDS, 2)), n) for n, m in (("a", shift), ("b", 0.0))]
    found = contrasts(dict(zip("ab", both, strict=True)))
    assert isinstance(found, Contrasts)
    return found


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_intervals_cover_and_pairing_removes_the_seeds(shift: float) -> None:
    rng = np.random.default_rng(3)
    found = [draw(rng, shift).differences[0] for _ in range(REPS)]
    covered = np.mean([v.low <= shift <= v.high for v in found])
    assert abs(covered - 0.95) < 3 * np.sqrt(0.95 * 0.05 / REPS)
    estimates = np.array([v.estimate for v in found])
    # Two partners a side, sd .5 each: the seeds' own sd of 1 has to be gone.
    expected = np.sqrt(2 * 0.25 / 2 / SEEDS)
    assert estimates.std(ddof=1) == pytest.approx(expected, rel=0.12)
    assert abs(estimates.mean() - shift) < 3 * expected / np.sqrt(REPS)


def test_arithmetic_of_one_pair() -> None:
    a, b = np.full((20, 2), 3.0), np.tile([[1.0, 2.0], [2.0, 3.0]], (10, 1))
    found = contrasts({"a": cells(a, "a"), "b": cells(b, "b")})
    assert isinstance(found, Contrasts)
    [v] = found.differences
    assert v.estimate == pytest.approx(1.0)
    assert v.se == pytest.approx(np.std([1.5, 0.5] * 10, ddof=1) / np.sqrt(20))
    back = found.find("b", "a")
    assert (back.estimate, back.low, back.high) == (-v.estimate, -v.high, -v.low)


def test_holm_keeps_the_family_error() -> None:
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(REPS):
        four = {n: cells(rng.normal(0, 1, (SEEDS, 2)), n) for n in "abcd"}
        found = contrasts(four)
        assert isinstance(found, Contrasts)
        wrong += bool((found.p_holm < 0.05).any())
    assert wrong / REPS < 0.05 + 3 * np.sqrt(0.05 * 0.95 / REPS)


def test_only_shared_partners_count() -> None:
    rng = np.random.default_rng(1)
    a = Cells.from_arrays(rng.normal(0, 1, (25, 2)), partners=["p", "q"], focal="a")
    b = Cells.from_arrays(rng.normal(0, 1, (25, 2)), partners=["q", "r"], focal="b")
    found = contrasts({"a": a, "b": b})
    assert isinstance(found, Contrasts)
    assert found.partners == ("q",)
    assert found.differences[0].estimate == pytest.approx(
        a.select(["q"]).matrix().mean() - b.select(["q"]).matrix().mean()
    )


def test_too_few_seeds_and_no_partner_in_common_are_said() -> None:
    a, b = (cells(np.ones((5, 2)), n) for n in "ab")
    few = contrasts({"a": a, "b": b})
    assert isinstance(few, NotIdentified)
    assert "5 seeds" in few.reason
    c = Cells.from_arrays(np.ones((25, 1)), partners=["z"], focal="c")
    assert isinstance(contrasts({"a": a, "c": c}), NotIdentified)


def test_an_unknown_pair_is_refused() -> None:
    a, b = (cells(np.random.default_rng(0).normal(0, 1, (25, 2)), n) for n in "ab")
    with pytest.raises(AnalysisError, match="no replies of"):
        contrasts({"a": a, "b": b}, pairs=[("a", "z")])
    found = contrasts({"a": a, "b": b})
    assert isinstance(found, Contrasts)
    with pytest.raises(AnalysisError, match="no contrast of"):
        found.find("a", "z")


def test_tost_of_a_difference() -> None:
    assert equivalent(Interval(0.0, 0, 0, se=0.01), 0.05, 30) < 0.001
    assert equivalent(Interval(0.05, 0, 0, se=0.01), 0.05, 30) == pytest.approx(0.5)
    assert equivalent(Interval(0.2, 0, 0, se=0.01), 0.05, 30) > 0.99
    with pytest.raises(AnalysisError, match="margin must be above 0"):
        equivalent(Interval(0.0, 0, 0, se=0.01), 0.0, 30)


def test_the_joint_test_of_copies_keeps_its_level() -> None:
    rng = np.random.default_rng(8)

    def behaviour() -> dict[str, Cells]:
        return {n: cells(rng.normal(0, 1, (SEEDS, 2)), n) for n in "ab"}

    wrong = 0
    for _ in range(REPS):
        p = joint_p({b: behaviour() for b in ("x", "y", "z")}, "a", "b")
        assert isinstance(p, float)
        wrong += p < 0.05
    assert abs(wrong / REPS - 0.05) < 3 * np.sqrt(0.05 * 0.95 / REPS)


def test_the_joint_test_sees_one_behaviour_among_three() -> None:
    rng = np.random.default_rng(9)
    pairs = {b: {n: cells(rng.normal(0, 1, (SEEDS, 2)), n) for n in "ab"} for b in ("x", "y")}
    pairs["z"] = {n: cells(rng.normal(m, 1, (SEEDS, 2)), n) for n, m in (("a", 0.0), ("b", 1.0))}
    p = joint_p(pairs, "a", "b")
    assert isinstance(p, float)
    assert p < 1e-3


def test_the_joint_test_of_the_same_values_is_silent() -> None:
    same = cells(np.random.default_rng(0).normal(0, 1, (25, 2)), "a")
    assert joint_p({"x": {"a": same, "b": same}}, "a", "b") == 1.0
