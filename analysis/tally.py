"""Counts of replies pair by pair: what a report is made of, whatever the number of replies.

A `Tally` holds, for every focal, partner and seed, how many replies were scored and how many of
them show each behaviour. It grows with seeds x pairs and not with replies, so that a corpus of
millions is counted part by part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from panelist.analysis.errors import AnalysisError
from panelist.analysis.sufficient import Cells, Floats
from panelist.analysis.table import KEY, NO_OUTCOME, STATUSES

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PartnerFacts:
    """What the tidy table says of a partner, in its columns of these names."""

    same_turns_as: str = ""
    planted: float = float("nan")
    pair: str = ""


@dataclass(frozen=True)
class _Pair:
    """Sums by seed, all of shape (S,), in the order of the seeds."""

    seeds: NDArray[Any]
    replies: Floats
    totals: Mapping[str, Floats]
    statuses: Mapping[str, int]


@dataclass
class Tally:
    """Replies counted by focal, partner and seed.

    Attributes:
        behaviours: that were measured.
        partners: facts of every partner.
    """

    behaviours: tuple[str, ...]
    partners: dict[str, PartnerFacts] = field(default_factory=dict)
    _pairs: dict[tuple[str, str], _Pair] = field(default_factory=dict)

    @classmethod
    def from_table(cls, table: pd.DataFrame, behaviours: Sequence[str]) -> Tally:
        """Count the primary outcomes of a tidy table: the focal's first reply to each partner."""
        tally = cls(tuple(behaviours))
        planted = "planted" in table.columns
        for (focal, partner), part in table.groupby(["focal", "partner"], sort=False):
            first = part[part["turn"] == part["turn"].min()]
            row = first.iloc[0]
            facts = PartnerFacts(
                str(row["same_turns_as"]),
                float(row["planted"]) if planted else float("nan"),
                str(row["pair"]) if planted else "",
            )
            tally.add(
                str(focal),
                str(partner),
                facts,
                seeds=first["seed"].to_numpy(dtype=object),
                replicates=first["replicate"],
                status=first["status"].to_numpy(dtype=object),
                labels={b: first[b].to_numpy(dtype=np.float64) for b in behaviours},
            )
        return tally

    def add(
        self,
        focal: str,
        partner: str,
        facts: PartnerFacts,
        *,
        seeds: ArrayLike,
        replicates: ArrayLike,
        status: ArrayLike,
        labels: Mapping[str, ArrayLike],
    ) -> None:
        """Count all replies of one focal to one partner.

        Parameters
        ----------
        focal, partner, facts
            Whose they are.
        seeds, replicates, status : arrays (N,)
            Of each reply.
        labels : mapping of arrays (N,)
            By behaviour, 0 or 1; ignored where the status has no outcome.

        Raises
        ------
        AnalysisError
            If the pair was counted already, a seed and replicate stand twice, a status is unknown,
            or a scored reply has another label than 0 or 1.
        """
        if (focal, partner) in self._pairs:
            raise AnalysisError(f"replies of {focal} to {partner} are counted twice")
        names, at = np.unique(np.asarray(seeds, dtype=object), return_inverse=True)
        where = f"replies of {focal} to {partner}"
        _check_once(where, names, at, np.asarray(replicates))
        statuses, of_status = np.unique(np.asarray(status, dtype=object), return_inverse=True)
        if unknown := sorted(set(statuses) - set(STATUSES)):
            raise AnalysisError(f"{where}, status: {unknown} unknown; use {STATUSES}")
        scored = np.array([s not in NO_OUTCOME for s in statuses])[of_status]
        totals = {}
        for behaviour in self.behaviours:
            values = np.asarray(labels[behaviour], dtype=np.float64)[scored]
            if not np.isin(values, (0.0, 1.0)).all():
                wrong = values[~np.isin(values, (0.0, 1.0))][0]
                raise AnalysisError(f"{where}, {behaviour}: {wrong}; a scored reply has 0 or 1")
            sums = np.bincount(at[scored], values, len(names))
            totals[behaviour] = sums.astype(np.float64)  # of no rows at all they are integers
        replies = np.bincount(at[scored], minlength=len(names)).astype(np.float64)
        counts = np.bincount(of_status, minlength=len(statuses))
        found = {str(s): int(n) for s, n in zip(statuses, counts, strict=True)}
        self._pairs[focal, partner] = _Pair(names, replies, totals, found)
        self.partners[partner] = facts

    @property
    def focals(self) -> list[str]:
        """In the order of their names."""
        return sorted({focal for focal, _ in self._pairs})

    @property
    def single(self) -> list[str]:
        """Partners without the A/A ones, which would count their twins' words twice."""
        return sorted(p for p, facts in self.partners.items() if not facts.same_turns_as)

    @property
    def planted(self) -> bool:
        """Whether some partner's turns are planted, or the clean twins of planted ones."""
        return any(facts.planted == facts.planted for facts in self.partners.values())

    def cells(
        self, behaviour: str, partners: Sequence[str] | None = None, drop: Sequence[str] = ()
    ) -> dict[str, Cells]:
        """Seed x partner sums of every focal, as `cells_by_focal` makes them of a table.

        Parameters
        ----------
        behaviour
            One of `behaviours`.
        partners
            Default `single`; a focal keeps those that it met.
        drop
            Focals to leave out.
        """
        wanted = self.single if partners is None else sorted(partners)
        found = {}
        for focal in self.focals:
            met = {p: self._pairs[focal, p] for p in wanted if (focal, p) in self._pairs}
            if met and focal not in drop:
                found[focal] = _cells(focal, behaviour, met)
        return found

    def varied(self, behaviour: str, drop: Sequence[str] = ()) -> bool:
        """Whether the behaviour is in some replies to single partners, and not in all."""
        parts = [p for (focal, name), p in self._pairs.items()
                 if name in self.single and focal not in drop]  # fmt: skip
        total = sum(float(part.totals[behaviour].sum()) for part in parts)
        return 0 < total < sum(float(part.replies.sum()) for part in parts)

    def statuses(self) -> pd.DataFrame:
        """Replies by focal (rows) and status (columns, those that occur)."""
        import pandas as pd

        counts: dict[str, Counter[str]] = {focal: Counter() for focal in self.focals}
        for (focal, _), pair in self._pairs.items():
            counts[focal].update(pair.statuses)
        frame = pd.DataFrame.from_dict(counts, orient="index").fillna(0).astype(int)
        return frame[[s for s in STATUSES if s in frame]].rename_axis("focal")


