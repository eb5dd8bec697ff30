"""What the batch engine's workers do: let a chunk of chains speak, and write them as parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from panelist.evals.batch_plan import Chunk, Work, chains_in
from panelist.panels.batch import Cast, speak
from panelist.panels.chain import Chain, Turn
from panelist.panels.corpus import (
    TURNS,
    folder_of,
    key_of,
    part_at,
    parts_in,
    table_of,
    turns_up_to,
    write_part,
)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a chunk came to, or several.

    Attributes:
        chains: that reached their leg's end; failed: that did not; error: the first.
        generations, tokens: made.
    """

    chains: int = 0
    failed: int = 0
    generations: int = 0
    tokens: int = 0
    error: str = ""

    def plus(self, other: "Tally") -> "Tally":
        """Both."""
        return Tally(
            self.chains + other.chains,
            self.failed + other.failed,
            self.generations + other.generations,
            self.tokens + other.tokens,
            self.error or other.error,
        )


def speak_chunk(work: Work, chunk: Chunk, engine: Any) -> Tally:
    """Let the chains of a chunk speak to their leg's end, and write them.

    Args:
        work: of the corpus.
        chunk: the chains.
        engine: an `Engine`.

    Raises:
        PanelistError: a part cannot be written.
    """
    groups: dict[tuple[int, str], list[int]] = {}
    for row, group in enumerate(zip(chunk.pairs, chunk.parents, strict=True)):
        groups.setdefault(group, []).append(row)
    waiting: list[tuple[Cast, Chain, int]] = []
    asked: list[tuple[int, str, str, list[str]]] = []
    there = 0
    for (number, parent), members in groups.items():
        pair = work.pairs[number]
        chains = list(_opened(work, chunk, number, parent, members))
        ids = [chain.id for chain in chains]
        key = key_of(ids, chunk.level)
        folder = folder_of(work.corpus / TURNS, pair.cast.focal, pair.cast.partner)
        if written := [p for path in folder.glob(f"{key}.*.parquet") if (p := part_at(path))]:
            there += len(chains_in(written[0]))  # by this chunk, before its task was lost
            continue
        last = pair.legs[chunk.level].last
        waiting += [(pair.cast, chain, last) for chain in chains]
        asked.append((number, parent, key, ids))
    spoken = speak(engine, waiting)
    by_id = {chain.id: chain for chain in spoken.chains}
    for number, parent, key, ids in asked:
        pair = work.pairs[number]
        made = [by_id[chain] for chain in ids if chain in by_id]
        if made:
            write_part(
                work.corpus / TURNS,
                pair.cast.focal,
                pair.cast.partner,
                table_of(made, pair.legs[chunk.level - 1].last + 1 if chunk.level else 1),
                key=key,
                leg=chunk.level,
                parent=parent,
            )
    error = spoken.failed[0][1] if spoken.failed else ""
    return Tally(
        len(spoken.chains) + there, len(spoken.failed), spoken.generations, spoken.tokens, error
    )


def _opened(
    work: Work, chunk: Chunk, number: int, parent: str, members: Sequence[int]
) -> Iterator[Chain]:
    """The chains of a group as they are before the leg."""
    cast = work.pairs[number].cast
    said = turns_before(work, cast, parent)
    for row in members:
        seed = work.seeds[chunk.seeds[row]]
        opening = None if parent else work.openings.get((seed.id, cast.partner))
        chain = cast.open(seed.id, seed.text, chunk.replicates[row], opening)
        yield replace(chain, turns=said[chain.id]) if parent else chain


def turns_before(work: Work, cast: Cast, parent: str) -> dict[str, tuple[Turn, ...]]:
    """By chain, all turns up to the end of a part; {} for no part."""
    here = parts_in(folder_of(work.corpus / TURNS, cast.focal, cast.partner))
    return turns_up_to({part.name: part for part in here}, parent)
