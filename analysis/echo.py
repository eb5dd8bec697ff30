"""Is the shift mere mirroring? The echo model (method.md 4a.8).

``Y_sp = seed + partner + b * partner's hedge rate + g * log(partner's words)``. With the partner's
own effect in the model, b and g come from how one partner's words vary between seeds, and the shift
is then recomputed as if all partners had hedged alike and spoken at the same length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from panelist.analysis.cells import Cells, cells
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.interval import Interval, check_level, t_from_se
from panelist.analysis.level import partner_turns
from panelist.analysis.shift import Shift, identified, shift
from panelist.analysis.sufficient import Floats, Measure, checked

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Echo:
    """Mirroring slopes, and the shift before and after taking them out."""

    echo: Interval
    """b: change of the focal's level per hedge in 100 words of the partner."""
    length: Interval | None
    """g: change of the focal's level per log word of the partner; None where lengths are equal."""
    before: Shift
    after: Shift | NotIdentified
    """Of levels adjusted to the mean partner; the error of b and g is carried along."""

    def to_frame(self) -> pd.DataFrame:
        """Levels before and after, one row a partner each."""
        import pandas as pd

        frames = [self.before.to_frame().assign(adjusted=False)]
        if isinstance(self.after, Shift):
            frames.append(self.after.to_frame().assign(adjusted=True))
        return pd.concat(frames, ignore_index=True)

    def summary(self) -> str:
        """One paragraph."""
        if self.echo.low > 0:
            verdict = "mirrors its partner"
        elif self.echo.high < 0:
            verdict = "does the opposite of its partner"
        else:
            verdict = "is not shown to mirror its partner"
        text = (
            f"{self.before.focal} {verdict}: {self.echo.text(1, 3)} per hedge in 100 words of the "
            "partner, with seed and partner held fixed. "
        )
        for name, s in (("before", self.before), ("after", self.after)):
            tau = s.rel_sd if isinstance(s, Shift) else s
            if isinstance(tau, Interval):
                text += (
                    f"Shift {name} taking mirroring out: {tau.text(100, 1, ' %', named=False)}. "
                )
            else:
                text += tau.summary() + " "
        return text.strip()


def echo(
    table: pd.DataFrame,
    *,
    behaviour: str = "hedging",
    measure: Measure = "label",
    focal: str | None = None,
    partners: Sequence[str] | None = None,
    level: float = 0.95,
) -> Echo | NotIdentified:
    """Fit the echo model from the tidy table's ``partner_hedging_cues`` and ``partner_words``."""
    c = cells(table, behaviour=behaviour, measure=measure, focal=focal, partners=partners).common()
    if not c.seeds:
        return NotIdentified("echo", "no seed is complete", "a reply to every partner on each seed")
    rates, words = partner_turns(table, c)
    return echo_model(c, rates, words, level=level)


def echo_model(
    values: Cells, hedge_rate: ArrayLike, words: ArrayLike, *, level: float = 0.95
) -> Echo | NotIdentified:
    """The echo model from arrays (S, k): complete cells, partner's rate and words in each."""
    check_level(level)
    d = values.matrix()
    x1, w = np.asarray(hedge_rate, float), np.asarray(words, float)
    for name, a in (("hedge_rate", x1), ("words", w)):
        if a.shape != d.shape or (checked(name, a) < 0).any():
            raise AnalysisError(f"{name} must be 0 or more, of shape {d.shape}, got {a.shape}")
    if (w == 0).any():
        raise AnalysisError("words has a 0; a partner's turn has words")
    refusal = identified(values, "echo")
    if refusal:
        return refusal
    before = shift(values, level=level)
    if isinstance(before, NotIdentified):
        return before
    x = [x1, np.log(w)]
    inner = [_two_way(v) for v in x]
    varies = [
        bool(np.abs(v).max() > 1e-9 * max(1.0, np.abs(u).max()))
        for u, v in zip(x, inner, strict=True)
    ]
    if not varies[0]:
        return NotIdentified(
            "echo",
            "each partner hedges at the same rate on every seed, so mirroring cannot be told from "
            "the partner itself",
            "partners whose own hedging varies between seeds",
        )
    x, inner = ([v for v, ok in zip(a, varies, strict=True) if ok] for a in (x, inner))
    n = len(d)
    design = np.stack(inner, axis=2)
    gram = np.einsum("spa,spb->ab", design, design)
    if np.linalg.cond(gram / np.sqrt(np.outer(np.diag(gram), np.diag(gram)))) > 1e8:
        return NotIdentified(
            "echo", "the partner's hedging and length move together", "turns in which they differ"
        )
    y = _two_way(d)
    b = np.linalg.solve(gram, np.einsum("spa,sp->a", design, y))
    score = np.einsum("spa,sp->sa", design, y - design @ b)
    influence = n * np.linalg.solve(gram, score.T).T
    se = np.sqrt((influence**2).sum(axis=0) / (n * (n - 1)))
    slopes = [t_from_se(float(v), float(e), n - 1, level) for v, e in zip(b, se, strict=True)]
    adjusted = d.copy()
    for j, v in enumerate(x):
        adjusted -= b[j] * (v - v.mean())
        # The slope is an estimate: its seed-level influence rides along into the new errors.
        adjusted -= influence[:, j : j + 1] * (v.mean(axis=0) - v.mean())
    after = shift(
        Cells.from_arrays(
            adjusted,
            seeds=values.seeds,
            partners=values.partners,
            focal=values.focal,
            behaviour=values.behaviour,
            measure="score",
        ),
        level=level,
    )
    return Echo(slopes[0], slopes[1] if len(slopes) > 1 else None, before, after)


def _two_way(v: Floats) -> Floats:
    """Seed and partner means taken out."""
    out: Floats = v - v.mean(axis=0) - v.mean(axis=1, keepdims=True) + v.mean()
    return out
