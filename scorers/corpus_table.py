"""A scored corpus as runs and replies, the same as `logs.read_logs` makes of Inspect logs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from panelist.analysis.table import check_table
from panelist.analysis.tally import PartnerFacts, Tally
from panelist.panels.corpus import TURNS, Part, folder_of, parts, parts_in, read_part
from panelist.panels.errors import PanelistError
from panelist.panels.manifest import NAME, Manifest, partner_of, read_manifest, record_in
from panelist.panels.partner import Partner
from panelist.scorers.corpus import KEYS, default_detectors, replies_of_part, score_key, scores_root
from panelist.scorers.cues import detect
from panelist.scorers.detector import Detector
from panelist.scorers.detectors import detector as named
from panelist.scorers.logs import Run, read_logs
from panelist.scorers.rows import NAN
from panelist.scorers.validation_report import status_of


@dataclass(frozen=True)
class Pair:
    """The replies of one focal to one partner: parts of turns, and their scores by detector."""

    focal: str
    partner: str
    turns: list[Part]
    scores: Mapping[str, list[Part]]

    def columns(self, name: str, wanted: Sequence[str]) -> dict[str, Any]:
        """Columns of a detector's scores, over all parts."""
        made = pa.concat_tables(
            [read_part(part, list(wanted)) for part in self.scores[name]], promote_options="default"
        )
        return {column: _values(column, made[column]) for column in wanted}


