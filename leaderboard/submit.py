"""`panelist submit`: runs to a folder that the board takes, complete or not at all."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import panelist
from panelist.leaderboard.check_private import mask_keys
from panelist.leaderboard.submission import (
    ATTESTATIONS,
    FORMAT,
    MANIFEST,
    ORDER,
    REASONING,
    RUN,
    SCHEMA,
    TRANSCRIPTS,
    canonical,
    folder_name,
)
from panelist.leaderboard.transcripts import PanelRun, panel_runs
from panelist.leaderboard.verify import verify
from panelist.leaderboard.weights import weights_of
from panelist.panels.bank import BANKS, find_bank
from panelist.panels.chain import Turn
from panelist.panels.coverage import covered_seeds
from panelist.panels.errors import PanelistError
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier

SAMPLING = ("temperature", "top_p", "top_k", "max_tokens")

HARMLESS = frozenset(
    "max_retries timeout attempt_timeout stream_idle_timeout max_connections adaptive_connections "
    "logprobs top_logprobs prompt_logprobs cache_prompt fail_on_refusal reasoning_summary batch "
    "parallel_tool_calls max_tool_output".split()
)
"""Other settings of Inspect's that replies do not depend on."""


@dataclass(frozen=True)
class Submitter:
    """Who gives transcripts to the board, and how.

    Attributes:
        name: of the person or organisation, as on the Hub.
        licence: SPDX id, of the transcripts.
        attested: whether they state all of `submission.ATTESTATIONS`.
        source: https address of the checkpoint; "" for none.
        hardware: in words.
        revision: commit of the weights' repository, where it cannot be seen from the runs.
    """

    name: str
    licence: str
    attested: bool
    source: str = ""
    hardware: str = ""
    revision: str | None = None


def submit(
    paths: Sequence[Path], output: Path, submitter: Submitter, *, registry: Path | None = None
) -> list[Path]:
    """Make a submission of every checkpoint in some logs or corpora.

    Args:
        paths: Inspect logs, or corpora; one run of each panel and checkpoint.
        output: folder for the submissions' folders.
        submitter: who gives them.
        registry: a YAML file of checkpoints beside those that ship.

    Returns:
        The folders, in the order of the checkpoints' names.

    Raises:
        PanelistError: a run is not what the board takes; nothing is written, and the message lists
            the faults.
    """
    runs: dict[str, list[PanelRun]] = {}
    for one in panel_runs(paths):
        runs.setdefault(str(one.record["focal"]), []).append(one)
    output.mkdir(parents=True, exist_ok=True)
    made = []
    # Beside its target, so that a whole folder can be renamed into place.
    with TemporaryDirectory(prefix=".submission-", dir=output) as scratch:
        for name in sorted(runs):
            folder = _write(Path(scratch), runs[name], submitter)
            if faults := verify(folder, registry=registry):
                listed = "\n".join(f"  {fault}" for fault in faults)
                raise PanelistError(
                    f"{name}: not what the board takes, so nothing was written:\n{listed}"
                )
            made.append(folder)
        return [_placed(folder, output) for folder in made]


def _placed(folder: Path, output: Path) -> Path:
    target = output / folder.name
    if not target.exists():  # of the same name is of the same content
        folder.rename(target)
        target.chmod(0o755)
    return target


