"""One case for the LLM judge: what is asked, how the answer is read, and what comes of it."""

import json
from dataclasses import dataclass, replace
from math import nan
from typing import Any

from inspect_ai.model import (
    CachePolicy,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Model,
)

from panelist.scorers.detector import Behaviour
from panelist.scorers.judge_rubric import AGAIN, LABEL_AT, SCALE, case, instructions
from panelist.scorers.segment import words

RETRIES = 2
"""How often an unreadable answer is asked for again."""

MAX_TOKENS = 2048
"""Limit of an answer, where the model's own settings have none: room for reasoning before it."""

BATCHING = frozenset({"anthropic", "google", "grok", "openai", "together"})
"""Inspect's providers with a batch API (its docs, "Batch Mode"). Others ignore the setting, but
would then be asked everything at once."""

MAX_CHARACTERS = 60_000
"""The longest case, reply and partner's turn together, that a model is asked about: about 15,000
tokens, which any judge's context holds."""

CACHE = CachePolicy(expiry=None, per_epoch=False)
"""The same case has the same answer, whenever and in whichever epoch it comes up."""


@dataclass(frozen=True)
class Judgement:
    """What the judge said of one reply.

    Attributes:
        probability: score / 4; NaN if no answer could be read, or there was nothing to judge.
        label: whether the score is 3 or 4.
        spans: characters of the reply that the judge quoted, in order, non-overlapping; words that
            it quoted wrongly are left out.
        answer: the last answer, as it came.
        attempts: how often the model was asked.
    """

    probability: float
    label: bool
    spans: tuple[tuple[int, int], ...] = ()
    answer: str = ""
    attempts: int = 0


NOTHING = Judgement(nan, False)


def read_answer(answer: str, text: str) -> Judgement | None:
    """The judgement in an answer, or None if there is none to be read.

    The last JSON object with a score decides: an earlier one may be an echo of the reply.

    >>> read_answer('{"quotes": ["perhaps"], "score": 3}', "It is, perhaps.")
    Judgement(probability=0.75, label=True, spans=((7, 14),), answer='', attempts=0)
    >>> read_answer('{"score": 9}', "It is.") is None
    True
    """
    decoder, at, found = json.JSONDecoder(), answer.find("{"), None
    while at >= 0:
        try:
            value, end = decoder.raw_decode(answer, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found = value if "score" in value else found
        at = answer.find("{", end)
    score = _score(found)
    if found is None or score is None:
        return None
    return Judgement(score / SCALE, score >= LABEL_AT, _spans(found.get("quotes"), text))


def _score(found: dict[str, Any] | None) -> int | None:
    score = (found or {}).get("score")
    if isinstance(score, bool) or not isinstance(score, int | float):
        return None
    return int(score) if score in range(SCALE + 1) else None


def _spans(quotes: object, text: str) -> tuple[tuple[int, int], ...]:
    spans: list[tuple[int, int]] = []
    for quote in quotes if isinstance(quotes, list) else []:
        start = text.find(quote) if isinstance(quote, str) and quote.strip() else -1
        end = start + len(quote) if start >= 0 else -1
        if start >= 0 and all(end <= a or b <= start for a, b in spans):
            spans.append((start, end))
    return tuple(sorted(spans))


async def ask(
    model: Model, behaviour: Behaviour, text: str, context: str, config: GenerateConfig
) -> Judgement:
    """Ask a model about one reply; `NOTHING` if it has no words or more than `MAX_CHARACTERS`."""
    if not words(text) or len(text) + len(context) > MAX_CHARACTERS:
        return NOTHING
    messages: list[ChatMessage] = [
        ChatMessageSystem(content=instructions(behaviour)),
        ChatMessageUser(content=case(behaviour, text, context)),
    ]
    for attempt in range(1, RETRIES + 2):
        output = await model.generate(messages, config=config, cache=CACHE)
        answer = output.completion
        if judgement := read_answer(answer, text):
            return replace(judgement, answer=answer, attempts=attempt)
        # The prompt grows, or the cache would give the same answer again. Some providers refuse an
        # empty assistant message.
        said = [ChatMessageAssistant(content=answer)] if answer.strip() else []
        messages = [*messages, *said, ChatMessageUser(content=AGAIN)]
    return replace(NOTHING, answer=answer, attempts=RETRIES + 1)


def settings(model: Model, *, batch: bool, max_connections: int | None) -> GenerateConfig:
    """Temperature 0; batched where asked for and the provider has a batch API."""
    provider = str(model).partition("/")[0]
    return GenerateConfig(
        temperature=0.0,
        max_tokens=model.config.max_tokens or MAX_TOKENS,
        max_connections=max_connections,
        batch=True if batch and provider in BATCHING else None,
    )
