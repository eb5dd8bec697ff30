"""What the learned detectors look at in a reply and the turn before it: the reference code.

Sparse features, by name: words and pairs of words of the reply's own prose (`w:`), those it opens
with (`^:`), opens with after fillers (`l:`) and ends on (`$:`), what the turn before opens with and
ends on (`c^:`, `c$:`), cue classes in the reply (`t:`), at its head (`h:`) and end (`e:`) and in
the turn before (`c:`), and the numbers of `NUMBERS` (`n:`). `features_fast` does the same on
columns.
"""

import re
from itertools import pairwise
from math import log1p
from typing import Final

from panelist.scorers.detector import Behaviour
from panelist.scorers.lexicon import Cue, Lexicon, Token, shipped, tokenize
from panelist.scorers.segment import fold, own_prose

CONTEXT_TOKENS: Final = 60
"""So many last words of the turn before are looked at."""

FILLERS: Final = frozenset(
    "uh um eh ehm erm er ah mm hmm okay ok right well and but now then just yeah so oh yes like "
    "you know b c d e f g h j k l m n o p q r s t v w x y z".split()
)
"""Words that a turn's head comes after."""

EMPTY_WORDS: Final = frozenset(
    "a an the i you we he she it they me my your his her its our their this that these those is "
    "are was were be been am do does did have has had of to in on at for with from by and or but "
    "so if as not no yes what which who where when how why can could will would should may might "
    "just like uh um okay right well oh yeah there here then than too very".split()
)
"""Words that do not count as shared content."""

NUMBERS: Final = (
    "words",  # log(1 + words)
    "short",  # at most 4 words
    "long",  # more than 25 words
    "question",  # has a question mark
    "ends_in_question",
    "question_share",  # question marks among sentence ends
    "exclamation",
    "unpunctuated",  # none of . , ? !
    "context_words",  # log(1 + words of the turn before), of the last CONTEXT_TOKENS
    "context_question",
    "context_ends_in_question",
    "no_context",
    "shared_of_reply",  # content words of the reply that the turn before has, share
    "shared_of_context",
    "shared",  # log(1 + their number)
    "shared_any",  # share of all different words
    "shared_pairs",  # share of different pairs of words
    "new_numbers",  # log(1 + digits not in the turn before)
    "kept_numbers",
    "capital",  # begins with a capital letter
    "full_stop",  # ends in one
    "spaced",  # a space before punctuation, as tokenized corpora have
    "digit",
    "context_capital",
    "context_punctuated",
    "context_spaced",
    "strength",  # sum of the cues' grades, quiet ones too, for the length
)

_ENDS = re.compile(r"[.!?]+")
_POINT = re.compile(r"[.,?!]")
_SPACED = re.compile(r"[^\W_] [.,?!]")
_TRAIL = " \t\n\"')"


def features(text: str, context: str, lexicon: Lexicon) -> dict[str, float]:
    """The features of one reply.

    Args:
        text: the reply, as it was written.
        context: the turn before, by another speaker; "" if there is none.
        lexicon: of the behaviour.

    Returns:
        Value by feature name; absent means 0. Presence is 1, `t:` is log(1 + count).
    """
    own = own_prose(fold(text))
    tokens = tokenize(own)
    before = fold(context)
    earlier = tokenize(before)[-CONTEXT_TOKENS:]
    before = before[earlier[0].start :] if earlier else ""
    earlier = [Token(t.word, t.start - earlier[0].start, t.end - earlier[0].start) for t in earlier]
    words = [token.word for token in tokens]
    context_words = [token.word for token in earlier]
    found = _of_words(words, context_words)
    cues = lexicon.cues(own, tokens)
    head = _of_cues(found, cues, tokens, words)
    for cue in lexicon.cues(before, earlier):
        found[f"c:{cue.name}"] = 1.0
    grades = sum(lexicon.classes[cue.name].grade for cue in cues)
    numbers = _numbers(own, words, before, context_words, grades / (1 + len(words) / 20))
    found.update({f"n:{name}": value for name, value in numbers.items() if value})
    for name, sign in (
        ("question", "?"),
        ("unpunctuated", "-"),
        ("context_ends_in_question", "c?"),
    ):
        if numbers[name]:
            found[f"{sign}{head}"] = 1.0
    return found


