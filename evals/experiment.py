"""`panelist run`: a design from its file to its report, resumable at any moment."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from panelist.evals.check import Checked, check
from panelist.evals.design import Design
from panelist.evals.openings import build_bank
from panelist.evals.report import make_report
from panelist.evals.running import Engines, Outcome, run_unit
from panelist.evals.units import Plan
from panelist.leaderboard.card import make_card
from panelist.leaderboard.card_formats import to_html as card_page
from panelist.leaderboard.report import Report, write, write_report
from panelist.panels.bank import read_bank
from panelist.panels.embedded_hf import served
from panelist.panels.errors import PanelistError
from panelist.panels.pacing import Pace
from panelist.panels.spending import Ceiling
from panelist.scorers.logs import read_logs

CHANGEABLE = ("limits", "engine", "detect", "expected", "prices", "question", "claims", "margin")
"""Fields that may change between two runs into one folder: no reply depends on them."""


@dataclass(frozen=True)
class Finished:
    """A run that came to its end.

    Attributes:
        checked: what the design asked for.
        outcomes: of every unit.
        report: what was found.
        spent: dollars, by the design's prices; None where it has no ceiling.
        paths: the files written.
    """

    checked: Checked
    outcomes: tuple[Outcome, ...]
    report: Report
    spent: float | None
    paths: tuple[Path, ...]

    @property
    def failed(self) -> int:
        """Chains that failed in the end."""
        return sum(outcome.failed for outcome in self.outcomes)


def run_design(
    design: Design,
    path: Path,
    output: Path,
    *,
    limit: int | None = None,
    say: Callable[[str], None] = print,
) -> Finished:
    """Check a design, run what is missing of it, and write its report.

    Args:
        design: what to run.
        path: its file, for messages.
        output: folder of logs, bank and report. What is there already is not generated again.
        limit: samples a task, for a rehearsal.
        say: told what is done, line by line.

    Raises:
        PanelistError: the design is refused, the folder holds another design, or nothing came out.
    """
    checked = check(design, path)
    plan = Plan(design)
    _claim(output, design)
    engines = Engines(plan.units)
    arguments: dict[str, Any] = {"tier": design.tier}
    stack = ExitStack()
    stack.callback(engines.stop)
    ceiling = _ceiling(design, output)
    if ceiling:
        stack.enter_context(ceiling.applied())
    if design.limits.requests_per_minute:
        stack.enter_context(Pace(design.limits.requests_per_minute).applied())
    with stack:
        if plan.openings:
            bank = _bank(design, plan, output, engines, limit, say)
            arguments["bank"] = str(bank)
        elif design.partners != "bank":
            arguments["partners"] = list(design.partners)
        if design.turns is not None:
            arguments["turns"] = design.turns
        if plan.steps[0].also:
            arguments["also"] = list(plan.steps[0].also)
        tasks = [step.task for step in plan.steps]
        outcomes = []
        for number, unit in enumerate(plan.units, 1):
            say(f"panelist: {unit.name} ({number} of {len(plan.units)})")
            folder = output / "logs" / unit.name
            outcomes.append(
                run_unit(
                    unit,
                    tasks,
                    arguments,
                    folder,
                    engines,
                    limit=limit,
                    metadata={"design": design.name, "runtime": unit.runtime},
                )
            )
    report = make_report(design, output / "logs")
    paths = write_report(report, output)
    if design.focal is not None:
        for step in plan.steps:
            made = make_card(*read_logs([output / "logs" / design.focal], behaviour=step.behaviour))
            paths.append(output / f"card-{step.behaviour}.html")
            write(card_page(made), paths[-1])
    spent = ceiling.spent if ceiling else None
    return Finished(checked, tuple(outcomes), report, spent, tuple(paths))


def _ceiling(design: Design, output: Path) -> Ceiling | None:
    """The ceiling of a design that has one."""
    if design.limits.dollars is None:
        return None
    prices = {served(model): price for model, price in design.prices.items()}
    return Ceiling(design.limits.dollars, prices, output)


def _claim(output: Path, design: Design) -> None:
    """Mark a folder as this design's, or refuse it."""
    said = design.model_dump(mode="json", exclude=set(CHANGEABLE))
    mark = output / "design.json"
    if mark.exists():
        there = json.loads(mark.read_text(encoding="utf-8"))
        if changed := sorted(key for key in said if there.get(key) != said[key]):
            raise PanelistError(
                f"{output}: holds a run of another design (different: {', '.join(changed)}); name "
                "another folder with -o, or remove this one"
            )
        return
    output.mkdir(parents=True, exist_ok=True)
    write(json.dumps(said, indent=1), mark)


def _bank(
    design: Design,
    plan: Plan,
    output: Path,
    engines: Engines,
    limit: int | None,
    say: Callable[[str], None],
) -> Path:
    """The frozen openings of the design's checkpoints, made if need be."""
    path = output / "openings.jsonl"
    if path.exists():
        read_bank(path)
        return path
    say(f"panelist: openings of {len(plan.units)} checkpoints")
    names = "\n".join(row.name for row in design.rows)
    version = f"{design.name}-{sha256(names.encode()).hexdigest()[:8]}"
    digest, lost = build_bank(
        plan.units, version, design.tier, path, output / "openings", limit=limit, engines=engines
    )
    said = f", {len(lost)} seeds without a usable opening left out" if lost else ""
    say(f"panelist: bank {version}, sha256 {digest[:12]}{said}")
    return path
