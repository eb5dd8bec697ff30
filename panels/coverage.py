"""Which seeds a run takes: those of its tier that the bank covers."""

from panelist.panels.bank import DEFAULT, Bank, find_bank
from panelist.panels.errors import PanelistError
from panelist.panels.seed import Seed, nested
from panelist.panels.tier import Tier


def covered_seeds(seeds: tuple[Seed, ...], bank: Bank | None, tier: Tier) -> tuple[Seed, ...]:
    """The seeds of a tier, in the order in which tiers nest.

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
    return usable[: tier.seeds]
