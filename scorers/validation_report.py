"""Validation results as Markdown and JSON, and the status that logs, cards and boards show.

`scorers/VALIDATION.md` and `scorers/validation.json` are made by `panelist validate` and by
nothing else. Neither holds a date, a path or a fact about the machine: the same labels and
detectors give the same bytes anywhere.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from textwrap import fill
from typing import Any

from panelist.scorers.bars import Status, figure
from panelist.scorers.detector import BEHAVIOURS

Results = Mapping[str, Any]
"""What `panelist.scorers.validation.run` returns."""

HEADINGS = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "kappa": "kappa",
    "auc": "AUC",
    "ap": "average precision",
    "spearman": "Spearman",
}

LABEL_MEASURES = tuple(name for name in HEADINGS if name != "spearman")

NONE = "–"


def status_of(behaviour: str, name: str, version: str) -> Status:
    """The status of a detector in the packaged `validation.json`; the only place it comes from.

    A detector that is not there, or is there in another version, is exploratory.
    """
    found = _packaged().get(behaviour, {}).get(name, {})
    proven = found.get("version") == version and found.get("status") == "validated"
    return "validated" if proven else "exploratory"


@lru_cache(maxsize=1)
def _packaged() -> dict[str, Any]:
    file = files("panelist.scorers").joinpath("validation.json")
    if not file.is_file():  # before the first `panelist validate`
        return {}
    return dict(json.loads(file.read_text(encoding="utf-8"))["statuses"])


def to_json(results: Results) -> str:
    """All the results, rounded, for programs."""
    rounded = json.loads(json.dumps(results), parse_float=lambda number: figure(float(number)))
    return json.dumps(rounded, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def statuses_json(results: Results) -> str:
    """What is packaged: the status of each detector, what it missed, and the labels' hashes."""
    statuses: dict[str, dict[str, Any]] = {}
    for detector in results["detectors"]:
        statuses.setdefault(detector["behaviour"], {})[detector["name"]] = {
            "version": detector["version"],
            "status": detector["status"],
            "met": sum(bool(bar["met"]) for bar in detector["bars"]),
            "bars": len(detector["bars"]),
            "missed": [f"{b['bar']}: {b['why']}" for b in detector["bars"] if not b["met"]],
        }
    hashes = {s["file"]: s["sha256"] for s in results["sets"]}
    small = {"statuses": statuses, "labels_sha256": hashes}
    return json.dumps(small, indent=1, ensure_ascii=False) + "\n"


def status_rows(results: Results) -> list[tuple[str, ...]]:
    """Behaviour, detector, version, status, bars met, for each detector."""
    return [
        (
            *(str(detector[field]) for field in ("behaviour", "name", "version", "status")),
            f"{sum(bool(bar['met']) for bar in detector['bars'])} of {len(detector['bars'])}",
        )
        for detector in results["detectors"]
    ]


def missed_rows(results: Results) -> list[tuple[str, ...]]:
    """Behaviour, detector, bar, and why, for each bar that is not met."""
    return [
        (detector["behaviour"], detector["name"], bar["bar"], bar["why"])
        for detector in results["detectors"]
        for bar in detector["bars"]
        if not bar["met"]
    ]


STATUS_HEADER = ("behaviour", "detector", "version", "status", "bars met")
MISSED_HEADER = ("behaviour", "detector", "bar", "missed with")


def to_markdown(results: Results) -> str:
    """The report that is committed as `scorers/VALIDATION.md`."""
    split = results["split"]
    blocks = [
        "# How well the detectors agree with people",
        f"Every detector was run on every `{split}` set of labels for its behaviour. It is called "
        "*validated* when it meets every bar that was set beforehand (`scorers/bars.py`), and "
        "*exploratory* otherwise; nobody types a status.",
        _table(STATUS_HEADER, status_rows(results)),
    ]
    if missed := missed_rows(results):
        blocks += ["What was missed:", _table(MISSED_HEADER, missed)]
    blocks += [
        "**How to read the tables.** A value is followed by its 95 % interval over resampled "
        "conversations. Kappa is agreement beyond chance (0 none, 1 full). AUC is the share of "
        "pairs, one turn with the behaviour and one without, that the detector puts in the right "
        "order (0.5 is a coin). Precision, F1 and average precision depend on the base rate, and "
        "the `test` sets of rare behaviours are balanced, so these three would be lower in the "
        "wild. Where a detector was trained on other conversations of a corpus, the "
        "leave-one-corpus-out table says more about new text than the first one.",
    ]
    for behaviour in BEHAVIOURS:
        if any(d["behaviour"] == behaviour for d in results["detectors"]):
            blocks += _behaviour(results, behaviour)
    return "\n\n".join(_wrapped(block) for block in (*blocks, *_how_made(results))) + "\n"


