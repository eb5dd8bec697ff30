"""Where submissions come from: Inspect logs, or corpora of the batch engine, as chains."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panelist.leaderboard.check_private import mask_private
from panelist.leaderboard.faults import shown
from panelist.panels.bank import BANKS, find_bank
from panelist.panels.chain import Chain, Turn
from panelist.panels.corpus import TURNS, parts, read_part, turns_of
from panelist.panels.coverage import covered_seeds
from panelist.panels.errors import PanelistError
from panelist.panels.manifest import Manifest, corpora_in, read_manifest, record_in
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier

Failed = tuple[str, str, int, str]
"""A chain that failed: partner, seed, replicate, what went wrong."""


@dataclass(frozen=True)
class PanelRun:
    """What one checkpoint said to one panel.

    Attributes:
        source: the log or corpus, for messages.
        record: as `panels.record` makes it.
        run: id, panel, started, completed, status.
        chains: (partner, seed, replicate, id, turns) of every whole chain.
        failed: chains that failed.
        output_tokens: generated; None where the engine does not say.
    """

    source: Path
    record: dict[str, Any]
    run: dict[str, Any]
    chains: list[tuple[str, str, int, str, tuple[Turn, ...]]]
    failed: list[Failed]
    output_tokens: int | None

    @property
    def panel(self) -> str:
        """The behaviour whose bank was replied to."""
        return str(self.record["behaviour"])


def panel_runs(paths: Sequence[Path]) -> list[PanelRun]:
    """The runs at some paths, each focal's panels apart.

    Args:
        paths: Inspect logs and folders of them, or corpora and folders of them; not both.

    Raises:
        PanelistError: nothing is there, or one panel of one checkpoint was run more than once.
    """
    corpora = [path for given in paths for path in corpora_in(given)]
    made = list(_of_corpora(corpora)) if corpora else list(_of_logs(paths))
    seen: dict[tuple[str, str], Path] = {}
    for one in made:
        key = (one.record["focal"], one.panel)
        if key in seen:
            raise PanelistError(
                f"{one.source}: a second run of {key[0]} with the {key[1]} panel, beside "
                f"{seen[key]}; a submission is one run of each panel, so give one of the two"
            )
        seen[key] = one.source
    return made


def _of_logs(paths: Sequence[Path]) -> Iterator[PanelRun]:
    from panelist.panels.chain import CHAIN_KEY
    from panelist.scorers.logs import log_files, read_panel_log, tries

    found = [(path, log) for path in log_files(paths) if (log := read_panel_log(path)) is not None]
    if not found:
        raise PanelistError(f"{', '.join(map(str, paths))}: no log of replies in it")
    for attempts in tries(found):
        path, log = attempts[0]
        record = (log.eval.metadata or {})["panelist"]
        chains, failed = [], []
        for sample in log.samples or []:
            facts, data = sample.metadata, sample.store.get(CHAIN_KEY)
            where = (str(facts["partner"]), str(facts["seed"]), int(sample.epoch))
            if sample.error is not None or data is None:
                said = sample.error.message if sample.error else "ended before the reply"
                # Masked before it is cut: half a key is still one.
                failed.append((*where, mask_private(shown(said, 3000))[:300]))
            else:
                chain = Chain.from_dict(data)
                chains.append((*where, chain.id, chain.turns))
        run = {
            "id": log.eval.eval_id,
            "panel": record["behaviour"],
            "started": log.stats.started_at or log.eval.created,
            "completed": log.stats.completed_at or None,
            "status": log.status,
        }
        used = [usage.output_tokens for usage in log.stats.model_usage.values()]
        yield PanelRun(path, record, run, chains, failed, sum(used) or None)


def _of_corpora(corpora: Sequence[Path]) -> Iterator[PanelRun]:
    for corpus in corpora:
        manifest = read_manifest(corpus)
        for focal in manifest.checkpoints:
            record = record_in(manifest, focal)
            chains = []
            tokens = 0
            for part in parts(corpus / TURNS):
                if part.focal != focal:
                    continue
                table = read_part(part)
                keys = {
                    chain: (seed, replicate)
                    for chain, seed, replicate in zip(
                        *(table[n].to_pylist() for n in ("chain", "seed", "replicate")), strict=True
                    )
                }
                for chain, turns in turns_of(table).items():
                    chains.append((part.partner, *keys[chain], chain, turns))
                    tokens += sum(turn.output_tokens or 0 for turn in turns)
            yield PanelRun(
                corpus,
                record,
                _corpus_run(manifest, focal),
                chains,
                _lacking(corpus, record, chains),
                tokens or None,
            )


def _corpus_run(manifest: Manifest, focal: str) -> dict[str, Any]:
    from datetime import datetime, timedelta

    said = manifest.generated
    if not said:
        raise PanelistError(f"corpus {manifest.run}: nothing was generated; run the design first")
    first = datetime.fromisoformat(str(said[0]["ended"]))
    started = first - timedelta(seconds=float(said[0]["seconds"]))
    return {
        "id": f"{manifest.run}:{focal}",
        "panel": manifest.behaviours[0],
        "started": started.isoformat(timespec="seconds"),
        "completed": str(said[-1]["ended"]),
        "status": "success",
    }


def _lacking(
    corpus: Path, record: dict[str, Any], chains: Sequence[tuple[str, str, int, str, Any]]
) -> list[Failed]:
    """Chains that a corpus was asked for and does not have: there they failed, or it is unfinished.

    How they failed is not kept in a corpus.
    """
    bank = find_bank(BANKS[record["behaviour"]])
    if record["bank_sha256"] != bank.sha256:
        return []  # refused for its bank
    tier = find_tier(record["tier"])
    there = {(partner, seed, replicate) for partner, seed, replicate, _, _ in chains}
    return [
        (partner.name, seed.id, replicate, f"not in {corpus.name}")
        for partner in bank.partners
        for seed in covered_seeds(shipped_seeds(), bank, tier)
        for replicate in range(1, tier.replies + 1)
        if (partner.name, seed.id, replicate) not in there
    ]
