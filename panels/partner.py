"""Partners: whom the focal checkpoint replies to."""

from dataclasses import dataclass
from typing import Literal

PartnerKind = Literal["scripted", "checkpoint", "self", "table"]

FOCAL = "focal"
"""The focal's place in the order of a round table."""


@dataclass(frozen=True, slots=True)
class Partner:
    """Whom the focal replies to: one speaker, or the other members of a round table.

    Attributes:
        name: as it stands in every table and picture.
        kind: scripted (its turns are frozen in a bank), checkpoint (it generates), self (the focal
            itself), table (several of these).
        model: Inspect model string of a checkpoint; None otherwise.
        same_turns_as: for the A/A partner, the partner whose very words it says.
        dose: place on the scripted scale of hedging (low < neutral < high); None off the scale.
        planted: 1 if its turns hold planted trouble or a false claim, 0 for their clean twins;
            None where nothing is planted.
        pair: which matched pair it belongs to, where a bank has several.
        members: the other members of a round table.
        order: names in the order of speaking, the focal as `FOCAL`; () for a chain of two, in
            which the partner opens.
    """

    name: str
    kind: PartnerKind
    model: str | None = None
    same_turns_as: str | None = None
    dose: int | None = None
    planted: int | None = None
    pair: str | None = None
    members: tuple["Partner", ...] = ()
    order: tuple[str, ...] = ()

    @property
    def seats(self) -> tuple["Partner | None", ...]:
        """The speakers in order; None is the focal."""
        if not self.order:
            return (self, None)
        by_name = {member.name: member for member in self.members}
        return tuple(None if name == FOCAL else by_name[name] for name in self.order)

    @property
    def reply_turn(self) -> int:
        """1-based turn of the focal's first reply to somebody."""
        seats = self.seats
        return seats.index(None) + 1 if seats[0] is not None else len(seats) + 1