class Corpus:
    """A scored corpus, read pair by pair."""

    def __init__(self, path: Path, names: Sequence[str] | None = None) -> None:
        """Open it.

        Args:
            path: its folder.
            names: detectors, one for each behaviour; default those of the corpus' behaviours.

        Raises:
            PanelistError: there is no corpus, or no such detector.
        """
        self.path = path
        self.manifest: Manifest = read_manifest(path)
        self.detectors: list[Detector] = [named(name) for name in names or default_detectors(path)]
        self.behaviours = tuple(chosen.behaviour for chosen in self.detectors)
        if len(set(self.behaviours)) < len(self.behaviours):
            raise PanelistError(
                f"--detector: two of {', '.join(self.behaviours)}; give one for each behaviour"
            )

    def pairs(self, focal: str | None = None) -> Iterator[Pair]:
        """Every pair that has replies, in the order of the names.

        Args:
            focal: only pairs of this one.

        Raises:
            PanelistError: replies are not scored, or there are none.
        """
        groups: dict[tuple[str, str], list[Part]] = {}
        for part in parts(self.path / TURNS):
            if focal in (None, part.focal):
                groups.setdefault((part.focal, part.partner), []).append(part)
        if not groups:
            whom = f" of {focal}" if focal else ""
            raise PanelistError(f"{self.path}: no replies{whom} in it; run the design to its end")
        for (who, whom), turns in groups.items():
            yield Pair(who, whom, turns, {d.name: self._scores(d, turns) for d in self.detectors})

    def _scores(self, chosen: Detector, turns: Sequence[Part]) -> list[Part]:
        folder = folder_of(scores_root(self.path, chosen.name), turns[0].focal, turns[0].partner)
        there = {part.key: part for part in parts_in(folder)}
        try:
            return [there[score_key(part)] for part in turns]
        except KeyError as ex:
            raise PanelistError(
                f"{self.path}: replies of {turns[0].focal} to {turns[0].partner} are not scored by "
                f"{chosen.name} {chosen.version}; run `panelist score {self.path}"
                f" --detector {chosen.name}`"
            ) from ex

    def counted(self) -> tuple[list[Run], Tally]:
        """Runs and counts, in memory that grows with seeds and pairs, not with replies."""
        tally = Tally(self.behaviours)
        found: dict[str, int] = {}
        for pair in self.pairs():
            opener = self._opener(pair.partner)
            facts = PartnerFacts(
                self._partner(pair.partner).same_turns_as or "",
                NAN if opener is None or opener.planted is None else float(opener.planted),
                (opener.pair if opener else None) or "",
            )
            shared = pair.columns(self.detectors[0].name, ["seed", "replicate", "turn", "status"])
            first = shared["turn"] == self._reply_turn(pair.partner)
            labels = {
                str(d.behaviour): pair.columns(d.name, [d.behaviour])[d.behaviour][first]
                for d in self.detectors
            }
            tally.add(
                pair.focal,
                pair.partner,
                facts,
                seeds=shared["seed"][first],
                replicates=shared["replicate"][first],
                status=shared["status"][first],
                labels=labels,
            )
            found[pair.focal] = found.get(pair.focal, 0) + int(first.sum())
        return [self._run(focal, count) for focal, count in found.items()], tally

    def tables(self, focal: str | None = None, *, texts: bool = True) -> Iterator[pd.DataFrame]:
        """The tidy table (`analysis.table`), one frame a pair.

        Args:
            focal: only replies of this one.
            texts: with what was said, and where its cues are; slower by far.
        """
        for pair in self.pairs(focal):
            yield self._table(pair, texts)

    def table(
        self, focal: str | None = None, *, texts: bool = True
    ) -> tuple[list[Run], pd.DataFrame]:
        """Runs and the tidy table as a whole, for a corpus that fits into memory."""
        made = pd.concat(list(self.tables(focal, texts=texts)), ignore_index=True)
        first = made["turn"] == made["partner"].map(self._reply_turn)
        counts = made[first].groupby("focal", sort=False).size()
        return [self._run(str(f), int(n)) for f, n in counts.items()], check_table(made)

    def _table(self, pair: Pair, texts: bool) -> pd.DataFrame:
        partner, opener = self._partner(pair.partner), self._opener(pair.partner)
        manifest = self.manifest
        own = [
            pair.columns(d.name, pq.read_schema(pair.scores[d.name][0].path).names)
            for d in self.detectors
        ]
        first = own[0]
        seeds = first["seed"]
        trouble = manifest.partners[pair.partner]["trouble"]
        made: dict[str, Any] = {
            "run": f"{manifest.run}:{pair.focal}",
            "benchmark": manifest.benchmark,
            "bank": manifest.bank,
            "bank_sha256": manifest.bank_sha256,
            "focal": pair.focal,
            "partner": pair.partner,
            "partner_kind": partner.kind,
            "same_turns_as": partner.same_turns_as or "",
            "dose": NAN if partner.dose is None else float(partner.dose),
            "planted": NAN if opener is None or opener.planted is None else float(opener.planted),
            "pair": (opener.pair if opener else None) or "",
            "trouble": [trouble.get(seed, "") for seed in seeds],
            "seed": seeds,
            "domain": [manifest.seeds[seed]["domain"] for seed in seeds],
            "replicate": first["replicate"],
        }
        if texts:
            read = [replies_of_part(part)[1] for part in pair.turns]
            made["text"] = [text for said in read for text in said.text.to_pylist()]
            made["partner_text"] = [text for said in read for text in said.before.to_pylist()]
        made |= {"turn": first["turn"], "status": first["status"]}
        if texts:
            behaviour = self.behaviours[0]
            made["spans"] = [[list(s) for s in detect(t, behaviour).spans] for t in made["text"]]
        made["partner_words"] = first["partner_words"]
        for chosen, columns in zip(self.detectors, own, strict=True):
            made[f"partner_{chosen.behaviour}_cues"] = columns[f"partner_{chosen.behaviour}_cues"]
        for columns in own:
            made |= {n: v for n, v in columns.items() if n != "chain" and n not in made}
        return pd.DataFrame(made)

    def _partner(self, name: str) -> Partner:
        return partner_of(self.manifest.partners[name])

    def _opener(self, name: str) -> Partner | None:
        """Who opens, where its turns are frozen; what is planted is planted there."""
        opener = self._partner(name).seats[0]
        return opener if opener is not None and opener.kind == "scripted" else self._partner(name)

    def _reply_turn(self, partner: str) -> int:
        turn: int = self.manifest.partners[partner]["reply_turn"]
        return turn

    def _run(self, focal: str, found: int) -> Run:
        behaviour = self.behaviours[0]
        generated = self.manifest.generated
        return Run(
            path=self.path,
            id=f"{self.manifest.run}:{focal}",
            status="success",
            created=str(generated[-1]["ended"]) if generated else "",
            record=record_in(self.manifest, focal) | {"behaviour": behaviour},
            behaviour=behaviour,
            detectors={
                d.behaviour: {
                    "name": d.name,
                    "version": d.version,
                    "status": status_of(d.behaviour, d.name, d.version),
                }
                for d in self.detectors
            },
            expected=sum(n * r for n, r in self.manifest.asked.get(focal, {}).values()),
            found=found,
            output_tokens=self._tokens(focal),
        )

    def _tokens(self, focal: str) -> int | None:
        total = 0
        for part in parts(self.path / TURNS):
            if part.focal == focal:
                column = pq.read_table(part.path, columns=["output_tokens"])["output_tokens"]
                total += pa.compute.sum(column).as_py() or 0
        return total or None


def read_replies(
    paths: Sequence[Path], *, focal: str | None = None, texts: bool = True
) -> tuple[list[Run], pd.DataFrame]:
    """Runs and replies of a scored corpus, or of Inspect logs (`logs.read_logs`).

    Args:
        paths: one corpus, or logs and folders of them.
        focal: of a corpus, only the replies of this one.
        texts: of a corpus, with what was said.

    Raises:
        PanelistError: as `Corpus` and `read_logs`; or a corpus stands beside something else.
    """
    corpora = [path for path in paths if (path / NAME).exists()]
    if not corpora:
        return read_logs(paths)
    if len(paths) > 1:
        raise PanelistError(
            f"{corpora[0]}: a corpus beside other paths; give one corpus, or logs. "
            "`panelist corpus import` puts logs into a corpus"
        )
    return Corpus(corpora[0]).table(focal, texts=texts)


def _values(name: str, column: pa.ChunkedArray) -> Any:
    """As the tidy table has it: text as objects, counts as floats that may be missing."""
    if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
        return column.cast(pa.string()).to_numpy().astype(object)
    return column.to_numpy().astype(np.int64 if name in KEYS else np.float64)
