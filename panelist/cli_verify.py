"""`panelist verify`: whether the board would take a submission."""

import json
import sys
from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--against",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Other submissions, which it must not repeat.",
)
@click.option(
    "--registry",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Checkpoints beside those that ship (YAML).",
)
@click.option(
    "--base",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="FOLDER is a tree of submissions with a pull request, BASE the one before it.",
)
@click.option("--json", "as_json", is_flag=True, help="Faults as JSON.")
def verify(
    folder: Path, against: Path | None, registry: Path | None, base: Path | None, as_json: bool
) -> None:
    """Say whether the board takes the submission in FOLDER, and if not, every reason why.

    This is what the board itself runs. Files are read in a process with limits of memory and time.
    Ends with exit code 1 if there is a fault; docs/SUBMISSIONS.md explains each code.
    """
    from panelist.leaderboard.check_against import check_pull
    from panelist.leaderboard.submission import MANIFEST
    from panelist.leaderboard.verify import verify as verified

    faults = []
    folders = [folder]
    if base is not None:
        faults = check_pull(base, folder)
        # By place, not by name: what is not looked at here must be what was there before.
        old = {path.relative_to(base) for path in base.rglob(MANIFEST)}
        folders = sorted(
            path.parent for path in folder.rglob(MANIFEST) if path.relative_to(folder) not in old
        )
        against = base
    for one in folders if not faults else []:
        faults += verified(one, against=against, registry=registry)
    if as_json:
        click.echo(json.dumps([fault.to_dict() for fault in faults], indent=1))
    else:
        for fault in faults:
            click.echo(str(fault))
        if not faults:
            click.echo("\n".join(f"accepted: {one.name}" for one in folders) or "nothing new")
    if faults:
        sys.exit(1)
