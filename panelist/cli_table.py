"""`panelist table` and `panelist lm-eval`: replies as a table, whatever ran them."""

from importlib.resources import files
from pathlib import Path

import click


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path))
@click.option("--behaviour", help="Only logs of this behaviour's task.")
def table(paths: tuple[Path, ...], output: Path, behaviour: str | None) -> None:
    """Inspect logs, or samples files of lm-eval, as one tidy table (.parquet or .csv).

    One row a reply; the columns are described in analysis/table.py.
    """
    import pandas as pd

    from panelist.analysis.table import check_table
    from panelist.scorers.lm_eval import read_lm_eval
    from panelist.scorers.logs import read_logs

    if output.suffix not in (".parquet", ".csv"):
        raise click.BadParameter(f"{output.name!r} ends in neither .parquet nor .csv")
    samples = [path for path in paths if path.suffix == ".jsonl"]
    logs = [path for path in paths if path not in samples]
    parts = [read_lm_eval(path) for path in samples]
    if logs:
        parts.append(read_logs(logs, behaviour=behaviour)[1])
    made = check_table(pd.concat(parts, ignore_index=True))
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(output.name + ".part")
    if output.suffix == ".parquet":
        made.to_parquet(temporary, index=False)
    else:
        made.to_csv(temporary, index=False)
    temporary.replace(output)
    click.echo(f"{len(made):,} replies: {output}")


@click.command("lm-eval")
def lm_eval() -> None:
    """Where the lm-eval tasks lie: lm_eval --include_path "$(panelist lm-eval)" ..."""
    click.echo(files("panelist.tasks") / "lm_eval")
