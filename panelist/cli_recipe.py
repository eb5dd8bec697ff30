"""`panelist recipe`: the calibration recipes, made again from their data."""

from pathlib import Path

import click


@click.group()
def recipe() -> None:
    """Calibration recipes: small adapters of the embedded checkpoint with a planted difference."""


@recipe.command("data")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="New file.")
@click.option("--seed", default=1, show_default=True, help="Base of the sampling seeds.")
@click.option("--limit", type=int, help="Seeds, fewer for a trial.")
def data(output: Path, seed: int, limit: int | None) -> None:
    """Sample the training texts from the embedded checkpoint (15 minutes on two cores)."""
    import asyncio

    from panelist.evals.recipe_data import sample, training_seeds, write_jsonl
    from panelist.panels.errors import PanelistError

    if output.exists():
        raise PanelistError(f"{output}: exists already; name a new file")
    output.parent.mkdir(parents=True, exist_ok=True)
    rows = asyncio.run(sample(training_seeds()[:limit], seed))
    write_jsonl(rows, output)
    click.echo(f"{len(rows):,} turns: {output}")


@recipe.command("train")
@click.argument("name")
@click.option(
    "--data", "source", required=True, type=click.Path(path_type=Path), help="Of `recipe data`."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="New folder.")
@click.option("--seed", default=0, show_default=True)
def train(name: str, source: Path, output: Path, seed: int) -> None:
    """Train the recipe NAME: direct, hedged, preference or thinking (5 to 30 minutes)."""
    import tempfile

    from panelist.evals.recipe_training import read_sampled, record, select
    from panelist.evals.recipe_training import train as fit
    from panelist.panels.embedded_hf import export_hf
    from panelist.panels.recipe import adapter

    adapter(name)  # refuses an unknown name before the long work
    examples = select(read_sampled(source))[name]
    with tempfile.TemporaryDirectory() as scratch:
        base = export_hf(Path(scratch) / "base")
        losses = fit(name, examples, base, output, seed)
    record(name, examples, losses, seed, output)
    click.echo(f"{name}: {len(examples)} examples, loss {losses[0]} to {losses[-1]}: {output}")


@recipe.command("path")
@click.argument("name")
def path(name: str) -> None:
    """Where the adapter of the recipe NAME lies, for vLLM or PEFT."""
    from panelist.panels.recipe import adapter

    click.echo(adapter(name))
