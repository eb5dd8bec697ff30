"""The ladder of detectors that ships with the package: cues first, then the learned one."""

from functools import cache
from pathlib import Path

from panelist.panels.errors import PanelistError
from panelist.scorers.cues import CueDetector
from panelist.scorers.detector import BEHAVIOURS, Behaviour, Detector
from panelist.scorers.learned import LearnedDetector, Refittable


def shipped(behaviour: Behaviour, labels: Path | None = None) -> list[Detector]:
    """The detectors of a behaviour, in the order of the ladder.

    Args:
        behaviour: hedging, repair or challenge.
        labels: a folder of labelled sets. Where it holds the train files that the learned detector
            was fitted on, that detector can be fitted `without` one of them.
    """
    learned: Detector = LearnedDetector(behaviour)
    if labels is not None:
        from panelist.scorers.training import PLANS

        if all(
            (labels / behaviour / f"{c}.train.jsonl").is_file() for c in PLANS[behaviour].corpora
        ):
            learned = Refittable(behaviour, labels)
    return [CueDetector(behaviour), learned]


@cache
def detector(name: str) -> Detector:
    """The shipped detector of a name such as "hedging-learned".

    Raises:
        PanelistError: there is none of that name.
    """
    ladder = {found.name: found for behaviour in BEHAVIOURS for found in shipped(behaviour)}
    if name not in ladder:
        raise PanelistError(f"detector {name!r}: no such detector; there are {', '.join(ladder)}")
    return ladder[name]
