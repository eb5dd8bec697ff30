"""`panelist corpus`: Inspect logs into a corpus, and chains of a corpus into Inspect logs."""

from pathlib import Path

import click


@click.group()
def corpus() -> None:
    """Corpora: chains by the million in Parquet."""


@corpus.command("import")
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="CORPUS",
    type=click.Path(path_type=Path),
    help="Folder.",
)
def import_(logs: tuple[Path, ...], output: Path) -> None:
    """Add the chains of Inspect LOGS (files or folders) of one behaviour to a corpus.

    Import again, or more logs of the same kind, and only chains that are not there are added.
    """
    from panelist.evals.corpus_logs import import_logs

    made = import_logs(logs, output)
    focals = len({part.focal for part in made.parts})
    partners = len({part.partner for part in made.parts})
    notes = []
    if made.there:
        notes.append(f"{made.there:,} were there already")
    if made.failed:
        notes.append(
            f"{made.failed:,} failed chains left out, run them again with inspect eval-retry"
        )
    click.echo(
        f"{made.chains:,} chains of {focals} focals and {partners} partners: {output}"
        + (f" ({'; '.join(notes)})" if notes else "")
    )


@corpus.command("sample")
@click.argument("corpus", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of the logs."
)
@click.option("--chains", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--focal", help="Only chains of this checkpoint.")
@click.option("--partner", help="Only chains with this partner.")
@click.option("--seed", help="Only chains of this opening question.")
@click.option("--draw", default=0, show_default=True, help="Another number, another sample.")
def sample(
    corpus: Path,
    output: Path,
    chains: int,
    focal: str | None,
    partner: str | None,
    seed: str | None,
    draw: int,
) -> None:
    """Write a random sample of a CORPUS as Inspect logs, one for each focal.

    Look at them with `inspect view`, score them with `inspect score`.
    """
    from panelist.evals.corpus_sample import sample_log

    made = sample_log(
        corpus, output, chains=chains, focal=focal, partner=partner, seed=seed, draw=draw
    )
    for path in made.logs:
        click.echo(path)
    click.echo(f"{made.chains:,} chains; read them with: inspect view --log-dir {output}")
