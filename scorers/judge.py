"""The LLM judge: a rubric, a model, and answers on a scale from 0 to 4.

    inspect score LOG --scorer panelist/judge -S behaviour=challenge --model-role grader=openai/...

`JudgeDetector` is the same judge as a detector, to be held against human labels like any other.

What is judged was written by models and may address the judge; it is fenced off as data
(`panelist.scorers.judge_rubric`). Answers are cached by Inspect without expiry, so that judging
again costs nothing (`inspect cache clear` forgets them). An answer that cannot be read is asked
for again, twice at most; then there is no score.
"""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from itertools import pairwise
from math import isnan, nan
from typing import TYPE_CHECKING

from inspect_ai.model import Model, get_model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState
from inspect_ai.util import collect

from panelist.panels.chain import CHAIN_KEY, Chain, Turn
from panelist.panels.errors import PanelistError
from panelist.scorers.behaviour import by_partner
from panelist.scorers.detector import BEHAVIOURS, Behaviour, paired
from panelist.scorers.judge_answer import NOTHING, Judgement, ask, settings
from panelist.scorers.judge_rubric import rubric_version
from panelist.scorers.records import UNSCORED, features
from panelist.scorers.reply_status import reply_status
from panelist.scorers.segment import words

if TYPE_CHECKING:
    import pandas as pd

VALUES = ("judged", "judged_probability")
"""What the scorer reports: 0 or 1, and the score as a share of the scale."""


