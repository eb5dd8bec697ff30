"""Inspect logs of panel tasks into a corpus (`panels.corpus`); `corpus_sample` is the way back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain as joined
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog, EvalSample

from panelist.evals.corpus_run import LARGE
from panelist.evals.log_manifest import manifest_of, record_of, with_log
from panelist.panels.chain import CHAIN_KEY, Chain, chain_id
from panelist.panels.corpus import (
    LOCK,
    TURNS,
    Part,
    alone,
    folder_of,
    key_of,
    parts_in,
    read_part,
    sweep,
    table_of,
    write_part,
)
from panelist.panels.errors import PanelistError
from panelist.panels.manifest import NAME, Manifest, read_manifest, write_manifest
from panelist.scorers.logs import check_samples, log_files, read_panel_log, tries


@dataclass(frozen=True)
class Imported:
    """What an import came to.

    Attributes:
        chains: added.
        there: chains of the logs that the corpus had already.
        failed: chains of the logs that have no reply, and that the corpus lacks.
        parts: written.
    """

    chains: int
    there: int
    failed: int
    parts: tuple[Part, ...]


@dataclass
class _Pair:
    """What a corpus has of a focal and a partner."""

    chains: set[str] = field(default_factory=set)
    seeds: set[str] = field(default_factory=set)


def import_logs(logs: Sequence[Path], corpus: Path) -> Imported:
    """Add the chains of Inspect logs to a corpus, a new one or one that is there.

    Chains that it has already, by id, are passed over, and so are logs of opening turns and earlier
    tries of a retried run. One run is in memory at a time.

    Args:
        logs: of one behaviour, or folders of them.
        corpus: its folder.

    Raises:
        PanelistError: a log cannot be read or holds no chain, the logs cannot be compared with each
            other or with the corpus, or another run is writing to it.
    """
    runs = _runs(logs)
    name = corpus.resolve().name
    with _held(corpus):
        sweep(corpus)
        manifest = read_manifest(corpus) if (corpus / NAME).exists() else None
        planned = manifest
        for path, head in joined.from_iterable(runs):  # refuse before anything is written
            planned = with_log(planned, manifest_of(name, head), path, corpus)
        importing = _Import(corpus)
        for heads in runs:
            for path, log in _whole(heads):
                manifest = with_log(manifest, manifest_of(name, log), path, corpus)
                manifest = importing.add(path, log, manifest)
                write_manifest(corpus, manifest)
    if not importing.chains and not importing.there:
        raise PanelistError(
            f"{', '.join(map(str, logs))}: all {len(importing.failed)} chains failed, the first "
            f"with: {importing.error}; mend the cause and run `inspect eval-retry` on the logs"
        )
    return Imported(
        importing.chains, importing.there, len(importing.failed), tuple(importing.parts)
    )


def _runs(paths: Sequence[Path]) -> list[list[tuple[Path, EvalLog]]]:
    """The headers of the logs, those of one run and its retries together."""
    found = [
        (path, head) for path in log_files(paths) if (head := read_panel_log(path, header=True))
    ]
    if not found:
        raise PanelistError(
            f"{', '.join(map(str, paths))}: only logs of opening turns in it; give logs of "
            "panel_hedging, panel_repair or panel_challenge"
        )
    behaviours: dict[str, Path] = {}
    runs: dict[str, list[tuple[Path, EvalLog]]] = {}
    for path, head in found:
        behaviours.setdefault(record_of(head)["behaviour"], path)
        runs.setdefault(head.eval.task_id, []).append((path, head))
    if len(behaviours) > 1:
        listed = " and ".join(f"{behaviour} ({path})" for behaviour, path in behaviours.items())
        raise PanelistError(
            f"logs of different behaviours, {listed}: their partners say different things; import "
            "each behaviour into a corpus of its own"
        )
    return list(runs.values())


def _whole(heads: Sequence[tuple[Path, EvalLog]]) -> Iterator[tuple[Path, EvalLog]]:
    """The logs of a run with their samples, without tries that a later one has gone on from."""
    read = [(path, log) for path, _ in heads if (log := read_panel_log(path))]
    for attempts in tries(read):
        path, log = attempts[0]
        check_samples(path, log)
        yield path, log


@contextmanager
def _held(corpus: Path) -> Iterator[None]:
    """Hold the corpus' lock, and that of the design's run whose output it may lie in."""
    above = corpus.resolve().parent
    with ExitStack() as held:
        for folder in (corpus, *([above] if (above / LOCK).exists() else [])):
            held.enter_context(alone(folder))
        yield


class _Import:
    """Adds runs to a corpus, and counts."""

    def __init__(self, corpus: Path) -> None:
        self.corpus = corpus
        self.chains = self.there = 0
        self.failed: set[str] = set()
        self.error = ""
        self.parts: list[Part] = []
        self._pairs: dict[tuple[str, str], _Pair] = {}

    def add(self, path: Path, log: EvalLog, manifest: Manifest) -> Manifest:
        """Write the chains of a run that are not there; the manifest says so."""
        order = {seed: place for place, seed in enumerate(manifest.seeds)}
        pairs: dict[tuple[str, str], list[Chain]] = {}
        failed: dict[str, tuple[str, str]] = {}
        for sample in log.samples or []:
            if (chain := _chain(sample)) is not None:
                pairs.setdefault((chain.focal, chain.partner), []).append(chain)
            else:
                facts = sample.metadata
                self.error = self.error or (sample.error.message if sample.error else "no chain")
                failed[_id_of(sample)] = facts["focal"], facts["partner"]
        new: list[Chain] = []
        for pair, chains in pairs.items():
            here = self._of(pair)
            lacking = [chain for chain in chains if chain.id not in here.chains]
            self.there += len(chains) - len(lacking)
            lacking.sort(key=lambda chain: (order[chain.seed], chain.replicate))
            for at in range(0, len(lacking), LARGE):
                self._write(pair, lacking[at : at + LARGE])
            new += lacking
        self.chains += len(new)
        self.failed |= {i for i, pair in failed.items() if i not in self._of(pair).chains}
        self.failed -= {chain.id for chain in new}
        made = replace(manifest, asked=self._asked(manifest))
        if new:
            made = replace(made, generated=[*manifest.generated, _note(path, log, new, failed)])
        return made

    def _of(self, pair: tuple[str, str]) -> _Pair:
        if pair not in self._pairs:
            here = self._pairs[pair] = _Pair()
            for part in parts_in(folder_of(self.corpus / TURNS, *pair)):
                table = read_part(part, ["chain", "seed"])
                here.chains.update(table["chain"].unique().to_pylist())
                here.seeds.update(table["seed"].unique().to_pylist())
        return self._pairs[pair]

    def _write(self, pair: tuple[str, str], chains: Sequence[Chain]) -> None:
        ids = [chain.id for chain in chains]
        root = self.corpus / TURNS
        self.parts.append(write_part(root, *pair, table_of(chains), key=key_of(ids)))
        self._pairs[pair].chains.update(ids)
        self._pairs[pair].seeds.update(chain.seed for chain in chains)

    def _asked(self, manifest: Manifest) -> dict[str, dict[str, tuple[int, int]]]:
        # Logs may hold different seeds each (--limit 0-50, --limit 50-100): then none asks for all.
        return {
            focal: {
                partner: (max(seeds, len(self._of((focal, partner)).seeds)), replies)
                for partner, (seeds, replies) in partners.items()
            }
            for focal, partners in manifest.asked.items()
        }


def _chain(sample: EvalSample) -> Chain | None:
    data = sample.store.get(CHAIN_KEY)
    return None if sample.error is not None or data is None else Chain.from_dict(data)


def _id_of(sample: EvalSample) -> str:
    said = {key: sample.metadata[key] for key in ("benchmark", "seed", "focal", "partner")}
    return chain_id(**said, replicate=sample.epoch)


def _note(
    path: Path, log: EvalLog, chains: Sequence[Chain], failed: Mapping[str, Any]
) -> dict[str, Any]:
    """What was generated for the chains, in the words of the batch engine's own note."""
    made = [turn for chain in chains for turn in chain.turns if turn.stop_reason != "scripted"]
    begun, ended = log.stats.started_at, log.stats.completed_at
    took = 0.0  # a killed run does not say
    if begun and ended:
        took = (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()
    return {
        "chains": len(chains),
        "failed": len(failed),
        "generations": len(made),
        "tokens": sum(turn.output_tokens or 0 for turn in made),
        "error": next((s.error.message for s in log.samples or [] if s.error), ""),
        "seconds": round(took, 1),
        "ended": ended or datetime.now(UTC).isoformat(timespec="seconds"),
        "log": path.name,
    }