def describe(text: str, context: str, behaviour: Behaviour) -> tuple[dict[str, float], set[str]]:
    """Features of a reply, and the words that the gate sees."""
    words = {token.word for token in tokenize(own_prose(fold(text)))}
    earlier = tokenize(fold(context))[-CONTEXT_TOKENS:]
    return features(text, context, shipped(behaviour)), words | {token.word for token in earlier}


def _of_words(words: list[str], context_words: list[str]) -> dict[str, float]:
    found = {f"w:{word}": 1.0 for word in words}
    found.update({f"w:{a} {b}": 1.0 for a, b in pairwise(words)})
    if words:
        found[f"^:{words[0]}"] = found[f"$:{words[-1]}"] = 1.0
        if len(words) > 1:
            found[f"^:{words[0]} {words[1]}"] = 1.0
    rest = [word for word in words if word not in FILLERS]
    if rest:
        found[f"l:{rest[0]}"] = 1.0
        if len(rest) > 1:
            found[f"l:{rest[0]} {rest[1]}"] = 1.0
    if context_words:
        found[f"c^:{context_words[0]}"] = found[f"c$:{context_words[-1]}"] = 1.0
    return found


def _of_cues(
    found: dict[str, float], cues: list[Cue], tokens: list[Token], words: list[str]
) -> str:
    """Add the cue classes; return the name of the head's, `h:none` if no cue begins there."""
    counts: dict[str, int] = {}
    for cue in cues:
        counts[cue.name] = counts.get(cue.name, 0) + 1
    found.update({f"t:{name}": log1p(100 * n / (20 + len(words))) for name, n in counts.items()})
    at = 0
    while at < len(words) and words[at] in FILLERS:
        at += 1
    # A cue that begins among the fillers and reaches past them ("so you mean") is the head's.
    over = [cue for cue in cues if cue.first <= at < len(tokens) and cue.end > tokens[at].start]
    head = f"h:{over[0].name if over else 'none'}"
    found[head] = 1.0
    if cues and cues[-1].end == tokens[-1].end:
        found[f"e:{cues[-1].name}"] = 1.0
    return head


def _numbers(
    own: str, words: list[str], before: str, context_words: list[str], strength: float
) -> dict[str, float]:
    mine, theirs = set(words), set(context_words)
    content, their_content = mine - EMPTY_WORDS, theirs - EMPTY_WORDS
    shared = len(content & their_content)
    pairs = set(pairwise(words))
    their_pairs = set(pairwise(context_words))
    digits = {word for word in mine if "0" <= word[0] <= "9"}
    questions = own.count("?")
    end, their_end = own.rstrip(_TRAIL)[-1:], before.rstrip(_TRAIL)[-1:]
    values = (
        log1p(len(words)),
        len(words) <= 4,
        len(words) > 25,
        questions > 0,
        end == "?",
        questions / max(1, len(_ENDS.findall(own))),
        "!" in own,
        not _POINT.search(own),
        log1p(len(context_words)),
        "?" in before,
        their_end == "?",
        not context_words,
        shared / max(1, len(content)),
        shared / max(1, len(their_content)),
        log1p(shared),
        len(mine & theirs) / max(1, len(mine)),
        len(pairs & their_pairs) / max(1, len(pairs)),
        log1p(len(digits - theirs)),
        log1p(len(digits & theirs)),
        "A" <= own.lstrip()[:1] <= "Z",
        end == ".",
        bool(_SPACED.search(own)),
        any("0" <= c <= "9" for c in own),
        "A" <= before[:1] <= "Z",
        bool(_POINT.search(before)),
        bool(_SPACED.search(before)),
        strength,
    )
    return {name: float(value) for name, value in zip(NUMBERS, values, strict=True)}
