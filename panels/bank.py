"""Partner banks: frozen, versioned partner turns, the same for every checkpoint and every year.

A bank is one JSONL file. Its first line is the header: version, schema, the partners, and the
sha256 of every byte after that line. Each other line is an opening turn:
`{"seed": ..., "partner": ..., "text": ...}`. A partner with `same_turns_as` has no lines of its
own (the A/A partner). A turn with planted trouble says of which kind it is and what is wrong
(`trouble`, `note`). A bank is immutable: other content is another version.
"""

import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from panelist.panels.errors import PanelistError
from panelist.panels.partner import Partner

SCHEMA = 1
"""Version of the file format."""

SHIPPED = {
    "v1": "c5e17b4e4cd1899174c0733100b0c9aba9006a776e85c3b12b9e04dee730afd0",
    "repair-v1": "4e43dcf10687ea765aad962b3219aa72ccb1adc435665a683bb74454ead20909",
    "challenge-v1": "80aad522c7c0a635c0502bd8dc193f6886f005336ff8c0ac6a782416dcbb351c",
}
"""Banks in the package, with the content hash that each was released under."""

HEADER_FIELDS = ("name", "kind", "model", "same_turns_as", "dose", "planted", "pair")
"""What the header says of a partner, where it is not empty."""

DEFAULT = "v1"
"""The bank whose seeds come first in every run."""

BANKS = {"hedging": DEFAULT, "repair": "repair-v1", "challenge": "challenge-v1"}
"""The bank that the task of each behaviour uses unless the user names another."""


@dataclass(frozen=True, slots=True)
class Planted:
    """What is wrong with a turn.

    Attributes:
        trouble: its kind, such as garbled or false.
        note: what it is, in words.
    """

    trouble: str
    note: str


@dataclass(frozen=True)
class Bank:
    """Frozen opening turns by (seed id, partner name)."""

    version: str
    sha256: str
    partners: tuple[Partner, ...]
    turns: dict[tuple[str, str], str]
    planted: dict[tuple[str, str], Planted] = field(default_factory=dict)

    def opening(self, seed: str, partner: Partner) -> str:
        """The frozen opening turn of a partner on a seed (KeyError where there is none)."""
        return self.turns[seed, partner.same_turns_as or partner.name]

    def covers(self, seed: str) -> bool:
        """Whether every partner has a turn on the seed."""
        return all((seed, p.same_turns_as or p.name) in self.turns for p in self.partners)

    def partner(self, name: str) -> Partner | None:
        """The partner of that name, or None."""
        return next((p for p in self.partners if p.name == name), None)


def read_bank(path: Path) -> Bank:
    """Read and check a bank file.

    Raises:
        PanelistError: the file is missing, is not a bank, or its content is not what its hash
            (or the hash it was released under) says.
    """
    try:
        header_line, _, body = path.read_bytes().partition(b"\n")
    except OSError as ex:
        raise PanelistError(
            f"{path}: cannot read the partner bank ({ex.strerror}); give -T bank= one of "
            f"{', '.join(SHIPPED)} or the path of a bank file"
        ) from ex
    header = _json_line(path, 1, header_line)
    missing = {"bank", "schema", "sha256", "partners"} - header.keys()
    if missing:
        raise PanelistError(f"{path}, line 1: not a bank header, it lacks {sorted(missing)}")
    if header["schema"] != SCHEMA:
        raise PanelistError(
            f"{path}, line 1, schema: {header['schema']!r}; this panelist reads {SCHEMA}"
        )
    version, stated, actual = header["bank"], header["sha256"], sha256(body).hexdigest()
    if stated != actual:
        raise PanelistError(
            f"{path}: wrong hash: its header says sha256 {stated}, its content has {actual}; "
            "restore the file, or release the changed turns as a new version"
        )
    if SHIPPED.get(version, actual) != actual:
        raise PanelistError(
            f"{path}: wrong hash: bank {version!r} was released as sha256 {SHIPPED[version]}, this "
            f"one has {actual}; a released bank never changes, so name this one otherwise"
        )
    partners = tuple(Partner(**partner) for partner in header["partners"])
    turns: dict[tuple[str, str], str] = {}
    planted: dict[tuple[str, str], Planted] = {}
    for number, line in enumerate(body.splitlines(), start=2):
        row = _json_line(path, number, line)
        key = (row.get("seed", ""), row.get("partner", ""))
        if not all(key) or not row.get("text") or key in turns:
            raise PanelistError(
                f"{path}, line {number}: a turn needs seed, partner and text, once per seed and "
                f"partner; got {key}"
            )
        turns[key] = row["text"]
        if "trouble" in row:
            planted[key] = Planted(row["trouble"], row.get("note", ""))
    return Bank(version, actual, partners, turns, planted)


def write_bank(
    path: Path,
    version: str,
    partners: tuple[Partner, ...],
    turns: dict[tuple[str, str], str],
    planted: dict[tuple[str, str], Planted] | None = None,
) -> str:
    """Write a bank file (to a temporary name, then renamed) and return its content hash.

    Raises:
        PanelistError: the file exists; a bank is immutable.
    """
    if path.exists():
        raise PanelistError(f"{path}: exists already, and a bank is immutable; write a new version")
    body = "".join(
        json.dumps(_row(key, text, (planted or {}).get(key)), ensure_ascii=False) + "\n"
        for key, text in sorted(turns.items())
    ).encode()
    digest = sha256(body).hexdigest()
    header = {
        "bank": version,
        "schema": SCHEMA,
        "sha256": digest,
        "partners": [
            {key: value for key in HEADER_FIELDS if (value := getattr(partner, key)) is not None}
            for partner in partners
        ],
    }
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(json.dumps(header).encode() + b"\n" + body)
    temporary.rename(path)
    return digest


def _row(key: tuple[str, str], text: str, wrong: Planted | None) -> dict[str, str]:
    row = {"seed": key[0], "partner": key[1], "text": text}
    return row | (asdict(wrong) if wrong else {})


def find_bank(name: str) -> Bank:
    """A shipped bank by version, or any bank by path (see `read_bank` for what it raises)."""
    if name in SHIPPED:
        return _shipped(name)
    return read_bank(Path(name))


@lru_cache(maxsize=4)
def _shipped(version: str) -> Bank:
    return read_bank(Path(str(files("panelist.panels.data") / f"bank-{version}.jsonl")))


def _json_line(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as ex:
        raise PanelistError(f"{path}, line {number}: not JSON ({ex}); is this a bank?") from ex
    if not isinstance(row, dict):
        raise PanelistError(f"{path}, line {number}: not a JSON object; is this a bank?")
    return row
