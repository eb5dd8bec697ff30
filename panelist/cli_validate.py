"""`panelist validate`: hold the detectors against human labels, and publish what came out."""

import sys
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from panelist.panels.errors import PanelistError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from panelist.scorers.detector import Detector

DIFF_LINES = 40
"""Lines of a difference that are shown, for each file."""


@click.command()
@click.option(
    "--labels",
    envvar="PANELIST_LABELS",
    type=click.Path(path_type=Path),
    help="Folder of <behaviour>/<corpus>.<split>.jsonl. [default: $PANELIST_LABELS, else "
    "../shared/labels beside the checkout]",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="All numbers, here.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Markdown, here.")
@click.option("--split", type=click.Choice(["test", "heldout"]), default="test", show_default=True)
@click.option("--detector", "names", multiple=True, metavar="NAME", help="Only this one.")
@click.option("--judge", metavar="MODEL", help="An LLM judge too: an Inspect model string.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows of each set.")
@click.option("--check", is_flag=True, help="Write nothing; fail if the reports would change.")
def validate(
    labels: Path | None,
    json_file: Path | None,
    output: Path | None,
    split: str,
    names: tuple[str, ...],
    judge: str | None,
    limit: int | None,
    check: bool,
) -> None:
    """Hold the detectors against human labels and compute their status.

    Prints the statuses. Without -o, a run of all detectors on the test sets, in a checkout, writes
    scorers/VALIDATION.md and scorers/validation.json, which every status comes from.
    """
    from rich.console import Console
    from tqdm import tqdm

    from panelist.leaderboard.report import write
    from panelist.scorers.validation import run
    from panelist.scorers.validation_report import statuses_json, to_json, to_markdown

    whole = split == "test" and not names and judge is None and limit is None
    if check and not (whole and output is None and json_file is None):
        raise click.UsageError("--check takes no option but --labels")
    root = checkout()
    if check and root is None:
        raise PanelistError("--check: not in a checkout; run it in the repository's root")
    folder = labels or _default_labels(root)
    results = run(
        folder,
        [*_detectors(names, folder), *_judges(judge)],
        lambda sets: tqdm(sets, desc="labelled sets", unit="set", file=sys.stderr, disable=None),
        split=split,
        limit=limit,
    )
    made = {"VALIDATION.md": to_markdown(results), "validation.json": statuses_json(results)}
    if check:
        assert root is not None
        _compare(made, root / "scorers")
    Console().print(_statuses(results))
    if json_file is not None:
        write(to_json(results), json_file)
        click.echo(f"numbers: {json_file}")
    if output is not None:
        write(made["VALIDATION.md"], output)
        click.echo(f"report: {output}")
    elif whole and root is not None and not check:
        for name, text in made.items():
            write(text, root / "scorers" / name)
            click.echo(f"report: scorers/{name}")
    elif not check:
        reason = "not in a checkout" if whole else "not a run of all detectors on the test sets"
        click.echo(f"scorers/VALIDATION.md is left as it is: {reason}; -o writes a report")


def checkout() -> Path | None:
    """The repository's root: where the package lies, or the current folder; None if neither is."""
    import panelist.scorers

    for folder in (Path(panelist.scorers.__path__[0]).parent, Path.cwd()):
        if (folder / "pyproject.toml").is_file() and (folder / "scorers" / "bars.py").is_file():
            return folder
    return None


def _default_labels(root: Path | None) -> Path:
    if root is not None and (folder := root.parent / "shared" / "labels").is_dir():
        return folder
    raise PanelistError(
        "labels: none are given; set $PANELIST_LABELS or --labels to a folder that holds "
        "<behaviour>/<corpus>.<split>.jsonl, such as repair/mrda_q.test.jsonl, one JSON object a "
        "line with id, conv, text, context and label (scorers/labelled.py has the fields)"
    )


def _detectors(names: tuple[str, ...], labels: Path) -> "list[Detector]":
    from panelist.scorers.detector import BEHAVIOURS
    from panelist.scorers.detectors import shipped

    everyone = [detector for behaviour in BEHAVIOURS for detector in shipped(behaviour, labels)]
    known = [detector.name for detector in everyone]
    if unknown := sorted(set(names) - set(known)):
        raise click.BadParameter(
            f"no such detector: {', '.join(unknown)}; there are {', '.join(known)}",
            param_hint="--detector",
        )
    return [detector for detector in everyone if not names or detector.name in names]


def _judges(model: str | None) -> "list[Detector]":
    from panelist.scorers.detector import BEHAVIOURS

    if model is None:
        return []
    from panelist.scorers.judge import judge_detector

    return [judge_detector(behaviour, model) for behaviour in BEHAVIOURS]


def _compare(made: dict[str, str], folder: Path) -> None:
    """Print how the committed files differ.

    Raises:
        PanelistError: one does.
    """
    changed = []
    for name, text in made.items():
        path = folder / name
        # Bytes, so that a line ending that was changed on the way is seen.
        committed = path.read_bytes().decode("utf-8") if path.is_file() else ""
        if committed == text:
            continue
        changed.append(f"scorers/{name}")
        lines = list(
            unified_diff(
                committed.splitlines(), text.splitlines(), f"committed {name}", f"now {name}",
                n=0, lineterm="",
            )
        )  # fmt: skip
        for line in lines[:DIFF_LINES]:
            click.echo(line)
        if len(lines) > DIFF_LINES:
            click.echo(f"... and {len(lines) - DIFF_LINES} more lines")
    if changed:
        raise PanelistError(
            f"{' and '.join(changed)} would change; run `panelist validate` and commit the result"
        )


def _statuses(results: dict[str, Any]) -> "RenderableType":
    """The status of each detector and what it missed, for `rich`."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from panelist.scorers.validation_report import (
        MISSED_HEADER,
        STATUS_HEADER,
        missed_rows,
        status_rows,
    )

    shown: list[RenderableType] = []
    for header, rows in (
        (STATUS_HEADER, status_rows(results)),
        (MISSED_HEADER, missed_rows(results)),
    ):
        table = Table(*header, box=None, padding=(0, 2, 0, 0), header_style="dim")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        if rows:
            shown += [table, Text("")]
    return Group(*shown)
