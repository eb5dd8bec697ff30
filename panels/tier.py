"""Tiers: how many seeds and how many replies per seed and partner a run takes.

quick screens, standard finds an 18 % shift over four partners with 80 % power, full goes as far
as the seeds do (method.md, section 4c).
"""

from dataclasses import dataclass

from panelist.panels.errors import PanelistError


@dataclass(frozen=True, slots=True)
class Tier:
    """Seeds × replies. `seeds=None` takes every seed there is."""

    name: str
    seeds: int | None
    replies: int


TIERS = {
    tier.name: tier
    for tier in (
        Tier("demo", 24, 2),
        Tier("quick", 200, 2),
        Tier("standard", 500, 4),
        Tier("full", None, 4),
    )
}


def find_tier(name: str) -> Tier:
    """The tier of that name.

    Raises:
        PanelistError: there is none.
    """
    if name not in TIERS:
        raise PanelistError(f"tier: unknown value {name!r}; choose one of {', '.join(TIERS)}")
    return TIERS[name]
