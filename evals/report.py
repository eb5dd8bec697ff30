"""The report of a design: its replies counted, and laid out by kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from panelist.analysis.contrasts import Contrasts, contrasts
from panelist.analysis.errors import AnalysisError, NotIdentified
from panelist.analysis.profiles import Profiles
from panelist.analysis.table import NO_OUTCOME, STATUSES, replies
from panelist.analysis.tally import Tally
from panelist.evals import findings
from panelist.evals.design import Design
from panelist.evals.findings import Found
from panelist.evals.runtimes import runtime_sections
from panelist.evals.units import Plan, Step
from panelist.leaderboard.report import Report, Section
from panelist.scorers.logs import Run, read_logs

Answer = tuple[str, str, str]


def make_report(design: Design, logs: Path) -> Report:
    """The report of a design that has run, from the logs of its units.

    Args:
        design: what was run.
        logs: the folder with one folder of logs a unit.

    Raises:
        PanelistError: a unit has no logs, or they cannot be laid side by side.
    """
    plan = Plan(design)
    if design.runtimes:
        return report_of(design, [_by_runtime(plan, logs, step) for step in plan.steps])
    parts = []
    for step in plan.steps:
        runs, table = read_logs([logs / u.name for u in plan.units], behaviour=step.behaviour)
        tally = Tally.from_table(table, (step.behaviour, *step.also))
        parts.append(step_report(plan, tally, runs))
    return report_of(design, parts)


@dataclass(frozen=True)
class StepReport:
    """What one step came to.

    Attributes:
        sections, answers: as they stand in the report.
        runs: that it rests on.
        lost: replies without an outcome.
    """

    sections: list[Found]
    answers: list[Answer]
    runs: list[Run]
    lost: int


def step_report(plan: Plan, tally: Tally, runs: Sequence[Run]) -> StepReport:
    """Everything that is said about the replies of one step, however many they are."""
    design = plan.design
    made: list[Found] = []
    said: list[Answer] = []
    for behaviour in tally.behaviours:
        more, also = _of_behaviour(plan, tally, behaviour)
        made += more
        said += also
    if design.identical:
        both = {b: tally.cells(b) for b in tally.behaviours}
        section, answer = findings.identical(both, design.identical)
        made.append(section)
        said.append(answer)
    made += _of_set(design, tally)
    counts = tally.statuses()
    return StepReport([*made, findings.failures(counts)], said, list(runs), _lost(counts))


def _by_runtime(plan: Plan, logs: Path, step: Step) -> StepReport:
    made, said, table, runs = runtime_sections(plan.design, plan, logs, step.behaviour)
    counts = replies(table).groupby(["focal", "status"]).size().unstack(fill_value=0)
    counts = counts[[s for s in STATUSES if s in counts]]
    return StepReport([*made, findings.failures(counts)], said, runs, _lost(counts))


def _lost(counts: pd.DataFrame) -> int:
    return int(sum(counts[s].sum() for s in NO_OUTCOME if s in counts))


def report_of(design: Design, parts: Sequence[StepReport]) -> Report:
    """The steps of a design laid out."""
    values: dict[str, Any] = {}
    for part in parts:
        for section, numbers in part.sections:
            values[section.heading] = numbers
    runs = [run for part in parts for run in part.runs]
    believe = _believe(design, runs, sum(part.lost for part in parts))
    return Report(
        title=design.name,
        question=design.question,
        answers=(*(answer for part in parts for answer in part.answers), believe),
        sections=tuple(section for part in parts for section, _ in part.sections),
        facts=tuple(_facts(design, runs)),
        values={"findings": values},
    )


def _of_behaviour(plan: Plan, tally: Tally, behaviour: str) -> tuple[list[Found], list[Answer]]:
    """Levels, differences, shifts and, where trouble was planted, signal detection."""
    design = plan.design
    names = [row.name for row in design.rows]
    found = tally.cells(behaviour)
    by_name = {name: found[name] for name in names if name in found}
    wanted = None
    if design.kind == "card" and design.focal:
        wanted = [(design.focal, name) for name in names if name != design.focal]
    gaps = contrasts(by_name, pairs=wanted) if len(by_name) > 1 else None
    made = [findings.levels(by_name, behaviour)]
    answers: list[Answer] = []
    if tally.planted:
        made.append(findings.detections(tally, behaviour))
    if gaps is not None:
        made.append(findings.differences(gaps, behaviour))
        answers.append(_difference_answer(design, gaps, behaviour))
    made.append(findings.shifts(by_name, behaviour))
    if plan.openings:
        made.append(findings.round_robin(by_name, design.rows))
    return made, answers


def _of_set(design: Design, tally: Tally) -> list[Found]:
    """Recipe and family, over all behaviours of the step."""
    if len(design.rows) < 2 or design.kind == "card":
        return []
    labels = {r.name: {"family": r.family, "recipe": r.recipe, "base": r.base} for r in design.rows}
    # A copy would stand for a recipe's distance to itself, and count its recipe twice.
    copies = [b for _, b in design.identical]
    # A behaviour that nobody shows, or that all show always, has no scale.
    varied = [b for b in tally.behaviours if tally.varied(b, copies)] or tally.behaviours
    cells = {behaviour: tally.cells(behaviour, drop=copies) for behaviour in varied}
    try:
        whole = Profiles.from_cells(cells, labels=labels)
    except AnalysisError as ex:
        none = NotIdentified("diversity", str(ex), "more seeds, or fewer behaviours")
        return [(Section("Recipe and family", (none.summary(),)), {})]
    made = [findings.apart(whole)]
    if design.kind == "corpus":
        counts = pd.Series(whole.recipe).value_counts()
        for recipe in sorted(counts[counts > 1].index):
            part = whole.keep([r == recipe for r in whole.recipe])
            if len(set(part.family)) > 1:
                heading = f"Controlled subset: recipe {recipe} in {len(part.names)} checkpoints"
                made.append(findings.apart(part, heading))
    return made


def _difference_answer(design: Design, found: Contrasts | NotIdentified, behaviour: str) -> Answer:
    question = f"Do the checkpoints differ in {behaviour}?"
    if design.kind == "card":
        question = f"Does {design.focal} differ from the others in {behaviour}?"
    if isinstance(found, NotIdentified):
        return question, "cannot say", found.summary()
    twins = {frozenset(pair) for pair in design.identical}
    real = [
        (pair, v, p)
        for pair, v, p in zip(found.pairs, found.differences, found.p_holm, strict=True)
        if frozenset(pair) not in twins
    ]
    clear = [item for item in real if item[2] < 0.05]
    if not clear:
        return question, "not shown", f"none of {len(real)} pairs differs (Holm)"
    (a, b), v, _ = max(clear, key=lambda item: abs(item[1].estimate))
    return (
        question,
        f"yes, {len(clear)} of {len(real)} pairs",
        f"most of all {a} minus {b}: {v.text(100, 0, named=False)} points",
    )


def _believe(design: Design, runs: Sequence[Run], lost: int) -> Answer:
    doubts = []
    if design.tier == "demo":
        doubts.append("the demo tier is too small to rank anything")
    used = [detector for run in runs for detector in run.detectors.values()]
    status = sorted({f"{d['name']} is {d['status']}" for d in used})
    doubts += [said for said in status if not said.endswith("is validated")]
    if lost:
        doubts.append(f"{lost} of {sum(run.found for run in runs)} replies have no outcome")
    short = sum(run.expected - run.found for run in runs)
    if short:
        doubts.append(f"{short} replies were never made")
    behind = f"{sum(run.found for run in runs):,} replies in {len(runs)} runs"
    if not doubts:
        return "Can I believe it?", "yes, within its intervals", behind
    return "Can I believe it?", "with care", f"{'; '.join(doubts)} ({behind})"


def _facts(design: Design, runs: Sequence[Run]) -> list[tuple[str, str]]:
    first = runs[0].record
    engines = sorted({str(r.record["runtime"]["engine_version"]) for r in runs})
    banks = sorted({f"{r.record['bank']} ({r.record['bank_sha256'][:12]})" for r in runs})
    used = [detector for run in runs for detector in run.detectors.values()]
    detectors = sorted({f"{d['name']} {d['version']}" for d in used})
    tokens = sum(run.output_tokens or 0 for run in runs)
    return [
        ("design", f"{design.name}, kind {design.kind}, tier {design.tier}"),
        ("checkpoints", "; ".join(f"{r.name} ({r.family}, {r.recipe})" for r in design.rows)),
        ("partner banks", ", ".join(banks)),
        ("detectors", ", ".join(detectors)),
        ("engines", ", ".join(engines)),
        ("sampling", ", ".join(f"{k} {v}" for k, v in first["sampling"].items())),
        ("replies", f"{sum(r.found for r in runs):,} of {sum(r.expected for r in runs):,}"),
        ("tokens generated", f"{tokens:,}"),
        ("benchmark", f"version {first['benchmark']}, panelist {first['package']}"),
    ]
