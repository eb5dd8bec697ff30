"""Partners: whom the focal checkpoint replies to."""

from dataclasses import dataclass
from typing import Literal

PartnerKind = Literal["scripted", "checkpoint", "self"]


@dataclass(frozen=True, slots=True)
class Partner:
    """A scripted partner of a bank, another checkpoint, or the focal itself (self-play).

    Attributes:
        name: as it stands in every table and picture.
        kind: scripted (its turns are frozen in a bank), checkpoint (it generates), self.
        model: Inspect model string of a checkpoint; None otherwise.
        same_turns_as: for the A/A partner, the partner whose very words it says.
        dose: place on the scripted scale of hedging (low < neutral < high); None off the scale.
    """

    name: str
    kind: PartnerKind
    model: str | None = None
    same_turns_as: str | None = None
    dose: int | None = None