def _cells(focal: str, behaviour: str, met: Mapping[str, _Pair]) -> Cells:
    seeds = sorted(set().union(*(pair.seeds for pair in met.values())))
    place = {seed: row for row, seed in enumerate(seeds)}
    total, replies = np.zeros((2, len(seeds), len(met)))
    missing: Counter[str] = Counter()
    for column, pair in enumerate(met.values()):
        rows = [place[seed] for seed in pair.seeds]
        total[rows, column] = pair.totals[behaviour]
        replies[rows, column] = pair.replies
        missing.update(pair.statuses)
    return Cells(
        focal=focal,
        behaviour=behaviour,
        measure="label",
        seeds=tuple(seeds),
        partners=tuple(met),
        total=total,
        exposure=replies,
        replies=replies,
        sumsq=total,  # of zeros and ones
        missing={status: missing[status] for status in NO_OUTCOME},
    )


def _check_once(
    where: str, names: NDArray[Any], at: NDArray[np.intp], replicates: NDArray[Any]
) -> None:
    numbers, of_number = np.unique(replicates, return_inverse=True)
    cell = at * len(numbers) + of_number
    times = np.bincount(cell, minlength=1)
    if times.max(initial=0) > 1:
        twice = int(times.argmax())
        raise AnalysisError(
            f"{where}: {int((times > 1).sum())} stand twice, the first is seed "
            f"{names[twice // len(numbers)]}, replicate {numbers[twice % len(numbers)]}; keep one "
            f"row a reply: {', '.join(KEY)} are unique"
        )
