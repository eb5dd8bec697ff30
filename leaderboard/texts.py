"""What turns say, kept in Arrow: as Python's own, texts of strangers take several times as much.

Numbers are compared by Python: for what NumPy would do, Arrow loads pandas.
"""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from panelist.leaderboard.check_private import SECRETS

FIELDS = ("text", "reasoning")

_INK = "[^" + "".join(f"\\x{{{c:x}}}" for c in range(0x3001) if chr(c).isspace()) + "]"
"""A character that `str.strip` would leave."""


class Texts:
    """The texts of a table of turns, by row.

    Attributes:
        said: whether there is a text or reasoning.
        blank: whether there is no text, or none but spaces.
        suspect: rows that may hold a key or NUL, which few do.
    """

    def __init__(self, table: pa.Table) -> None:
        self._columns = {name: table[name] for name in FIELDS}
        text, reasoning = self._columns.values()
        lengths = (pc.binary_length(column).to_pylist() for column in (text, reasoning))
        self.said: list[bool] = [any(both) for both in zip(*lengths, strict=True)]
        self.blank: list[bool] = pc.invert(pc.match_substring_regex(text, _INK)).to_pylist()
        self._codes: list[int] = []
        self._lengths: list[int] = []
        self.suspect: set[int] = set()
        for column in self._columns.values():
            # Its word boundaries are those of ASCII: it finds what `secret` does, and more.
            may = pc.match_substring_regex(column, f"\x00|{SECRETS}")
            self.suspect.update(pc.indices_nonzero(may).to_pylist())

    def __call__(self, row: int, field: str = "text") -> str:
        """A text."""
        return str(self._columns[field][row].as_py())

    def most_alike(self, rows: list[int], shortest: int) -> int:
        """How many texts of some rows are one and the same, of those with so many characters."""
        if not self._codes:
            coded = self._columns["text"].dictionary_encode().combine_chunks()
            self._codes = coded.indices.to_pylist()
            self._lengths = pc.utf8_length(coded.dictionary).to_pylist()
        codes = (self._codes[row] for row in rows)
        counts = Counter(code for code in codes if self._lengths[code] >= shortest)
        return max(counts.values(), default=0)
