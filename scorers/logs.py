"""Inspect logs to the tidy table of replies (`panelist.analysis.table`), and what was run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSample, list_eval_logs, read_eval_log
from inspect_ai.scorer import Score

from panelist.analysis.table import BEHAVIOURS, check_table
from panelist.panels.chain import CHAIN_KEY, Chain
from panelist.panels.errors import PanelistError
from panelist.panels.logs import read_log
from panelist.panels.record import FIELDS
from panelist.scorers.rows import NAN, no_outcome, outcomes

SAMPLING_FIELDS = ("temperature", "top_p", "top_k", "max_tokens")
"""Sampling settings that replies depend on."""


@dataclass(frozen=True)
class Run:
    """One log: the run record of `panelist.panels.record`, and how the run went.

    Attributes:
        path: the log file.
        id: Inspect's eval id.
        status: success, cancelled, error or started.
        created: ISO time.
        record: the run record.
        behaviour: what its task is about.
        detectors: name, version and status of the detector of each behaviour scored.
        expected: replies the run set out for; found: those in the log, failed ones included.
        superseded: logs of earlier tries of the same run, which `inspect eval-retry` went on from.
        output_tokens: tokens generated, None if the engine does not say.
    """

    path: Path
    id: str
    status: str
    created: str
    record: dict[str, Any]
    behaviour: str
    detectors: dict[str, dict[str, str]]
    expected: int
    found: int
    output_tokens: int | None
    superseded: tuple[Path, ...] = ()

    @property
    def detector(self) -> dict[str, str]:
        """The detector of the task's own behaviour."""
        return self.detectors[self.behaviour]


def read_logs(
    paths: Sequence[Path], *, behaviour: str | None = None
) -> tuple[list[Run], pd.DataFrame]:
    """The runs and their replies, one row a focal turn.

    Args:
        paths: logs, or folders of them; logs of opening turns are passed over.
        behaviour: only logs of this behaviour's task.

    Raises:
        PanelistError: a path holds no log, a log is unreadable, empty, of another task or without
            scores; the logs are of different behaviours, benchmark versions, banks or detectors.
    """
    logs: list[tuple[Run, EvalLog]] = []
    found = [(path, log) for path in log_files(paths) if (log := read_panel_log(path, behaviour))]
    if not found:
        what = f"of {behaviour}" if behaviour else "of replies"
        raise PanelistError(f"{', '.join(map(str, paths))}: no log {what} in it")
    for attempts in tries(found):
        path, log = attempts[0]
        check_samples(path, log)
        run = replace(_run(path, log), superseded=tuple(path for path, _ in attempts[1:]))
        logs.append((run, log))
    runs = [run for run, _ in logs]
    _comparable(runs)
    # A column is of use only where every run has it.
    measured = [b for b in runs[0].detectors if all(b in run.detectors for run in runs)]
    rows = [row for run, log in logs for s in log.samples or [] for row in _rows(run, s, measured)]
    return runs, check_table(pd.DataFrame(rows))


def tries(logs: list[tuple[Path, EvalLog]]) -> list[list[tuple[Path, EvalLog]]]:
    """The logs of each run, the most complete first: a retry keeps the task id of what it retries.

    A log given twice is not two tries: it stays in twice, and is refused as such later.
    """
    runs: dict[str, list[tuple[Path, EvalLog]]] = {}
    for path, log in logs:
        same = runs.setdefault(log.eval.task_id, [])
        if any(log.eval.eval_id == other.eval.eval_id for _, other in same):
            runs[f"{log.eval.task_id} {path} {len(runs)}"] = [(path, log)]
        else:
            same.append((path, log))

    def complete(item: tuple[Path, EvalLog]) -> tuple[int, str]:
        return sum(s.error is None for s in item[1].samples or []), item[1].eval.created

    return [sorted(same, key=complete, reverse=True) for same in runs.values()]


def log_files(paths: Sequence[Path]) -> list[Path]:
    """The logs at some paths, folders looked through.

    Raises:
        PanelistError: a path is none, or holds no log.
    """
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


def read_panel_log(
    path: Path, behaviour: str | None = None, *, header: bool = False
) -> EvalLog | None:
    """A log of replies; None for one of opening turns, or of another behaviour than the asked.

    Args:
        path: the log.
        behaviour: the one that is asked for; None for any.
        header: without its samples, which is fast.

    Raises:
        PanelistError: it is not a log, or not one of a panel task of this version.
    """
    try:
        log = read_eval_log(str(path), header_only=True) if header else read_log(path)
    except Exception as ex:  # zip, JSON and validation errors alike: the file is not a log
        raise PanelistError(f"{path}: not a readable Inspect log ({ex})") from ex
    if "panelist" not in (log.eval.metadata or {}):
        raise PanelistError(
            f"{path}: a log of the task {log.eval.task!r}, not of a panel task; give logs of "
            "panelist/panel_hedging, panel_repair or panel_challenge"
        )
    record = (log.eval.metadata or {})["panelist"]
    if lacking := [field for field in FIELDS if field not in record]:
        raise PanelistError(
            f"{path}: its run record lacks {', '.join(lacking)}; it was made by another version of "
            f"panelist ({record.get('package', 'unknown')}). Run it again"
        )
    if record["behaviour"] == "openings" or behaviour not in (None, record["behaviour"]):
        return None
    return log


