"""The calibration recipes: adapters of the embedded checkpoint whose difference is known.

They are standards to test the suite with, not checkpoints that anybody would use: each was trained
from the embedded checkpoint's own replies to move its behaviour in a stated direction
(`panelist.evals.recipe_training`). The adapters (LoRA in PEFT's format) lie in
`data/recipes/<name>`, with a record of their data, seed and losses.
"""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from panelist.panels.errors import PanelistError


@dataclass(frozen=True, slots=True)
class Recipe:
    """A calibration recipe.

    Attributes:
        name: as it stands after the colon of a model string.
        method: supervised fine-tuning or direct preference optimisation.
        planted: how its behaviour was made to differ from the embedded checkpoint's.
    """

    name: str
    method: Literal["sft", "dpo"]
    planted: str


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("direct", "sft", "hedges less"),
        Recipe("hedged", "sft", "hedges more"),
        Recipe("preference", "dpo", "hedges more"),
        Recipe("thinking", "sft", "writes notes in <think> tags before it replies"),
    )
}


def adapter(name: str) -> Path:
    """The folder of a recipe's adapter.

    Raises:
        PanelistError: there is no such recipe.
    """
    if name not in RECIPES:
        raise PanelistError(f"recipe: unknown value {name!r}; choose one of {', '.join(RECIPES)}")
    return Path(str(files("panelist.panels.data") / "recipes" / name))
