"""The tidy table of replies: the joint of the house, one row a focal turn.

Inspect logs, the batch engine, lm-eval results and submissions all turn into it, and everything
after it reads only it.

| column | type | unit, meaning |
|---|---|---|
| run | str | id of the run that made the reply |
| benchmark | str | version of the benchmark: prompts, seeds, protocol |
| bank, bank_sha256 | str | partner bank and its content hash ("" for live partners) |
| focal, partner | str | names |
| partner_kind | str | scripted, checkpoint, self or table |
| same_turns_as | str | for an A/A partner, whose words it says ("" otherwise) |
| dose | float | place on the scripted scale of hedging, NaN off it |
| planted | float | 1 planted trouble or false claim, 0 its clean twin, NaN neither (optional) |
| pair, trouble | str | matched pair; kind of trouble ("" where there is none; optional) |
| seed, domain | str | the cluster, and its topic |
| replicate | int | 1-based |
| turn | int | position in the chain; the reply (primary outcome) is the focal's first |
| status | str | ok, truncated, empty, refused, not_english, error |
| words, window_words | float | words of the reply; of its opening window |
| partner_words | float | words of the turn replied to |
| partner_<behaviour>_cues | float | cues in the turn replied to |
| hedging, repair, challenge | float | 0 or 1: the behaviour is there |
| <behaviour>_score | float | the detector's probability, 0 to 1 (optional) |
| <behaviour>_cues, <behaviour>_window_cues | float | counts, whole reply and opening window |
| <behaviour>_sentences, sentences | float | sentences that hold the behaviour; sentences |
| text, partner_text | str | what was said (optional) |
| spans | object | cue spans in text, characters (optional) |

`(focal, partner, seed, replicate, turn)` is unique. An empty, refused, non-English or failed reply
has NaN outcomes; a truncated one keeps its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from panelist.analysis.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd

KEY = ["focal", "partner", "seed", "replicate", "turn"]
"""What identifies a reply."""

BEHAVIOURS = ("hedging", "repair", "challenge")

STATUSES = ("ok", "truncated", "empty", "refused", "not_english", "error")

NO_OUTCOME = ("empty", "refused", "not_english", "error")
"""Statuses whose outcomes are missing."""

REQUIRED = [
    *KEY,
    "run",
    "benchmark",
    "bank",
    "bank_sha256",
    "partner_kind",
    "same_turns_as",
    "dose",
    "domain",
    "status",
    "words",
]


def check_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table itself, if it keeps to the schema.

    Raises:
        AnalysisError: a required column or every behaviour is missing, a key stands twice, a
            status is unknown, or a scored reply lacks its outcome.
    """
    missing = [column for column in REQUIRED if column not in table.columns]
    if missing:
        raise AnalysisError(f"table of replies: columns missing: {', '.join(missing)}")
    measured = [behaviour for behaviour in BEHAVIOURS if behaviour in table.columns]
    if not measured:
        raise AnalysisError(f"table of replies: none of the columns {', '.join(BEHAVIOURS)}")
    twice = table.duplicated(KEY)
    if twice.any():
        first = table.loc[twice, KEY].iloc[0].to_dict()
        raise AnalysisError(
            f"table of replies: {int(twice.sum())} replies stand twice, the first is {first}; "
            "was a log given twice? Drop the duplicates"
        )
    unknown = set(table["status"]) - set(STATUSES)
    if unknown:
        raise AnalysisError(f"table of replies, status: unknown values {sorted(unknown)}")
    scored = ~table["status"].isin(NO_OUTCOME)
    for behaviour in measured:
        if table.loc[scored, behaviour].isna().any():
            raise AnalysisError(
                f"table of replies, {behaviour}: missing in a reply whose status says it is scored"
            )
    return table


def replies(table: pd.DataFrame) -> pd.DataFrame:
    """The primary outcomes: the focal's first reply, the same turn in every chain of a pair."""
    first = table.groupby(["focal", "partner"])["turn"].transform("min")
    return table[table["turn"] == first]
