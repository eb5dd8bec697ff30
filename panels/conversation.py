"""The conversation: what each panelist sees, and the loop that lets them speak in turn.

Panelists are anonymous letters to each other ("Panelist A"), so that no reply is moved by a
name; who they are stands in the transcript. They take turns in a fixed order, two or more of them.
The focal's first turn after another spoke is the *reply*, the primary outcome; in a chain of two
the partner opens, and it is turn 2.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from inspect_ai.model import (
    CachePolicy,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentReasoning,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import span

from panelist.panels.chain import (
    CHAIN_KEY,
    Chain,
    Role,
    Turn,
    at_limit,
    chain_id,
    sampling_seed,
)
from panelist.panels.checkpoint import reasons
from panelist.panels.errors import PanelistError
from panelist.panels.partner import FOCAL, Partner
from panelist.panels.protocol import (
    QUESTION,
    SAID,
    SPEAK_FIRST,
    SYSTEM_PROMPT,
)
from panelist.panels.reasoning import split_reasoning
from panelist.panels.rehearsal import offline
from panelist.panels.sampling import SAMPLING
from panelist.panels.spending import guarded


def letter(position: int) -> str:
    """The name a panelist goes by inside the conversation, by order of first speaking."""
    return f"Panelist {chr(ord('A') + position)}"


def view(question: str, turns: Sequence[Turn], seat: int, seats: int = 2) -> list[ChatMessage]:
    """The messages that the panelist on a seat reads before its next turn.

    Its own turns are assistant messages; everything else since then is one user message, because
    many chat templates demand that the two alternate.

    Args:
        question: the seed's.
        turns: what was said so far; turn i was spoken on seat (i - 1) mod `seats`.
        seat: 0 for who opens, 1 for who speaks second, and so on.
        seats: how many take turns.
    """
    messages: list[ChatMessage] = [ChatMessageSystem(content=SYSTEM_PROMPT.format(me=letter(seat)))]
    heard = [QUESTION.format(question=question)]
    if seat == 0:
        heard.append(SPEAK_FIRST)
    for turn in turns:
        if (speaking := (turn.index - 1) % seats) == seat:
            messages.append(ChatMessageUser(content="\n\n".join(heard)))
            messages.append(ChatMessageAssistant(content=turn.text))
            heard = []
        else:
            heard.append(SAID.format(who=letter(speaking), text=turn.text))
    messages.append(ChatMessageUser(content="\n\n".join(heard)))
    return messages


async def speak(
    model: Model, chain: Chain, role: Role, speaker: str, config: GenerateConfig, *, cached: bool
) -> Turn:
    """Let a model take the next turn of a chain, in a span that carries its name."""
    seat = len(chain.turns) % chain.seats
    # A response cache may serve a chain its own past, but never the replies to another partner
    # who said the same words: the A/A pair must be sampled twice.
    cache: Any = {"cache": CachePolicy(scopes={"chain": chain.id})} if cached else {}
    messages = view(chain.question, chain.turns, seat, chain.seats)
    async with span(speaker, type="agent"):
        output = await guarded(model).generate(messages, config=config, **cache)
    if not output.choices:
        raise PanelistError(f"{model}: an answer with no choices in it; there is no reply to take")
    tokens = output.usage.output_tokens if output.usage else None
    cut = reasons(str(model)) and at_limit(output.stop_reason, tokens, config.max_tokens)
    text, reasoning = split_reasoning(output.completion, cut=cut and not _marked(output))
    return Turn(
        index=len(chain.turns) + 1,
        role=role,
        speaker=speaker,
        text=text,
        reasoning="\n".join([*_marked(output), reasoning]).strip(),
        stop_reason=output.stop_reason,
        output_tokens=tokens,
        max_tokens=config.max_tokens,
    )


def _marked(output: ModelOutput) -> list[str]:
    """Reasoning that the provider has already split off."""
    content = output.message.content if output.choices else ""
    parts = content if isinstance(content, list) else []
    return [part.reasoning for part in parts if isinstance(part, ContentReasoning)]


@solver
def converse(turns: int | None, config: GenerateConfig, base_seed: int | None) -> Solver:
    """Run one chain per sample: the speakers take turns in their order.

    The sample's metadata names seed, question, focal, partner and speakers (`grid`), and holds the
    frozen opening turn where the first speaker is scripted.

    Args:
        turns: turns in all, the opening included; None stops at the reply.
        config: the focal's settings.
        base_seed: every turn gets a sampling seed of its own, derived from this one and the
            chain; None passes no seed to the engine.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        facts = state.metadata
        speakers = facts["speakers"]
        chain = Chain(
            id=chain_id(
                benchmark=facts["benchmark"],
                seed=facts["seed"],
                focal=facts["focal"],
                partner=facts["partner"],
                replicate=state.epoch,
            ),
            seed=facts["seed"],
            question=facts["question"],
            focal=facts["focal"],
            partner=facts["partner"],
            replicate=state.epoch,
            turns=(),
            order=tuple(speaker["name"] for speaker in speakers) if len(speakers) > 2 else (),
        )
        if facts["opening"] is not None:
            name = speakers[0]["name"]
            async with span(name, type="agent"):
                opening = Turn(1, "partner", name, facts["opening"])
            chain = replace(chain, turns=(opening,))
        while len(chain.turns) < (turns or facts["reply_turn"]):
            index = len(chain.turns) + 1
            speaker = speakers[len(chain.turns) % len(speakers)]
            role: Role = "focal" if speaker["kind"] == FOCAL else "partner"
            model, settings = get_model(), config
            if speaker["kind"] == "checkpoint":
                model = partner_model(speaker["model"])
                settings = SAMPLING.merge(model.config)
            if base_seed is not None:
                settings = settings.merge(
                    GenerateConfig(seed=sampling_seed(base_seed, chain.id, index))
                )
            turn = await speak(
                model, chain, role, speaker["name"], settings, cached=bool(config.cache)
            )
            chain = replace(chain, turns=(*chain.turns, turn))
        state.store.set(CHAIN_KEY, chain.to_dict())
        state.messages = transcript(chain)
        last = reply(chain) or chain.turns[-1]
        state.output = ModelOutput.from_content(str(get_model()), last.text)
        return state

    return solve


