"""Tidy tables of made-up replies, with the columns that the analysis reads."""

import numpy as np
import pandas as pd


def table(rng, focals=("f",), partners=("a", "b", "c"), seeds=30, replies=2, level=0.4, lost=0.0):
    """One row a reply; hedging with share `level`, a number or one a partner."""
    grid = pd.MultiIndex.from_product(
        [focals, partners, [f"s{i:03d}" for i in range(seeds)], range(1, replies + 1)],
        names=["focal", "partner", "seed", "replicate"],
    ).to_frame(index=False)
    n = len(grid)
    share = np.tile(np.repeat(np.broadcast_to(level, len(partners)), seeds * replies), len(focals))
    hedging = (rng.random(n) < share).astype(float)
    words = rng.integers(20, 120, n).astype(float)
    t = grid.assign(
        turn=2,
        domain="any",
        status="ok",
        words=words,
        window_words=np.minimum(words, 30.0),
        partner_words=rng.integers(20, 90, n).astype(float),
        partner_hedging_cues=rng.poisson(1.5, n).astype(float),
        hedging=hedging,
        hedging_score=np.clip(hedging * 0.8 + 0.1 * rng.random(n), 0, 1),
        hedging_cues=hedging * rng.integers(1, 4, n),
        hedging_window_cues=hedging * rng.integers(0, 2, n),
        repair=(rng.random(n) < 0.3).astype(float),
    )
    gone = rng.random(n) < lost
    outcomes = [c for c in t.columns if c.startswith("hedging")] + ["words", "window_words"]
    t.loc[gone, "status"] = rng.choice(["empty", "refused", "error"], int(gone.sum()))
    t.loc[gone, outcomes] = np.nan
    return t
