"""Replies that lm-eval generated: one reply to its scores, and a samples file to the tidy table.

The tasks in `tasks/lm_eval` make the documents. A document says all that a row of the table needs
beside the reply, so that a samples file stands for itself. Replies are scored again when they are
read: the numbers in the file are only held against the new ones.

lm-eval says neither why a reply ended nor how many tokens it took. No reply is therefore known to
be `truncated`: one that was cut off keeps its scores, as it does under Inspect, but counts as `ok`.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from hashlib import sha256
from inspect import signature
from logging import getLogger
from math import isclose, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from panelist.analysis.errors import AnalysisError
from panelist.analysis.table import check_table
from panelist.panels.chain import Turn
from panelist.panels.errors import PanelistError
from panelist.panels.reasoning import split_reasoning
from panelist.panels.sampling import SAMPLING
from panelist.scorers.behaviour import SCORERS
from panelist.scorers.detector import Behaviour, Detector
from panelist.scorers.detectors import detector as named
from panelist.scorers.records import VALUES, outcome, score_turns
from panelist.scorers.rows import NAN, outcomes

if TYPE_CHECKING:
    import pandas as pd

logger = getLogger(__name__)

GENERATION: dict[str, Any] = {
    "do_sample": True,
    "temperature": SAMPLING.temperature,
    "top_p": SAMPLING.top_p,
    "max_gen_toks": SAMPLING.max_tokens,
    "until": [],
}
"""The benchmark's sampling settings in lm-eval's words."""

RUN_FIELDS = (
    "benchmark",
    "prompt_sha256",
    "behaviour",
    "detector",
    "detector_version",
    "bank",
    "bank_sha256",
    "focal",
)
"""What a document says of its run: the same in every document of a file."""

FIELDS = (
    *RUN_FIELDS,
    "seed",
    "domain",
    "partner",
    "partner_kind",
    "same_turns_as",
    "dose",
    "planted",
    "pair",
    "trouble",
    "replicate",
    "reply_turn",
    "opening",
    "system",
    "user",
)
"""What a document must say."""

TOLERANCE = 1e-9
"""How far a logged score may be from the one that the same reply has now."""


def default_detector(behaviour: Behaviour) -> Detector:
    """The detector that the behaviour's Inspect scorer uses unless told otherwise."""
    return named(signature(SCORERS[behaviour]).parameters["detector"].default)


def focal_turn(doc: Mapping[str, Any], reply: str) -> Turn:
    """The turn that the conversation would have made of a reply."""
    text, reasoning = split_reasoning(reply)
    return Turn(
        index=doc["reply_turn"],
        role="focal",
        speaker=doc["focal"],
        text=text,
        reasoning=reasoning,
        stop_reason="unknown",
        max_tokens=SAMPLING.max_tokens,
    )


def score_reply(doc: Mapping[str, Any], reply: str) -> dict[str, Any]:
    """The record (`panelist.scorers.records.score_turns`) of a reply to a document."""
    chosen = default_detector(doc["behaviour"])
    return score_turns(chosen, [(doc["opening"], focal_turn(doc, reply))])[0]


def reply_values(doc: Mapping[str, Any], reply: str) -> dict[str, float]:
    """The scorer's two values by name; NaN where there is no outcome."""
    behaviour: Behaviour = doc["behaviour"]
    return dict(zip(VALUES[behaviour], outcome(score_reply(doc, reply)), strict=True))


def check_generation(where: str, given: Mapping[str, Any]) -> None:
    """Refuse sampling settings other than the benchmark's.

    Args:
        where: what has them, for the message.
        given: lm-eval's generation_kwargs.

    Raises:
        PanelistError: a setting is missing, is another, or is one too many.
    """
    asked = {**given, "until": given.get("until") or []}
    for name in sorted(asked.keys() | GENERATION.keys()):
        if asked.get(name) != GENERATION.get(name):
            raise PanelistError(
                f"{where}, generation_kwargs, {name}: {asked.get(name)!r}, the benchmark has "
                f"{GENERATION.get(name)!r}; run lm_eval without --gen_kwargs"
            )