def check_turns(turns: int | None, partners: Sequence[Partner]) -> None:
    """Refuse a chain that is too short for a reply, or in which a scripted partner runs dry.

    Raises:
        PanelistError: fewer turns than a reply needs, or a scripted partner that would have to
            speak after the opening.
    """
    if turns is not None and not isinstance(turns, int):
        raise PanelistError(f"turns: {turns!r} is not a whole number")
    for partner in partners:
        needed = partner.reply_turn
        length = needed if turns is None else turns
        if length < needed:
            raise PanelistError(
                f"turns: {turns}; a reply to {partner.name} needs at least {needed}, an opening "
                "and an answer"
            )
        spoken = {(index % len(partner.seats)): index for index in range(1, length)}
        dry = [
            seat.name
            for place, seat in enumerate(partner.seats)
            if seat is not None and seat.kind == "scripted" and place in spoken
        ]
        if dry:
            raise PanelistError(
                f"turns: {length} with {partner.name}, but {', '.join(dry)} can only open: a bank "
                "holds opening turns. Put scripted partners first, and let the chain end before "
                "their second turn, or use live partners (-T partners=self)"
            )


def reply(chain: Chain) -> Turn | None:
    """The focal's first turn after another spoke, the primary outcome; None if it has none."""
    return next((t for t in chain.turns if t.role == "focal" and t.index > 1), None)


def partner_model(name: str) -> Model:
    """The model that speaks live for a partner: an Inspect model string, or `role:<role>`."""
    focal = get_model()
    if name == str(focal):
        return focal  # the same weights: one engine serves both
    kind, _, role = name.partition(":")
    return offline(get_model(role=role) if kind == "role" else get_model(name))


def transcript(chain: Chain) -> list[ChatMessage]:
    """The chain as a reader sees it: the question, then each speaker by name."""
    messages: list[ChatMessage] = [
        ChatMessageUser(content=chain.question, metadata={"speaker": "question"})
    ]
    for turn in chain.turns:
        kind = ChatMessageAssistant if turn.role == "focal" else ChatMessageUser
        content = f"**{turn.speaker}:** {turn.text}"
        messages.append(kind(content=content, metadata={"speaker": turn.speaker}))
    return messages
