"""From a design to its units: one checkpoint in one runtime, and the tasks it has to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from inspect_ai.model import GenerateConfig

from panelist.evals.design import Design, RuntimeSpec
from panelist.panels.bank import BANKS, Bank, find_bank
from panelist.panels.checkpoint import Checkpoint
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier

TASKS = {behaviour: f"panelist/panel_{behaviour}" for behaviour in BANKS}


@dataclass(frozen=True)
class Unit:
    """One checkpoint in one runtime.

    Attributes:
        name: folder of its logs.
        checkpoint: registry row, under the name of the design.
        runtime: name of the runtime; "" where the design has none.
        model: Inspect model string.
        args: model arguments.
        config: generation settings.
    """

    name: str
    checkpoint: Checkpoint
    runtime: str
    model: str
    args: Mapping[str, Any]
    config: GenerateConfig


@dataclass(frozen=True)
class Step:
    """A task that every unit does.

    Attributes:
        task: registered name.
        behaviour: what it is about.
        also: behaviours scored beside.
        partners: task argument; None for the whole bank.
        n_partners: how many the focal meets.
        turns: generations of a chain, the frozen opening not counted.
        n_seeds, replies: of the tier, as far as the bank goes.
    """

    task: str
    behaviour: str
    also: tuple[str, ...]
    partners: tuple[str, ...] | None
    n_partners: int
    turns: int
    n_seeds: int
    replies: int

    @property
    def chains(self) -> int:
        """Chains of one unit."""
        return self.n_seeds * self.n_partners * self.replies


class Plan:
    """The units and steps of a design."""

    def __init__(self, design: Design) -> None:
        self.design = design

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Runtime by runtime and checkpoint by checkpoint, so that an engine is loaded once."""
        runtimes = self.design.runtimes or (None,)
        return tuple(self._unit(row, spec) for spec in runtimes for row in self.design.rows)

    def _unit(self, row: Checkpoint, spec: RuntimeSpec | None) -> Unit:
        return Unit(
            name=f"{row.name}@{spec.name}" if spec else row.name,
            checkpoint=row,
            runtime=spec.name if spec else "",
            model=spec.models.get(row.name, row.model) if spec else row.model,
            args=spec.args if spec else {},
            config=self.design.config(spec),
        )

    @property
    def openings(self) -> bool:
        """Whether the checkpoints' own openings are frozen first."""
        return self.design.partners == "openings"

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The tasks; one where the partners are not a bank's planted ones."""
        design, tier = self.design, find_tier(self.design.tier)
        if self.openings:
            every = len(shipped_seeds())
            return (
                Step(
                    TASKS[design.behaviours[0]],
                    design.behaviours[0],
                    design.behaviours[1:],
                    None,
                    len(design.checkpoints),
                    1,
                    min(tier.seeds or every, every),
                    tier.replies,
                ),
            )
        return tuple(self._step(behaviour) for behaviour in design.behaviours)

    def _step(self, behaviour: str) -> Step:
        design, tier = self.design, find_tier(self.design.tier)
        bank = find_bank(BANKS[behaviour])
        covered = sum(bank.covers(seed.id) for seed in shipped_seeds())
        names = None if design.partners == "bank" else tuple(design.partners)
        generated = 1 if names is None else self._generated(bank, names)
        return Step(
            TASKS[behaviour],
            behaviour,
            (),
            names,
            len(bank.partners) if names is None else len(names),
            generated,
            min(tier.seeds or covered, covered),
            tier.replies,
        )

    def _generated(self, bank: Bank, names: tuple[str, ...]) -> int:
        """The most generations of one chain."""
        turns = max(self.design.turns or 0, 2, *(name.count("+") + 2 for name in names))
        scripted = {partner.name for partner in bank.partners}
        frozen = all(name.partition("+")[0] in scripted for name in names)
        return turns - frozen

    @property
    def chains(self) -> int:
        """Chains of the whole design."""
        return len(self.units) * sum(step.chains for step in self.steps)

    def generations(self, unit: Unit) -> int:
        """Generations that one unit asks for, the openings of its checkpoint included."""
        opened = self.steps[0].n_seeds if self.openings else 0
        return opened + sum(step.chains * step.turns for step in self.steps)
