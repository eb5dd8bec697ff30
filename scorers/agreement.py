"""Agreement of a detector with human labels, with intervals over resampled conversations.

Conversations are resampled whole (a percentile bootstrap by clusters), because turns of one are
alike. A resample is a weight for each conversation, never a copy of rows: a statistic that counts
rows (a confusion table, the rows of a class at a score) is a product of counts and weights, and
AUC, average precision and Spearman's rho follow from cumulative sums over sorted scores.

Byte-reproducible across machines: the counts and their sums are whole numbers, exact in floating
point in whatever order they are added; `SCORE_DIGITS` and `bars.figure` absorb the rest.

Sources: Cohen 1960 (kappa), Hanley & McNeil 1982 (AUC), scikit-learn's average_precision_score
(the sum of precisions weighted by steps of recall), Field & Welsh 2007 (cluster bootstrap).
"""

import math
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from panelist.analysis.interval import Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

MEASURES = ("precision", "recall", "f1", "kappa", "auc", "ap")

REPLICATES = 1000
LEVEL = 0.95
SEED = 0

SCORE_DIGITS = 9
"""Scores are ranked after rounding to this: noise in the last bit must not break a tie."""


@dataclass(frozen=True)
class Estimate(Interval):
    """An interval that says how many resamples were left out; NaN where there is no value."""

    left_out: int = 0
    """Resamples in which the measure is not defined, such as those with one class only."""

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, unrounded; None where there is none."""
        ends = {"estimate": self.estimate, "low": self.low, "high": self.high}
        numbers = {name: None if math.isnan(end) else end for name, end in ends.items()}
        return {**numbers, "left_out": self.left_out}


def conversation_weights(conversations: int, key: str, replicates: int = REPLICATES) -> Floats:
    """How often each conversation stands in each resample.

    The draws come from the raw output of PCG64, which NumPy keeps the same in every release, as it
    does not for the distributions of `numpy.random.Generator`.

    Args:
        conversations: K.
        key: names the set, so that two sets are resampled independently.
        replicates: B.

    Returns:
        (K, B + 1). Column 0 is all ones, the data themselves; each other column sums to K.
    """
    seed = int.from_bytes(sha256(f"{SEED} {key}".encode()).digest()[:8], "big")
    raw = np.random.PCG64(seed).random_raw(replicates * conversations)
    drawn = ((raw >> np.uint64(11)) * 2.0**-53 * conversations).astype(np.intp)
    replicate = np.repeat(np.arange(replicates), conversations)
    counts = np.bincount(drawn * replicates + replicate, minlength=conversations * replicates)
    weights = counts.reshape(conversations, replicates).astype(np.float64)
    return np.hstack([np.ones((conversations, 1)), weights])


def label_measures(
    weights: Floats,
    conversation: ArrayLike,
    truth: ArrayLike,
    label: ArrayLike,
    probability: ArrayLike,
) -> dict[str, Floats]:
    """Every one of `MEASURES` in every resample.

    Args:
        weights: (K, R) whole numbers, how often each conversation stands in a resample.
        conversation: (N,) its index, for each row.
        truth: (N,) 0 or 1, what people said.
        label: (N,) 0 or 1, what the detector says.
        probability: (N,) its scores, without NaN.

    Returns:
        (R,) values by measure; NaN where a resample has one class only, and for precision also
        where the detector says nothing in it.
    """
    conv, y = np.asarray(conversation, np.intp), np.asarray(truth, bool)
    says = np.asarray(label, bool)
    cells = _counts(2 * y + says, conv, 4, weights)
    tn, fp, fn, tp = cells
    with np.errstate(invalid="ignore", divide="ignore"):
        measured = {
            "precision": tp / (tp + fp),
            "recall": tp / (tp + fn),
            "f1": 2 * tp / (2 * tp + fp + fn),
            "kappa": 2 * (tp * tn - fp * fn) / ((tp + fp) * (fp + tn) + (tp + fn) * (fn + tn)),
            **_rank_measures(weights, conv, y, probability),
        }
    both = (tp + fn > 0) & (fp + tn > 0)
    return {name: np.where(both, measured[name], np.nan) for name in MEASURES}


def _rank_measures(
    weights: Floats, conv: Ints, y: NDArray[np.bool_], probability: ArrayLike
) -> dict[str, Floats]:
    """AUC (ties count half) and average precision (ties are one step), (R,) each."""
    group, groups = _tie_groups(probability)
    positives = _counts(group[y], conv[y], groups, weights)
    negatives = _counts(group[~y], conv[~y], groups, weights)
    n_positive, n_negative = positives.sum(axis=0), negatives.sum(axis=0)
    below = np.cumsum(negatives, axis=0) - negatives / 2
    auc = (positives * below).sum(axis=0) / (n_positive * n_negative)
    above = np.cumsum(positives[::-1], axis=0)[::-1]  # positives at or above each score
    all_above = above + np.cumsum(negatives[::-1], axis=0)[::-1]
    precision = above / np.maximum(all_above, 1)
    return {"auc": auc, "ap": (positives * precision).sum(axis=0) / n_positive}


def spearman(weights: Floats, conversation: ArrayLike, x: ArrayLike, y: ArrayLike) -> Floats:
    """Spearman's rho of `x` and `y` (N,), mid-ranks for ties, in every resample of `weights`.

    Returns:
        (R,); NaN where `x` or `y` does not vary.
    """
    conv = np.asarray(conversation, np.intp)
    row_weights = weights[conv]
    n = row_weights.sum(axis=0)
    mean = (n + 1) / 2
    ranks, spreads = [], []
    for values in (x, y):
        group, groups = _tie_groups(values)
        size = _counts(group, conv, groups, weights)
        rank = np.cumsum(size, axis=0) - (size - 1) / 2
        spreads.append((size * rank**2).sum(axis=0) - n * mean**2)
        ranks.append(rank[group])
    both = (row_weights * ranks[0] * ranks[1]).sum(axis=0) - n * mean**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(both / np.sqrt(spreads[0] * spreads[1]))


def summarise(values: Floats, level: float = LEVEL) -> Estimate:
    """The estimate, values[0], and its percentile interval over the other values (R - 1,).

    There is no interval where there is no estimate or no resample that has a value.
    """
    drawn = values[1:][~np.isnan(values[1:])]
    left_out = len(values) - 1 - len(drawn)
    low, high = np.nan, np.nan
    if len(drawn) and not np.isnan(values[0]):
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(values[0]), float(low), float(high), level, left_out=left_out)


def _tie_groups(values: ArrayLike) -> tuple[Ints, int]:
    """For each value the index of its distinct value, in ascending order, and how many there are.

    Raises:
        ValueError: a value is not finite.
    """
    rounded = np.round(np.asarray(values, np.float64), SCORE_DIGITS)
    if not np.isfinite(rounded).all():
        raise ValueError("scores to be ranked must be finite")
    distinct, group = np.unique(rounded, return_inverse=True)
    return group.astype(np.intp), len(distinct)


def _counts(kind: ArrayLike, conv: Ints, kinds: int, weights: Floats) -> Floats:
    """Rows of each kind in each resample, (kinds, R): counts a conversation times its weight."""
    kind = np.asarray(kind, np.intp)
    shape = (kinds, len(weights))
    counts = sparse.csr_matrix((np.ones(len(kind)), (kind, conv)), shape=shape)
    return np.asarray(counts @ weights)
