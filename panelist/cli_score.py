"""`panelist score` and `panelist report`: a corpus from its turns to its report."""

from pathlib import Path

import click


@click.command()
@click.argument("corpora", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--detector",
    "detectors",
    multiple=True,
    help="Such as hedging-cues; several. Default: the shipped ones of the corpus' behaviours.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes; default one a CPU.")
def score(corpora: tuple[Path, ...], detectors: tuple[str, ...], workers: int | None) -> None:
    """Score the replies of CORPORA, as far as they are not scored yet.

    Scores lie beside the turns, in a folder of each detector and version; turns are never touched.
    """
    from panelist.evals.corpus_report import find_corpora

    for path in find_corpora(corpora):
        score_one(path, detectors, workers)


def score_one(corpus: Path, detectors: tuple[str, ...] = (), workers: int | None = None) -> None:
    """Score a corpus, with a line of progress."""
    from tqdm import tqdm

    from panelist.scorers.corpus import score_corpus

    with tqdm(unit=" parts", desc=f"scoring {corpus.name}", mininterval=1, delay=2) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        made = score_corpus(corpus, detectors or None, workers=workers, progress=progress)
    names = ", ".join(f"{name} {version}" for name, version in made.detectors)
    there = f"; {made.there:,} parts were scored already" if made.there else ""
    click.echo(f"{corpus}: {made.replies:,} replies scored by {names}{there}")


@click.command()
@click.argument("corpora", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the report.")
@click.option("--detector", "detectors", multiple=True, help="Whose scores; one a behaviour.")
def report(corpora: tuple[Path, ...], output: Path | None, detectors: tuple[str, ...]) -> None:
    """Report what the scores of CORPORA say, whatever the number of chains.

    CORPORA are corpora, or folders of them. Prints the answers; with -o writes report.html,
    report.md and report.json.
    """
    from rich.console import Console

    from panelist.evals.corpus_report import corpus_report
    from panelist.leaderboard.report import to_terminal, write_report

    made = corpus_report(corpora, detectors)
    Console().print(to_terminal(made))
    if output is not None:
        for path in write_report(made, output):
            click.echo(f"report: {path}")
