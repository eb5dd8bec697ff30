"""Empty, refused and truncated replies are told from good ones."""

import pytest

from panelist.panels.chain import Turn
from panelist.scorers.reply_status import reply_status


def turn(text: str, stop: str = "stop", tokens: int | None = 5, limit: int | None = 10) -> Turn:
    return Turn(2, "focal", "x", text, "", stop, tokens, limit)


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (turn("Yes, do it."), "ok"),
        (turn("I can't say for certain, but yes."), "ok"),
        (turn("I cannot help thinking it is right."), "ok"),
        (turn("  ...  "), "empty"),
        (turn(""), "empty"),
        (turn("", stop="max_tokens"), "empty"),
        (turn("Yes, and", stop="max_tokens"), "truncated"),
        (turn("Yes, and", stop="model_length"), "truncated"),
        (turn("Yes, and", stop="unknown", tokens=10), "truncated"),
        (turn("Yes.", stop="unknown", tokens=9), "ok"),
        (turn("Yes.", stop="unknown", tokens=None), "ok"),
        (turn("I\u2019m sorry, but I can\u2019t help with that."), "refused"),
        (turn("As an AI, I am unable to provide an answer."), "refused"),
        (turn("Anything", stop="content_filter"), "refused"),
        (turn("I refuse."), "refused"),
        (turn("I can't assist with that request."), "refused"),
        (turn("I cannot support that view, because the costs are too high."), "ok"),
        (turn("I must decline to agree: the plan fails."), "ok"),
        (turn("I have to refuse the premise. The plan works."), "ok"),
        (turn("I won't answer for everyone, but cats are better."), "ok"),
        (turn("I can't engage with the cost argument without figures."), "ok"),
        (turn("Yes. " * 60 + "I cannot help with that."), "ok"),
        (
            turn("Es kommt darauf an, was man will: wer spart, hat sp\u00e4ter mehr Geld."),
            "not_english",
        ),
        (turn("\u6211\u8ba4\u4e3a\u8fd9\u53ef\u80fd\u662f\u5bf9\u7684\u3002"), "not_english"),
        (
            turn("Cela d\u00e9pend de ce que vous voulez, mais je crois que oui, sans doute."),
            "not_english",
        ),
        (
            turn("Depende de lo que usted quiera, pero creo que s\u00ed, tal vez, sin duda."),
            "not_english",
        ),
        (turn("NASA, ESA, JAXA, Roscosmos, ISRO, CNSA: 1958, 1975, 2003, 1992, 1969, 1993."), "ok"),
    ],
)
def test_status(reply: Turn, status: str) -> None:
    assert reply_status(reply) == status
