"""`panelist run`, `panelist design` and `panelist bank`: experiments, and banks of openings."""

from pathlib import Path

import click


@click.command()
@click.argument("design", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder; default out/<name>.")
@click.option("--limit", type=int, hidden=True, help="Samples a task, for a rehearsal.")
def run(design: Path, output: Path | None, limit: int | None) -> None:
    """Check a DESIGN, run it, and write its report.

    DESIGN is a YAML file, or the name of a design in the package (`panelist design list`). Run it
    again after an interruption, even kill -9: what is finished is not generated again.
    """
    from rich.console import Console

    from panelist.evals.design import read_design
    from panelist.evals.experiment import run_design
    from panelist.leaderboard.report import to_terminal

    read = read_design(design)
    folder = output or Path("out") / read.name
    done = run_design(read, design, folder, limit=limit, say=click.echo)
    Console().print(to_terminal(done.report))
    for path in done.paths:
        click.echo(f"report: {path}")
    if done.spent is not None:
        click.echo(f"spent: ${done.spent:,.4f} by the prices of the design")
    if done.failed:
        first = next(o.first_error for o in done.outcomes if o.failed)
        raise click.ClickException(
            f"{done.failed} chains failed in the end, the first with: {first}. The report counts "
            f"them; mend the cause and run it again, only they are generated"
        )


@click.group()
def design() -> None:
    """Designs of experiments: what they cost and what they can say."""


@design.command("check")
@click.argument("design", type=click.Path(path_type=Path))
def check_design(design: Path) -> None:
    """What a DESIGN identifies, costs and can find; refuses one that cannot be run as it says."""
    from panelist.evals.check import check
    from panelist.evals.design import read_design

    for name, value in check(read_design(design), design).lines():
        click.echo(f"{name:42} {value}")


@design.command("list")
def list_designs() -> None:
    """The designs in the package."""
    from panelist.evals.design import SHIPPED, read_design

    for path in sorted(SHIPPED.glob("*.yaml")):
        read = read_design(path)
        click.echo(f"{read.name:24} {read.kind:10} {read.question}")


@click.group()
def bank() -> None:
    """Partner banks: frozen opening turns."""


@bank.command("build")
@click.option(
    "--checkpoint",
    "names",
    multiple=True,
    required=True,
    help="A registered name, or NAME=MODEL with an Inspect model string; several.",
)
@click.option("--version", required=True, help="Of the bank; a bank never changes once written.")
@click.option("--tier", default="demo", show_default=True, help="How many seeds.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="New file.")
@click.option("--limit", type=int, hidden=True)
def build(names: tuple[str, ...], version: str, tier: str, output: Path, limit: int | None) -> None:
    """Freeze the opening turns of checkpoints into a new bank.

    What is generated is kept beside the bank until it is written, in OUTPUT.logs: interrupted, the
    same command goes on from there. Use the bank with -T bank=FILE.
    """
    from dataclasses import replace

    from inspect_ai.model import GenerateConfig

    from panelist.evals.openings import build_bank
    from panelist.evals.units import Unit
    from panelist.panels.checkpoint import checkpoint_of, find_checkpoint, row_of
    from panelist.panels.errors import PanelistError

    units = []
    for given in names:
        name, equals, model = given.partition("=")
        row = find_checkpoint(name) if not equals else checkpoint_of(model)
        if row is None:
            unknown = dict.fromkeys(("family", "base", "revision", "licence"), "not stated")
            row = row_of("--checkpoint", {**unknown, "recipe": "sft", "name": name, "model": model})
        row = replace(row, name=name, model=model or row.model)
        units.append(Unit(name.replace("/", "_"), row, "", row.model, {}, GenerateConfig()))
    if len({unit.name for unit in units}) < len(units):
        raise PanelistError(f"--checkpoint: a name stands twice in {', '.join(names)}")
    work = output.with_name(output.name + ".logs")
    digest, lost = build_bank(units, version, tier, output, work, limit=limit)
    click.echo(f"bank {version}: {output}, sha256 {digest}")
    if lost:
        click.echo(f"left out, no usable opening of every checkpoint: {', '.join(lost)}")