def _wrapped(block: str) -> str:
    if block.startswith(("#", "|")):
        return block
    return fill(block, 100, break_long_words=False, break_on_hyphens=False)


def _behaviour(results: Results, behaviour: str) -> Iterator[str]:
    of = [d for d in results["detectors"] if d["behaviour"] == behaviour]
    beside = of + [d for d in results["baselines"] if d["behaviour"] == behaviour]
    sets = [s for s in results["sets"] if s["behaviour"] == behaviour]
    yield f"## {behaviour.capitalize()}"
    if not sets:
        yield "There was no labelled set."
        return
    yield _table(
        ("set", "N", "base rate", "conversations", "agreement of people"),
        [
            (_name(s), f"{s['n']}", _value(s["base_rate"]), f"{s['conversations']}", s["ceiling"])
            for s in sets
        ],
    )
    if behaviour == "repair":
        yield 'The question-rule calls every turn that contains a "?" a repair.'
    if labelled := _parts_of(beside, ("all", "bar"), rated=False):
        scores = [(d["name"], _score(d, key)) for key in labelled for d in beside]
        yield _table(
            ("set", "detector", "trained on it", *(HEADINGS[m] for m in LABEL_MEASURES)),
            [
                (_part_name(s), name, ("no", "yes")[s["trained_on"]], *_cells(s, LABEL_MEASURES))
                for name, s in scores
            ],
        )
    if rated := _parts_of(of, ("all", "bar", "author", "length"), rated=True):
        yield (
            "Spearman's rho of the detector's probability and minus the human rating, which says "
            "how assertive a text is:"
        )
        yield _by_detector(of, rated, ("spearman",))
    yield f"### {behaviour.capitalize()}: leave one corpus out"
    yield "Each set scored by a detector that was trained on no set of the same corpus."
    yield _table(("set", "detector", "how", "kappa", "AUC"), _transfer_rows(of))
    if allowed := [(d["name"], row) for d in of for row in d.get("in_corpus", ())]:
        yield f"### {behaviour.capitalize()}: if it might be trained on"
        yield (
            "The weights that ship are trained only on corpora whose licence allows it. Here the "
            "same detector was trained on the set's own train file as well: how much of what it "
            "misses is missing data, and how much is the detector."
        )
        yield _table(
            ("set", "detector", "kappa", "AUC"),
            [(row["corpus"], name, *_cells(row, ("kappa", "auc"))) for name, row in allowed],
        )
    if strata := _parts_of(of, ("length", "author"), rated=False):
        yield f"### {behaviour.capitalize()}: by length and by author"
        yield _by_detector(of, strata, ("kappa", "auc"))


def _transfer_rows(detectors: Sequence[Results]) -> Iterator[tuple[str, ...]]:
    for rows in zip(*(d["transfer"] for d in detectors), strict=True):
        for detector, row in zip(detectors, rows, strict=True):
            yield (row["corpus"], detector["name"], row["how"], *_cells(row, ("kappa", "auc")))
    for d in detectors:
        if d["transfer"]:
            yield ("mean of sets", d["name"], "", "", _estimate(d["transfer_mean"]))


def _by_detector(
    detectors: Sequence[Results], keys: Iterable[tuple[str, ...]], measures: Sequence[str]
) -> str:
    """A row for each part of a set, and a column for each detector and measure."""
    rows = []
    for key in keys:
        scores = [_score(d, key) for d in detectors]
        known = (_name(scores[0]), scores[0]["part"], str(scores[0]["n"]))
        base_rate = [_value(scores[0]["base_rate"])] if measures != ("spearman",) else []
        rows.append((*known, *base_rate, *(c for s in scores for c in _cells(s, measures))))
    columns = [f"{d['name']} {HEADINGS[m]}" for d in detectors for m in measures]
    base = ["base rate"] if measures != ("spearman",) else []
    return _table(("set", "part", "N", *base, *columns), rows)


