"""Agreement measures against scikit-learn, and their intervals against copying rows."""

import hashlib
import warnings

import numpy as np
import pytest
from scipy import stats

from panelist.scorers.agreement import (
    MEASURES,
    conversation_weights,
    label_measures,
    spearman,
    summarise,
)

RNG = np.random.default_rng


def made_up(seed: int, rows: int = 120, conversations: int = 17) -> tuple[np.ndarray, ...]:
    """Conversation, truth, label and probability with many ties, (N,) each."""
    rng = RNG(seed)
    conversation = rng.integers(conversations, size=rows)
    conversation[:conversations] = np.arange(conversations)
    truth = rng.random(rows) < 0.3 + 0.3 * (conversation % 2)
    probability = np.round(np.clip(rng.normal(0.4 + 0.2 * truth, 0.25), 0, 1), 1)
    return conversation, truth, probability >= 0.5, probability


def by_scikit_learn(
    truth: np.ndarray, label: np.ndarray, probability: np.ndarray
) -> dict[str, float]:
    metrics = pytest.importorskip("sklearn.metrics")
    return {
        "precision": metrics.precision_score(truth, label, zero_division=np.nan),
        "recall": metrics.recall_score(truth, label),
        "f1": metrics.f1_score(truth, label),
        "kappa": metrics.cohen_kappa_score(truth, label),
        "auc": metrics.roc_auc_score(truth, probability),
        "ap": metrics.average_precision_score(truth, probability),
    }


@pytest.mark.parametrize("seed", range(20))
def test_the_estimates_are_those_of_scikit_learn(seed: int) -> None:
    conversation, truth, label, probability = made_up(seed)
    ones = np.ones((conversation.max() + 1, 1))
    ours = label_measures(ones, conversation, truth, label, probability)
    theirs = by_scikit_learn(truth, label, probability)
    assert set(theirs) == set(MEASURES)
    for name, value in theirs.items():
        assert ours[name][0] == pytest.approx(value, abs=1e-12), name


def test_a_weighted_resample_is_a_copy_of_rows() -> None:
    """Every replicate, from the same draws of conversations, with the rows copied out."""
    conversation, truth, label, probability = made_up(3, rows=60, conversations=9)
    weights = conversation_weights(9, "copies", 60)
    ours = label_measures(weights, conversation, truth, label, probability)
    rho = spearman(weights, conversation, probability, conversation % 4)
    for draw in range(weights.shape[1]):
        rows = np.repeat(np.arange(60), weights[conversation, draw].astype(int))
        theirs = by_scikit_learn(truth[rows], label[rows], probability[rows])
        for name, value in theirs.items():
            assert ours[name][draw] == pytest.approx(value, abs=1e-12), (name, draw)
        expected = stats.spearmanr(probability[rows], (conversation % 4)[rows]).statistic
        assert rho[draw] == pytest.approx(expected, abs=1e-12)


def test_a_part_of_a_set_is_resampled_with_the_conversations_of_the_whole() -> None:
    conversation, truth, label, probability = made_up(4)
    weights = conversation_weights(17, "part", 50)
    part = np.flatnonzero(probability > 0.3)
    ours = label_measures(weights, conversation[part], truth[part], label[part], probability[part])
    draw = 7
    rows = np.repeat(part, weights[conversation[part], draw].astype(int))
    theirs = by_scikit_learn(truth[rows], label[rows], probability[rows])
    assert ours["auc"][draw] == pytest.approx(theirs["auc"], abs=1e-12)


def test_resamples_with_one_class_are_left_out_and_counted() -> None:
    conversation = np.arange(6)
    truth = np.arange(6) == 0
    weights = conversation_weights(6, "rare", 500)
    measured = label_measures(weights, conversation, truth, truth, truth.astype(float))
    absent = int((weights[0, 1:] == 0).sum())
    assert 100 < absent < 250  # (5/6)^6 of 500 is 167
    for name in MEASURES:
        estimate = summarise(measured[name])
        assert estimate.left_out == absent, name
        assert (estimate.estimate, estimate.low, estimate.high) == (1.0, 1.0, 1.0), name


