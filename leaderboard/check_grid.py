"""The turns themselves: a whole grid, in order, the partners' words untouched."""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa

from panelist.leaderboard.check_private import secret
from panelist.leaderboard.faults import Fault, shown
from panelist.leaderboard.submission import (
    MAX_EMPTY,
    MAX_FAILED,
    MIN_SEEDS,
    ORDER,
    RUN,
    TRANSCRIPTS,
)
from panelist.leaderboard.texts import FIELDS, Texts
from panelist.panels.bank import BANKS, find_bank
from panelist.panels.chain import chain_id
from panelist.panels.coverage import covered_seeds
from panelist.panels.protocol import BENCHMARK
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import TIERS

LONG = 200
"""Characters from which on two equal replies are no accident."""

SHARED = 0.2
"""Share of long replies that may be equal to others', or to each other."""

ENDS = ("stop", "max_tokens", "model_length", "content_filter", "unknown")

Key = tuple[str, str, str, int]
"""Panel, partner, seed, replicate."""


def check_grid(
    table: pa.Table, manifest: Mapping[str, Any], run: Mapping[str, Any]
) -> Iterator[Fault]:
    """What is wrong with the turns; stops where later checks would mean nothing."""
    turns, texts = _Turns(table), Texts(table)
    chains: dict[Key, list[int]] = {}
    before: tuple[Any, ...] | None = None
    for at, key in enumerate(turns.keys):
        if key[0] not in manifest["panels"]:
            yield _at("unknown-panel", at, "panel", key[0])
            return
        if before is not None and key <= before:
            yield _at("duplicate-turn" if key == before else "rows-not-sorted", at, "turn", key)
            return
        before = key
        chains.setdefault(key[:4], []).append(at)
    failed = {(f["panel"], f["partner"], f["seed"], f["replicate"]) for f in run["failed"]}
    faulty = False
    for fault in _cells(chains, failed, manifest):
        faulty = True
        yield fault
    if faulty:
        return
    name, limit = manifest["checkpoint"]["name"], manifest["sampling"]["max_tokens"]
    for key, rows in chains.items():
        yield from _chain(key, rows, turns, name, limit, texts)
    yield from _replies(chains, turns, manifest, texts)


class _Turns:
    """What a table of turns says beside texts, by row.

    Attributes:
        keys: panel, partner, seed, replicate and turn, as in `ORDER`.
        told: role, speaker and chain, a list of each.
        ends: stop reason, output tokens and their limit.
    """

    def __init__(self, table: pa.Table) -> None:
        def column(name: str) -> list[Any]:
            return list(table[name].to_pylist())

        self.keys = list(zip(*map(column, ORDER), strict=True))
        told = ("role", "speaker", "chain")
        self.told = dict(zip(told, map(column, told), strict=True))
        self.ends = list(
            zip(*map(column, ("stop_reason", "output_tokens", "max_tokens")), strict=True)
        )


def _at(code: str, row: int | None, field: str, got: Any = "", expected: Any = "") -> Fault:
    return Fault(code, TRANSCRIPTS, field, row, shown(got), shown(expected) if expected else "")


@lru_cache(maxsize=12)
def expected_chains(panel: str, tier: str) -> frozenset[Key]:
    """The grid of a panel at a tier."""
    bank, size = find_bank(BANKS[panel]), TIERS[tier]
    return frozenset(
        (panel, partner.name, seed.id, replicate)
        for partner in bank.partners
        for seed in covered_seeds(shipped_seeds(), bank, size)
        for replicate in range(1, size.replies + 1)
    )


def _cells(
    chains: Mapping[Key, Any], failed: set[Key], manifest: Mapping[str, Any]
) -> Iterator[Fault]:
    for panel, said in manifest["panels"].items():
        grid = expected_chains(panel, said["tier"])
        partners = {key[1] for key in grid}
        there = {key for key in chains if key[0] == panel}
        lost = {key for key in failed if key[0] == panel}
        for key in sorted(there - grid):
            strange = key[1] not in partners
            code, field = ("unknown-partner", "partner") if strange else ("extra-chain", "seed")
            yield _at(code, chains[key][0], field, key)
        if extra := sorted(lost - grid):
            yield Fault("extra-chain", RUN, "failed", None, shown(extra[0]))
        if both := sorted(there & lost):
            yield Fault("failed-and-present", RUN, "failed", None, shown(both[0]))
        if missing := sorted(grid - there - lost):
            mend = "Run what is missing (`inspect eval-retry`, or the design again), then submit"
            yield Fault("grid-incomplete", TRANSCRIPTS, "chain", None,
                        f"{len(missing)} of {len(grid)} lack, the first {shown(missing[0])}",
                        mend=mend)  # fmt: skip
        if len(lost) > MAX_FAILED * len(grid):
            mend = "Mend the cause, and run what failed again (`inspect eval-retry`)"
            yield Fault("too-many-failed", RUN, "failed", None, f"{len(lost)} of {len(grid)}",
                        f"at most {100 * MAX_FAILED:g} %", mend)  # fmt: skip


