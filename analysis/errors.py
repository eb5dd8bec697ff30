"""The two ways in which this package declines to print a number."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


class AnalysisError(ValueError):
    """The input is wrong. The message names the column or field, its value, and how to mend it."""


@dataclass(frozen=True)
class NotIdentified:
    """The input is fine, but these data cannot answer the question.

    Returned in the place of a result, never raised, so that a card can print the reason where the
    number would have stood.

    >>> NotIdentified("shift", "one partner was seen", "two or more").summary()
    'shift: not identified, because one partner was seen. It would take two or more.'
    """

    quantity: str
    """What was asked for."""
    reason: str
    """Why these data do not give it, in words."""
    remedy: str
    """What would identify it."""

    @property
    def because(self) -> str:
        """The sentence without its subject, where a row or a column says of what."""
        return f"not identified, because {self.reason}. It would take {self.remedy}."

    def summary(self) -> str:
        """One sentence for a reader."""
        return f"{self.quantity}: {self.because}"

    def to_frame(self) -> pd.DataFrame:
        """One row: quantity, reason, remedy."""
        import pandas as pd

        return pd.DataFrame([asdict(self)])
