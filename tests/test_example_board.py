"""The first board in the repository is what its submissions give today."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from panelist.leaderboard.board import build
from panelist.leaderboard.check_against import _phrases
from panelist.leaderboard.page import render_board
from panelist.leaderboard.verify import verify

EXAMPLE = Path(__file__).parents[1] / "leaderboard" / "example"

pytestmark = pytest.mark.slow

MEND = (
    "build it again and commit it: rm -r leaderboard/example/site && panelist board build "
    "leaderboard/example/submissions -o leaderboard/example/site"
)


def rounded(value: Any) -> Any:
    """Numbers to four digits: processors differ in the last."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def test_every_example_is_what_the_board_takes() -> None:
    folders = sorted((EXAMPLE / "submissions").iterdir())
    assert len(folders) >= 4
    for folder in folders:
        assert verify(folder) == []


def test_recipes_of_one_base_share_few_phrases() -> None:
    said = {}
    for folder in sorted((EXAMPLE / "submissions").iterdir()):
        table = pq.read_table(folder / "transcripts.parquet")
        said[folder] = set(_phrases(table, table["seed"].unique().to_pylist()).to_pylist())
    for one, other in permutations(said.values(), 2):
        assert len(one) > 0 and len(one & other) < 0.02 * len(one)


def test_the_example_board_is_current() -> None:
    said = json.loads((EXAMPLE / "site" / "board.json").read_bytes())
    assert rounded(build(EXAMPLE / "submissions").data) == rounded(said), MEND
    assert (EXAMPLE / "site" / "index.html").read_text() == render_board(said), MEND