def check_prompt(where: str, doc: Mapping[str, Any], prompt: Any) -> None:
    """Refuse a prompt that is not a chat template's rendering of the document's two messages.

    Args:
        where: what has it, for the message.
        doc: the document.
        prompt: text, or the messages themselves where the server applies the template.

    Raises:
        PanelistError: no chat template was applied, or it left a message out.
    """
    system, user = str(doc["system"]), str(doc["user"])
    if isinstance(prompt, str):
        if prompt == system + user:
            raise PanelistError(
                f"{where}: no chat template was applied; run lm_eval with --apply_chat_template"
            )
        # A template may strip a message, and may add words of its own around it.
        _, found, after = prompt.partition(system.strip())
        if found and user.strip() in after:
            return
        what = "user" if found else "system"
        raise PanelistError(
            f"{where}: the {what} message is not in the prompt; the checkpoint's chat template "
            "leaves it out or changes it, so its replies cannot be compared with others"
        )
    messages = _messages(prompt)
    if messages != [("system", system), ("user", user)]:
        raise PanelistError(
            f"{where}: the messages sent are not the document's system and user message, but "
            f"{messages!r:.200}; run lm_eval without --system_instruction and --num_fewshot"
        )


def _messages(prompt: Any) -> Any:
    """Role and content of each message; what is no list of messages stays as it is."""
    if isinstance(prompt, (list, tuple)) and len(prompt) == 1 and isinstance(prompt[0], str):
        try:
            prompt = json.loads(prompt[0])  # how lm-eval keeps messages for a remote server
        except ValueError:
            return prompt
    if not isinstance(prompt, list) or not all(isinstance(item, dict) for item in prompt):
        return prompt
    return [(message.get("role"), message.get("content")) for message in prompt]


def read_lm_eval(samples_path: Path) -> "pd.DataFrame":
    """The tidy table of a samples file of lm-eval (`--log_samples`), one row a reply.

    The columns are those of `panelist.scorers.logs.read_logs`. The run's id is a hash of the file.

    Args:
        samples_path: a `samples_panelist_<behaviour>_replay_<date>.jsonl`.

    Raises:
        PanelistError: the file cannot be read, is not of one run of a replay task, or a line has
            another prompt, other sampling settings or other scores than the task gives.
    """
    import pandas as pd

    try:
        data = samples_path.read_bytes()
        text = data.decode()
    except OSError as ex:
        raise PanelistError(
            f"{samples_path}: cannot read it ({ex.strerror}); give the samples_*.jsonl that "
            "lm_eval writes with --log_samples --output_path"
        ) from ex
    except UnicodeDecodeError as ex:
        raise PanelistError(f"{samples_path}: not a samples file of lm-eval ({ex})") from ex
    run = f"lm-eval-{sha256(data).hexdigest()[:16]}"
    rows: list[dict[str, Any]] = []
    first: dict[str, Any] = {}
    for where, sample in _samples(samples_path, text):
        doc = _document(where, sample)
        first = first or doc
        for field in RUN_FIELDS:
            if doc[field] != first[field]:
                raise PanelistError(
                    f"{where}, {field}: {doc[field]!r}, line 1 has {first[field]!r}; the file "
                    "holds samples of two runs, give them one by one"
                )
        rows.append(_row(where, run, doc, sample))
    _warn_of_copies(samples_path, rows)
    try:
        return check_table(pd.DataFrame(rows))
    except AnalysisError as ex:
        raise PanelistError(f"{samples_path}: {ex}") from ex


