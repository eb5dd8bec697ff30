"""Which weights a run used, so that somebody else can take the same ones."""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from panelist.panels.errors import PanelistError

CLOSED = (
    "openai",
    "anthropic",
    "google",
    "grok",
    "bedrock",
    "azureai",
    "cohere",
    "perplexity",
    "mistral",
)
"""Inspect providers whose weights nobody else can take; `mistral` serves open ones too, which are
submitted from an engine of one's own."""

MOVING = {
    "openai": r"(?!.*[0-9]{4})(?:gpt-[34]|gpt-5(?:-(?:mini|nano))?$|chatgpt|o[134]).*",
    "anthropic": r"claude-(?:3(?!.*[0-9]{4}).*|[a-z]+-4(?:-[0-5])?)",
}
"""Names, by provider, of closed models that are known to have a dated name too; of others, not
every one has."""

LOADERS = ("panelist", "vllm", "hf", "sglang")
"""Inspect providers that load weights from where one can see which they are."""

SUFFIXES = (".safetensors", ".gguf", ".bin", ".pt")

HUB_REVISION = re.compile(r"[0-9a-f]{40}")


def weights_of(record: Mapping[str, Any], revision: str | None = None) -> dict[str, str]:
    """The identity of a run's weights: `kind` revision, sha256 or api, and `value`.

    Args:
        record: the run record.
        revision: of the Hub repository, where the submitter names it.

    Raises:
        PanelistError: it cannot be told.
    """
    model = str(record["model"])
    provider, _, tail = model.partition("/")
    if revision is not None:
        return {"kind": "revision", "value": revision}
    if provider in CLOSED:
        return {"kind": "api", "value": tail}
    if known := record["runtime"]["weights_sha256"]:
        return {"kind": "sha256", "value": str(known)}
    if found := _in_cache(tail):
        return {"kind": "revision", "value": found}
    from panelist.panels.embedded_hf import served

    base, _, adapter = served(model).partition("/")[2].partition(":")
    if Path(base).is_dir():
        return {"kind": "sha256", "value": folder_sha256(*map(Path, filter(None, (base, adapter))))}
    raise PanelistError(
        f"{model}: which revision of the weights was run cannot be seen from here; name the Hub "
        "repository's commit with --revision (40 hexadecimal digits)"
    )


def folder_sha256(*folders: Path) -> str:
    """One hash of the weights' files in some folders: of their names and their own hashes.

    Raises:
        PanelistError: there is no such file.
    """
    lines = []
    for folder in folders:
        for path in sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES):
            with path.open("rb") as file:
                from hashlib import file_digest

                lines.append(f"{path.name} {file_digest(file, 'sha256').hexdigest()}\n")
    if not lines:
        raise PanelistError(
            f"{folders[0]}: no weights in it (files that end in {', '.join(SUFFIXES)})"
        )
    return sha256("".join(lines).encode()).hexdigest()


def _in_cache(repository: str) -> str | None:
    """The revision of a repository that the local Hub cache holds, where it is one."""
    from huggingface_hub import try_to_load_from_cache

    try:
        path = try_to_load_from_cache(repository.partition(":")[0], "config.json")
    except ValueError:  # not a repository id
        return None
    name = Path(path).parent.name if isinstance(path, str) else ""
    return name if HUB_REVISION.fullmatch(name) else None
