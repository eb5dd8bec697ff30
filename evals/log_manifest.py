"""The manifest of a corpus from the run records of Inspect logs."""

from collections.abc import Iterator
from dataclasses import fields, replace
from hashlib import sha256
from itertools import chain as joined
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig

from panelist.evals.batch_plan import sampling_of
from panelist.panels.checkpoint import Checkpoint
from panelist.panels.errors import PanelistError
from panelist.panels.manifest import BY_SEED, IMPORT, Manifest, grown, partner_of
from panelist.scorers.logs import scores_of


def record_of(log: EvalLog) -> dict[str, Any]:
    """The run record of a log."""
    found: dict[str, Any] = (log.eval.metadata or {})["panelist"]
    return found


def manifest_of(name: str, log: EvalLog) -> Manifest:
    """What a corpus of this log alone would say.

    Args:
        name: of the corpus.
        log: of a panel task; a header alone knows neither seeds nor words.
    """
    record, samples = record_of(log), log.samples or []
    ids = log.eval.dataset.sample_ids or [sample.id for sample in samples]
    place = {sample: at for at, sample in enumerate(ids)}
    seeds: dict[str, dict[str, str]] = {}
    by_seed: dict[str, dict[str, dict[str, str]]] = {
        said["name"]: {key: {} for key in BY_SEED} for said in record["partners"]
    }
    for sample in sorted(samples, key=lambda s: (place.get(s.id, len(ids)), s.epoch)):
        facts = sample.metadata
        seeds[facts["seed"]] = {"domain": facts["domain"], "question": facts["question"]}
        if facts["opening"] is not None:
            digest = sha256(facts["opening"].encode()).hexdigest()[:16]
            by_seed[facts["partner"]]["words"][facts["seed"]] = digest
        if facts["trouble"]:
            by_seed[facts["partner"]]["trouble"][facts["seed"]] = facts["trouble"]
    asked: dict[str, set[str]] = {}
    for sample_id in ids:
        seed, _, partner = str(sample_id).partition(":")
        asked.setdefault(partner, set()).add(seed)
    replies = max([log.eval.config.epochs or 1, *(sample.epoch for sample in samples)])
    scored = joined.from_iterable(scores_of(sample) for sample in samples)
    unknown = {column.name: None for column in fields(Checkpoint)} | {"name": record["focal"]}
    return Manifest(
        design={"name": name, "kind": IMPORT},
        behaviours=list(dict.fromkeys([record["behaviour"], *scored])),
        package=record["package"],
        benchmark=record["benchmark"],
        prompt_sha256=record["prompt_sha256"],
        turns=record["turns"],
        bank=record["bank"],
        bank_sha256=record["bank_sha256"],
        base_seed=record["base_seed"],
        checkpoints={
            record["focal"]: {
                "row": (record["checkpoint"] or unknown) | {"model": record["model"]},
                "args": {},
                "sampling": sampling_of(GenerateConfig.model_validate(record["sampling"])),
                "runtime": record["runtime"],
            }
        },
        partners={
            said["name"]: said | {"reply_turn": partner_of(said).reply_turn} | by_seed[said["name"]]
            for said in record["partners"]
        },
        seeds=seeds,
        asked={
            record["focal"]: {partner: (len(those), replies) for partner, those in asked.items()}
        },
    )


def with_log(old: Manifest | None, new: Manifest, path: Path, corpus: Path) -> Manifest:
    """What a corpus' manifest becomes with that of a log.

    Args:
        old: as it is; None for a new corpus.
        new: of the log (`manifest_of`).
        path, corpus: where they lie, for the message.

    Raises:
        PanelistError: their replies cannot be compared; the message names the field.
    """
    if old is None:
        return new
    for what, before, now in _settled(old, new):
        if before and now and before != now:
            raise PanelistError(
                f"{path}: its {what} is {now!r}, and that of {corpus} is {before!r}; replies of "
                "both cannot be compared. Name another folder with -o"
            )
    try:
        made = grown(old, new, corpus)
    except PanelistError as ex:
        raise PanelistError(f"{path}: it does not fit into the corpus. {ex}") from ex
    checkpoints = {
        name: {**said, "runtime": said["runtime"] or new.checkpoints.get(name, said)["runtime"]}
        for name, said in made.checkpoints.items()
    }
    return replace(
        made,
        design=old.design,
        checkpoints=checkpoints,
        bank=old.bank or new.bank,  # a run with live partners alone has none
        bank_sha256=old.bank_sha256 or new.bank_sha256,
    )


def _settled(old: Manifest, new: Manifest) -> Iterator[tuple[str, Any, Any]]:
    """What `grown` leaves to who runs a design."""
    yield "behaviour", old.behaviours[0], new.behaviours[0]
    yield "partner bank (sha256)", old.bank_sha256, new.bank_sha256
    for name in old.checkpoints.keys() & new.checkpoints.keys():
        before, now = (manifest.checkpoints[name]["runtime"] for manifest in (old, new))
        yield f"runtime of {name}", before, now