def _samples(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line's place and content."""
    if not text.strip():
        raise PanelistError(f"{path}: empty; did lm_eval end before it wrote its samples?")
    # Not splitlines: lm-eval leaves line separators such as U+2028 bare inside its strings.
    for number, line in enumerate(text.rstrip("\n").split("\n"), start=1):
        where = f"{path}, line {number}"
        try:
            sample = json.loads(line)
        except ValueError as ex:
            raise PanelistError(
                f"{where}: not JSON ({ex}); give the samples_*.jsonl of lm_eval --log_samples, "
                "not its results_*.json"
            ) from ex
        if not isinstance(sample, dict):
            raise PanelistError(f"{where}: not a JSON object; is this a samples file of lm-eval?")
        yield where, sample


def _document(where: str, sample: dict[str, Any]) -> dict[str, Any]:
    """The line's document, if a replay task of this benchmark made it."""
    doc = sample.get("doc")
    if not isinstance(doc, dict) or "prompt_sha256" not in doc:
        raise PanelistError(
            f"{where}: not a sample of a panelist replay task; run lm_eval with --include_path "
            "tasks/lm_eval --tasks panelist_hedging_replay --log_samples"
        )
    if lacking := [field for field in FIELDS if field not in doc]:
        raise PanelistError(
            f"{where}: its document lacks {', '.join(lacking)}; it was made by another version of "
            "panelist. Run lm_eval again"
        )
    if doc["behaviour"] not in SCORERS:
        raise PanelistError(
            f"{where}, behaviour: unknown value {doc['behaviour']!r}; there are "
            f"{', '.join(SCORERS)}"
        )
    return doc


def _row(where: str, run: str, doc: dict[str, Any], sample: dict[str, Any]) -> dict[str, Any]:
    reply = _reply(where, doc, sample)
    record = score_reply(doc, reply)
    behaviour: Behaviour = doc["behaviour"]
    values = dict(zip(VALUES[behaviour], outcome(record), strict=True))
    # A newer detector gives other numbers, and the new ones count: a file is re-scored in silence.
    if doc["detector_version"] == default_detector(behaviour).version:
        _check_values(where, values, sample)
    return {
        "run": run,
        "benchmark": doc["benchmark"],
        "bank": doc["bank"],
        "bank_sha256": doc["bank_sha256"],
        "focal": doc["focal"],
        "partner": doc["partner"],
        "partner_kind": doc["partner_kind"],
        "same_turns_as": doc["same_turns_as"] or "",
        "dose": NAN if doc["dose"] is None else float(doc["dose"]),
        "planted": NAN if doc["planted"] is None else float(doc["planted"]),
        "pair": doc["pair"] or "",
        "trouble": doc["trouble"] or "",
        "seed": doc["seed"],
        "domain": doc["domain"],
        "replicate": doc["replicate"],
        "text": focal_turn(doc, reply).text,
        "partner_text": doc["opening"],
        **outcomes({behaviour: record}),
    }


def _reply(where: str, doc: dict[str, Any], sample: dict[str, Any]) -> str:
    """What the backend answered, if it was asked what the task asks."""
    try:
        asked = sample["arguments"]["gen_args_0"]
        prompt, settings = asked["arg_0"], asked["arg_1"]
        [[reply]] = sample["resps"]
    except (KeyError, TypeError, ValueError) as ex:
        raise PanelistError(
            f"{where}: no single reply with its prompt in `arguments` and `resps` ({ex!r}); is "
            "this a samples file of lm-eval?"
        ) from ex
    if not isinstance(reply, str) or not isinstance(settings, dict):
        raise PanelistError(f"{where}: its reply is not a text, or its settings are no mapping")
    check_prompt(where, doc, prompt)
    check_generation(where, settings)
    return reply


def _check_values(where: str, values: dict[str, float], sample: dict[str, Any]) -> None:
    for name, value in values.items():
        logged = sample.get(name)
        same = isinstance(logged, (int, float)) and (
            isclose(logged, value, rel_tol=0, abs_tol=TOLERANCE) or (isnan(logged) and isnan(value))
        )
        if not same:
            raise PanelistError(
                f"{where}, {name}: {logged!r}, but its reply scores {value!r}; was the file "
                "edited? Run lm_eval again"
            )


def _warn_of_copies(path: Path, rows: list[dict[str, Any]]) -> None:
    """Say so where whoever heard the same words always answered the same.

    Replicates and the A/A pair have to be sampled independently, and some of lm-eval's clients send
    every request with one and the same seed.
    """
    heard: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        heard[row["seed"] + "\x1f" + row["partner_text"]].append(row["text"])
    repeated = [texts for texts in heard.values() if len(texts) > 1]
    if repeated and all(len(set(texts)) == 1 for texts in repeated):
        logger.warning(
            f"{path}: the replies to the same words are all the same, in {len(repeated)} of "
            f"{len(repeated)} cases; the backend does not sample them independently (one seed for "
            "every request?), so intervals and the A/A check mean nothing"
        )
