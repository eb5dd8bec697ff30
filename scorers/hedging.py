"""The hedging scorer: an Inspect scorer over the chains that a panel task leaves in the store.

`inspect score LOG --scorer panelist/hedging` re-scores a log without generating again; with
`-S detector=hedging-cues` by another detector.
"""

from collections import defaultdict
from itertools import pairwise
from math import nan
from typing import Any, cast

from inspect_ai.scorer import (
    Metric,
    MetricProtocol,
    SampleScore,
    Score,
    Scorer,
    Target,
    Value,
    mean,
    metric,
    scorer,
    stderr,
)
from inspect_ai.solver import TaskState

from panelist.panels.chain import CHAIN_KEY, Chain
from panelist.panels.errors import PanelistError
from panelist.scorers.cues import Cues, detect
from panelist.scorers.detectors import detector as named
from panelist.scorers.reply_status import reply_status
from panelist.scorers.segment import words

UNSCORED = ("empty", "refused", "not_english", "error")
"""Statuses without an outcome."""

VALUES = ("hedging", "hedges_per_100_words")
"""What the scorer reports: 0 or 1, and a rate. The rest stands in the score's metadata."""


@metric
def by_partner() -> Metric:
    """Mean and standard error (clustered by seed) of each partner, and of all replies.

    One metric, because Inspect keeps only one `grouped` metric a score.
    """
    measures = {"mean": mean(), "stderr": stderr(cluster="seed")}

    def compute(scores: list[SampleScore]) -> Value:
        groups: dict[str, list[SampleScore]] = defaultdict(list)
        for score in scores:
            groups[str((score.sample_metadata or {})["partner"])].append(score)
        groups["all"] = scores
        return {
            f"{partner} {name}": cast(float, cast(MetricProtocol, measure)(group))
            for partner, group in groups.items()
            for name, measure in measures.items()
        }

    return compute


@scorer(metrics={value: [by_partner()] for value in VALUES})
def hedging(detector: str = "hedging-learned") -> Scorer:
    """Hedging in the reply (the focal's first turn).

    The score's metadata names the detector, its version and its status (`validation_report`), and
    holds one record per focal turn with status, label, probability, cue counts and spans. An empty,
    refused or non-English reply is NaN, which Inspect counts as unscored.

    Args:
        detector: a shipped detector of hedging, "hedging-learned" or "hedging-cues". Cue counts are
            there with either.
    """
    chosen = named(detector)
    if chosen.behaviour != "hedging":
        raise PanelistError(
            f"detector {detector!r}: it detects {chosen.behaviour}; give hedging-learned or "
            "hedging-cues"
        )

    async def score(state: TaskState, target: Target) -> Score:
        # pandas comes with it: not before a score is asked for, as every `inspect` imports this.
        from panelist.scorers.validation_report import status_of

        data = state.store.get(CHAIN_KEY)
        if data is None:
            raise PanelistError(
                f"sample {state.sample_id}: no chain in its store; the hedging scorer reads "
                "chains of a panel task, such as panelist/panel_hedging"
            )
        chain = Chain.from_dict(data)
        replies = [(before, turn) for before, turn in pairwise(chain.turns) if turn.role == "focal"]
        scored = chosen.score(
            [turn.text for _, turn in replies], [before.text for before, _ in replies]
        )
        turns: list[dict[str, Any]] = [
            {
                "turn": turn.index,
                # Nothing was said to reply to: a failure of the chain, not an outcome.
                "status": reply_status(turn) if words(before.text) else "error",
                "label": bool(row["label"]),
                "probability": float(row["probability"]),
                **_features(detect(turn.text)),
                **_partner_features(detect(before.text)),
            }
            for (before, turn), row in zip(replies, scored.to_dict("records"), strict=True)
        ]
        first = turns[0]
        numbers = (float(first["label"]), detect(replies[0][1].text).per_100_words)
        if first["status"] in UNSCORED:
            numbers = (nan, nan)
        return Score(
            value=dict(zip(VALUES, numbers, strict=True)),
            answer=replies[0][1].text,
            explanation=(
                f"{first['status']}: probability {first['probability']:.2f}, "
                f"{first['cues']} cues in {first['words']} words"
            ),
            metadata={
                "behaviour": "hedging",
                "detector": chosen.name,
                "detector_version": chosen.version,
                "detector_status": status_of("hedging", chosen.name, chosen.version),
                "turns": turns,
            },
        )

    return score


def _features(found: Cues) -> dict[str, object]:
    return {
        "words": found.words,
        "cues": found.cues,
        "spans": [list(span) for span in found.spans],
        "sentences": found.sentences,
        "hedged_sentences": found.cued_sentences,
        "window_words": found.window_words,
        "window_cues": found.window_cues,
    }


def _partner_features(found: Cues) -> dict[str, object]:
    return {"partner_words": found.words, "partner_cues": found.cues}
