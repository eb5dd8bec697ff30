"""A card as HTML, Markdown, JSON or a terminal table, and how it is written to a file."""

import json
from importlib.resources import files
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from panelist.analysis.interval import Interval
from panelist.analysis.shift import Shift
from panelist.leaderboard.card import Card
from panelist.leaderboard.card_contents import facts, figures, summaries
from panelist.leaderboard.report import plain, records


def to_html(card: Card) -> str:
    """One self-contained page: no script, no request, dark mode by the reader's preference."""
    from jinja2 import Environment, StrictUndefined

    # Autoescaping on: everything but our own SVG is data, whatever a model wrote.
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    room = files("panelist.leaderboard")
    source = room.joinpath("card.html").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        card=card,
        figures=figures(card),
        summaries=summaries(card),
        facts=facts(card),
        style=room.joinpath("page.css").read_text(encoding="utf-8"),
    )


def to_markdown(card: Card) -> str:
    """The card's words and tables as Markdown."""
    lines = [f"# {plain(card.focal)} as a panelist: {card.behaviour}", ""]
    for question, answer, behind in card.answers:
        lines += [f"- **{question}** {plain(answer)}: {plain(behind)}"]
    lines += ["", f"| partner | {card.replies_that} | 95 % interval |", "|---|---|---|"]
    lines += [f"| {plain(name)} | {value} | {span} |" for name, value, span in _levels(card)]
    for heading, text in summaries(card):
        lines += ["", f"**{heading}.** {plain(text)}"]
    lines += ["", "| what was run | |", "|---|---|"]
    lines += [f"| {name} | {plain(value)} |" for name, value in facts(card)]
    return "\n".join(lines) + "\n"


def to_json(card: Card) -> str:
    """The card's numbers, for programs."""
    return json.dumps(
        {
            "focal": card.focal,
            "behaviour": card.behaviour,
            "detection": {pair: _record(found) for pair, found in card.detections.items()},
            "answers": [
                dict(zip(("question", "answer", "behind"), a, strict=True)) for a in card.answers
            ],
            "level": _record(card.level),
            "levels": {name: _record(value) for name, value in card.levels.items()},
            "shift": _record(card.shift),
            "tau2": _record(card.shift.tau2) if isinstance(card.shift, Shift) else None,
            "relative_sd": _record(card.shift.rel_sd) if isinstance(card.shift, Shift) else None,
            "omnibus_p": card.shift.p if isinstance(card.shift, Shift) else None,
            "floor": _record(card.floor),
            "dose_response": _record(card.dose),
            "length": _record(card.length),
            "counts": dict(card.counts),
            "run": [{**run.record, "detector": run.detector, "id": run.id} for run in card.runs],
        },
        indent=1,
        ensure_ascii=False,
        allow_nan=False,
    )


def _record(result: Any) -> Any:
    """A result as JSON-ready rows; what is not a number is null."""
    if isinstance(result, Interval):
        return {"estimate": result.estimate, "low": result.low, "high": result.high}
    return records(result.to_frame())


def to_terminal(card: Card) -> RenderableType:
    """The three answers and the levels, for `rich`."""
    answers = Table.grid(padding=(0, 2))
    for question, answer, behind in card.answers:
        answers.add_row(Text(question), Text(answer, style="bold"), Text(behind, style="dim"))
    levels = Table(box=None, padding=(0, 2), header_style="dim")
    for column in ("partner", card.replies_that, "95 % interval"):
        levels.add_column(column)
    for row in _levels(card):
        levels.add_row(*(Text(cell) for cell in row))
    title = Text(f"{card.focal} as a panelist: {card.behaviour}")
    return Panel(Group(answers, Text(""), levels), title=title, padding=(1, 2))


def _levels(card: Card) -> list[tuple[str, str, str]]:
    return [
        (name, f"{100 * v.estimate:.0f} %", f"{100 * v.low:.0f} to {100 * v.high:.0f} %")
        for name, v in card.levels.items()
    ]
