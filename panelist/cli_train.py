"""`panelist train`: fit the learned detectors again, as the shipped weights were."""

from pathlib import Path

import click


@click.command()
@click.option(
    "--labels",
    required=True,
    envvar="PANELIST_LABELS",
    type=click.Path(path_type=Path),
    help="Folder of <behaviour>/<corpus>.train.jsonl. [default: $PANELIST_LABELS]",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder. [default: scorers/data]"
)
@click.option("--check", is_flag=True, help="Write nothing; fail if the weights would change.")
def train(labels: Path, output: Path | None, check: bool) -> None:
    """Fit the learned detectors' weights, the same for the same labels.

    Reads only train files of corpora whose licence allows it, and the texts written for this
    purpose in scorers/data. Two minutes on one core.
    """
    from tqdm import tqdm

    from panelist.cli_validate import checkout
    from panelist.leaderboard.report import write as write_file
    from panelist.panels.errors import PanelistError
    from panelist.scorers.detector import BEHAVIOURS
    from panelist.scorers.learned import weights
    from panelist.scorers.learned_model import fingerprint, write
    from panelist.scorers.training import fit, rows

    root = checkout()
    if output is None and root is None and not check:
        raise PanelistError("not in a checkout, where the weights lie; name a folder with -o")
    changed = []
    for behaviour in tqdm(BEHAVIOURS, desc="behaviours", disable=None):
        made = write(fit(behaviour, rows(behaviour, labels)))
        click.echo(f"{behaviour}: {len(made):,} bytes, sha256 {fingerprint(made)}")
        if check:
            changed += [behaviour] * (made != weights(behaviour))
            continue
        folder = output or (root or Path()) / "scorers" / "data"
        folder.mkdir(parents=True, exist_ok=True)
        write_file(made, folder / f"{behaviour}.weights.tsv")
    if changed:
        raise PanelistError(
            f"the shipped weights of {' and '.join(changed)} are not those that these labels make; "
            "run `panelist train`, then `panelist validate`, and commit the results"
        )
