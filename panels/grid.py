"""The grid: seeds × partners as Inspect samples, one chain a sample and epoch."""

from logging import getLogger

from inspect_ai.dataset import MemoryDataset, Sample

from panelist.panels.bank import Bank
from panelist.panels.coverage import covered_seeds
from panelist.panels.partner import FOCAL, Partner
from panelist.panels.protocol import BENCHMARK
from panelist.panels.seed import Seed
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
    usable = usable_seeds(seeds, bank, tier)
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
                "reply_turn": partner.reply_turn,
                "speakers": speakers(partner, focal),
                "same_turns_as": partner.same_turns_as,
                "dose": partner.dose,
                **_frozen(bank, seed.id, partner),
            },
        )
        for seed in usable
        for partner in partners
    ]
    return MemoryDataset(samples, name=f"panelist-{BENCHMARK}-{tier.name}")


def usable_seeds(seeds: tuple[Seed, ...], bank: Bank | None, tier: Tier) -> tuple[Seed, ...]:
    """The seeds of a tier, in the order in which tiers nest.

    Raises:
        PanelistError: no seed is covered by the bank.
    """
    usable = covered_seeds(seeds, bank, tier)
    planned = tier.seeds or len(seeds)
    if len(usable) < planned:
        logger.warning(
            f"tier {tier.name} takes {planned} seeds, but the partner bank covers "
            f"{len(usable)}; running those"
        )
    return usable


def speakers(partner: Partner, focal: str) -> list[dict[str, str | None]]:
    """Who takes turns, in order, as the solver reads it."""
    return [
        {"name": focal, "kind": FOCAL, "model": None}
        if seat is None
        else {"name": seat.name, "kind": seat.kind, "model": seat.model}
        for seat in partner.seats
    ]


def _frozen(bank: Bank | None, seed: str, partner: Partner) -> dict[str, str | int | None]:
    """The frozen opening, and what is planted in it."""
    opener = partner.seats[0]
    facts: dict[str, str | int | None] = {
        "opening": None,
        "planted": partner.planted,
        "pair": partner.pair,
        "trouble": None,
        "note": None,
    }
    if bank and opener is not None and opener.kind == "scripted":
        facts["opening"] = bank.opening(seed, opener)
        facts["planted"], facts["pair"] = opener.planted, opener.pair
        if wrong := bank.planted.get((seed, opener.same_turns_as or opener.name)):
            facts["trouble"], facts["note"] = wrong.trouble, wrong.note
    return facts
