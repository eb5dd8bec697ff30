"""Whether a reply can be scored: ok, truncated, empty, refused, or an error.

Empty and refused replies have no outcome; they are counted and reported, never dropped in
silence. A truncated reply keeps its scores.
"""

import re
from typing import Literal

from panelist.panels.chain import Turn
from panelist.scorers.segment import fold, words

Status = Literal["ok", "truncated", "empty", "refused", "error"]

_CANNOT = r"(?:can't|cannot|can not|won't|will not|am unable to|am not able to|must decline to)"
_ACT = (
    r"(?:help(?! (?:but|thinking|feeling|noticing|wondering|seeing))|"
    r"assist|answer|respond|provide|comply|engage|participate|fulfil|fulfill|discuss|"
    r"continue|support|give (?:you )?(?:advice|an answer|an opinion))"
)
_REFUSAL = re.compile(
    rf"\bi(?:'m| am)? (?:sorry,? (?:but )?i )?{_CANNOT} {_ACT}\b"
    rf"|\bi(?:'m| am) (?:unable|not able) to {_ACT}\b"
    rf"|\bi (?:must|have to) (?:decline|refuse)\b",
    re.IGNORECASE,
)
_HEAD = 200
"""A refusal is announced at the start: only so many characters are searched."""


def reply_status(turn: Turn) -> Status:
    """The status of a turn.

    A reply cut off at the limit is truncated; one cut off inside its reasoning shows nothing and
    is empty. Engines that give no stop reason are judged by their token count.
    """
    if turn.stop_reason == "content_filter":
        return "refused"
    if not words(turn.text):
        return "empty"
    if _REFUSAL.search(fold(turn.text[:_HEAD])):
        return "refused"
    at_limit = turn.stop_reason == "unknown" and (
        turn.max_tokens is not None
        and turn.output_tokens is not None
        and turn.output_tokens >= turn.max_tokens
    )
    if at_limit or turn.stop_reason in ("max_tokens", "model_length"):
        return "truncated"
    return "ok"
