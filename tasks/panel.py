"""What every panel task is made of: focal, partners, grid, conversation, scorer and run record."""

from collections.abc import Mapping
from typing import Any

from inspect_ai import Epochs, Task
from inspect_ai.model import Model

from panelist.panels.cast import cast_partners, focal_checkpoint, focal_model, role_is_given
from panelist.panels.checkpoint import EMBEDDED
from panelist.panels.conversation import check_turns, converse
from panelist.panels.errors import PanelistError
from panelist.panels.grid import grid
from panelist.panels.protocol import BENCHMARK
from panelist.panels.record import run_record
from panelist.panels.sampling import SAMPLING
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier
from panelist.scorers.behaviour import SCORERS
from panelist.scorers.detector import BEHAVIOURS, Behaviour


def panel_task(
    behaviour: Behaviour,
    *,
    tier: str,
    partners: str | list[str] | None,
    bank: str,
    turns: int | None,
    checkpoint: str | Mapping[str, Any] | None,
    also: str | list[str] | None = None,
) -> Task:
    """The task of one behaviour; arguments as in `panelist.tasks.panel_hedging`.

    Raises:
        PanelistError: an argument is not what it should be, before anything is generated.
    """
    focal = focal_model()
    name, registered = focal_checkpoint(focal, checkpoint)
    cast, frozen = cast_partners(partners, str(bank), role_is_given())
    check_turns(turns, cast)
    chosen = find_tier(str(tier))
    config = SAMPLING.merge(focal.config)
    base_seed = base_seed_of(focal)
    record = run_record(behaviour, focal, name, registered, cast, frozen, chosen, turns, base_seed)
    return Task(
        model=focal,
        dataset=grid(shipped_seeds(), cast, frozen, chosen, name),
        solver=converse(turns, config, base_seed),
        scorer=[SCORERS[b]() for b in (behaviour, *_also(behaviour, also))],
        config=SAMPLING,
        epochs=Epochs(chosen.replies, "mean"),
        version=BENCHMARK,
        metadata={"panelist": record},
    )


def base_seed_of(focal: Model) -> int | None:
    """The base of the sampling seeds, None for none.

    The embedded engine honours seeds; others may reject one, so they get it only on request.
    """
    if focal.config.seed is None and str(focal).startswith(EMBEDDED):
        return 0
    return focal.config.seed


def _also(behaviour: Behaviour, names: str | list[str] | None) -> list[Behaviour]:
    """Behaviours scored beside the task's own."""
    wanted = [n.strip() for n in names.split(",")] if isinstance(names, str) else names or []
    if unknown := [name for name in wanted if name not in SCORERS]:
        raise PanelistError(
            f"also: unknown behaviour {unknown[0]!r}; choose among {', '.join(SCORERS)}"
        )
    return [b for b in BEHAVIOURS if b in wanted and b != behaviour]
