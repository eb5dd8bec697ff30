"""The behaviour scorers: Inspect scorers over the chains that a panel task leaves in the store.

`inspect score LOG --scorer panelist/hedging` re-scores a log without generating again; with
`-S detector=hedging-cues` by another detector. Any panel log can be scored for any behaviour.
"""

from collections import defaultdict
from itertools import pairwise
from typing import cast

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

from panelist.panels.chain import CHAIN_KEY, Chain, Turn
from panelist.panels.errors import PanelistError
from panelist.scorers.detector import DEFAULTS, Behaviour
from panelist.scorers.detectors import detector as named
from panelist.scorers.records import VALUES, outcome, score_turns


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


def replies_of(chain: Chain) -> list[tuple[str, Turn]]:
    """The focal's turns that reply to somebody, each with the text of the turn before it."""
    return [(before.text, turn) for before, turn in pairwise(chain.turns) if turn.role == "focal"]


def _behaviour_scorer(behaviour: Behaviour, name: str) -> Scorer:
    chosen = named(name)
    if chosen.behaviour != behaviour:
        raise PanelistError(
            f"detector {name!r}: it detects {chosen.behaviour}; give {behaviour}-learned or "
            f"{behaviour}-cues"
        )

    async def score(state: TaskState, target: Target) -> Score:
        # pandas comes with it: not before a score is asked for, as every `inspect` imports this.
        from panelist.scorers.validation_report import status_of

        data = state.store.get(CHAIN_KEY)
        if data is None:
            raise PanelistError(
                f"sample {state.sample_id}: no chain in its store; the {behaviour} scorer reads "
                f"chains of a panel task, such as panelist/panel_{behaviour}"
            )
        said = replies_of(Chain.from_dict(data))
        turns = score_turns(chosen, said)
        first = turns[0]
        return Score(
            value=dict(zip(VALUES[behaviour], outcome(first), strict=True)),
            answer=said[0][1].text,
            explanation=(
                f"{first['status']}: probability {first['probability']:.2f}, "
                f"{first['cues']} cues in {first['words']} words"
            ),
            metadata={
                "behaviour": behaviour,
                "detector": chosen.name,
                "detector_version": chosen.version,
                "detector_status": status_of(behaviour, chosen.name, chosen.version),
                "turns": turns,
            },
        )

    return score


@scorer(metrics={value: [by_partner()] for value in VALUES["hedging"]})
def hedging(detector: str = DEFAULTS["hedging"]) -> Scorer:
    """Hedging in the reply (the focal's first turn after a partner spoke).

    The score's metadata names the detector, its version and its status (`validation_report`), and
    holds one record per focal turn (`score_turns`). An empty, refused or non-English reply is NaN,
    which Inspect counts as unscored.

    Args:
        detector: a shipped detector of hedging, "hedging-learned" or "hedging-cues". Cue counts are
            there with either.
    """
    return _behaviour_scorer("hedging", detector)


@scorer(metrics={value: [by_partner()] for value in VALUES["repair"]})
def repair(detector: str = DEFAULTS["repair"]) -> Scorer:
    """Repair in the reply: asking what was meant, saying that it was not understood.

    As `hedging`, with "repair-cues" or "repair-learned". The learned detector orders turns better,
    but its threshold is that of balanced labels: it calls half of a small model's panel replies
    repairs, where one in eight holds a cue.
    """
    return _behaviour_scorer("repair", detector)


@scorer(metrics={value: [by_partner()] for value in VALUES["challenge"]})
def challenge(detector: str = DEFAULTS["challenge"]) -> Scorer:
    """Challenge in the reply: contradicting or doubting what was said.

    As `hedging`, with "challenge-cues" or "challenge-learned"; cues for the reason given at
    `repair`: the learned one calls nine in ten of a small model's panel replies challenges.
    """
    return _behaviour_scorer("challenge", detector)


SCORERS = {"hedging": hedging, "repair": repair, "challenge": challenge}
