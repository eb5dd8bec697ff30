"""`panelist submit`: transcripts for the leaderboard."""

from pathlib import Path

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for the submissions.",
)
@click.option("--submitter", required=True, help="Your name or organisation, as on the Hub.")
@click.option("--licence", required=True, help="Of the transcripts, such as CC-BY-4.0.")
@click.option(
    "--attest",
    is_flag=True,
    help="I state: every chain that was run is in it, no text was changed, and the licences of "
    "weights and texts allow publishing them.",
)
@click.option("--revision", help="Commit of the weights' Hub repository, 40 hexadecimal digits.")
@click.option("--source", default="", help="https address of the checkpoint or its paper.")
@click.option("--hardware", default="", help="What it ran on, in words.")
@click.option("--registry", type=click.Path(path_type=Path, exists=True), help="More checkpoints.")
def submit(
    runs: tuple[Path, ...],
    output: Path,
    submitter: str,
    licence: str,
    attest: bool,
    revision: str | None,
    source: str,
    hardware: str,
    registry: Path | None,
) -> None:
    """Make a submission of RUNS: Inspect logs, or a corpus, of frozen banks.

    One folder a checkpoint, checked as the board checks it; complete, or refused with the reasons.
    Nothing is sent anywhere: `panelist publish` does that.
    """
    from panelist.leaderboard.submit import Submitter
    from panelist.leaderboard.submit import submit as made

    if not attest:
        raise click.UsageError(
            "--attest is missing: state with it that every chain that was run is in the "
            "submission, that no text was changed, and that weights and texts may be published"
        )
    who = Submitter(submitter, licence, attest, source, hardware, revision)
    for folder in made(runs, output, who, registry=registry):
        click.echo(f"submission: {folder}")
