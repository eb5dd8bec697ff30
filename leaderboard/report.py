"""A report: sections of words, tables and figures, as HTML, Markdown, JSON or on a terminal."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it.

    Attributes:
        heading: short.
        text: paragraphs.
        table: rows as text, column names as its header; None for none.
        figure: SVG of `panelist.analysis.plots`; "" for none.
        main: whether a terminal shows the table too.
    """

    heading: str
    text: tuple[str, ...] = ()
    table: pd.DataFrame | None = None
    figure: str = ""
    main: bool = False


@dataclass(frozen=True)
class Report:
    """What a design found.

    Attributes:
        title: name of the design.
        question: what it asked.
        answers: (question, short answer, what stands behind it).
        sections: in the order of reading.
        facts: what was run.
        values: the numbers, JSON-ready, for programs.
    """

    title: str
    question: str
    answers: tuple[tuple[str, str, str], ...]
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, str], ...]
    values: dict[str, Any]


def to_html(report: Report) -> str:
    """One self-contained page, as a card is: no script, no request, dark mode."""
    from jinja2 import Environment, StrictUndefined

    room = files("panelist.leaderboard")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    source = room.joinpath("report.html").read_text(encoding="utf-8")
    style = room.joinpath("page.css").read_text(encoding="utf-8")
    sections = [(s, _rows(s.table)) for s in report.sections]
    return environment.from_string(source).render(report=report, sections=sections, style=style)


def to_markdown(report: Report) -> str:
    """The words and tables as Markdown."""
    lines = [f"# {plain(report.title)}", "", plain(report.question), ""]
    lines += [f"- **{q}** {plain(a)}: {plain(b)}" for q, a, b in report.answers]
    for section in report.sections:
        lines += ["", f"## {section.heading}", ""]
        lines += [item for text in section.text for item in (plain(text), "")]
        header, rows = _rows(section.table)
        if header:
            lines += [_row(header), _row(["---"] * len(header)), *map(_row, rows)]
    lines += ["", "## What was run", "", "| | |", "|---|---|"]
    lines += [_row([name, value]) for name, value in report.facts]
    return "\n".join(lines) + "\n"


def to_json(report: Report) -> str:
    """The numbers."""
    return json.dumps(
        {
            "title": report.title,
            "question": report.question,
            "answers": [
                dict(zip(("question", "answer", "behind"), a, strict=True)) for a in report.answers
            ],
            "facts": dict(report.facts),
            **report.values,
        },
        indent=1,
        ensure_ascii=False,
        allow_nan=False,
    )


def to_terminal(report: Report) -> RenderableType:
    """The answers and the main tables, for `rich`."""
    answers = Table.grid(padding=(0, 2))
    for question, answer, behind in report.answers:
        answers.add_row(Text(question), Text(answer, style="bold"), Text(behind, style="dim"))
    parts: list[RenderableType] = [answers]
    for section in report.sections:
        header, rows = _rows(section.table if section.main else None)
        if header:
            table = Table(box=None, padding=(0, 2), header_style="dim", title_justify="left")
            for column in header:
                table.add_column(column)
            for row in rows:
                table.add_row(*map(Text, row))
            parts += [Text(""), Text(section.heading, style="bold"), table]
    return Panel(Group(*parts), title=Text(report.title), padding=(1, 2))


def write(text: str, path: Path) -> None:
    """Write a file under a temporary name, then rename it: never half a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False
    ) as file:
        file.write(text)
    temporary = Path(file.name)
    try:
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise


def write_report(report: Report, output: Path) -> list[Path]:
    """Write it into a folder as HTML, Markdown and JSON; the paths."""
    paths = []
    for suffix, form in (("html", to_html), ("md", to_markdown), ("json", to_json)):
        paths.append(output / f"report.{suffix}")
        write(form(report), paths[-1])
    return paths


def records(table: pd.DataFrame) -> Any:
    """A frame as JSON-ready rows; what is not a number is null."""
    return json.loads(table.to_json(orient="records", double_precision=15))


def plain(text: str) -> str:
    """Text that Markdown does not take for markup."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _rows(table: pd.DataFrame | None) -> tuple[Sequence[str], list[list[str]]]:
    if table is None or table.empty:
        return [], []
    return list(table.columns), [[str(v) for v in row] for row in table.itertuples(index=False)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(plain(cell) for cell in cells) + " |"
