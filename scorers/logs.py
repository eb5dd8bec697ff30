"""Inspect logs to the tidy table of replies (`panelist.analysis.table`), and what was run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSample, list_eval_logs, read_eval_log
from inspect_ai.scorer import Score

from panelist.analysis.table import check_table
from panelist.panels.chain import CHAIN_KEY, Chain
from panelist.panels.errors import PanelistError
from panelist.panels.record import FIELDS

NAN = float("nan")


@dataclass(frozen=True)
class Run:
    """One log: the run record of `panelist.panels.record`, and how the run went.

    Attributes:
        path: the log file.
        id: Inspect's eval id.
        status: success, cancelled, error or started.
        created: ISO time.
        record: the run record.
        detector: name, version and status of the detector.
        expected: replies the run set out for; found: samples in the log.
        output_tokens: tokens generated, None if the engine does not say.
    """

    path: Path
    id: str
    status: str
    created: str
    record: dict[str, Any]
    detector: dict[str, str]
    expected: int
    found: int
    output_tokens: int | None


def read_logs(paths: Sequence[Path]) -> tuple[list[Run], pd.DataFrame]:
    """The runs and their replies, one row a focal turn.

    Raises:
        PanelistError: a path holds no log, a log is unreadable, empty, of another task or without
            hedging scores; the logs are of different benchmark versions, banks or detectors.
    """
    runs: list[Run] = []
    rows: list[dict[str, Any]] = []
    for path in _log_files(paths):
        log = _read(path)
        run = _run(path, log)
        runs.append(run)
        for sample in log.samples or []:
            rows.extend(_rows(run, sample))
    _comparable(runs)
    return runs, check_table(pd.DataFrame(rows))


def _log_files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [Path(info.name.removeprefix("file://")) for info in list_eval_logs(str(path))]
            if not inside:
                raise PanelistError(f"{path}: no Inspect log in this folder")
            found.extend(inside)
        elif path.is_file():
            found.append(path)
        else:
            raise PanelistError(f"{path}: no such log; give a .eval file or a folder of them")
    return found


def _read(path: Path) -> EvalLog:
    try:
        log = read_eval_log(str(path), exclude_fields={"events", "attachments", "messages"})
    except Exception as ex:  # zip, JSON and validation errors alike: the file is not a log
        raise PanelistError(f"{path}: not a readable Inspect log ({ex})") from ex
    if "panelist" not in (log.eval.metadata or {}):
        raise PanelistError(
            f"{path}: a log of the task {log.eval.task!r}, not of a panel task; give logs of "
            "panelist/panel_hedging"
        )
    record = (log.eval.metadata or {})["panelist"]
    if lacking := [field for field in FIELDS if field not in record]:
        raise PanelistError(
            f"{path}: its run record lacks {', '.join(lacking)}; it was made by another version of "
            f"panelist ({record.get('package', 'unknown')}). Run it again"
        )
    if not log.samples:
        raise PanelistError(
            f"{path}: an empty log: the run has status {log.status!r} and no sample; run "
            "`inspect eval-retry` on it, or run it again"
        )
    return log


def _run(path: Path, log: EvalLog) -> Run:
    samples = log.samples or []
    scores = [score for sample in samples if (score := _score(sample)) is not None]
    if not scores:
        raise PanelistError(
            f"{path}: no hedging scores; score it with "
            f"`inspect score {path.name} --scorer panelist/hedging`"
        )
    said = scores[0].metadata or {}
    used = [usage.output_tokens for usage in log.stats.model_usage.values()]
    return Run(
        path=path,
        id=log.eval.eval_id,
        status=log.status,
        created=log.eval.created,
        record=(log.eval.metadata or {})["panelist"],
        detector={
            "name": said["detector"],
            "version": said["detector_version"],
            "status": said["detector_status"],
        },
        expected=(log.results.total_samples if log.results else len(samples)),
        found=len(samples),
        output_tokens=sum(used) or None,
    )


def _score(sample: EvalSample) -> Score | None:
    for score in (sample.scores or {}).values():
        if (score.metadata or {}).get("behaviour") == "hedging":
            return score
    return None


def _rows(run: Run, sample: EvalSample) -> list[dict[str, Any]]:
    facts = sample.metadata
    common = {
        "run": run.id,
        "benchmark": run.record["benchmark"],
        "bank": run.record["bank"],
        "bank_sha256": run.record["bank_sha256"],
        "focal": facts["focal"],
        "partner": facts["partner"],
        "partner_kind": facts["partner_kind"],
        "same_turns_as": facts["same_turns_as"] or "",
        "dose": NAN if facts["dose"] is None else float(facts["dose"]),
        "seed": facts["seed"],
        "domain": facts["domain"],
        "replicate": sample.epoch,
    }
    score = _score(sample)
    data = sample.store.get(CHAIN_KEY)
    if sample.error is not None or score is None or data is None:
        return [common | {"turn": 2, "status": "error", **dict.fromkeys(_OUTCOMES, NAN)}]
    texts = {turn.index: turn.text for turn in Chain.from_dict(data).turns}
    return [
        common
        | {"text": texts[seen["turn"]], "partner_text": texts[seen["turn"] - 1]}
        | _outcomes(seen)
        for seen in (score.metadata or {})["turns"]
    ]


_OUTCOMES = (
    "words",
    "window_words",
    "partner_words",
    "partner_hedging_cues",
    "sentences",
    "hedging",
    "hedging_cues",
    "hedging_window_cues",
    "hedging_sentences",
)


def _outcomes(seen: dict[str, Any]) -> dict[str, Any]:
    scored = seen["status"] in ("ok", "truncated")
    numbers = {
        "words": seen["words"],
        "window_words": seen["window_words"],
        "sentences": seen["sentences"],
        "hedging": int(seen["cues"] > 0),
        "hedging_cues": seen["cues"],
        "hedging_window_cues": seen["window_cues"],
        "hedging_sentences": seen["hedged_sentences"],
    }
    return {
        "turn": seen["turn"],
        "status": seen["status"],
        "spans": seen["spans"],
        "partner_words": float(seen["partner_words"]),
        "partner_hedging_cues": float(seen["partner_cues"]),
        **{name: float(value) if scored else NAN for name, value in numbers.items()},
    }


def _comparable(runs: Sequence[Run]) -> None:
    """Refuse to lay runs side by side that measured different things."""
    facts: dict[str, Callable[[Run], str]] = {
        "benchmark versions": lambda run: str(run.record["benchmark"]),
        "partner banks": lambda run: str(run.record["bank_sha256"]),
        "detectors": lambda run: f"{run.detector['name']} {run.detector['version']}",
    }
    for what, fact in facts.items():
        seen: dict[str, Path] = {}
        for run in runs:
            if value := fact(run):
                seen.setdefault(value, run.path)
        if len(seen) > 1:
            listed = "; ".join(f"{value} in {path}" for value, path in seen.items())
            raise PanelistError(
                f"mixed {what}: {listed}. Replies are compared only within one; give logs of one, "
                "or re-score (`inspect score`) or re-run the others"
            )