def _parts_of(
    detectors: Sequence[Results], kinds: Iterable[str], *, rated: bool
) -> list[tuple[str, ...]]:
    """Corpus, split and part of the scores of these kinds, each once."""
    scores = [s for s in detectors[0]["scores"] if s["kind"] in kinds]
    wanted = [s for s in scores if (s["split"] == "rated") == rated]
    return list(dict.fromkeys((s["corpus"], s["split"], s["part"]) for s in wanted))


def _score(detector: Results, key: tuple[str, ...]) -> Any:
    scores = detector["scores"]
    return next(s for s in scores if (s["corpus"], s["split"], s["part"]) == key)


def _cells(score: Results, measures: Iterable[str]) -> tuple[str, ...]:
    return tuple(_estimate(score["measures"].get(m)) for m in measures)


def _estimate(estimate: Mapping[str, float | None] | None) -> str:
    """Such as "0.712 (0.650 to 0.770)"."""
    if estimate is None or estimate["estimate"] is None:
        return NONE
    if estimate["low"] is None:
        return _value(estimate["estimate"])
    low, high = _value(estimate["low"]), _value(estimate["high"])
    return f"{_value(estimate['estimate'])} ({low} to {high})"


def _value(value: float | None) -> str:
    return NONE if value is None else f"{figure(value):.3f}"


def _name(of: Results) -> str:
    return f"{of['corpus']}.rated" if of["split"] == "rated" else str(of["corpus"])


def _part_name(score: Results) -> str:
    return _name(score) if score["part"] == "all" else f"{_name(score)}, {score['part']}"


def _how_made(results: Results) -> Iterator[str]:
    bootstrap = results["bootstrap"]
    split = "" if results["split"] == "test" else f" --split {results['split']}"
    split += f" --limit {results['limit']}" if results.get("limit") else ""
    yield "## How this was made"
    yield (
        f"`panelist validate{split}`, which reads labels that are not in this repository "
        "(`scorers/labelled.py` says in what form) and writes this file."
    )
    everyone = [*results["detectors"], *results["baselines"]]
    yield _table(
        ("detector", "version", "behaviour", "trained on"),
        [
            (d["name"], d["version"], d["behaviour"], ", ".join(d["trained_on"]) or "nothing")
            for d in everyone
        ],
    )
    yield _table(("labels", "sha256"), [(s["file"], s["sha256"]) for s in results["sets"]])
    yield (
        f"Intervals: {bootstrap['replicates']} resamples of whole conversations, seed "
        f"{bootstrap['seed']}, percentiles at the {100 * bootstrap['level']:g} % level; texts "
        "without a conversation count as one each, which makes their intervals too narrow where "
        "they answer the same question, and the mean over sets takes the sets as independent. "
        f"{_left_out(everyone)} A text in which a detector finds no words has probability 0: "
        f"{_unscored(everyone)}. An asterisk (*) marks agreement of people that is quoted from "
        "memory of the literature, often for a whole tag set, and was not checked."
    )
    yield (
        "Licences: some of these corpora are not free to pass on or have no licence. No text, id "
        "or conversation of theirs is in this file or in `validation.json`, only counts and hashes."
    )


def _left_out(detectors: Sequence[Results]) -> str:
    counts = {  # the same for every detector: it is the labels that lack a class
        _part_name(score): score["measures"]["auc"]["left_out"]
        for detector in detectors
        for score in detector["scores"]
        if score["kind"] in ("all", "bar") and "auc" in score["measures"]
    }
    said = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    return f"Resamples left out for having one class only: {said or 'none, but for parts of sets'}."


def _unscored(detectors: Sequence[Results]) -> str:
    counts = [
        f"{score['unscored']} of {_name(score)} in {detector['name']}"
        for detector in detectors
        for score in detector["scores"]
        if score["kind"] == "all" and score["unscored"]
    ]
    return ", ".join(counts) or "none here"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns line up as plain text too."""
    cells = [[cell.replace("|", "\\|").replace("<", "&lt;") for cell in r] for r in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    padded = [[cell.ljust(w) for cell, w in zip(row, widths, strict=True)] for row in cells]
    rule = ["-" * width for width in widths]
    return "\n".join(f"| {' | '.join(row)} |" for row in (padded[0], rule, *padded[1:]))
