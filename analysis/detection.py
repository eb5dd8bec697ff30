"""Signal detection where a trouble source or a false claim was planted, or was not.

A bare rate of repairs mixes seeing trouble with being quick to repair; hit and false-alarm rates
from matched pairs separate the two (DESIGN.md, decision 6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from panelist.analysis.cells import Cells, cells
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import Interval, check_level, t_from_se
from panelist.analysis.shift import MIN_SEEDS
from panelist.analysis.sufficient import Floats

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Detection:
    """How well, and how readily, one focal reacts to planted trouble."""

    focal: str
    behaviour: str
    n_seeds: int
    hit: Interval
    """Share of planted replies with the behaviour."""
    false_alarm: Interval
    """Share of clean twins with the behaviour."""
    d_prime: Interval
    """z(hit) - z(false alarm), from log-linearly corrected rates."""
    criterion: Interval
    """-(z(hit) + z(false alarm)) / 2; above 0 is reluctant."""

    def to_frame(self) -> pd.DataFrame:
        """One row a quantity."""
        import pandas as pd

        parts = ("hit", "false_alarm", "d_prime", "criterion")
        found = [(q, getattr(self, q)) for q in parts]
        return pd.DataFrame(
            [
                {
                    "focal": self.focal,
                    "behaviour": self.behaviour,
                    "quantity": q,
                    "estimate": v.estimate,
                    "low": v.low,
                    "high": v.high,
                }
                for q, v in found
            ]
        )

    def summary(self) -> str:
        """One paragraph."""
        able = "tells" if self.d_prime.low > 0 else "is not shown to tell"
        return (
            f"{self.focal}, {self.behaviour}, {self.n_seeds} seeds: it reacts to "
            f"{self.hit.text(100, 0, ' %')} of the planted turns and to "
            f"{self.false_alarm.text(100, 0, ' %', named=False)} of their clean twins. It {able} "
            f"the two apart: d' = {self.d_prime.text(1, 2, named=False)}, criterion "
            f"{self.criterion.text(1, 2, named=False)}."
        )


def signal_detection(
    hits: ArrayLike,
    planted: ArrayLike,
    false_alarms: ArrayLike,
    clean: ArrayLike,
    *,
    level: float = 0.95,
    focal: str = "focal",
    behaviour: str = "repair",
) -> Detection | NotIdentified:
    """Hit and false-alarm rate, d' and criterion, clustered by seed.

    Parameters
    ----------
    hits, planted, false_alarms, clean : arrays (S,)
        Per seed: reactions to planted turns, planted turns, reactions to clean twins, clean twins.

    Intervals are jackknife-t over seeds; a rate of 0 or 1 has no spread and gets a Wilson interval
    that counts each seed once. Rates inside d' and c carry the log-linear correction
    (x + 1/2) / (n + 1), so 0 and 1 stay finite; what they leave open is `unseen_variance`.
    """
    check_level(level)
    names = ("hits", "planted", "false_alarms", "clean")
    arrays = [np.asarray(a, float) for a in (hits, planted, false_alarms, clean)]
    for name, a in zip(names, arrays, strict=True):
        if a.ndim != 1 or a.shape != arrays[0].shape:
            raise AnalysisError(f"{name} must have shape (S,), as hits; got {a.shape}")
        if not np.isfinite(a).all() or (a < 0).any():
            raise AnalysisError(f"{name} has NaN, infinite or negative values")
    h, n1, f, n0 = arrays
    if (h > n1).any() or (f > n0).any():
        raise AnalysisError("hits and false_alarms cannot exceed planted and clean")
    for n, what in ((n1, "planted"), (n0, "clean")):
        if (n > 0).sum() < MIN_SEEDS:
            return NotIdentified(
                "signal detection",
                f"only {int((n > 0).sum())} seeds have a scored {what} turn",
                f"{MIN_SEEDS} or more, planted and clean",
            )
    sums = np.stack(arrays)
    left_out = sums.sum(axis=1, keepdims=True) - sums
    full, loo = _indices(sums.sum(axis=1)), _indices(left_out)
    size = len(h)
    square = (size - 1) / size * ((loo - loo.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    se = np.sqrt(square + unseen_variance(sums) * np.array([0.0, 0.0, 1.0, 0.25]))
    out = [t_from_se(float(e), float(s), size - 1, level) for e, s in zip(full, se, strict=True)]
    return Detection(
        focal,
        behaviour,
        size,
        _rate(out[0], int((n1 > 0).sum()), level),
        _rate(out[1], int((n0 > 0).sum()), level),
        out[2],
        out[3],
    )


def _indices(sums: Floats) -> Floats:
    """Hit rate, false-alarm rate, d' and criterion from (4, ...) sums."""
    h, n1, f, n0 = sums
    zh, zf = special.ndtri((h + 0.5) / (n1 + 1)), special.ndtri((f + 0.5) / (n0 + 1))
    return np.stack([h / n1, f / n0, zh - zf, -(zh + zf) / 2])


