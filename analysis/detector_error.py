"""What a detector's mistakes do to a shift, and how labelled replies mend it (method.md 4a.10).

Constant error dilutes a shift; error that differs between partners invents one. So sensitivity
and specificity come per stratum, and levels can be corrected from a labelled subsample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from panelist.analysis.cells import Cells, cells
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import Interval, check_level
from panelist.analysis.sufficient import Floats

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Stratum:
    """Agreement of a detector with humans in one stratum."""

    name: str
    n: int
    sensitivity: Interval | NotIdentified
    specificity: Interval | NotIdentified


@dataclass(frozen=True)
class DetectorError:
    """Sensitivity and specificity, stratum by stratum, with Wilson intervals."""

    strata: tuple[Stratum, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a stratum and quantity; a quantity without labelled replies has its reason."""
        import pandas as pd

        rows = []
        for s in self.strata:
            for what in ("sensitivity", "specificity"):
                v = getattr(s, what)
                known = isinstance(v, Interval)
                rows.append(
                    {
                        "stratum": s.name,
                        "n": s.n,
                        "quantity": what,
                        "estimate": v.estimate if known else np.nan,
                        "low": v.low if known else np.nan,
                        "high": v.high if known else np.nan,
                        "note": "" if known else v.reason,
                    }
                )
        return pd.DataFrame(rows)

    def summary(self) -> str:
        """One paragraph: the spread of the error over strata."""
        text = f"{len(self.strata)} strata, {sum(s.n for s in self.strata)} labelled replies."
        for what in ("sensitivity", "specificity"):
            known = [v for s in self.strata if isinstance(v := getattr(s, what), Interval)]
            if not known:
                text += f" No {what} can be given."
                continue
            low, high = (f(v.estimate for v in known) for f in (min, max))
            apart = max(v.low for v in known) > min(v.high for v in known)
            tail = (
                "not all intervals overlap, so correct the levels" if apart else "intervals overlap"
            )
            text += f" {what.capitalize()} runs from {low:.2f} to {high:.2f}; {tail}."
        return text


def detector_error(
    human: ArrayLike, detector: ArrayLike, stratum: ArrayLike | None = None, *, level: float = 0.95
) -> DetectorError:
    """Sensitivity and specificity of 0/1 detector labels against 0/1 human labels, arrays (N,).

    >>> e = detector_error([1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0])
    >>> round(e.strata[0].sensitivity.estimate, 2), round(e.strata[0].specificity.low, 2)
    (0.75, 0.34)
    """
    check_level(level)
    y, f = _labels("human", human), _labels("detector", detector)
    group = np.zeros(len(y), int) if stratum is None else np.asarray(stratum)
    if len(f) != len(y) or len(group) != len(y):
        raise AnalysisError(f"human, detector and stratum differ in length: {len(y)}, {len(f)}")
    out = []
    for g in np.unique(group):
        yg, fg = y[group == g], f[group == g]
        name = "all" if stratum is None else str(g)
        se = _wilson(f"sensitivity in {name}", fg[yg == 1], 1.0, level)
        sp = _wilson(f"specificity in {name}", fg[yg == 0], 0.0, level)
        out.append(Stratum(name, len(yg), se, sp))
    return DetectorError(tuple(out))


def _labels(name: str, values: ArrayLike) -> Floats:
    a = np.asarray(values, float)
    if a.ndim != 1 or not len(a) or not np.isin(a, (0.0, 1.0)).all():
        raise AnalysisError(f"{name} must be a non-empty array of 0 and 1")
    return a


def _wilson(quantity: str, labels: Floats, right: float, level: float) -> Interval | NotIdentified:
    from statsmodels.stats.proportion import proportion_confint

    if not len(labels):
        return NotIdentified(
            quantity, "no labelled reply is on that side", "human labels of both kinds"
        )
    hit = int((labels == right).sum())
    low, high = proportion_confint(hit, len(labels), alpha=1 - level, method="wilson")
    return Interval(hit / len(labels), float(low), float(high), level)


def rogan_gladen(
    observed: ArrayLike, sensitivity: ArrayLike, specificity: ArrayLike
) -> Floats | NotIdentified:
    """True share behind an observed one: (p + Sp - 1) / (Se + Sp - 1), clipped to [0, 1].

    >>> rogan_gladen(0.37, 0.85, 0.95).round(4).tolist()
    0.4
    """
    p, se, sp = (np.asarray(a, float) for a in (observed, sensitivity, specificity))
    for name, a in (("observed", p), ("sensitivity", se), ("specificity", sp)):
        if not ((a >= 0) & (a <= 1)).all():
            raise AnalysisError(f"{name} must lie in [0, 1], got {a}")
    if (se + sp <= 1).any():
        return NotIdentified(
            "true share",
            "sensitivity and specificity do not add up to more than 1",
            "a detector better than a coin",
        )
    corrected: Floats = np.clip((p + sp - 1) / (se + sp - 1), 0, 1)
    return corrected


def corrected_cells(
    table: pd.DataFrame,
    human: ArrayLike,
    probability: ArrayLike,
    *,
    behaviour: str = "hedging",
    focal: str | None = None,
    turn: int | None = None,
) -> Cells:
    """Cells of labels corrected by prediction-powered inference (DSL pseudo-outcomes).

    Every reply counts as ``f + (labelled / probability) (y - f)``: unbiased for the human label
    whatever the detector gets wrong, if `probability` is how the labelled replies were drawn.
    `shift` and the rest then apply, with both sources of variance, clustered by seed.

    Parameters
    ----------
    table : DataFrame
        The tidy table.
    human : array (N,)
        Human label, 0 or 1, of each row; NaN where nobody labelled it.
    probability : array (N,) or float
        Probability with which each row was drawn for labelling, in (0, 1].
    """
    y = np.asarray(human, float)
    pi = np.broadcast_to(np.asarray(probability, float), y.shape)
    if y.shape != (len(table),):
        raise AnalysisError(f"human has shape {y.shape}, the table {len(table)} rows")
    labelled = ~np.isnan(y)
    if not labelled.any():
        raise AnalysisError("human labels no row")
    if not np.isin(y[labelled], (0.0, 1.0)).all():
        raise AnalysisError("human must be 0, 1 or NaN")
    if not ((pi > 0) & (pi <= 1)).all():
        raise AnalysisError("probability must lie in (0, 1]: every reply could be drawn")
    f = table[behaviour].to_numpy(dtype=np.float64, na_value=np.nan)
    pseudo = f + np.where(labelled, (np.nan_to_num(y) - f) / pi, 0.0)
    scored = table.assign(**{f"{behaviour}_score": pseudo})
    return cells(scored, behaviour=behaviour, measure="score", focal=focal, turn=turn)