def _write(scratch: Path, runs: Sequence[PanelRun], submitter: Submitter) -> Path:
    record = _shared(runs)
    checkpoint = record["checkpoint"]
    if checkpoint is None:
        raise PanelistError(
            f"{runs[0].source}: {record['focal']} is in no registry of checkpoints, so family and "
            "recipe are not known; run it again with -T checkpoint=NAME, or for a new one with "
            "-T checkpoint='{name: ..., family: ..., base: ..., recipe: ...}', and give the same "
            "row of the board's checkpoints.yaml with --registry"
        )
    rows = [row for one in runs for row in _rows(one)]
    table = pa.Table.from_pylist(rows, SCHEMA).sort_by([(name, "ascending") for name in ORDER])
    said_of_run = canonical(
        {
            "runs": sorted((one.run for one in runs), key=lambda run: str(run["panel"])),
            "failed": [
                {"panel": panel, "partner": p, "seed": s, "replicate": r, "error": error}
                for panel, p, s, r, error in sorted(
                    (one.panel, *f) for one in runs for f in one.failed
                )
            ],
            "output_tokens": _total([one.output_tokens for one in runs]),
        }
    )
    whole = scratch / "new"
    whole.mkdir()
    pq.write_table(table, whole / TRANSCRIPTS, compression="zstd")
    (whole / RUN).write_bytes(said_of_run)
    data = (whole / TRANSCRIPTS).read_bytes()
    manifest = canonical(
        {
            "format": FORMAT,
            "benchmark": record["benchmark"],
            "prompt_sha256": record["prompt_sha256"],
            "package": {"version": record["package"], **checkout()},
            "checkpoint": {
                "name": record["focal"],
                **{key: checkpoint[key] for key in ("family", "base", "recipe")},
                "model": _public(record["model"]),
                "weights": weights_of(record, submitter.revision),
            },
            "runtime": record["runtime"],
            "hardware": submitter.hardware,
            "sampling": {k: v for k, v in record["sampling"].items() if k in SAMPLING},
            "base_seed": record["base_seed"],
            "panels": {one.panel: _panel(one) for one in runs},
            "submitter": submitter.name,
            "source": submitter.source,
            "licence": submitter.licence,
            "attestations": dict.fromkeys(ATTESTATIONS, submitter.attested),
            "files": {
                RUN: {"bytes": len(said_of_run), "sha256": sha256(said_of_run).hexdigest()},
                TRANSCRIPTS: {
                    "bytes": len(data),
                    "rows": len(table),
                    "sha256": sha256(data).hexdigest(),
                },
            },
        }
    )
    (whole / MANIFEST).write_bytes(manifest)
    return whole.rename(scratch / folder_name(record["focal"], manifest))


def _public(model: str) -> str:
    """A model's name without the folder that it lies in here, which is nobody's business."""
    provider, _, name = model.partition("/")
    return f"{provider}/{Path(name).name}" if name.startswith(("/", ".", "~")) else model


def _shared(runs: Sequence[PanelRun]) -> dict[str, Any]:
    """The run record of a checkpoint's runs, which must say the same of what ran it."""
    first = runs[0]
    for other in runs[1:]:
        for key in ("benchmark", "prompt_sha256", "package", "model", "checkpoint", "runtime",
                    "base_seed", "sampling"):  # fmt: skip
            if other.record[key] != first.record[key]:
                raise PanelistError(
                    f"{other.source}, {key}: {other.record[key]!r}, but {first.record[key]!r} in "
                    f"{first.source}; the panels of a submission are run with one setting. Run one "
                    "of them again, or submit them apart"
                )
    for key, value in first.record["sampling"].items():
        if key not in HARMLESS.union(SAMPLING):
            raise PanelistError(
                f"{first.source}, sampling, {key}: {value!r}; the benchmark sets "
                f"{', '.join(SAMPLING)} and nothing else, since replies depend on it. Run it again "
                "without"
            )
    return first.record


def _panel(one: PanelRun) -> dict[str, Any]:
    record = one.record
    tier = find_tier(record["tier"])
    bank = find_bank(BANKS[one.panel])
    seeds = len(covered_seeds(shipped_seeds(), bank, tier))
    return {
        "bank": record["bank"],
        "bank_sha256": record["bank_sha256"],
        "tier": record["tier"],
        "seeds": seeds,
        "replies": tier.replies,
        "chains": seeds * tier.replies * len(bank.partners),
        "failed": len(one.failed),
    }


def _rows(one: PanelRun) -> list[dict[str, Any]]:
    return [
        {
            "panel": one.panel,
            "partner": partner,
            "seed": seed,
            "replicate": replicate,
            "turn": turn.index,
            "chain": chain,
            "role": turn.role,
            "speaker": turn.speaker,
            "text": _told(turn, turn.text),
            # Cut once more where it is masked: half a key is still one.
            "reasoning": _told(turn, turn.reasoning[: 4 * REASONING])[:REASONING],
            "stop_reason": turn.stop_reason,
            "output_tokens": turn.output_tokens,
            "max_tokens": turn.max_tokens,
        }
        for partner, seed, replicate, chain, turns in one.chains
        for turn in turns
    ]


def _told(turn: Turn, text: str) -> str:
    """What is published of what a turn says: a partner's words are the bank's."""
    if turn.role != "focal":
        return text
    # Few tools read on after NUL.
    return mask_keys(text).replace("\x00", "\ufffd")


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def checkout() -> dict[str, Any]:
    """Commit of the checkout that panelist runs from, and whether it has been edited since."""
    here = Path(panelist.__file__).parents[1]
    if not (here / ".git").exists():  # installed
        return {"git": None, "dirty": False}

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True)
        return done.stdout.strip()

    return {
        "git": git("rev-parse", "HEAD") or None,
        "dirty": bool(git("status", "--porcelain", "-uno")),
    }
