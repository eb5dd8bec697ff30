"""Turns to records: status, label, probability and cue counts of a reply, whatever ran it."""

from collections.abc import Sequence
from math import nan
from typing import Any

from panelist.panels.chain import Turn
from panelist.scorers.cues import detect
from panelist.scorers.detector import Behaviour, Detector
from panelist.scorers.reply_status import reply_status
from panelist.scorers.segment import words

UNSCORED = ("empty", "refused", "not_english", "error")
"""Statuses without an outcome."""

VALUES: dict[Behaviour, tuple[str, str]] = {
    "hedging": ("hedging", "hedges_per_100_words"),
    "repair": ("repair", "repairs_per_100_words"),
    "challenge": ("challenge", "challenges_per_100_words"),
}
"""What each scorer reports: 0 or 1, and a rate. The rest stands in the score's metadata."""


def features(text: str, before: str, behaviour: Behaviour) -> dict[str, object]:
    """Lengths and cue counts of a reply and of the turn before it."""
    found, heard = detect(text, behaviour), detect(before, behaviour)
    return {
        "words": found.words,
        "cues": found.cues,
        "spans": [list(span) for span in found.spans],
        "sentences": found.sentences,
        "cued_sentences": found.cued_sentences,
        "window_words": found.window_words,
        "window_cues": found.window_cues,
        "partner_words": heard.words,
        "partner_cues": heard.cues,
    }


def score_turns(chosen: Detector, said: Sequence[tuple[str, Turn]]) -> list[dict[str, Any]]:
    """One record a focal turn: status, label, probability, cue counts and spans.

    Args:
        chosen: the detector.
        said: each turn with the text of the turn before it.
    """
    behaviour = chosen.behaviour
    scored = chosen.score([turn.text for _, turn in said], [before for before, _ in said])
    return [
        {
            "turn": turn.index,
            # Nothing was said to reply to: a failure of the chain, not an outcome.
            "status": reply_status(turn) if words(before) else "error",
            "label": bool(row["label"]),
            "probability": float(row["probability"]),
            **features(turn.text, before, behaviour),
        }
        for (before, turn), row in zip(said, scored.to_dict("records"), strict=True)
    ]


def outcome(record: dict[str, Any]) -> tuple[float, float]:
    """The two `VALUES` of a record of `score_turns`; NaN where there is no outcome."""
    if record["status"] in UNSCORED:
        return nan, nan
    return float(record["label"]), 100 * record["cues"] / record["words"]
