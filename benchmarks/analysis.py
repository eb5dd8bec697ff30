"""1.6 million replies to all intervals, against a plain pandas group-by loop.

    python benchmarks/analysis.py [--replies 1600000]

40 focal x partner pairs on 500 seeds. Timed: from the tidy table to levels, tau2, omnibus, relative
range, pairs and 2,000 seed bootstraps for every focal. The reference resamples the table's seeds
and groups it anew for each replicate; a few replicates are timed on the same table in the same run
and multiplied up to 2,000, which the output says.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pandas as pd

from panelist.analysis.bootstrap import seed_bootstrap
from panelist.analysis.cells import cells_by_focal
from panelist.analysis.shift import Shift, shift

FOCALS, PARTNERS, SEEDS, DRAWS = 8, 5, 500, 2000
REFERENCE_REPLICATES = 3


def make_table(replies: int) -> pd.DataFrame:
    """A complete grid with one of a hundred replies empty, in random order."""
    rng = np.random.default_rng(0)
    each = replies // (FOCALS * PARTNERS * SEEDS)
    shape = (FOCALS, PARTNERS, SEEDS, each)
    f, p, s, r = (v.ravel() for v in np.indices(shape, dtype=np.int16))
    share = 1 / (1 + np.exp(0.6 - 0.9 * rng.standard_normal(SEEDS)[s] - 0.1 * p))
    order = rng.permutation(f.size)
    hedging = (rng.random(f.size) < share).astype(np.float64)
    status = np.where(rng.random(f.size) < 0.01, 1, 0)
    hedging[status == 1] = np.nan

    def named(codes: np.ndarray, names: list[str]) -> pd.Series:
        return pd.Series(pd.Categorical.from_codes(codes[order], names)).astype("str")

    return pd.DataFrame(
        {
            "focal": named(f, [f"focal-{i}" for i in range(FOCALS)]),
            "partner": named(p, [f"partner-{i}" for i in range(PARTNERS)]),
            "seed": named(s, [f"seed-{i:03d}" for i in range(SEEDS)]),
            "replicate": r[order] + 1,
            "turn": np.ones(f.size, np.int8),
            "status": named(status, ["ok", "empty"]),
            "words": rng.integers(20, 200, f.size).astype(np.float64),
            "hedging": hedging[order],
        }
    )


def ours(table: pd.DataFrame) -> tuple[int, float]:
    """All intervals of every focal; number of shifts, and the seconds in bootstraps."""
    shifts, spent = 0, 0.0
    for c in cells_by_focal(table, measure="label").values():
        result = shift(c)
        shifts += isinstance(result, Shift)
        start = time.perf_counter()
        seed_bootstrap(c, draws=DRAWS)
        spent += time.perf_counter() - start
    return shifts, spent


def reference(table: pd.DataFrame, replicates: int) -> pd.DataFrame:
    """The loop anybody would write: resample seeds, pick their rows, group, average."""
    rng = np.random.default_rng(1)
    rows = {s: g.index.to_numpy() for s, g in table.groupby("seed")}
    names = list(rows)
    found = []
    for _ in range(replicates):
        drawn = [rows[names[i]] for i in rng.integers(0, len(names), len(names))]
        sample = table.loc[np.concatenate(drawn)]
        found.append(sample.groupby(["focal", "partner"])["hedging"].mean())
    return pd.concat(found, axis=1) if found else pd.DataFrame()


def peak_mb() -> float:
    """Peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run both and print the ratios."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--replies", type=int, default=1_600_000)
    table = make_table(parser.parse_args().replies)
    print(f"{len(table):,} replies, {FOCALS * PARTNERS} focal x partner pairs, {SEEDS} seeds")
    with_table = peak_mb()
    ours(table.head(FOCALS * PARTNERS * SEEDS))  # imports and first calls are not what is timed
    start = time.perf_counter()
    shifts, bootstraps = ours(table)
    mine, memory = time.perf_counter() - start, peak_mb()
    print(f"panelist: {shifts} shifts and {FOCALS} x {DRAWS} bootstraps in {mine:.2f} s")
    print(f"  of it bootstraps {bootstraps:.2f} s; peak {memory:.0f} MB, {with_table:.0f} before")
    start = time.perf_counter()
    reference(table, 0)
    setup = time.perf_counter() - start
    start = time.perf_counter()
    reference(table, REFERENCE_REPLICATES)
    each = (time.perf_counter() - start - setup) / REFERENCE_REPLICATES
    whole = setup + each * DRAWS
    print(
        f"pandas loop: {each:.2f} s a replicate ({REFERENCE_REPLICATES} timed), so "
        f"{whole:.0f} s for {DRAWS}, extrapolated"
    )
    print(f"ratio seconds {mine:.2f} target 20")
    print(f"ratio peak_memory_mb {memory:.0f} target 1024")
    print(f"ratio pandas_loop_over_panelist {whole / mine:.0f} target 100")


if __name__ == "__main__":
    main()
