"""Seeds: the opening questions, and the unit of resampling in every statistic."""

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from panelist.panels.errors import PanelistError


@dataclass(frozen=True, slots=True)
class Seed:
    """An opening question.

    Attributes:
        id: unique, `<domain>-<number>`.
        domain: topic, for stratified reports.
        text: the question as every panelist reads it.
    """

    id: str
    domain: str
    text: str


def read_seeds(path: Path) -> tuple[Seed, ...]:
    """The seeds of a JSONL file with the keys id, domain and text.

    Raises:
        PanelistError: a line is not JSON, lacks a key, or repeats an id.
    """
    seeds: dict[str, Seed] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as ex:
        raise PanelistError(f"{path}: cannot read the seeds ({ex.strerror})") from ex
    for number, line in enumerate(lines, start=1):
        try:
            seed = Seed(**json.loads(line))
        except (json.JSONDecodeError, TypeError) as ex:
            raise PanelistError(
                f"{path}, line {number}: not a seed ({ex}); "
                'write {"id": ..., "domain": ..., "text": ...}'
            ) from ex
        if seed.id in seeds:
            raise PanelistError(f"{path}, line {number}: id {seed.id!r} stands twice; rename one")
        seeds[seed.id] = seed
    if not seeds:
        raise PanelistError(f"{path}: no seeds in it")
    return tuple(seeds.values())


@lru_cache(maxsize=1)
def shipped_seeds() -> tuple[Seed, ...]:
    """The seeds in the package, in file order."""
    return read_seeds(Path(str(files("panelist.panels.data") / "seeds.jsonl")))


@lru_cache(maxsize=8)
def nested(seeds: tuple[Seed, ...]) -> tuple[Seed, ...]:
    """The seeds in sampling order: any prefix is balanced over domains.

    The order depends on the ids alone (a hash within each domain, domains in turn), so that a
    smaller tier is always contained in a larger one and adding a seed moves few others.
    """
    by_domain: dict[str, list[Seed]] = defaultdict(list)
    for seed in sorted(seeds, key=lambda s: sha256(s.id.encode()).digest()):
        by_domain[seed.domain].append(seed)
    ranked = [
        (rank, domain, seed)
        for domain, members in by_domain.items()
        for rank, seed in enumerate(members)
    ]
    return tuple(seed for _, _, seed in sorted(ranked, key=lambda item: item[:2]))
