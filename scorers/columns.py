"""Columns of scored replies: the numbers of `rows.outcomes`, for a million replies.

With numba (`pip install 'panelist[fast]'`) the shipped detectors run compiled; without it, and for
detectors of one's own, every reply goes through `behaviour.score_turns`. Both give the same.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from panelist.panels.chain import Turn
from panelist.scorers.cues import DAMPING, CueDetector
from panelist.scorers.cues_fast import CueColumns
from panelist.scorers.cues_fast import columns as cue_columns
from panelist.scorers.detector import Detector
from panelist.scorers.features_fast import probabilities
from panelist.scorers.learned import THRESHOLD, LearnedDetector
from panelist.scorers.lexicon import shipped
from panelist.scorers.records import UNSCORED, score_turns
from panelist.scorers.reply_status import FOREIGN, HEAD, reply_status
from panelist.scorers.rows import outcomes
from panelist.scorers.segment import words

Column = NDArray[Any]


@dataclass(frozen=True)
class Replies:
    """N focal turns that reply to somebody.

    Attributes:
        turn: position in the chain, N.
        text, before: the turn and the one before it, Arrow arrays of N strings.
        stop_reason: N strings.
        output_tokens, max_tokens: N integers, null where they are not known.
    """

    turn: NDArray[np.int64]
    text: pa.Array
    before: pa.Array
    stop_reason: pa.Array
    output_tokens: pa.Array
    max_tokens: pa.Array

    def turns(self, rows: Sequence[int]) -> Iterator[tuple[str, Turn]]:
        """Some of them, each with the text of the turn before it."""
        for row in rows:
            yield (
                self.before[row].as_py(),
                Turn(
                    index=int(self.turn[row]),
                    role="focal",
                    speaker="",
                    text=self.text[row].as_py(),
                    stop_reason=self.stop_reason[row].as_py(),
                    output_tokens=self.output_tokens[row].as_py(),
                    max_tokens=self.max_tokens[row].as_py(),
                ),
            )


def score_columns(detectors: Sequence[Detector], said: Replies) -> list[dict[str, Column]]:
    """Status and numbers of every reply, by each detector.

    Returns:
        For each detector the columns that `rows.outcomes` gives for it alone, without spans;
        N values each, NaN where a reply has no outcome.
    """
    if find_spec("numba") is None or not all(map(_compiled, detectors)):
        return [_one_by_one(chosen, said) for chosen in detectors]
    made: list[dict[str, Column]] = []
    status: Column | None = None
    for chosen in detectors:
        lexicon = shipped(chosen.behaviour)
        found, heard = cue_columns(said.text, lexicon), cue_columns(said.before, lexicon)
        if status is None:  # of any lexicon: words are the same in all
            status = _statuses(said, found.words, heard.words)
        made.append(_columns(chosen, said, status, found, heard))
    return made


def _compiled(chosen: Detector) -> bool:
    """Whether it is a shipped detector, whose numbers the compiled ones are."""
    return type(chosen) is CueDetector or (type(chosen) is LearnedDetector and chosen.ships)


def _one_by_one(chosen: Detector, said: Replies) -> dict[str, Column]:
    records = score_turns(chosen, list(said.turns(range(len(said.turn)))))
    rows = [outcomes({chosen.behaviour: record}) for record in records]
    names = [name for name in rows[0] if name != "spans"] if rows else []
    made = {name: np.array([row[name] for row in rows]) for name in names}
    return made | {"status": made["status"].astype(object)} if rows else made


def _columns(
    chosen: Detector, said: Replies, status: Column, found: CueColumns, heard: CueColumns
) -> dict[str, Column]:
    behaviour = chosen.behaviour
    label: Column
    if isinstance(chosen, LearnedDetector):
        probability = probabilities(said.text, said.before, behaviour)
        label = probability >= THRESHOLD
    else:
        with np.errstate(over="ignore"):
            spread = 1 + found.words / DAMPING
            probability = 1 / (1 + np.exp(-found.strength / spread))
        probability[found.words == 0] = np.nan
        label = found.cues > 0
    numbers: Mapping[str, Column] = {
        "words": found.words,
        "window_words": found.window_words,
        "sentences": found.sentences,
        behaviour: label,
        f"{behaviour}_score": probability,
        f"{behaviour}_cues": found.cues,
        f"{behaviour}_window_cues": found.window_cues,
        f"{behaviour}_sentences": found.cued_sentences,
    }
    scored = ~np.isin(status, UNSCORED)
    return {
        "turn": said.turn,
        "status": status,
        "partner_words": heard.words.astype(np.float64),
        f"partner_{behaviour}_cues": heard.cues.astype(np.float64),
        **{n: np.where(scored, v.astype(np.float64), np.nan) for n, v in numbers.items()},
    }


# A refusal holds one of these words in its head, whatever its apostrophes, spaces and dots of an i.
# A text with fewer than two of the foreign words is English unless it is in another script.
_MAY_REFUSE = "(?i)can.t|cannot|can.not|won.t|w[iıİ]ll.not|unable|not.able|decl[iıİ]ne|refuse"
_FOREIGN = "(?:" + "|".join(sorted(map(re.escape, FOREIGN))) + ")"
_MAY_BE_FOREIGN = (
    f"(?is)(?:^|[^a-z]){_FOREIGN}[^a-z](?:.*[^a-z])?{_FOREIGN}(?:[^a-z]|$)"
    # Letters that lower case makes others of: İ is no i there, and Ə leaves the range below.
    + f"|[{''.join(chr(c) for c in range(0x250) if max(map(ord, chr(c).lower())) >= 0x250)}]"
    # Letters of another script: neither Latin nor the punctuation and symbols of any prose. Case
    # counts here: else µ, which is in the range, would stand for the Greek μ and Μ.
    r"|(?-i:[^\x{0}-\x{24f}\x{2000}-\x{206f}\x{20a0}-\x{20cf}\x{2190}-\x{2bff}\x{fe0f}\x{1f000}-\x{1faff}])"
)


def _statuses(said: Replies, own: Column, before: Column) -> Column:
    """`reply_status` of every reply, and "error" where nothing was said before it.

    Args:
        said: the replies.
        own, before: words of each, and of the turn before it.
    """
    # Most replies are plain English; only those that might be something else are looked at.
    head = pc.utf8_slice_codeunits(said.text, 0, HEAD)
    unsure = own == 0
    for texts, pattern in ((head, _MAY_REFUSE), (said.text, _MAY_BE_FOREIGN)):
        unsure |= pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    reasons = said.stop_reason.to_pylist()
    unsure |= np.array([reason not in ("stop", "max_tokens") for reason in reasons], bool)
    status = np.where(np.array(reasons, object) == "max_tokens", "truncated", "ok").astype(object)
    rows = np.flatnonzero(unsure).tolist()
    for row, (_, turn) in zip(rows, said.turns(rows), strict=True):
        status[row] = reply_status(turn)
    for row in np.flatnonzero(before == 0).tolist():
        if not words(said.before[row].as_py()):
            status[row] = "error"
    return status
