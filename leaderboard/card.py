"""The card: what one checkpoint's runs say; every number in it comes from `panelist.analysis`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from panelist.analysis.cells import Cells, cells
from panelist.analysis.detection import Detection, detection
from panelist.analysis.dose import Dose, dose_response
from panelist.analysis.errors import NotIdentified
from panelist.analysis.floor import Floor, floor
from panelist.analysis.interval import Interval
from panelist.analysis.length import LengthControl, length_control
from panelist.analysis.level import by_partner, overall, partner_turns
from panelist.analysis.shift import Shift, shift
from panelist.analysis.table import NO_OUTCOME, STATUSES, replies
from panelist.panels.errors import PanelistError
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier
from panelist.scorers.logs import Run
from panelist.scorers.segment import pieces

VERBS = {"hedging": "hedge", "repair": "repair", "challenge": "challenge"}

PLANTED = {"hedging": "", "repair": "planted trouble", "challenge": "a false claim"}
"""What a bank plants for a behaviour."""

EXAMPLES = 5
"""Replies shown in full."""


ENOUGH_SEEDS = 40
"""Below this the interval of the shift is approximate (method.md 4a.3): fewer claims are made."""


@dataclass(frozen=True)
class Example:
    """A reply with its cues: `pieces` are (text, is it a cue) in reading order."""

    partner: str
    seed: str
    partner_text: str
    pieces: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Card:
    """Everything that a card shows, in no particular format."""

    focal: str
    behaviour: str
    runs: Sequence[Run]
    counts: Mapping[str, int]
    n_seeds: int
    """Seeds complete for every partner: what the numbers rest on."""
    n_seen: int
    """Seeds with any scored reply."""
    partners: tuple[str, ...]
    level: Interval | NotIdentified
    levels: Mapping[str, Interval]
    shift: Shift | NotIdentified
    floor: Floor | NotIdentified
    dose: Dose | NotIdentified
    length: LengthControl
    words: Mapping[str, Interval]
    detections: Mapping[str, Detection | NotIdentified]
    """Signal detection by matched pair; empty where nothing was planted."""
    examples: tuple[Example, ...]

    @property
    def run(self) -> Run:
        """The first run; all are comparable."""
        return self.runs[0]

    @property
    def answers(self) -> list[tuple[str, str, str]]:
        """Question, short answer, and what stands behind it."""
        told = [self._tells(pair, found) for pair, found in self.detections.items()]
        return [
            *told,
            (f"How much does it {VERBS[self.behaviour]}?", *self._how_much()),
            ("Does it move with the partner?", *self._moves()),
            ("Can I believe it?", *self._believe()),
        ]

    @property
    def replies_that(self) -> str:
        """What a level is a share of."""
        return f"replies that {VERBS[self.behaviour]}"

    def _tells(self, pair: str, found: Detection | NotIdentified) -> tuple[str, str, str]:
        what = PLANTED[self.behaviour]
        question = f"Does it react to {what}?" if not pair else f"To {what}, partner {pair}?"
        if isinstance(found, NotIdentified):
            return question, "cannot say", found.summary()
        d, hit, false = found.d_prime, found.hit, found.false_alarm
        behind = (
            f"{hit.text(100, 0, ' %')} of planted turns, "
            f"{false.text(100, 0, ' %', named=False)} of their twins; "
            f"d' {d.text(1, 2, named=False)}"
        )
        if d.low > 0:
            return question, "yes, more than to its twin", behind
        return question, "less than to its twin" if d.high < 0 else "not shown", behind

    def _how_much(self) -> tuple[str, str]:
        if isinstance(self.level, NotIdentified):
            return "cannot say", self.level.summary()
        return (
            f"{100 * self.level.estimate:.0f} % of replies",
            f"95 % interval {100 * self.level.low:.0f} to {100 * self.level.high:.0f} %, "
            f"mean over {count(len(self.partners), 'partner')}",
        )

    def _moves(self) -> tuple[str, str]:
        if isinstance(self.shift, NotIdentified):
            return "cannot say", self.shift.summary()
        test = f"omnibus p = {self.shift.p:.2g}"
        if isinstance(self.shift.rel_sd, NotIdentified):
            return "cannot say", f"{self.shift.rel_sd.summary()} {test}"
        rel = self.shift.rel_sd
        span = f"between 95 % limits {100 * rel.low:.0f} and {100 * rel.high:.0f} % of its level"
        if rel.high == 0:
            return "not shown", f"its level varies less than noise alone usually makes it; {test}"
        if self.shift.p >= 0.05:
            return "not shown", f"a noise-corrected SD anywhere {span} fits; {test}"
        if rel.low > 0 and self.n_seeds >= ENOUGH_SEEDS:
            return f"yes, by {100 * rel.estimate:.0f} %", f"noise-corrected SD {span}; {test}"
        return "a sign of it", f"{test}, but its size is open: noise-corrected SD {span}"

    def _believe(self) -> tuple[str, str]:
        total = sum(self.counts.values())
        failed = sum(self.counts[status] for status in NO_OUTCOME)
        doubts = []
        tier = find_tier(self.run.record["tier"])
        if tier.name == "demo":
            doubts.append("the demo tier is too small to rank anything")
        elif self.n_seen < (tier.seeds or len(shipped_seeds())):
            doubts.append(
                f"the {tier.name} tier has more seeds than the {self.n_seen} that were run"
            )
        if self.n_seeds < self.n_seen:
            doubts.append(f"{self.n_seen - self.n_seeds} seeds lack a reply to some partner")
        if self.run.detector["status"] != "validated":
            doubts.append(f"the detector is {self.run.detector['status']}")
        if isinstance(self.floor, NotIdentified):
            doubts.append("there is no A/A check")
        elif self.floor.p < 0.05:
            doubts.append(f"the A/A check failed (p = {self.floor.p:.2g})")
        if failed:
            doubts.append(f"{failed} of {total} replies have no outcome")
        expected = sum(run.expected for run in self.runs)
        if total < expected:
            doubts.append(f"{expected - total} of {expected} replies were never made")
        behind = f"{self.n_seeds} seeds, {total} replies, {failed} without outcome"
        if not isinstance(self.floor, NotIdentified):
            behind += f"; A/A check p = {self.floor.p:.2g}"
        if not doubts:
            return "yes, within its intervals", behind
        return "with care", "; ".join(doubts) + f" ({behind})"


def make_card(runs: Sequence[Run], table: pd.DataFrame, focal: str | None = None) -> Card:
    """The card of one focal checkpoint.

    Raises:
        PanelistError: the logs hold several focals and none is named, or not the one named.
    """
    found = sorted(set(table["focal"]))
    if focal is None and len(found) > 1:
        raise PanelistError(
            f"the logs hold several checkpoints ({', '.join(found)}); name one with --focal"
        )
    name = focal or found[0]
    if name not in found:
        raise PanelistError(
            f"focal: no replies of {name!r} in the logs; they hold {', '.join(found)}"
        )
    table = table[table["focal"] == name]
    table = replies(table)
    own = [run for run in runs if run.record["focal"] == name]
    behaviour = own[0].behaviour
    scored = cells(table, behaviour=behaviour, measure="label")
    twins = {
        str(partner): str(of)
        for partner, of in zip(table["partner"], table["same_turns_as"], strict=True)
        if of
    }
    if not scored.seeds:
        raise PanelistError(f"{name}: no seed has a scored reply to every partner; see the logs")
    partners = tuple(p for p in _by_dose(table, scored.partners) if p not in twins)
    apart = scored.select(partners)
    pairs = [(of, twin) for twin, of in twins.items() if of in scored.partners]
    doses = behaviour == "hedging" and table["dose"].notna().all()
    lengths = cells(table, behaviour=behaviour, measure="words").select(partners)
    moved = shift(apart)
    return Card(
        focal=name,
        behaviour=behaviour,
        runs=own,
        counts={status: int((table["status"] == status).sum()) for status in STATUSES},
        n_seeds=len(apart.common().seeds),
        n_seen=table.loc[~table["status"].isin(NO_OUTCOME), "seed"].nunique(),
        partners=partners,
        level=overall(apart),
        levels=by_partner(apart),
        shift=moved,
        floor=_floor(scored, pairs, runs),
        dose=(
            dose_response(apart.common(), partner_turns(table, apart.common())[0])
            if doses
            else NotIdentified(
                "dose response", "not every partner is scripted", "the scripted partners of a bank"
            )
        ),
        length=length_control(table, behaviour=behaviour, partners=partners),
        words=by_partner(lengths),
        detections=_detections(table, behaviour),
        examples=_examples(table, partners),
    )


def _detections(table: pd.DataFrame, behaviour: str) -> dict[str, Detection | NotIdentified]:
    """Signal detection by matched pair, A/A partners left out."""
    single = table[table["planted"].notna() & (table["same_turns_as"] == "")]
    return {
        str(pair): detection(part, behaviour=behaviour) for pair, part in single.groupby("pair")
    }


def _floor(
    scored: Cells, pairs: Sequence[tuple[str, str]], runs: Sequence[Run]
) -> Floor | NotIdentified:
    """The A/A floor of the first pair, unless it would say nothing."""
    if not pairs:
        return NotIdentified("A/A check", "no A/A partner was in the run", "the whole bank")
    if any(run.record["sampling"].get("temperature") == 0 for run in runs):
        return NotIdentified(
            "A/A check",
            "at temperature 0 the same turns get the same reply",
            "a temperature above 0",
        )
    return floor(scored, *pairs[0])


def count(number: int, noun: str) -> str:
    """The number with its noun: 1 seed, 2 seeds."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _by_dose(table: pd.DataFrame, partners: Sequence[str]) -> list[str]:
    dose = table.drop_duplicates("partner").set_index("partner")["dose"].to_dict()
    return sorted(partners, key=lambda p: (pd.isna(dose[p]), dose[p], p))


def _examples(table: pd.DataFrame, partners: Sequence[str]) -> tuple[Example, ...]:
    """The first replies in sampling order, one partner after another: no picking."""
    scored = table[~table["status"].isin(NO_OUTCOME) & (table["replicate"] == 1)]
    seeds = list(dict.fromkeys(scored["seed"]))
    shown = []
    for number in range(EXAMPLES):
        partner = partners[number % len(partners)]
        of_seed = scored[(scored["partner"] == partner) & (scored["seed"].isin(seeds[number:]))]
        if of_seed.empty:
            continue
        row = of_seed.iloc[0]
        shown.append(
            Example(
                partner,
                row["seed"],
                row["partner_text"],
                tuple(pieces(row["text"], row["spans"])),
            )
        )
    return tuple(shown)
