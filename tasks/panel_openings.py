"""Opening turns of a checkpoint, one a seed, to be frozen into a partner bank.

`panelist bank build` runs it; by itself it measures nothing.
"""

from typing import Any

from inspect_ai import Epochs, Task, task

from panelist.panels.cast import SELF, focal_checkpoint, focal_model
from panelist.panels.conversation import converse
from panelist.panels.grid import grid
from panelist.panels.partner import Partner
from panelist.panels.protocol import BENCHMARK
from panelist.panels.record import run_record
from panelist.panels.sampling import SAMPLING
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier
from panelist.tasks.panel import base_seed_of


@task
def panel_openings(*, tier: str = "demo", checkpoint: str | dict[str, Any] | None = None) -> Task:
    """The checkpoint speaks first on every seed of a tier.

    Args:
        tier: demo, quick, standard or full: how many seeds.
        checkpoint: as in `panelist.tasks.panel_hedging`.
    """
    focal = focal_model()
    name, registered = focal_checkpoint(focal, checkpoint)
    chosen = find_tier(str(tier))
    partner = Partner(SELF, "self")
    base_seed = base_seed_of(focal)
    record = run_record("openings", focal, name, registered, (partner,), None, chosen, 1, base_seed)
    return Task(
        model=focal,
        dataset=grid(shipped_seeds(), (partner,), None, chosen, name),
        solver=converse(1, SAMPLING.merge(focal.config), base_seed),
        config=SAMPLING,
        epochs=Epochs(1, "mean"),
        version=BENCHMARK,
        metadata={"panelist": record},
    )
