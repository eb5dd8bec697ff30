"""Whether a reply can be scored: ok, truncated, empty, refused, or an error.

Empty and refused replies have no outcome; they are counted and reported, never dropped in
silence. A truncated reply keeps its scores.
"""

import re
from typing import Literal

from panelist.panels.chain import Turn, at_limit
from panelist.scorers.segment import fold, words

Status = Literal["ok", "truncated", "empty", "refused", "error"]

_CANNOT = (
    r"i(?:'m| am)? (?:sorry,? (?:but )?i )?"
    r"(?:can't|cannot|can not|won't|will not|am unable to|am not able to|must decline to|refuse to)"
    r"|i(?:'m| am) (?:unable|not able) to|i (?:have to|must) (?:decline|refuse) to"
)
_TASK = (
    r"(?:help|assist)(?: you)? with (?:that|this|your|the request)"
    r"|(?:help|assist) you\b|(?:help|assist)(?=[.,;!]|$)"
    r"|answer (?:that|this|the|your) (?:question|request)"
    r"|respond to (?:that|this|the|your) (?:question|request)"
    r"|provide (?:an?|any) (?:answer|opinion|advice|response|recommendation)"
    r"|(?:comply|fulfil|fulfill|take part|participate|discuss this topic|discuss that topic)\b"
    r"|give (?:you )?(?:advice|an answer|an opinion)"
)
_REFUSAL = re.compile(rf"\b(?:{_CANNOT}) (?:{_TASK})|\A\W*i (?:must )?refuse\b\W*\Z", re.IGNORECASE)
"""Refusing the task, not a claim: a panelist who "cannot support that view" has answered."""

_HEAD = 200
"""A refusal is announced at the start: only so many characters are searched."""


def reply_status(turn: Turn) -> Status:
    """The status of a turn.

    A reply cut off at the limit is truncated; one cut off inside its reasoning shows nothing and
    is empty.
    """
    if turn.stop_reason == "content_filter":
        return "refused"
    if not words(turn.text):
        return "empty"
    if _REFUSAL.search(fold(turn.text[:_HEAD])):
        return "refused"
    if at_limit(turn.stop_reason, turn.output_tokens, turn.max_tokens):
        return "truncated"
    return "ok"
