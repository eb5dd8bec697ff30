"""`panelist publish`: boards, submissions and logs to the Hugging Face Hub."""

from pathlib import Path

import click


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="ORG/NAME", help="The repo on the Hub.")
@click.option("--pr", is_flag=True, help="Open a pull request for each instead of committing.")
@click.option("--create", is_flag=True, help="Make the repo if it does not exist.")
@click.option("--private", is_flag=True, help="With --create: make it private.")
@click.option("--viewer", is_flag=True, help="PATH holds Inspect logs: send them with its viewer.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent; needs no token.")
@click.option("-m", "--message", help="Title of the commit or pull request.")
@click.option(
    "--registry",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Checkpoints to verify with, in place of the dataset's own checkpoints.yaml.",
)
def publish(
    path: Path,
    to: str,
    pr: bool,
    create: bool,
    private: bool,
    viewer: bool,
    dry_run: bool,
    message: str | None,
    registry: Path | None,
) -> None:
    """Publish PATH on the Hugging Face Hub, in one commit or one pull request a submission.

    PATH is a site made by `panelist board build` (it becomes a static Space), a submission or a
    folder of submissions (a dataset), or with --viewer a folder of Inspect logs (a static Space).
    Running it again sends only what is not there yet. The token is huggingface_hub's: HF_TOKEN, or
    `hf auth login`.
    """
    from panelist.leaderboard.publish import publish as published

    published(
        path,
        to,
        pr=pr,
        create=create,
        private=private,
        viewer=viewer,
        dry_run=dry_run,
        message=message,
        registry=registry,
        say=click.echo,
    )
