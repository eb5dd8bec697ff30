"""What is wrong with a submission: one fault, one code, and how to mend it."""

from dataclasses import asdict, dataclass
from typing import Any

from panelist.leaderboard.fault_codes import MENDS


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason for which a submission is refused.

    Attributes:
        code: stable, such as sha256-mismatch (`panelist.leaderboard.verify` lists them all).
        file: path in the submission's folder.
        field: key or column ("" where it is about the whole file).
        row: 0-based row of a table; None where it is about no single one.
        got: what stands there, shortened; control characters are escaped.
        expected: what should.
        mend: how to; "" for what `MENDS` says of the code.
    """

    code: str
    file: str
    field: str = ""
    row: int | None = None
    got: str = ""
    expected: str = ""
    mend: str = ""

    def __str__(self) -> str:
        where = self.file + (f", {self.field}" if self.field else "")
        where += f", row {self.row}" if self.row is not None else ""
        said = f"{self.code}: {where}"
        said += f": got {self.got}" if self.got else ""
        said += f", expected {self.expected}" if self.expected else ""
        return f"{said}. {self.mend or MENDS[self.code]}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {"mend": self.mend or MENDS[self.code]}


def shown(value: Any, limit: int = 80) -> str:
    """A hostile value as a short, printable text."""
    text = value if isinstance(value, str) else repr(value)
    text = text[: limit + 1].encode("unicode_escape").decode("ascii")
    return text if len(text) <= limit else text[:limit] + "…"
