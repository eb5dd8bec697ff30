"""The conversation: what each panelist sees, and the loop that lets them speak in turn.

Panelists are anonymous letters to each other ("Panelist A"), so that no reply is moved by a
name; who they are stands in the transcript. Turn 1 is the partner's, turn 2 the focal's: the
*reply*, the primary outcome.
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
from panelist.panels.partner import Partner
from panelist.panels.protocol import (
    QUESTION,
    SAID,
    SAMPLING,
    SPEAK_FIRST,
    SYSTEM_PROMPT,
)
from panelist.panels.reasoning import split_reasoning
from panelist.panels.rehearsal import offline


def letter(position: int) -> str:
    """The name a panelist goes by inside the conversation, by order of first speaking."""
    return f"Panelist {chr(ord('A') + position)}"


def view(question: str, turns: Sequence[Turn], role: Role) -> list[ChatMessage]:
    """The messages that the panelist in `role` reads before its next turn.

    Its own turns are assistant messages; everything else since then is one user message, because
    many chat templates demand that the two alternate.
    """
    names: dict[Role, str] = {"partner": letter(0), "focal": letter(1)}
    messages: list[ChatMessage] = [ChatMessageSystem(content=SYSTEM_PROMPT.format(me=names[role]))]
    heard = [QUESTION.format(question=question)]
    if not turns or turns[0].role == role:
        heard.append(SPEAK_FIRST)
    for turn in turns:
        if turn.role == role:
            messages.append(ChatMessageUser(content="\n\n".join(heard)))
            messages.append(ChatMessageAssistant(content=turn.text))
            heard = []
        else:
            heard.append(SAID.format(who=names[turn.role], text=turn.text))
    messages.append(ChatMessageUser(content="\n\n".join(heard)))
    return messages


async def speak(
    model: Model, chain: Chain, role: Role, config: GenerateConfig, *, cached: bool
) -> Turn:
    """Let a model take the next turn of a chain, in a span that carries its name."""
    speaker = chain.focal if role == "focal" else chain.partner
    # A response cache may serve a chain its own past, but never the replies to another partner
    # who said the same words: the A/A pair must be sampled twice.
    cache: Any = {"cache": CachePolicy(scopes={"chain": chain.id})} if cached else {}
    async with span(speaker, type="agent"):
        output = await model.generate(
            view(chain.question, chain.turns, role), config=config, **cache
        )
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
def converse(turns: int, config: GenerateConfig, base_seed: int | None) -> Solver:
    """Run one chain per sample: the partner opens, then focal and partner speak in turn.

    The sample's metadata names seed, question, focal and partner, and holds the partner's frozen
    opening turn or the model string that speaks live for it.

    Args:
        turns: turns in all, the partner's opening included.
        config: the focal's settings.
        base_seed: every turn gets a sampling seed of its own, derived from this one and the
            chain; None passes no seed to the engine.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        facts = state.metadata
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
        )
        if facts["opening"] is not None:
            async with span(chain.partner, type="agent"):
                opening = Turn(1, "partner", chain.partner, facts["opening"])
            chain = replace(chain, turns=(opening,))
        while len(chain.turns) < turns:
            index = len(chain.turns) + 1
            role: Role = "partner" if index % 2 else "focal"
            model, settings = get_model(), config
            if role == "partner" and facts["partner_kind"] != "self":
                model = partner_model(facts["partner_model"])
                settings = SAMPLING.merge(model.config)
            if base_seed is not None:
                settings = settings.merge(
                    GenerateConfig(seed=sampling_seed(base_seed, chain.id, index))
                )
            turn = await speak(model, chain, role, settings, cached=bool(config.cache))
            chain = replace(chain, turns=(*chain.turns, turn))
        state.store.set(CHAIN_KEY, chain.to_dict())
        state.messages = transcript(chain)
        state.output = ModelOutput.from_content(str(get_model()), reply(chain).text)
        return state

    return solve


def check_turns(turns: int, partners: Sequence[Partner]) -> None:
    """Refuse a chain that is too short for a reply, or in which a scripted partner runs dry.

    Raises:
        PanelistError: fewer than 2 turns, or more than 2 with a scripted partner.
    """
    if not isinstance(turns, int):
        raise PanelistError(f"turns: {turns!r} is not a whole number")
    if turns < 2:
        raise PanelistError(f"turns: {turns}; a reply needs at least 2, an opening and an answer")
    scripted = [partner.name for partner in partners if partner.kind == "scripted"]
    if turns > 2 and scripted:
        raise PanelistError(
            f"turns: {turns}, but {', '.join(scripted)} can only open: a bank holds opening turns. "
            "Use turns=2, or live partners (-T partners=self, or --model-role partner=...)"
        )


def reply(chain: Chain) -> Turn:
    """The focal's first turn after the partner spoke: the primary outcome."""
    return next(turn for turn in chain.turns if turn.role == "focal")


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
