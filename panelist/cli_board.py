"""`panelist board`: the leaderboard, from submissions to a site."""

from pathlib import Path

import click


@click.group()
def board() -> None:
    """The leaderboard: re-score submissions, and lay them out as a static site."""


@board.command()
@click.argument("submissions", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Site.")
@click.option("--dataset", default="", help="That takes submissions, as org/name; on the page.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; default one a CPU.")
def build(submissions: Path, output: Path, dataset: str, workers: int | None) -> None:
    """Build the site of the SUBMISSIONS below a folder; the same bytes each time.

    Every submission is checked and scored anew, with the detectors of this version. Boards that
    were built into the same site before stay reachable in its boards/.
    """
    from tqdm import tqdm

    from panelist.leaderboard.board import build as built
    from panelist.leaderboard.site import write_site

    with tqdm(unit=" submissions", desc="scoring", disable=None) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        made = built(submissions, dataset=dataset, workers=workers, progress=progress)
    page = write_site(made, output)
    rows = len(made.data["rows"])
    click.echo(f"board {made.data['version']}: {rows} submission{'s' if rows != 1 else ''}")
    for benchmark, count in made.left_out.items():
        some = f"{count} submission{'s' if count != 1 else ''}"
        click.echo(f"left out: {some} to benchmark {benchmark}")
    click.echo(f"page: {page}")


@board.command()
@click.argument("site", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--format",
    "form",
    type=click.Choice(["hf-evals", "eee"]),
    required=True,
    help="Hugging Face Community Evals, or Every Eval Ever.",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder.")
@click.option("--dataset", help="hf-evals: the submissions' dataset, org/name.")
@click.option("--revision", help="hf-evals: commit of the dataset.")
def export(site: Path, form: str, output: Path, dataset: str | None, revision: str | None) -> None:
    """The board of a SITE in the formats of others; files only, nothing is sent."""
    from panelist.leaderboard.exports import community_evals, every_eval_ever, read_board

    data = read_board(site)
    if form == "eee":
        paths = every_eval_ever(data, output)
    else:
        if dataset is None:
            raise click.UsageError("--dataset is missing: where the submissions lie, org/name")
        paths = community_evals(data, output, dataset, revision)
    for path in paths:
        click.echo(str(path))
