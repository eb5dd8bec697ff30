"""Chains and turns: what was said, by whom, in which order."""

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Literal

Role = Literal["focal", "partner"]

CHAIN_KEY = "panelist_chain"
"""Where a chain lies in an Inspect sample's store."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a chain.

    Attributes:
        index: 1-based position in the chain.
        role: whether the focal or a partner speaks.
        speaker: name of the checkpoint or scripted partner.
        text: what the others see, reasoning split off.
        reasoning: what was split off ("" if nothing).
        stop_reason: Inspect's stop reason; "scripted" for a frozen turn.
        output_tokens: tokens generated, reasoning included; None where the engine says nothing.
        max_tokens: the limit that applied; None if there was none or the turn is frozen.
    """

    index: int
    role: Role
    speaker: str
    text: str
    reasoning: str = ""
    stop_reason: str = "scripted"
    output_tokens: int | None = None
    max_tokens: int | None = None


def at_limit(stop_reason: str, output_tokens: int | None, max_tokens: int | None) -> bool:
    """Whether a turn was cut off; engines that give no reason are judged by their token count."""
    if stop_reason != "unknown":
        return stop_reason in ("max_tokens", "model_length")
    return None not in (output_tokens, max_tokens) and output_tokens >= max_tokens  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Chain:
    """A seed and its turns."""

    id: str
    seed: str
    question: str
    focal: str
    partner: str
    replicate: int
    turns: tuple[Turn, ...]
    order: tuple[str, ...] = ()
    """Speakers in the order in which they take turns; () for the partner, then the focal."""

    @property
    def seats(self) -> int:
        """How many take turns."""
        return len(self.order) or 2

    def to_dict(self) -> dict[str, Any]:
        """The chain as JSON-ready data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Chain":
        """The inverse of `to_dict`."""
        turns = tuple(Turn(**turn) for turn in data["turns"])
        return cls(**{**data, "turns": turns, "order": tuple(data.get("order", ()))})


def chain_id(*, benchmark: str, seed: str, focal: str, partner: str, replicate: int) -> str:
    """The deterministic id of a chain: 128 bits in hex."""
    parts = "\x1f".join((benchmark, seed, focal, partner, str(replicate)))
    return blake2b(parts.encode(), digest_size=16).hexdigest()


def sampling_seed(base: int, chain: str, turn: int) -> int:
    """The engine's seed for one turn, in [0, 2^31).

    It depends on the chain, hence on the partner's name: the two halves of an A/A pair read the
    same words but are sampled independently.
    """
    digest = blake2b(f"{base}\x1f{chain}\x1f{turn}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1