class JudgeDetector:
    """The judge as a `panelist.scorers.detector.Detector`."""

    def __init__(
        self,
        behaviour: Behaviour,
        model: str | Model,
        *,
        limit: int | None = None,
        batch: bool = True,
        max_connections: int | None = None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            behaviour: what to judge.
            model: an Inspect model or model string.
            limit: the most texts that one call of `score` may ask about; more are refused.
            batch: use the provider's batch API where it has one: half the price, and a wait of
                minutes to hours.
            max_connections: requests at a time; default: Inspect adapts it.

        Raises:
            PanelistError: the behaviour is unknown, or the limit is no number of texts.
        """
        if behaviour not in BEHAVIOURS:
            raise PanelistError(f"behaviour: {behaviour!r}; choose among {', '.join(BEHAVIOURS)}")
        if limit is not None and limit < 1:
            raise PanelistError(f"limit: {limit}; give 1 or more, or none")
        self.behaviour: Behaviour = behaviour
        self.name = f"{behaviour}-judge"
        self.version = f"{rubric_version(behaviour)} {model}"
        self._model = model
        self._limit = limit
        self._batch = batch
        self._max_connections = max_connections

    def score(self, texts: Sequence[str], contexts: Sequence[str] | None = None) -> "pd.DataFrame":
        """A table as `panelist.scorers.detector.COLUMNS` says, and the columns answer, attempts.

        Runs an event loop of its own and shows its progress on stderr; inside a running loop,
        await `judge_all`. Failing calls raise after Inspect's retries; what was answered before
        is in the cache.

        Raises:
            PanelistError: there are more texts than the limit.
            ValueError: contexts are given, but not one for each text.
        """
        import anyio
        import pandas as pd

        judged = anyio.run(partial(self.judge_all, texts, contexts, progress=True))
        return pd.DataFrame(
            {
                "probability": pd.Series([j.probability for j in judged], dtype="float64"),
                "label": pd.Series([j.label for j in judged], dtype=bool),
                "spans": pd.Series([list(j.spans) for j in judged], dtype=object),
                "version": self.version,
                "answer": pd.Series([j.answer for j in judged], dtype=object),
                "attempts": pd.Series([j.attempts for j in judged], dtype="int64"),
            }
        )

    async def judge_all(
        self,
        texts: Sequence[str],
        contexts: Sequence[str] | None = None,
        *,
        progress: bool = False,
    ) -> list[Judgement]:
        """One judgement a text; the same pair of text and context is asked about once."""
        from tqdm import tqdm

        pairs = paired(texts, contexts)
        cases = list(dict.fromkeys(pairs))
        if self._limit is not None and len(cases) > self._limit:
            raise PanelistError(
                f"{self.name}: {len(cases)} different texts, and the limit is {self._limit}; give "
                "fewer, or raise the limit. Nothing was asked"
            )
        shown = None if progress else True
        bar = tqdm(total=len(cases), desc=self.name, unit="reply", file=sys.stderr, disable=shown)
        # A client belongs to the event loop that it was made in, so each call makes its own.
        opened = get_model(self._model, memoize=False)
        async with opened if opened is not self._model else nullcontext(opened) as model:
            config = settings(model, batch=self._batch, max_connections=self._max_connections)

            async def one(text: str, context: str) -> Judgement:
                judgement = await ask(model, self.behaviour, text, context, config)
                bar.update()
                return judgement

            try:
                with bar:
                    judged = await collect(*(one(text, context) for text, context in cases))
            except ExceptionGroup as ex:  # calls that failed together, the first for all
                raise ex.exceptions[0] from None
        known = dict(zip(cases, judged, strict=True))
        return [known[pair] for pair in pairs]


def judge_detector(behaviour: Behaviour, model: str, limit: int | None = None) -> JudgeDetector:
    """The judge for `panelist validate --judge MODEL`; see `JudgeDetector`."""
    return JudgeDetector(behaviour, model, limit=limit)


@scorer(metrics={value: [by_partner()] for value in VALUES})
def judge(
    behaviour: Behaviour = "hedging",
    model: str | Model | None = None,
    *,
    batch: bool = False,
    max_connections: int | None = None,
) -> Scorer:
    """A behaviour in the focal's replies, judged by a model.

    The score's metadata holds one record per focal turn, as that of `panelist.scorers.records`,
    with the judge's probability, label, quoted spans and answer. A reply without an outcome is not
    asked about; one whose judgement could not be read has status "error" and NaN.

    Model roles:
        grader: the judge, where `model` does not name it. It has to be given: a focal that judges
            itself by default would not be noticed.

    Args:
        behaviour: hedging, repair or challenge.
        model: the judge, in place of the role.
        batch: use the provider's batch API where it has one; off, since replies that are scored
            while a run goes on come too slowly to fill a batch.
        max_connections: requests at a time; default: Inspect adapts it.
    """
    if behaviour not in BEHAVIOURS:
        raise PanelistError(f"behaviour: {behaviour!r}; choose among {', '.join(BEHAVIOURS)}")

    async def score(state: TaskState, target: Target) -> Score:
        # Not at the top: it imports pandas, and every `inspect` command imports this module.
        from panelist.scorers.validation_report import status_of

        data = state.store.get(CHAIN_KEY)
        if data is None:
            raise PanelistError(
                f"sample {state.sample_id}: no chain in its store; the judge reads chains of a "
                "panel task, such as panelist/panel_hedging"
            )
        grader = get_model(model) if model else get_model(role="grader", required=True)
        config = settings(grader, batch=batch, max_connections=max_connections)
        turns = []
        for before, turn in pairwise(Chain.from_dict(data).turns):
            if turn.role == "focal":
                # Nothing was said to reply to: a failure of the chain, not an outcome.
                status = reply_status(turn) if words(before.text) else "error"
                judged = NOTHING
                if status not in UNSCORED:
                    judged = await ask(grader, behaviour, turn.text, before.text, config)
                    status = "error" if isnan(judged.probability) else status
                turns.append((before.text, turn, status, judged))
        _, reply, status, first = turns[0]
        numbers = (nan, nan) if status in UNSCORED else (float(first.label), first.probability)
        name, version = f"{behaviour}-judge", f"{rubric_version(behaviour)} {grader}"
        return Score(
            value=dict(zip(VALUES, numbers, strict=True)),
            answer=reply.text,
            explanation=f"{status}: {first.answer or 'not asked'}",
            metadata={
                "behaviour": behaviour,
                "detector": name,
                "detector_version": version,
                "detector_status": status_of(behaviour, name, version),
                "turns": [
                    _record(behaviour, before, turn, status, judged)
                    for before, turn, status, judged in turns
                ],
            },
        )

    return score


def _record(
    behaviour: Behaviour, before: str, turn: Turn, status: str, judged: Judgement
) -> dict[str, object]:
    return {
        **features(turn.text, before, behaviour),
        "turn": turn.index,
        "status": status,
        "probability": None if isnan(judged.probability) else judged.probability,
        "label": judged.label,
        "spans": [list(span) for span in judged.spans],
        "answer": judged.answer,
        "attempts": judged.attempts,
    }
