"""The grid: seeds × partners as Inspect samples, one chain a sample and epoch."""

from logging import getLogger

from inspect_ai.dataset import MemoryDataset, Sample

from panelist.panels.bank import DEFAULT, Bank, find_bank
from panelist.panels.errors import PanelistError
from panelist.panels.partner import Partner
from panelist.panels.protocol import BENCHMARK
from panelist.panels.seed import Seed, nested
from panelist.panels.tier import Tier

logger = getLogger(__name__)


def grid(
    seeds: tuple[Seed, ...],
    partners: tuple[Partner, ...],
    bank: Bank | None,
    tier: Tier,
    focal: str,
) -> MemoryDataset:
    """The samples of a run, seed by seed, so that any prefix (`--limit`) is a complete paired grid.

    Raises:
        PanelistError: no seed is covered by the bank.
    """
    # Seeds of the default bank come first in a live run too, so that it meets the same seeds.
    first = bank or find_bank(DEFAULT)
    usable = nested(tuple(s for s in seeds if first.covers(s.id)))
    if bank is None:
        usable += nested(tuple(s for s in seeds if not first.covers(s.id)))
    if not usable:
        raise PanelistError("the bank covers none of the seeds; was it made for other seeds?")
    planned = tier.seeds or len(seeds)
    if len(usable) < planned:
        logger.warning(
            f"tier {tier.name} takes {planned} seeds, but the partner bank covers "
            f"{len(usable)}; running those"
        )
    samples = [
        Sample(
            id=f"{seed.id}:{partner.name}",
            input=seed.text,
            metadata={
                "benchmark": BENCHMARK,
                "seed": seed.id,
                "domain": seed.domain,
                "question": seed.text,
                "focal": focal,
                "partner": partner.name,
                "partner_kind": partner.kind,
                "partner_model": partner.model,
                "same_turns_as": partner.same_turns_as,
                "dose": partner.dose,
                "opening": (
                    bank.opening(seed.id, partner) if bank and partner.kind == "scripted" else None
                ),
            },
        )
        for seed in usable[: tier.seeds]
        for partner in partners
    ]
    return MemoryDataset(samples, name=f"panelist-{BENCHMARK}-{tier.name}")
