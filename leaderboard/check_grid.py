"""The turns themselves: a whole grid, in order, the partners' words untouched."""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
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
    rows, texts = table.drop_columns(list(FIELDS)).to_pylist(), Texts(table)
    name = manifest["checkpoint"]["name"]
    chains: dict[Key, list[tuple[int, dict[str, Any]]]] = {}
    before: tuple[Any, ...] | None = None
    order = itemgetter(*ORDER)
    for at, row in enumerate(rows):
        if row["panel"] not in manifest["panels"]:
            yield _at("unknown-panel", at, "panel", row["panel"])
            return
        key = order(row)
        if before is not None and key <= before:
            yield _at("duplicate-turn" if key == before else "rows-not-sorted", at, "turn", key)
            return
        before = key
        chains.setdefault(key[:4], []).append((at, row))
    failed = {(f["panel"], f["partner"], f["seed"], f["replicate"]) for f in run["failed"]}
    faulty = False
    for fault in _cells(chains, failed, manifest):
        faulty = True
        yield fault
    if faulty:
        return
    limit = manifest["sampling"]["max_tokens"]
    for key, turns in chains.items():
        yield from _chain(key, turns, name, limit, texts)
    yield from _replies(chains, manifest, texts)


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
            yield _at(code, chains[key][0][0], field, key)
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
    key: Key, turns: list[tuple[int, dict[str, Any]]], name: str, limit: int, texts: Texts
) -> Iterator[Fault]:
    panel, partner, seed, replicate = key
    first = turns[0][0]
    numbers = [row["turn"] for _, row in turns]
    if numbers != [1, 2]:
        yield _at("turn-order", first, "turn", numbers, "[1, 2]")
        return
    chain = chain_id(
        benchmark=BENCHMARK, seed=seed, focal=name, partner=partner, replicate=replicate
    )
    for at, row in turns:
        opens = row["turn"] == 1
        role, speaker = ("partner", partner) if opens else ("focal", name)
        if row["role"] != role:
            yield _at("wrong-role", at, "role", row["role"], role)
        if row["speaker"] != speaker:
            yield _at("wrong-speaker", at, "speaker", row["speaker"], speaker)
        if row["chain"] != chain:
            yield _at("chain-id", at, "chain", row["chain"], chain)
        # Models do write other controls now and then, and nothing here breaks on them.
        for field in FIELDS if at in texts.suspect else ():
            if "\x00" in texts(at, field):
                yield _at("bad-character", at, field, "\x00")
            elif secret(texts(at, field)):
                yield _at("secret-in-text", at, field)
    (at, opening), (after, reply) = turns
    bank = find_bank(BANKS[panel])
    who = bank.partner(partner)
    assert who is not None  # its name is of the grid
    words = bank.opening(seed, who)
    if texts(at) != words or texts(at, "reasoning"):
        yield _at("partner-words-changed", at, "text", texts(at), words)
    frozen = (opening["stop_reason"], opening["output_tokens"], opening["max_tokens"])
    if frozen != ("scripted", None, None):
        yield _at("stop-reason", at, "stop_reason", frozen, "scripted, no tokens")
    if problem := _ending(reply, limit, texts.said[after]):
        yield _at("stop-reason", after, "stop_reason", problem)


def _ending(reply: Mapping[str, Any], limit: int, said: bool) -> str:
    """What does not fit in how a reply ended; "" for nothing."""
    tokens, own, reason = reply["output_tokens"], reply["max_tokens"], reply["stop_reason"]
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
    chains: Mapping[Key, Any], manifest: Mapping[str, Any], texts: Texts
) -> Iterator[Fault]:
    limit = manifest["sampling"]["max_tokens"]
    for panel, said in manifest["panels"].items():
        ended = [turns[-1][1] for key, turns in chains.items() if key[0] == panel]
        full = sum(row["output_tokens"] == limit and row["stop_reason"] == "stop" for row in ended)
        # The token that ends a text may fall on the last place, now and then.
        if full > max(2, 0.01 * len(ended)):
            got = f"{full} replies of exactly {limit} tokens that say they were not cut off"
            yield Fault("stop-reason", TRANSCRIPTS, "stop_reason", None, got)
        own = {key: turns[-1][0] for key, turns in chains.items() if key[0] == panel}
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
