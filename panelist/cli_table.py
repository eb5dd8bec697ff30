"""`panelist table` and `panelist lm-eval`: replies as a table, whatever ran them."""

from importlib.resources import files
from pathlib import Path

import click


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
@click.option("--behaviour", help="Only logs of this behaviour's task.")
@click.option("--no-text", is_flag=True, help="Of a corpus: without what was said; far faster.")
def table(paths: tuple[Path, ...], output: Path, behaviour: str | None, no_text: bool) -> None:
    """Inspect logs, samples files of lm-eval, or a scored corpus, as one tidy table.

    One row a reply, as .parquet or .csv; the columns are described in analysis/table.py. A corpus
    of any size becomes a table pair by pair.
    """
    from panelist.scorers.tables import tidy_tables, write_tables

    if output.suffix not in (".parquet", ".csv"):
        raise click.BadParameter(f"{output.name!r} ends in neither .parquet nor .csv")
    count = write_tables(tidy_tables(paths, behaviour=behaviour, texts=not no_text), output)
    click.echo(f"{count:,} replies: {output}")


@click.command("lm-eval")
def lm_eval() -> None:
    """Where the lm-eval tasks lie: lm_eval --include_path "$(panelist lm-eval)" ..."""
    click.echo(files("panelist.tasks") / "lm_eval")
