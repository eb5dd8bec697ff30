"""Transcripts of submissions to scored replies: the only place that the board's numbers come from.

Every submission is scored here, with the detectors of today, whatever it was scored with before.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from panelist.analysis.sufficient import Cells
from panelist.analysis.table import NO_OUTCOME
from panelist.analysis.tally import PartnerFacts, Tally
from panelist.leaderboard.submission import SCHEMA, TRANSCRIPTS, canonical
from panelist.panels.bank import BANKS, Bank, find_bank
from panelist.scorers.columns import Replies, score_columns
from panelist.scorers.detector import BEHAVIOURS, DEFAULTS, Behaviour, Detector
from panelist.scorers.detectors import detector

Column = NDArray[Any]

TOGETHER = 200_000
"""Replies that are scored in one go: enough that what a call costs beside them does not count."""


@dataclass(frozen=True)
class Scored:
    """The replies of one submission to one panel; arrays of N, in the order of the transcripts.

    Attributes:
        behaviour: whose bank was replied to, and what was scored.
        partner, seed, replicate: which replies.
        text, before: the replies, and what they reply to.
        status: as `scorers.reply_status` has it.
        label, probability, words: NaN where there is no outcome.
    """

    behaviour: Behaviour
    partner: Column
    seed: Column
    replicate: Column
    text: pa.Array
    before: pa.Array
    status: Column
    label: NDArray[np.float64]
    probability: NDArray[np.float64]
    words: NDArray[np.float64]

    def tally(self, focal: str) -> Tally:
        """Labels counted by partner and seed."""
        bank = bank_of(self.behaviour)
        made = Tally((self.behaviour,))
        for partner in bank.partners:
            rows = self.partner == partner.name
            if rows.any():
                facts = PartnerFacts(
                    partner.same_turns_as or "",
                    np.nan if partner.planted is None else float(partner.planted),
                    partner.pair or "",
                )
                made.add(
                    focal,
                    partner.name,
                    facts,
                    seeds=self.seed[rows],
                    replicates=self.replicate[rows],
                    status=self.status[rows],
                    labels={self.behaviour: self.label[rows]},
                )
        return made

    def lengths(self, focal: str, partners: Sequence[str]) -> Cells:
        """Words a reply, seed by partner."""
        scored = ~np.isin(self.status, NO_OUTCOME)
        names, row = np.unique(self.seed, return_inverse=True)
        place = {name: number for number, name in enumerate(partners)}
        column = np.array([place.get(name, -1) for name in self.partner])
        keep = scored & (column >= 0)
        cell = row[keep] * len(partners) + column[keep]
        shape, size = (len(names), len(partners)), len(names) * len(partners)

        def sums(weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
            made = np.bincount(cell, weights, size).astype(np.float64)
            return made.reshape(shape)

        words = self.words[keep]
        n = sums(None)
        return Cells.from_arrays(
            sums(words),
            n,
            replies=n,
            sumsq=sums(words**2),
            seeds=list(names),
            partners=list(partners),
            focal=focal,
            behaviour=self.behaviour,
            measure="words",
        )


def bank_of(behaviour: str) -> Bank:
    """The bank that the board's panels of a behaviour reply to."""
    return find_bank(BANKS[behaviour])


def detector_of(behaviour: Behaviour) -> Detector:
    """The detector that the board scores a behaviour with."""
    return detector(DEFAULTS[behaviour])


def rescore(submissions: Iterable[pa.Table]) -> Iterator[dict[str, Scored]]:
    """Score submissions, each by the behaviours of its panels.

    Args:
        submissions: the turns of each, as `verify.read_checked` gives them where nothing is wrong.
    """
    waiting: list[pa.Table] = []
    rows = 0
    for table in submissions:
        waiting.append(table)
        rows += len(table)
        if rows > 2 * TOGETHER:
            yield from _scored(waiting)
            waiting, rows = [], 0
    yield from _scored(waiting)


def _scored(tables: Sequence[pa.Table]) -> Iterator[dict[str, Scored]]:
    """Score tables of turns together, behaviour by behaviour."""
    if not tables:
        return
    numbered = [
        table.append_column("submission", pa.array(np.full(len(table), number, np.int32)))
        for number, table in enumerate(tables)
    ]
    found: list[dict[str, Scored]] = [{} for _ in tables]
    whole = pa.concat_tables(numbered)
    for behaviour in BEHAVIOURS:
        own = whole.filter(pc.equal(whole["panel"], behaviour)).combine_chunks()
        if not len(own):
            continue
        # With a frozen bank a chain is its partner's turn and the reply to it, in this order.
        focal = own.filter(pc.equal(own["role"], "focal"))
        before = own.filter(pc.equal(own["role"], "partner"))["text"].combine_chunks()
        text = focal["text"].combine_chunks()
        said = Replies(
            turn=focal["turn"].to_numpy().astype(np.int64),
            text=text.cast(pa.large_string()),
            before=before.cast(pa.large_string()),
            stop_reason=focal["stop_reason"].combine_chunks(),
            output_tokens=focal["output_tokens"].combine_chunks(),
            max_tokens=focal["max_tokens"].combine_chunks(),
        )
        [columns] = score_columns([detector_of(behaviour)], said)
        submission = focal["submission"].to_numpy()
        names = {n: _names(focal[n]) for n in ("partner", "seed")}
        replicate = focal["replicate"].to_numpy()
        for number in np.unique(submission):
            first, last = np.searchsorted(submission, [number, number + 1])
            at = slice(int(first), int(last))
            found[number][behaviour] = Scored(
                behaviour=behaviour,
                partner=names["partner"][at],
                seed=names["seed"][at],
                replicate=replicate[at],
                text=text[at],
                before=before[at],
                status=columns["status"][at],
                label=columns[behaviour][at],
                probability=columns[f"{behaviour}_score"][at],
                words=columns["words"][at],
            )
    yield from found


def _names(column: pa.ChunkedArray) -> Column:
    """A column of few different texts as objects, each of them once in memory."""
    coded = column.combine_chunks().dictionary_encode()
    texts = np.array(coded.dictionary.to_pylist(), dtype=object)
    return np.asarray(texts[coded.indices.to_numpy()])


def rescore_bytes(folder: Path) -> bytes:
    """Every score of a submission in one form: the same bytes each time it is scored."""
    [panels] = rescore([pq.read_table(folder / TRANSCRIPTS, schema=SCHEMA)])
    return canonical(
        {
            name: {
                "detector": [detector_of(one.behaviour).name, detector_of(one.behaviour).version],
                "replies": [
                    [
                        str(one.partner[i]),
                        str(one.seed[i]),
                        int(one.replicate[i]),
                        str(one.status[i]),
                        _number(one.label[i]),
                        _number(one.probability[i]),
                        _number(one.words[i]),
                    ]
                    for i in range(len(one.text))
                ],
            }
            for name, one in panels.items()
        }
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
