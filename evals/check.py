"""`panelist design check`: what is identified, what it costs, and what it can find."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from scipy.optimize import brentq

from panelist.analysis.diversity import CLASSES
from panelist.analysis.power import Noise, plan
from panelist.evals.design import Design, Detect
from panelist.evals.units import Plan
from panelist.panels.checkpoint import Checkpoint
from panelist.panels.errors import PanelistError
from panelist.panels.sampling import SAMPLING
from panelist.panels.spending import LOCAL

NEEDS = {
    "shift": (),
    "recipe": ("A",),
    "family": ("B",),
    "recipe-against-family": ("A", "B"),
    "decomposition": ("A", "B", "C"),
}
"""Pair classes (method.md 4b.2) that each claim rests on."""


_DETECT = Detect()


@dataclass(frozen=True)
class Checked:
    """A design that may be run: what it asks for and what it can say.

    Attributes:
        chains, generations: of the whole design.
        tokens: expected, input and output together; most_output: if every reply ran to its limit.
        dollars: expected cost; None where a price is missing and no limit asks for one.
        most_dollars: if every reply ran to its limit.
        pairs: number of pairs of checkpoints in each class A, B, C.
        smallest_shift: smallest relative shift over partners found with the wanted power; None if
            even a doubling is not.
        smallest_contrast: the same for the difference between two checkpoints.
    """

    design: Design
    chains: int
    generations: int
    tokens: int
    most_output: int
    dollars: float | None
    most_dollars: float | None
    pairs: dict[str, int]
    smallest_shift: float | None
    smallest_contrast: float | None

    def lines(self) -> list[tuple[str, str]]:
        """What `panelist design check` prints."""
        found = [
            ("question", self.design.question or "-"),
            ("chains", f"{self.chains:,}"),
            ("generations", f"{self.generations:,}"),
            ("tokens", f"about {self.tokens:,}; output at most {self.most_output:,}"),
        ]
        if self.design.prices and self.dollars is not None and self.most_dollars is not None:
            cost = f"about ${self.dollars:,.2f}, at most ${self.most_dollars:,.2f}"
            found.append(("cost", cost))
        for claim, classes in NEEDS.items():
            lacking = [CLASSES[c] for c in classes if not self.pairs[c]]
            there = ", ".join(f"{self.pairs[c]} pairs with {CLASSES[c]}" for c in classes)
            said = f"not identified: no pair has {' or '.join(lacking)}" if lacking else there
            if classes:
                found.append((claim, said))
        assumed = self.design.detect or _DETECT
        for what, value in (
            ("shift over partners", self.smallest_shift),
            ("difference of two checkpoints", self.smallest_contrast),
        ):
            size = "none below 100 %" if value is None else f"{100 * value:.0f} %"
            found.append(
                (
                    f"smallest {what}",
                    f"{size} of a base of {100 * assumed.base:g} %, "
                    f"found with {100 * assumed.power:g} % power",
                )
            )
        return found


def check(design: Design, path: Path) -> Checked:
    """Refuse a design that contradicts itself, cannot say what it claims, or costs too much.

    Raises:
        PanelistError: the first thing that is wrong, with the file and the field.
    """
    for problem in (*_contradictions(design), *_unidentified(design)):
        raise PanelistError(f"{path}, {problem}")
    made = estimate(design)
    for problem in _too_much(made):
        raise PanelistError(f"{path}, {problem}")
    return made


def estimate(design: Design) -> Checked:
    """What a design asks for; assumes that it does not contradict itself."""
    work = Plan(design)
    said = design.expected
    longest = {u.name: u.config.max_tokens or SAMPLING.max_tokens or 0 for u in work.units}
    generated = {unit.name: work.generations(unit) for unit in work.units}
    dollars: float | None = 0.0
    most = 0.0
    for unit in work.units:
        price = design.prices.get(unit.model)
        if price is None:
            if unit.model.partition("/")[0] not in LOCAL:
                dollars = None
            continue
        n = generated[unit.name]
        fixed = n * said.input_tokens * price.input / 1e6
        if dollars is not None:
            dollars += fixed + n * said.output_tokens * price.output / 1e6
        most += fixed + n * longest[unit.name] * price.output / 1e6
    total = sum(generated.values())
    shift, contrast = _smallest(design, work)
    return Checked(
        design=design,
        chains=work.chains,
        generations=total,
        tokens=total * (said.input_tokens + said.output_tokens),
        most_output=sum(generated[name] * longest[name] for name in generated),
        dollars=dollars,
        most_dollars=None if dollars is None else most,
        pairs=pair_counts(design.rows),
        smallest_shift=shift,
        smallest_contrast=contrast,
    )


def pair_counts(rows: tuple[Checkpoint, ...]) -> dict[str, int]:
    """How many pairs of checkpoints are in each class (method.md 4b.2)."""
    counts = dict.fromkeys(CLASSES, 0)
    for a, b in combinations(rows, 2):
        if a.base == b.base and a.recipe != b.recipe:
            counts["A"] += 1
        elif a.family != b.family:
            counts["B" if a.recipe == b.recipe else "C"] += 1
    return counts


def _contradictions(design: Design) -> Iterator[str]:
    rows = {row.name: row for row in design.rows}
    if design.kind == "runtime":
        if len(design.runtimes) < 2:
            yield "runtimes: a runtime check compares two or more; give their names and models"
        names = [runtime.name for runtime in design.runtimes]
        if len(set(names)) < len(names):
            yield f"runtimes: a name stands twice in {names}"
        for runtime in design.runtimes:
            if unknown := sorted(set(runtime.models) - set(rows)):
                yield f"runtimes.{runtime.name}.models: {unknown[0]!r} is not in checkpoints"
    elif design.runtimes:
        yield f"runtimes: only a design of kind runtime has them, this one is {design.kind}"
    if design.kind == "card":
        if design.focal not in rows:
            yield (
                f"focal: {design.focal!r}; a card is about one of the checkpoints, "
                f"{', '.join(rows)}"
            )
    elif design.focal is not None:
        yield f"focal: only a design of kind card has one, this one is {design.kind}"
    bases = sorted({row.base for row in rows.values()})
    if design.kind == "factorial" and (len(bases) > 1 or len(rows) < 2):
        yield (
            "checkpoints: a same-base factorial has two or more checkpoints of one base, here "
            f"{len(rows)} of {', '.join(bases)}; for several bases use kind: corpus"
        )
    if design.kind == "corpus" and len({row.family for row in rows.values()}) < 2:
        yield "checkpoints: a cross-family corpus needs two families or more; use kind: factorial"
    if design.partners == "openings" and len(rows) < 2:
        yield "partners: openings of one checkpoint are one partner; add checkpoints, or use bank"
    if isinstance(design.partners, str) and design.partners not in ("bank", "openings"):
        yield f"partners: {design.partners!r}; give bank, openings, or a list of partners"
    if not isinstance(design.partners, str) and not all(design.partners or ("",)):
        yield f"partners: {list(design.partners)}; give one or more names, none of them empty"
    frozen = design.partners in ("bank", "openings")
    if frozen and design.turns not in (None, 2):
        yield f"turns: {design.turns}; frozen partners only open, so their chains have 2 turns"
    if not frozen and set(design.behaviours) != {"hedging"}:
        planted = ", ".join(b for b in design.behaviours if b != "hedging")
        yield f"behaviours: {planted} with live partners; what is planted stands in a bank"
    cold = any(config.temperature == 0 for config in (u.config for u in Plan(design).units))
    for a, b in design.identical:
        if absent := [name for name in (a, b) if name not in rows]:
            yield f"identical: {absent[0]!r} is not in checkpoints"
        elif a == b or rows[a].model != rows[b].model:
            yield (
                f"identical: {a} and {b} are not two names of one model "
                f"({rows[a].model}, {rows[b].model})"
            )
        elif cold:
            yield "identical: at temperature 0 two copies say the same words; that checks nothing"


def _unidentified(design: Design) -> Iterator[str]:
    pairs = pair_counts(design.rows)
    for claim in design.claims:
        lacking = [CLASSES[c] for c in NEEDS[claim] if not pairs[c]]
        if lacking:
            yield (
                f"claims: {claim} is not identified by these checkpoints: no pair has "
                f"{' or '.join(lacking)}; add checkpoints that make such pairs, or drop the claim"
            )
        if claim == "shift" and design.partners != "bank" and len(design.rows) < 2:
            yield "claims: a shift needs two partners or more"


def _too_much(made: Checked) -> Iterator[str]:
    design, limits = made.design, made.design.limits
    if limits.tokens is not None and made.tokens > limits.tokens:
        yield (
            f"limits.tokens: about {made.tokens:,} tokens are needed, the limit is "
            f"{limits.tokens:,}; take a smaller tier or fewer checkpoints, or raise it"
        )
    if limits.dollars is not None:
        if made.dollars is None:
            known = ", ".join(design.prices) or "none"
            yield f"prices: limits.dollars needs a price for every API model; there is {known}"
        elif made.dollars > limits.dollars:
            yield (
                f"limits.dollars: about ${made.dollars:,.2f} is needed, the limit is "
                f"${limits.dollars:,.2f}; take a smaller tier or fewer checkpoints, or raise it"
            )
    if design.detect is not None:
        found = made.smallest_shift if "shift" in design.claims else made.smallest_contrast
        if found is None or found > design.detect.shift:
            size = "none below 100 %" if found is None else f"{100 * found:.0f} %"
            yield (
                f"detect.shift: {100 * design.detect.shift:g} % cannot be found with "
                f"{100 * design.detect.power:g} % power by tier {design.tier} (the smallest is "
                f"{size}); take a larger tier, or do not ask for it"
            )


def _smallest(design: Design, work: Plan) -> tuple[float | None, float | None]:
    """Smallest relative shift over partners, and difference of two checkpoints, that are found."""
    assumed = design.detect or _DETECT
    step = work.steps[0]
    noise = Noise(assumed.base)

    def smallest(replies: int, conditions: int) -> float | None:
        def short(shift: float) -> float:
            made = plan(
                shift,
                partners=conditions,
                power=assumed.power,
                replies=[replies],
                target="pairs",
                noise=noise,
            )
            return made.seeds[0] - step.n_seeds

        top = min(1.0, 1 / assumed.base - 1) - 1e-9
        if step.n_seeds < 20 or short(top) > 0:
            return None
        return float(brentq(short, 1e-3, top, xtol=1e-3))

    over_partners = smallest(step.replies, max(2, step.n_partners))
    between = smallest(step.replies * step.n_partners, max(2, len(design.checkpoints)))
    return over_partners, between
