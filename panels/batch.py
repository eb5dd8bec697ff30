"""Conversations by the thousand: every chain that waits for an engine speaks in one call.

The same words as in `panels.conversation` (what a panelist reads, how reasoning is split off, the
sampling seed of every turn), without an event loop, a sample and a log for each chain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from panelist.panels.chain import Chain, Role, Turn, at_limit, chain_id, sampling_seed
from panelist.panels.checkpoint import reasons
from panelist.panels.conversation import view
from panelist.panels.partner import FOCAL
from panelist.panels.reasoning import split_reasoning
from panelist.panels.runtime import Runtime

Message = dict[str, str]
"""A chat message: `role` and `content`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One generation that an engine is asked for.

    Attributes:
        model: who speaks, as an Inspect model string; an engine may serve several.
        messages: what it reads.
        sampling: temperature, top_p, top_k, max_tokens; what is missing is the engine's default.
        seed: of the sampling, in [0, 2^31); None leaves it to the engine.
    """

    model: str
    messages: list[Message]
    sampling: Mapping[str, Any]
    seed: int | None


@dataclass(frozen=True, slots=True)
class Said:
    """What came back; `error` is "" where it is a reply, and says what went wrong otherwise."""

    text: str
    stop_reason: str = "stop"
    output_tokens: int | None = None
    error: str = ""


class Engine(Protocol):
    """A local engine that generates many replies at once."""

    def generate(self, asked: Sequence[Asked]) -> list[Said]:
        """One answer each, in the order of the questions."""

    def runtime(self, model: str) -> Runtime:
        """What runs a model's weights here."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who takes a seat.

    Attributes:
        name: as it stands in the turns.
        role: whether it is the focal.
        model: Inspect model string; None for a scripted partner.
        sampling: its settings.
    """

    name: str
    role: Role
    model: str | None
    sampling: Mapping[str, Any]


@dataclass(frozen=True)
class Cast:
    """A pair of focal and partner, and how their chains go.

    Attributes:
        focal, partner: names.
        speakers: in the order of their seats.
        turns: turns of a whole chain.
        benchmark: version, for the chains' ids.
        base_seed: of the sampling seeds; None for none.
    """

    focal: str
    partner: str
    speakers: tuple[Speaker, ...]
    turns: int
    benchmark: str
    base_seed: int | None

    def open(self, seed: str, question: str, replicate: int, opening: str | None) -> Chain:
        """A chain before its first generation."""
        order = tuple(s.name for s in self.speakers) if len(self.speakers) > 2 else ()
        made = Chain(self.chain_id(seed, replicate), seed, question, self.focal, self.partner,
                     replicate, (), order)  # fmt: skip
        if opening is None:
            return made
        return replace(made, turns=(Turn(1, "partner", self.speakers[0].name, opening),))

    def chain_id(self, seed: str, replicate: int) -> str:
        """As Inspect's samples have it: one id for one chain, whatever runs it."""
        return chain_id(
            benchmark=self.benchmark,
            seed=seed,
            focal=self.focal,
            partner=self.partner,
            replicate=replicate,
        )

    def speaker(self, turn: int) -> Speaker:
        """Who speaks a turn."""
        return self.speakers[(turn - 1) % len(self.speakers)]


def role_of(kind: str) -> Role:
    """The role of a speaker of `grid`'s metadata."""
    return "focal" if kind == FOCAL else "partner"


@dataclass(frozen=True)
class Spoken:
    """Chains after some turns.

    Attributes:
        chains: those that got all of them.
        failed: chain id and what went wrong, of the others.
        generations, tokens: made, those of failed chains included.
    """

    chains: list[Chain]
    failed: list[tuple[str, str]]
    generations: int
    tokens: int


def speak(engine: Engine, waiting: Sequence[tuple[Cast, Chain, int]]) -> Spoken:
    """Let every chain go on to a turn, generation by generation, all of them at once.

    Args:
        engine: serves every speaker that is met on the way.
        waiting: the chains, each with its cast and the turn to go on to.
    """
    whole: list[Chain] = []
    failed: list[tuple[str, str]] = []
    generations = tokens = 0
    current = list(waiting)
    while current:
        going = []
        for cast, chain, last in current:
            if len(chain.turns) >= last:
                whole.append(chain)
            else:
                going.append((cast, chain, last))
        if not going:
            break
        answers = engine.generate([ask(cast, chain) for cast, chain, _ in going])
        current = []
        for (cast, chain, last), said in zip(going, answers, strict=True):
            generations += 1
            tokens += said.output_tokens or 0
            if said.error:
                failed.append((chain.id, said.error))
                continue
            turn = _turn(cast.speaker(len(chain.turns) + 1), chain, said)
            current.append((cast, replace(chain, turns=(*chain.turns, turn)), last))
    order = {chain.id: place for place, (_, chain, _) in enumerate(waiting)}
    whole.sort(key=lambda chain: order[chain.id])
    return Spoken(whole, failed, generations, tokens)


def ask(cast: Cast, chain: Chain) -> Asked:
    """What the next speaker of a chain is asked: the conversation seen from its seat."""
    index = len(chain.turns) + 1
    speaker = cast.speaker(index)
    seat = (index - 1) % len(cast.speakers)
    messages = view(chain.question, chain.turns, seat, len(cast.speakers))
    base = cast.base_seed
    return Asked(
        model=str(speaker.model),
        messages=[{"role": m.role, "content": m.text} for m in messages],
        sampling=speaker.sampling,
        seed=None if base is None else sampling_seed(base, chain.id, index),
    )


def _turn(speaker: Speaker, chain: Chain, said: Said) -> Turn:
    limit = speaker.sampling.get("max_tokens")
    cut = reasons(str(speaker.model)) and at_limit(said.stop_reason, said.output_tokens, limit)
    text, reasoning = split_reasoning(said.text, cut=cut)
    return Turn(
        index=len(chain.turns) + 1,
        role=speaker.role,
        speaker=speaker.name,
        text=text,
        reasoning=reasoning,
        stop_reason=said.stop_reason,
        output_tokens=said.output_tokens,
        max_tokens=limit,
    )
