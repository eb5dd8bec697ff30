"""Whether a reply can be scored: ok, truncated, empty, refused, not English, or an error.

Empty, refused and non-English replies have no outcome; they are counted and reported, never dropped in
silence. A truncated reply keeps its scores.
"""

import re
from typing import Literal

from panelist.panels.chain import Turn, at_limit
from panelist.scorers.segment import fold, own_prose, words

Status = Literal["ok", "truncated", "empty", "refused", "not_english", "error"]

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


_ENGLISH = frozenset(
    "the and of to is that it for with this be are not have but they from or which can would will "
    "there their what about when your you we i it's i'm don't has was were if how more than should "
    "my our these those because by at as on in a an".split()
)
"""Words that make up about 40 % of English prose and a few per cent of that of its neighbours."""

_ENGLISH_SHARE = 0.15
_ENGLISH_WORDS = 12
"""Fewer words than this are taken for English: names and numbers alone are no language."""


def is_english(text: str) -> bool:
    """Whether prose is English, by its function words.

    >>> is_english("Das hängt davon ab, was man unter einer guten Lösung in diesem Fall versteht.")
    False
    >>> is_english("That depends on what one takes to be a good solution in such a case.")
    True
    """
    prose = own_prose(fold(text)).lower()
    found = [prose[a:b] for a, b in words(prose)]
    if len(found) < _ENGLISH_WORDS:
        # A script without spaces has few words and many letters.
        letters = [c for c in prose if c.isalpha()]
        return sum(c < "\u0250" for c in letters) >= len(letters) / 2
    return sum(word in _ENGLISH for word in found) >= _ENGLISH_SHARE * len(found)


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
    if not is_english(turn.text):
        return "not_english"
    if at_limit(turn.stop_reason, turn.output_tokens, turn.max_tokens):
        return "truncated"
    return "ok"