def check_samples(path: Path, log: EvalLog) -> None:
    """Refuse a log without samples."""
    if not log.samples:
        raise PanelistError(
            f"{path}: an empty log: the run has status {log.status!r} and no sample; run "
            "`inspect eval-retry` on it, or run it again"
        )


def _run(path: Path, log: EvalLog) -> Run:
    samples = log.samples or []
    record = (log.eval.metadata or {})["panelist"]
    detectors: dict[str, dict[str, str]] = {}
    for sample in samples:
        for behaviour, score in scores_of(sample).items():
            said = score.metadata or {}
            keys = {"name": "detector", "version": "detector_version", "status": "detector_status"}
            detectors.setdefault(behaviour, {new: str(said[old]) for new, old in keys.items()})
    errors = [sample.error.message for sample in samples if sample.error is not None]
    if len(errors) == len(samples):
        raise PanelistError(
            f"{path}: all {len(samples)} samples failed, the first with: {errors[0]}; mend the "
            "cause and run `inspect eval-retry` on it"
        )
    if (behaviour := record["behaviour"]) not in detectors:
        raise PanelistError(
            f"{path}: no {behaviour} scores; score it with "
            f"`inspect score {path.name} --scorer panelist/{behaviour}`"
        )
    used = [usage.output_tokens for usage in log.stats.model_usage.values()]
    return Run(
        path=path,
        id=log.eval.eval_id,
        status=log.status,
        created=log.eval.created,
        record=record,
        behaviour=behaviour,
        detectors=detectors,
        expected=len(log.eval.dataset.sample_ids or []) * (log.eval.config.epochs or 1),
        found=len(samples),
        output_tokens=sum(used) or None,
    )


def scores_of(sample: EvalSample) -> dict[str, Score]:
    """The score of each behaviour; the first where several detectors scored one."""
    found: dict[str, Score] = {}
    for score in (sample.scores or {}).values():
        if (behaviour := (score.metadata or {}).get("behaviour")) in BEHAVIOURS:
            found.setdefault(str(behaviour), score)
    return found


def _rows(run: Run, sample: EvalSample, measured: Sequence[str]) -> list[dict[str, Any]]:
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
        "planted": NAN if facts["planted"] is None else float(facts["planted"]),
        "pair": facts["pair"] or "",
        "trouble": facts["trouble"] or "",
        "seed": facts["seed"],
        "domain": facts["domain"],
        "replicate": sample.epoch,
    }
    scores = scores_of(sample)
    data = sample.store.get(CHAIN_KEY)
    if sample.error is not None or data is None or not set(measured) <= scores.keys():
        return [common | {"turn": facts["reply_turn"], **no_outcome(measured)}]
    texts = {turn.index: turn.text for turn in Chain.from_dict(data).turns}
    by_turn = zip(*((scores[b].metadata or {})["turns"] for b in measured), strict=True)
    return [
        common
        | {"text": texts[seen[0]["turn"]], "partner_text": texts[seen[0]["turn"] - 1]}
        | outcomes(dict(zip(measured, seen, strict=True)))
        for seen in by_turn
    ]


def _comparable(runs: Sequence[Run]) -> None:
    """Refuse to lay runs side by side that measured different things."""
    facts: dict[str, Callable[[Run], str]] = {
        "behaviours": lambda run: run.behaviour,
        "benchmark versions": lambda run: str(run.record["benchmark"]),
        "prompts": lambda run: str(run.record["prompt_sha256"]),
        "partner banks": lambda run: str(run.record["bank_sha256"]),
        "detectors": lambda run: f"{run.detector['name']} {run.detector['version']}",
    }
    for what, fact in facts.items():
        _one(what, runs, fact)
    for focal in {run.record["focal"] for run in runs}:
        own = [run for run in runs if run.record["focal"] == focal]
        _one(f"settings of {focal}", own, _settings)


def _settings(run: Run) -> str:
    """What has to be the same in two runs that one card is about."""
    record = run.record
    sampling = {k: v for k, v in record["sampling"].items() if k in SAMPLING_FIELDS}
    return f"{record['model']}, {sampling}, {record['turns']} turns, {record['runtime']}"


def _one(what: str, runs: Sequence[Run], fact: Callable[[Run], str]) -> None:
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