def test_precision_is_left_out_where_nothing_is_said() -> None:
    _, truth, _, probability = made_up(5, rows=20, conversations=20)
    measured = label_measures(
        np.ones((20, 1)), np.arange(20), truth, np.zeros(20, bool), probability
    )
    precision = summarise(measured["precision"])
    assert precision.to_dict() == {"estimate": None, "low": None, "high": None, "left_out": 0}
    assert measured["recall"][0] == measured["f1"][0] == measured["kappa"][0] == 0.0


def test_a_set_of_one_class_has_no_value_and_no_warning() -> None:
    weights = conversation_weights(5, "one class", 20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured = label_measures(weights, np.arange(5), np.ones(5), np.ones(5), np.ones(5))
        constant = spearman(weights, np.arange(5), np.ones(5), np.arange(5))
    assert all(np.isnan(measured[name]).all() for name in MEASURES)
    assert np.isnan(constant).all()
    assert summarise(constant).left_out == 20


def test_noise_in_the_last_bit_breaks_no_tie() -> None:
    truth = np.array([0, 1, 0, 1], bool)
    level = np.array([0.1, 0.3, 0.3, 0.3])
    noisy = level + np.array([0, -1e-16, 1e-16, 5e-17])
    ones = np.ones((4, 1))
    exact, shaken = (label_measures(ones, np.arange(4), truth, truth, p) for p in (level, noisy))
    assert shaken["auc"][0] == exact["auc"][0] == 0.75
    assert shaken["ap"][0] == exact["ap"][0]


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        spearman(np.ones((2, 1)), [0, 1], [np.nan, 1.0], [0, 1])


def test_the_draws_are_the_same_everywhere() -> None:
    """Their bytes are pinned: a NumPy that draws otherwise would change a committed report."""
    weights = conversation_weights(7, "hedging/x.test.jsonl", 5)
    said = hashlib.sha256(weights.astype("<f8").tobytes()).hexdigest()
    assert said == "866a4d42ae57083624d9e453a467d4acf198819c614b053a1c1674a26a9ee69f"
    assert not np.array_equal(weights, conversation_weights(7, "hedging/y.test.jsonl", 5))


def test_a_resample_holds_as_many_conversations_as_the_data() -> None:
    weights = conversation_weights(40, "sums", 2000)
    assert weights.shape == (40, 2001)
    assert (weights[:, 0] == 1).all()
    assert (weights.sum(axis=0) == 40).all()
    # Multinomial: variance 1 - 1/K a conversation; the band is 4 standard errors and more.
    assert weights[:, 1:].var() == pytest.approx(1 - 1 / 40, abs=0.03)
    assert weights[:, 1:].mean(axis=1) == pytest.approx(np.ones(40), abs=4.5 / np.sqrt(2000))


def test_intervals_cover_the_truth_where_turns_of_a_conversation_are_alike() -> None:
    """500 data sets of 60 conversations of 8 turns, whose class and score go with the conversation.

    The true AUC is Phi(1 / 2). At 95 % coverage the count has a standard error of 1 %; a percentile
    interval over 60 clusters may be 2 % short. Intervals over single turns must fail the same test.
    """
    true = stats.norm.cdf(1 / 2)
    rng = RNG(11)
    clusters, turns, sets, draws = 60, 8, 500, 300
    weights = conversation_weights(clusters, "coverage", draws)
    single = conversation_weights(clusters * turns, "coverage", draws)
    conversation = np.repeat(np.arange(clusters), turns)
    covered = {"clustered": 0, "single": 0}
    for _ in range(sets):
        mostly = np.repeat(rng.random(clusters) < 0.5, turns)
        truth = rng.random(len(mostly)) < np.where(mostly, 0.9, 0.1)
        shared = np.repeat(rng.normal(size=clusters), turns)
        score = truth + shared + rng.normal(size=len(truth))  # difference of two: N(1, 4)
        for name, by, w in (
            ("clustered", conversation, weights),
            ("single", np.arange(len(truth)), single),
        ):
            auc = summarise(label_measures(w, by, truth, truth, score)["auc"])
            covered[name] += auc.low <= true <= auc.high
    assert 0.91 <= covered["clustered"] / sets <= 0.98, covered
    assert covered["single"] / sets < 0.80, covered
