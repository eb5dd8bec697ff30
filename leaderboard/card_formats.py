"""A card as HTML, Markdown or a terminal table (JSON is `panelist.leaderboard.card.to_json`)."""

from importlib.resources import files

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from panelist.leaderboard.card import Card, facts, figures, summaries


def to_html(card: Card) -> str:
    """One self-contained page: no script, no request, dark mode by the reader's preference."""
    from jinja2 import Environment, StrictUndefined

    # Autoescaping on: everything but our own SVG is data, whatever a model wrote.
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    source = files("panelist.leaderboard").joinpath("card.html").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        card=card, figures=figures(card), summaries=summaries(card), facts=facts(card)
    )


def to_markdown(card: Card) -> str:
    """The card's words and tables as Markdown."""
    lines = [f"# {_plain(card.focal)} as a panelist: hedging", ""]
    for question, answer, behind in card.answers:
        lines += [f"- **{question}** {_plain(answer)}: {_plain(behind)}"]
    lines += ["", "| partner | replies that hedge | 95 % interval |", "|---|---|---|"]
    lines += [f"| {_plain(name)} | {value} | {span} |" for name, value, span in _levels(card)]
    for heading, text in summaries(card):
        lines += ["", f"**{heading}.** {_plain(text)}"]
    lines += ["", "| what was run | |", "|---|---|"]
    lines += [f"| {name} | {_plain(value)} |" for name, value in facts(card)]
    return "\n".join(lines) + "\n"


def to_terminal(card: Card) -> RenderableType:
    """The three answers and the levels, for `rich`."""
    answers = Table.grid(padding=(0, 2))
    for question, answer, behind in card.answers:
        answers.add_row(Text(question), Text(answer, style="bold"), Text(behind, style="dim"))
    levels = Table(box=None, padding=(0, 2), header_style="dim")
    for column in ("partner", "replies that hedge", "95 % interval"):
        levels.add_column(column)
    for row in _levels(card):
        levels.add_row(*(Text(cell) for cell in row))
    title = Text(f"{card.focal} as a panelist: hedging")
    return Panel(Group(answers, Text(""), levels), title=title, padding=(1, 2))


def _levels(card: Card) -> list[tuple[str, str, str]]:
    return [
        (name, f"{100 * v.estimate:.0f} %", f"{100 * v.low:.0f} to {100 * v.high:.0f} %")
        for name, v in card.levels.items()
    ]


def _plain(text: str) -> str:
    """Text that Markdown does not take for markup."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
