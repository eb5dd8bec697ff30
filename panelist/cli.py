"""The command line: `panelist card`, `panelist checkpoints`, `panelist embedded`."""

import sys
from pathlib import Path

import click

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
    """Turn the LOGS (files or folders) of a checkpoint's runs into a card.

    Prints a short table; with -o writes a self-contained HTML page, Markdown or JSON.
    """
    from rich.console import Console

    from panelist.leaderboard.card import make_card, to_json, write
    from panelist.leaderboard.card_formats import to_html, to_markdown, to_terminal
    from panelist.scorers.logs import read_logs

    made = make_card(*read_logs(logs), focal=focal)
    formats = {"html": to_html, "md": to_markdown, "json": to_json}
    if output is not None:
        suffix = output.suffix.lstrip(".").lower()
        chosen = form or (suffix if suffix in formats else "html")
        write(formats[chosen](made), output)
    elif form is not None:
        click.echo(formats[form](made))
        return
    Console().print(to_terminal(made))
    if output is not None:
        click.echo(f"card: {output}")


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


def main() -> None:
    """Entry point: bad input ends in one line on stderr and exit code 1."""
    try:
        commands.main(prog_name="panelist", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as ex:
        ex.show()
        sys.exit(ex.exit_code)
    except ValueError as ex:
        if type(ex).__name__ not in ("PanelistError", "AnalysisError"):
            raise
        click.echo(f"panelist: {ex}", err=True)
        sys.exit(1)