def _chain(
    key: Key, rows: list[int], turns: _Turns, name: str, limit: int, texts: Texts
) -> Iterator[Fault]:
    panel, partner, seed, replicate = key
    numbers = [turns.keys[at][4] for at in rows]
    if numbers != [1, 2]:
        yield _at("turn-order", rows[0], "turn", numbers, "[1, 2]")
        return
    chain = chain_id(
        benchmark=BENCHMARK, seed=seed, focal=name, partner=partner, replicate=replicate
    )
    opening, reply = rows
    for at, role, speaker in ((opening, "partner", partner), (reply, "focal", name)):
        for field, code, expected in (
            ("role", "wrong-role", role),
            ("speaker", "wrong-speaker", speaker),
            ("chain", "chain-id", chain),
        ):
            if turns.told[field][at] != expected:
                yield _at(code, at, field, turns.told[field][at], expected)
        # Models do write other controls now and then, and nothing here breaks on them.
        for field in FIELDS if at in texts.suspect else ():
            if "\x00" in texts(at, field):
                yield _at("bad-character", at, field, "\x00")
            elif secret(texts(at, field)):
                yield _at("secret-in-text", at, field)
    words = _openings(panel)[partner, seed]
    if texts(opening) != words or texts(opening, "reasoning"):
        yield _at("partner-words-changed", opening, "text", texts(opening), words)
    if turns.ends[opening] != ("scripted", None, None):
        frozen = turns.ends[opening]
        yield _at("stop-reason", opening, "stop_reason", frozen, "scripted, no tokens")
    if problem := _ending(turns.ends[reply], limit, texts.said[reply]):
        yield _at("stop-reason", reply, "stop_reason", problem)


@lru_cache(maxsize=3)
def _openings(panel: str) -> dict[tuple[str, str], str]:
    """The frozen words of a panel's partners, by partner and seed."""
    bank = find_bank(BANKS[panel])
    return {
        (partner.name, seed.id): bank.opening(seed.id, partner)
        for partner in bank.partners
        for seed in shipped_seeds()
        if bank.covers(seed.id)
    }


def _ending(end: tuple[Any, ...], limit: int, said: bool) -> str:
    """What does not fit in how a reply ended; "" for nothing."""
    reason, tokens, own = end
    if reason not in ENDS:
        return f"{reason!r} is none of {', '.join(ENDS)}"
    if own is not None and own != limit:
        return f"a limit of {own} tokens, the manifest says {limit}"
    if tokens is None:
        return ""
    if not 0 <= tokens <= limit:
        return f"{tokens} tokens under a limit of {limit}"
    if tokens == 0 and said:
        return "0 tokens for a text"
    # Engines count a few special tokens, or none.
    if reason == "max_tokens" and tokens < 0.9 * limit:
        return f"cut off at {tokens} of {limit} tokens"
    return ""


def _replies(
    chains: Mapping[Key, list[int]], turns: _Turns, manifest: Mapping[str, Any], texts: Texts
) -> Iterator[Fault]:
    limit = manifest["sampling"]["max_tokens"]
    for panel, said in manifest["panels"].items():
        own = {key: rows[-1] for key, rows in chains.items() if key[0] == panel}
        full = sum(turns.ends[row][:2] == ("stop", limit) for row in own.values())
        # The token that ends a text may fall on the last place, now and then.
        if full > max(2, 0.01 * len(own)):
            got = f"{full} replies of exactly {limit} tokens that say they were not cut off"
            yield Fault("stop-reason", TRANSCRIPTS, "stop_reason", None, got)
        empty = sum(texts.blank[row] for row in own.values())
        if empty > MAX_EMPTY * len(own):
            mend = "Give a model that reasons more --max-tokens, and run it again"
            yield Fault("too-many-empty", TRANSCRIPTS, "text", None, f"{empty} of {len(own)}",
                        f"at most {100 * MAX_EMPTY:g} %", mend)  # fmt: skip
        partners = {key[1] for key in expected_chains(panel, said["tier"])}
        met = Counter(
            seed for _, seed in {(k[1], k[2]) for k, row in own.items() if not texts.blank[row]}
        )
        complete = sum(count == len(partners) for count in met.values())
        if complete < MIN_SEEDS:
            yield Fault("too-few-seeds", TRANSCRIPTS, "seed", None,
                        f"{complete} seeds with a reply to every partner of {panel}",
                        f"{MIN_SEEDS} or more")  # fmt: skip
        most = texts.most_alike(list(own.values()), LONG)
        if most > max(2, SHARED * len(own)):
            yield Fault("shared-text", TRANSCRIPTS, "text", None,
                        f"one long reply {most} times in {len(own)}")  # fmt: skip
