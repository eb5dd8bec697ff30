"""The command line: cards, designs, banks, detectors, planning; one module a family."""

import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from panelist.cli_board import board
from panelist.cli_corpus import corpus
from panelist.cli_design import bank, design, run
from panelist.cli_label import label
from panelist.cli_publish import publish
from panelist.cli_recipe import recipe
from panelist.cli_score import report, score
from panelist.cli_submit import submit
from panelist.cli_table import lm_eval, table
from panelist.cli_train import train
from panelist.cli_validate import validate
from panelist.cli_verify import verify
from panelist.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="panelist")
def commands() -> None:
    """How language-model checkpoints behave as members of a panel."""


@commands.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md", "json"]),
    help="Default: by OUTPUT's ending.",
)
@click.option("--focal", help="The checkpoint, where the logs hold several.")
def card(logs: tuple[Path, ...], output: Path | None, form: str | None, focal: str | None) -> None:
    """Turn the LOGS (files, folders, or a scored corpus) of a checkpoint's runs into a card.

    Prints a short table; with -o writes a self-contained HTML page, Markdown or JSON.
    """
    from rich.console import Console

    from panelist.leaderboard.card import make_card
    from panelist.leaderboard.card_formats import (
        to_html,
        to_json,
        to_markdown,
        to_terminal,
    )
    from panelist.leaderboard.report import write
    from panelist.scorers.corpus_table import read_replies

    made = make_card(*read_replies(logs, focal=focal), focal=focal)
    formats = {"html": to_html, "md": to_markdown, "json": to_json}
    if output is not None:
        suffix = output.suffix.lstrip(".").lower()
        chosen = form or suffix
        if chosen not in formats:
            raise click.BadParameter(
                f"{output.name!r} ends in none of .html, .md, .json; add --format", param_hint="-o"
            )
        write(formats[chosen](made), output)
    elif form is not None:
        click.echo(formats[form](made))
        return
    Console().print(to_terminal(made))
    if output is not None:
        click.echo(f"card: {output}")


@commands.command()
@click.option("--shift", default=0.18, show_default=True, help="Relative shift to be found.")
@click.option("--base", default=0.4, show_default=True, help="Share of replies that hedge.")
@click.option("--partners", default=4, show_default=True)
@click.option("--power", default=0.8, show_default=True)
@click.option("--icc", default=0.25, show_default=True, help="Share of variance between seeds.")
@click.option("--target", type=click.Choice(["pairs", "contrast", "omnibus"]), default="pairs")
@click.option("--tokens-per-reply", default=120.0, show_default=True)
@click.option("--price", type=float, help="Per million tokens, in any currency.")
@click.option("--tokens-per-second", type=float, help="Of the engine, for the hours.")
@click.option(
    "--pilot",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Log of a pilot run: base, icc and w are taken from it.",
)
def plan(pilot: tuple[Path, ...], **settings: Any) -> None:
    """Seeds, replies, tokens and cost for a shift to be found (method.md, section 4c)."""
    from panelist.analysis.cells import cells
    from panelist.analysis.errors import NotIdentified
    from panelist.analysis.pilot import refit
    from panelist.analysis.power import plan as planned

    if pilot:
        given = click.get_current_context().get_parameter_source
        if any(given(name) is ParameterSource.COMMANDLINE for name in ("base", "icc")):
            raise click.UsageError("--pilot gives base and icc; leave --base and --icc out")
        from panelist.scorers.corpus_table import read_replies

        fitted = refit(cells(read_replies(pilot, texts=False)[1]))
        click.echo(fitted.summary())
        if isinstance(fitted, NotIdentified):
            raise click.ClickException("the pilot does not give the noise; run it without --pilot")
        settings["noise"] = fitted.noise
    made = planned(**settings)
    click.echo(made.to_frame().to_string(index=False, na_rep=""))
    click.echo(made.summary())


@commands.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-k", "size", default=3, show_default=True, help="Members of a panel.")
@click.option("--cost", multiple=True, metavar="NAME=COST", help="Cost of a checkpoint.")
@click.option("--max-cost", type=float, help="The most that a panel may cost.")
def compose(
    logs: tuple[Path, ...], size: int, cost: tuple[str, ...], max_cost: float | None
) -> None:
    """The most diverse panels of the checkpoints in LOGS, and what they are tied with."""
    from panelist.analysis.composition import Panel
    from panelist.analysis.composition import compose as composed
    from panelist.leaderboard.profiles import profiles_of
    from panelist.scorers.corpus_table import read_replies

    prices = {}
    for item in cost:
        name, equals, value = item.rpartition("=")
        try:
            prices[name] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise click.BadParameter(f"{item!r}; write NAME=COST", param_hint="--cost")
    runs, table = read_replies(logs, texts=False)
    if unknown := sorted(set(prices) - set(table["focal"])):
        raise click.BadParameter(f"no such checkpoint in LOGS: {unknown}", param_hint="--cost")
    if prices and max_cost is None:
        raise click.UsageError("--cost does nothing without --max-cost")
    panel = composed(profiles_of(runs, table), size, cost=prices or None, max_cost=max_cost)
    click.echo(panel.to_frame().to_string(index=False))
    if isinstance(panel, Panel):
        click.echo("tied panels, the best first:")
        for members in panel.tied:
            click.echo(f"  {', '.join(members)}")
    click.echo(panel.summary())


@commands.command()
def checkpoints() -> None:
    """List the registered checkpoints: name, family, recipe, Inspect model string."""
    from panelist.panels.checkpoint import shipped_checkpoints

    for row in shipped_checkpoints():
        click.echo(f"{row.name:38} {row.family:10} {row.recipe:20} {row.model}")


@commands.command()
@click.option("--hf", type=click.Path(path_type=Path), help="Write a Hugging Face directory here.")
def embedded(hf: Path | None) -> None:
    """Make the embedded checkpoint ready, or export it for Transformers and vLLM."""
    from panelist.panels.embedded import embedded_model
    from panelist.panels.embedded_hf import export_hf

    click.echo(export_hf(hf) if hf else embedded_model())


commands.add_command(bank)
commands.add_command(board)
commands.add_command(corpus)
commands.add_command(design)
commands.add_command(label)
commands.add_command(lm_eval)
commands.add_command(publish)
commands.add_command(recipe)
commands.add_command(report)
commands.add_command(run)
commands.add_command(score)
commands.add_command(submit)
commands.add_command(table)
commands.add_command(train)
commands.add_command(validate)
commands.add_command(verify)


def main() -> None:
    """Entry point: bad input ends in one line on stderr and exit code 1."""
    try:
        commands.main(prog_name="panelist", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as ex:
        ex.show()
        sys.exit(ex.exit_code)
    except OSError as ex:
        click.echo(f"Error: {ex.filename2 or ex.filename}: {ex.strerror or ex}", err=True)
        sys.exit(1)
    except ValueError as ex:
        if type(ex).__name__ != "AnalysisError":
            raise
        click.echo(f"Error: {ex}", err=True)
        sys.exit(1)
