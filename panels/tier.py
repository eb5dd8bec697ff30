"""Tiers: how many seeds and how many replies per seed and partner a run takes.

quick screens, standard finds an 18 % shift over four partners with 80 % power, full goes as far
as the seeds do (method.md, section 4c).
"""

import re
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


_OWN = re.compile(r"([1-9]\d{0,5})x([1-9]\d{0,5})")


def find_tier(name: str) -> Tier:
    """The tier of that name, or of so many seeds and replies.

    >>> find_tier("390x128")
    Tier(name='390x128', seeds=390, replies=128)

    Raises:
        PanelistError: there is none.
    """
    if own := _OWN.fullmatch(name):
        return Tier(name, int(own[1]), int(own[2]))
    if name not in TIERS:
        raise PanelistError(
            f"tier: unknown value {name!r}; choose one of {', '.join(TIERS)}, or give seeds and "
            "replies, such as 390x128"
        )
    return TIERS[name]
