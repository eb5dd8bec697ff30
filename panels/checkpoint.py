"""Checkpoints: one set of weights, and the registry that says what each came from."""

import difflib
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from panelist.panels.errors import PanelistError
from panelist.panels.recipe import RECIPES as CALIBRATION

RECIPES = (
    "base",
    "sft",
    "dpo",
    "rlhf",
    "rlvr",
    "reasoning-distilled",
    "reasoning-rl",
    "merge",
    *(f"calibration-{name}" for name in CALIBRATION),
)
"""The recipe taxonomy: the last documented stage of post-training (see checkpoints.yaml)."""

REASONING = ("reasoning-distilled", "reasoning-rl", "calibration-thinking")
"""Recipes whose checkpoints reason aloud before they reply."""

EMBEDDED = "panelist/smollm2-135m-instruct"
"""Inspect model string of the checkpoint that needs no key, no GPU and no Hub."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One set of weights.

    Attributes:
        name: unique short name.
        family: family of the pretrained weights (llama, qwen, smollm, …).
        base: the pretrained model it started from (a Hub repository).
        recipe: one of `RECIPES`.
        model: Inspect model string.
        revision: the weights' revision, as far as the registry knows it.
        licence: of the weights.
        parameters: in billions.
        parent: the checkpoint it was tuned from, where that is not the base.
        teacher: whose outputs it was distilled from.
    """

    name: str
    family: str
    base: str
    recipe: str
    model: str
    revision: str
    licence: str
    parameters: float | None = None
    parent: str | None = None
    teacher: str | None = None


def read_checkpoints(path: Path) -> tuple[Checkpoint, ...]:
    """The rows of a checkpoint registry (YAML, one list under `checkpoints:`).

    Raises:
        PanelistError: the file is unreadable, a row lacks or has an unknown field, a recipe is
            not in the taxonomy, or a name stands twice.
    """
    import yaml

    # The compiled parser, where PyYAML was built with it: ten times as fast on a board's registry.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        rows = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)["checkpoints"]
        if not isinstance(rows, list):
            raise TypeError(f"got {rows!r}")
    except OSError as ex:
        raise PanelistError(f"{path}: cannot read the registry ({ex.strerror})") from ex
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError) as ex:
        raise PanelistError(
            f"{path}: not a registry, a YAML list under 'checkpoints:' ({ex})"
        ) from ex
    found: dict[str, Checkpoint] = {}
    for number, row in enumerate(rows, start=1):
        checkpoint = row_of(f"{path}, row {number}", row)
        if checkpoint.name in found:
            raise PanelistError(f"{path}, row {number}, name: {checkpoint.name!r} stands twice")
        found[checkpoint.name] = checkpoint
    return tuple(found.values())


def row_of(where: str, row: Any) -> Checkpoint:
    """A registry row from a mapping of its fields.

    Args:
        where: file and row, for the message.
        row: the fields.

    Raises:
        PanelistError: it lacks or has an unknown field, or its recipe is not in the taxonomy.
    """
    known = {field.name for field in fields(Checkpoint)}
    needed = {"name", "family", "base", "recipe", "model", "revision", "licence"}
    if not isinstance(row, dict) or not needed <= row.keys() <= known:
        raise PanelistError(
            f"{where}: a checkpoint needs {', '.join(sorted(needed))} and may have "
            f"{', '.join(sorted(known - needed))}; got {row!r}"
        )
    if row["recipe"] not in RECIPES:
        raise PanelistError(
            f"{where}, recipe: unknown value {row['recipe']!r}; choose one of {', '.join(RECIPES)}"
        )
    return Checkpoint(**row)


@lru_cache(maxsize=1)
def shipped_checkpoints() -> tuple[Checkpoint, ...]:
    """The registry in the package."""
    return read_checkpoints(Path(str(files("panelist.panels.data") / "checkpoints.yaml")))


def find_checkpoint(name: str) -> Checkpoint:
    """The registered checkpoint of that name.

    Raises:
        PanelistError: there is none; the message lists the nearest names.
    """
    by_name = {c.name: c for c in shipped_checkpoints()}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=3) or sorted(by_name)[:3]
        raise PanelistError(
            f"unknown checkpoint {name!r}; did you mean {' or '.join(near)}? (any Inspect model "
            "string such as vllm/org/name works as it is; a new one has -T checkpoint='{name: ..., "
            "family: ..., base: ..., recipe: ...}')"
        )
    return by_name[name]


def reasons(model: str) -> bool:
    """Whether the registry says that the model string's checkpoint was trained to reason aloud."""
    checkpoint = checkpoint_of(model)
    return checkpoint is not None and checkpoint.recipe in REASONING


def checkpoint_of(model: str) -> Checkpoint | None:
    """The registered checkpoint that an Inspect model string runs, whatever its engine."""
    tail = model.partition("/")[2]
    for checkpoint in shipped_checkpoints():
        if model == checkpoint.model or (tail and tail == checkpoint.model.partition("/")[2]):
            return checkpoint
    return None