def d_prime(sums: Floats) -> Floats:
    """d' from sums (4, ...): hits, planted turns, false alarms, clean twins."""
    found: Floats = _indices(sums)[2]
    return found


def unseen_variance(sums: Floats) -> float:
    """Variance of d' that seeds cannot show, from (4, S): a rate of 0 or 1 is the same in each.

    The binomial variance of z at the corrected rate (Gourevitch and Galanter 1967, Psychometrika
    32), p (1 - p) / (S phi(z)^2), for each side whose rate is 0 or 1, with the seed as the unit:
    replies to one seed are not independent. Both sides count where they are the same in every
    seed, which is no spread either. Of a criterion, which is half as long, it is a quarter.

    In simulations at rates of .002 to .98, on 24 and 200 seeds, intervals of d' then cover .94 or
    more (tests/analysis/test_designs.py); those of the jackknife alone may have no width.
    """
    found, same = 0.0, bool((sums[:2] == sums[2:]).all())
    for x, n in (sums[:2], sums[2:]):
        if same or x.sum() in (0.0, n.sum()):
            p = (x.sum() + 0.5) / (n.sum() + 1)
            density = np.exp(-(special.ndtri(p) ** 2) / 2) / np.sqrt(2 * np.pi)
            found += float(p * (1 - p) / ((n > 0).sum() * density**2))
    return found


def _rate(v: Interval, seeds: int, level: float) -> Interval:
    from statsmodels.stats.proportion import proportion_confint

    if v.se:
        return Interval(v.estimate, max(v.low, 0.0), min(v.high, 1.0), level, v.se)
    low, high = proportion_confint(v.estimate * seeds, seeds, alpha=1 - level, method="wilson")
    return Interval(v.estimate, float(low), float(high), level)


def detection(
    table: pd.DataFrame,
    *,
    behaviour: str = "repair",
    focal: str | None = None,
    partner: str | None = None,
    level: float = 0.95,
) -> Detection | NotIdentified:
    """`signal_detection` from the tidy table and its column `planted` (1, 0 or missing).

    All partners together, unless one is named.
    """
    if "planted" not in table.columns:
        raise AnalysisError("the table lacks the column planted (1 planted, 0 its clean twin)")
    planted = table["planted"].to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isin(planted[~np.isnan(planted)], (0.0, 1.0)).all():
        raise AnalysisError("column planted must be 1, 0 or missing")
    sides: list[Cells | None] = []
    for value in (1.0, 0.0):
        rows = table[planted == value]
        rows = rows if focal is None else rows[rows["focal"] == focal]
        if not len(rows):
            sides.append(None)
            continue
        names = None if partner is None else [partner]
        sides.append(cells(rows, behaviour=behaviour, measure="label", focal=focal, partners=names))
    return detection_of_cells(*sides, level=level)


def detection_of_cells(
    planted: Cells | None, clean: Cells | None, *, level: float = 0.95
) -> Detection | NotIdentified:
    """`signal_detection` from the sums of planted turns and of their clean twins; None for none."""
    for side, what in ((planted, "planted"), (clean, "clean")):
        if side is None:
            return NotIdentified("signal detection", f"no {what} turn was met", "matched pairs")
    assert planted is not None and clean is not None
    sides = (planted, clean)
    seeds = sorted(set(sides[0].seeds) | set(sides[1].seeds))
    place = {s: i for i, s in enumerate(seeds)}
    sums = np.zeros((4, len(seeds)))
    for j, c in enumerate(sides):
        at = [place[s] for s in c.seeds]
        sums[2 * j, at] = c.total.sum(axis=1)
        sums[2 * j + 1, at] = c.replies.sum(axis=1)
    return signal_detection(*sums, level=level, focal=planted.focal, behaviour=planted.behaviour)
