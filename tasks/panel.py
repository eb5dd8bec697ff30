"""What every panel task is made of: focal, partners, grid, conversation, scorer and run record."""

from collections.abc import Mapping
from typing import Any

from inspect_ai import Epochs, Task

from panelist.panels.cast import cast_partners, focal_checkpoint, focal_model, role_is_given
from panelist.panels.checkpoint import EMBEDDED
from panelist.panels.conversation import check_turns, converse
from panelist.panels.grid import grid
from panelist.panels.protocol import BENCHMARK, SAMPLING
from panelist.panels.record import run_record
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier
from panelist.scorers.behaviour import SCORERS
from panelist.scorers.detector import Behaviour


def panel_task(
    behaviour: Behaviour,
    *,
    tier: str,
    partners: str | list[str] | None,
    bank: str,
    turns: int | None,
    checkpoint: str | Mapping[str, Any] | None,
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
    # The embedded engine honours seeds; others may reject one, so they get it only on request.
    embedded = str(focal).startswith(EMBEDDED)
    base_seed = 0 if config.seed is None and embedded else config.seed
    record = run_record(behaviour, focal, name, registered, cast, frozen, chosen, turns, base_seed)
    return Task(
        model=focal,
        dataset=grid(shipped_seeds(), cast, frozen, chosen, name),
        solver=converse(turns, config, base_seed),
        scorer=SCORERS[behaviour](),
        config=SAMPLING,
        epochs=Epochs(chosen.replies, "mean"),
        version=BENCHMARK,
        metadata={"panelist": record},
    )
