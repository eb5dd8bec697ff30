"""`panelist run`, `panelist design` and `panelist bank`: experiments, and banks of openings."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from panelist.evals.design import Design


@click.command()
@click.argument("design", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder; default out/<name>.")
@click.option(
    "--engine",
    type=click.Choice(["inspect", "ray"]),
    default="inspect",
    show_default=True,
    help="ray: chains by the million, on local vLLM engines, into a Parquet corpus.",
)
@click.option("--tier", help="In place of the design's; such as quick, or 390x128.")
@click.option("--address", help="ray: of a cluster; default this machine.")
@click.option("--replicas", type=click.IntRange(min=1), help="ray: actors of each engine.")
@click.option("--loaded", type=click.IntRange(min=1), help="ray: engines kept side by side.")
@click.option("--batch", type=click.IntRange(min=1), help="ray: chains of a chunk.")
@click.option("--dry-run", is_flag=True, help="ray: what is missing, and what it costs; no more.")
@click.option("--dollars-per-hour", type=float, help="Of the machine, for --dry-run.")
@click.option("--limit", type=int, hidden=True, help="Samples a task, for a rehearsal.")
def run(
    design: Path,
    output: Path | None,
    engine: str,
    tier: str | None,
    dry_run: bool,
    dollars_per_hour: float | None,
    limit: int | None,
    **batch: Any,
) -> None:
    """Check a DESIGN, run it, and write its report.

    DESIGN is a YAML file, or the name of a design in the package (`panelist design list`). Run it
    again after an interruption, even kill -9: what is finished is not generated again.
    """
    from panelist.evals.design import read_design

    read = read_design(design)
    if tier is not None:
        from panelist.panels.tier import find_tier

        read = read.model_copy(update={"tier": find_tier(tier).name})
    folder = output or Path("out") / read.name
    if engine == "ray":
        if limit is not None:
            raise click.UsageError("--limit goes with --engine inspect; take a smaller --tier")
        _run_ray(read, design, folder, dry_run, dollars_per_hour, batch)
        return
    given = [f"--{name}" for name, value in batch.items() if value is not None]
    if given or dry_run:
        raise click.UsageError(
            f"{', '.join(given) or '--dry-run'}: only with --engine ray; without it, "
            "`panelist design check` says what a design costs"
        )
    _run_inspect(read, design, folder, limit)


def _run_inspect(read: "Design", path: Path, folder: Path, limit: int | None) -> None:
    from rich.console import Console

    from panelist.evals.experiment import run_design
    from panelist.leaderboard.report import to_terminal

    done = run_design(read, path, folder, limit=limit, say=click.echo)
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


def _run_ray(
    read: "Design",
    path: Path,
    folder: Path,
    dry: bool,
    dollars_per_hour: float | None,
    batch: dict[str, Any],
) -> None:
    from rich.console import Console

    from panelist.cli_score import score_one
    from panelist.evals.corpus_report import corpus_cards, corpus_report
    from panelist.evals.corpus_run import Options, grow
    from panelist.evals.dry_run import dry_run
    from panelist.leaderboard.card_formats import to_html
    from panelist.leaderboard.report import to_terminal, write, write_report

    if dry:
        for name, value in dry_run(read, path, folder, dollars_per_hour):
            click.echo(f"{name:42} {value}")
        return
    done = grow(read, path, folder, Options(**batch), say=click.echo)
    rate = done.made.tokens / max(1e-9, done.seconds)
    click.echo(
        f"{done.made.chains:,} chains, {done.made.tokens:,} tokens generated in "
        f"{done.seconds:,.0f} s ({rate:,.0f} tokens/s, engines' start included)"
    )
    for corpus in done.corpora.values():
        score_one(corpus)
    made = corpus_report(list(done.corpora.values()))
    Console().print(to_terminal(made))
    paths = write_report(made, folder)
    if read.focal is not None:
        for behaviour, corpus in done.corpora.items():
            paths.append(folder / f"card-{behaviour}.html")
            write(to_html(corpus_cards(corpus, read.focal)), paths[-1])
    for written in paths:
        click.echo(f"report: {written}")
    if done.lacking:
        raise click.ClickException(
            f"{done.lacking:,} chains are lacking in the end, the first failed with: "
            f"{done.made.error or 'no error was said'}. The report counts them; mend the cause and "
            "run it again, only they are generated"
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
