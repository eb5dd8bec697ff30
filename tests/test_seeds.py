"""The shipped seeds: enough of them, well formed, no near-duplicates, nested tiers."""

import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from panelist.panels.errors import PanelistError
from panelist.panels.seed import nested, read_seeds, shipped_seeds
from panelist.panels.tier import TIERS, find_tier

STOP = frozenset(
    re.findall(
        r"\w+",
        """a an the of to in on for and or is are be it do does did would should could can will i
        my your you we they with that this what how why which when who more most than from by at
        as has have had was were if so not one someone""",
    )
)
REFUSED = re.compile(
    r"\b(suicide|kill|weapon|bomb|overdose|self-harm|dosage|hack into|illegal drugs)\b", re.I
)


def test_there_are_600_seeds_over_12_domains() -> None:
    domains = Counter(seed.domain for seed in shipped_seeds())
    assert sum(domains.values()) >= 600
    assert len(domains) >= 12
    assert min(domains.values()) >= 20


def test_each_seed_is_one_open_question() -> None:
    for seed in shipped_seeds():
        assert seed.text.endswith("?"), seed
        assert 6 <= len(seed.text.split()) <= 40, seed
        assert seed.id.startswith(f"{seed.domain}-"), seed
        assert not REFUSED.search(seed.text), seed


def test_no_two_seeds_are_near_duplicates() -> None:
    """Jaccard overlap of content words."""
    bags = {s.id: set(re.findall(r"[a-z0-9]+", s.text.lower())) - STOP for s in shipped_seeds()}
    close = [
        (a, b)
        for a, b in combinations(bags, 2)
        if len(bags[a] & bags[b]) >= 0.5 * len(bags[a] | bags[b])
    ]
    assert not close


def test_any_prefix_is_balanced_over_domains() -> None:
    order = nested(shipped_seeds())
    assert len(order) == len(shipped_seeds())
    for size in (24, 200, 500):
        counts = Counter(seed.domain for seed in order[:size])
        assert max(counts.values()) - min(counts.values()) <= 1


def test_tiers_are_those_of_the_protocol() -> None:
    assert {n: (t.seeds, t.replies) for n, t in TIERS.items()} == {
        "demo": (24, 2),
        "quick": (200, 2),
        "standard": (500, 4),
        "full": (None, 4),
    }
    with pytest.raises(PanelistError, match="unknown value 'huge'; choose one of demo"):
        find_tier("huge")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no seeds in it"),
        ("not json\n", "line 1: not a seed"),
        ('{"id": "a"}\n', "line 1: not a seed"),
        ('{"id": "a", "domain": "d", "text": "?"}\n' * 2, "line 2: id 'a' stands twice"),
    ],
)
def test_a_bad_seed_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "seeds.jsonl"
    path.write_text(content)
    with pytest.raises(PanelistError, match=message) as error:
        read_seeds(path)
    assert str(path) in str(error.value)


def test_a_missing_seed_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PanelistError, match="cannot read the seeds"):
        read_seeds(tmp_path / "none.jsonl")
