"""Whether a reply can be scored: ok, truncated, empty, refused, not English, or an error.

Empty, refused and non-English replies have no outcome; they are counted and reported, never dropped
in silence. A truncated reply keeps its scores.
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

HEAD = 200
"""A refusal is announced at the start: only so many characters are searched."""


_ENGLISH = frozenset(
    "the and of to that it with this be are not they from which can would there their what about "
    "when your you it's i'm don't were if how more than should my our these those because by have "
    "been could may might into only other over between while both without who where does".split()
)
"""Function words that English shares with none of the languages of `FOREIGN`."""

FOREIGN = frozenset(
    "der das und nicht ist ein eine auch sich mit auf für dass wenn oder aber kann werden wird wer "
    "le les des est une dans pour pas vous je qui sur avec mais ce cette sont être nous plus "
    "el los las que por para con una como pero es su más lo muy creo "
    "il che di per non sono della questo anche più perché "
    "não uma com mas isso você são dos da pela "
    "het een van niet ook maar zijn wordt deze heeft dat "
    "och att det som är inte av til ikke og også har på "
    "nie się na jest że jak ale przez není také bir ve bu için ile değil "
    "ja ei että mutta olla yang dan tidak dengan untuk dari ini là và của không được".split()
)
"""Common function words of other languages in Latin script, none of them an English word."""


def is_english(text: str) -> bool:
    """Whether prose is English: not in another script, nor with another language's function words.

    >>> is_english("Das hängt davon ab, was man unter einer guten Lösung versteht.")
    False
    >>> is_english("That depends on what one takes to be a good solution in such a case.")
    True
    """
    prose = own_prose(fold(text)).lower()
    letters = [] if prose.isascii() else [c for c in prose if c.isalpha()]
    if sum(c < "\u0250" for c in letters) < len(letters) / 2:
        return False
    found = {prose[a:b] for a, b in words(prose)}
    foreign = len(found & FOREIGN)
    return foreign < 2 or foreign <= len(found & _ENGLISH)


def reply_status(turn: Turn) -> Status:
    """The status of a turn.

    A reply cut off at the limit is truncated; one cut off inside its reasoning shows nothing and
    is empty.
    """
    if turn.stop_reason == "content_filter":
        return "refused"
    if not words(turn.text):
        return "empty"
    if _REFUSAL.search(fold(turn.text[:HEAD])):
        return "refused"
    if not is_english(turn.text):
        return "not_english"
    if at_limit(turn.stop_reason, turn.output_tokens, turn.max_tokens):
        return "truncated"
    return "ok"
