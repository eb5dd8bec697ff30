"""`panelist label`: replies for two raters, and what their labels say of a detector."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pandas as pd

    from panelist.scorers.detector import Behaviour

BEHAVIOUR = click.Choice(["hedging", "repair", "challenge"])


@click.group()
def label() -> None:
    """Have two people label replies, and hold the detector against them (docs/LABELLING.md)."""


@label.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--behaviour", type=BEHAVIOUR, default="hedging", show_default=True)
@click.option("-n", default=300, show_default=True, help="Replies in all.")
@click.option("--seed", default=0, show_default=True, help="Another seed draws other replies.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write, new or empty.",
)
@click.option(
    "--detector",
    metavar="NAME",
    help="Score with this one. [default: the scores in LOGS, else BEHAVIOUR-learned]",
)
def sample(
    logs: tuple[Path, ...],
    behaviour: "Behaviour",
    n: int,
    seed: int,
    output: Path,
    detector: str | None,
) -> None:
    """Draw replies of LOGS, equally from every focal x partner, for two raters to label."""
    from panelist.scorers.detectors import detector as named
    from panelist.scorers.labelling_sample import sample as drawn

    # The logs hold hedging scores only.
    name = detector or (None if behaviour == "hedging" else f"{behaviour}-learned")
    key = drawn(logs, behaviour, n, seed, output, named(name) if name else None)
    strata = key.groupby(["focal", "partner"])["drawn"].agg(["sum", "size"]).reset_index()
    strata.columns = ["focal", "partner", "drawn", "replies"]
    click.echo(strata.to_string(index=False))
    click.echo(f"for the raters: {output / 'label.html'}, or rater-1.csv and rater-2.csv beside it")
    click.echo("key.jsonl is for nobody before both have finished; then: panelist label agree")


@label.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("raters", nargs=-1, type=click.Path(path_type=Path))
def agree(folder: Path, raters: tuple[Path, ...]) -> None:
    """Compare the two raters of FOLDER, and hold the detector against what they agree on.

    RATERS are their two files, where they are not rater-1 and rater-2 in FOLDER. Disagreements are
    written to FOLDER/adjudicated.csv; decide them there and run this again.
    """
    from panelist.scorers.labelling_agreement import agree as compared
    from panelist.scorers.labelling_folder import ADJUDICATED

    found = compared(folder, raters)
    click.echo(_table(found.to_frame()))
    click.echo(found.summary())
    if found.undecided:
        click.echo(f"to decide: {folder / ADJUDICATED}")
    if found.error is None or found.overall is None:
        click.echo("The detector cannot be held against labels that nobody agrees on.")
        return
    click.echo(f"\n{found.detector} {found.detector_version} against the labels:")
    for error in (found.overall, found.error):
        click.echo(_table(error.to_frame()))
    click.echo(found.error.summary())
    click.echo("\nLevels, as detected and as corrected by the labels:")
    click.echo(_table(found.levels))


@label.command()
@click.option("--base-rate", default=0.3, show_default=True, help="Share with the behaviour.")
@click.option("--kappa", default=0.7, show_default=True, help="As expected, as the next two.")
@click.option("--sensitivity", default=0.85, show_default=True)
@click.option("--specificity", default=0.95, show_default=True)
def size(base_rate: float, kappa: float, sensitivity: float, specificity: float) -> None:
    """How many labels it takes: half widths of the 95 % intervals."""
    from panelist.scorers.labelling_size import half_widths

    found = half_widths(
        base_rate=base_rate, kappa=kappa, sensitivity=sensitivity, specificity=specificity
    )
    click.echo(_table(found))


def _table(frame: "pd.DataFrame") -> str:
    return str(frame.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.3f}"))
