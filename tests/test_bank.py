"""Bank v1: hedging is what varies, and its hash is what it was released under."""

import json
from pathlib import Path
from statistics import mean

import pytest

from panelist.panels.bank import SHIPPED, find_bank, read_bank, write_bank
from panelist.panels.errors import PanelistError
from panelist.panels.partner import Partner
from panelist.panels.seed import shipped_seeds
from panelist.scorers.cues import detect

LEVELS = ("scripted-low", "scripted-neutral", "scripted-high")


def covered() -> list[str]:
    bank = find_bank("v1")
    return [seed.id for seed in shipped_seeds() if bank.covers(seed.id)]


def test_bank_covers_200_seeds_and_nothing_else() -> None:
    assert len(covered()) >= 200
    assert {seed for seed, _ in find_bank("v1").turns} == set(covered())


def test_lengths_match_within_15_percent() -> None:
    turns = find_bank("v1").turns
    for seed in covered():
        lengths = [detect(turns[seed, level]).words for level in LEVELS]
        assert max(lengths) <= 1.15 * min(lengths), (seed, lengths)


def test_cue_density_is_ordered_on_each_seed() -> None:
    turns = find_bank("v1").turns
    wrong = []
    for seed in covered():
        low, neutral, high = (detect(turns[seed, level]).per_100_words for level in LEVELS)
        if not low < neutral < high:
            wrong.append((seed, low, neutral, high))
    assert not wrong


def test_no_level_is_longer_on_average() -> None:
    """Length would be a second dose: over the bank the means lie within 8 %.

    (High-hedge turns are 7 % longer: hedges are words. The echo model adjusts for it.)
    """
    turns = find_bank("v1").turns
    means = [mean(detect(turns[s, level]).words for s in covered()) for level in LEVELS]
    assert max(means) <= 1.08 * min(means), means


def test_the_aa_partner_says_the_very_words_of_its_twin() -> None:
    bank = find_bank("v1")
    twin = bank.partner("scripted-neutral-aa")
    assert twin is not None
    assert twin.same_turns_as == "scripted-neutral"
    seed = covered()[0]
    assert bank.opening(seed, twin) == bank.turns[seed, "scripted-neutral"]


def make(path: Path, version: str = "mine") -> str:
    return write_bank(path, version, (Partner("p", "scripted"),), {("s", "p"): "Yes."})


def test_a_bank_reads_back_as_written(tmp_path: Path) -> None:
    digest = make(tmp_path / "b.jsonl")
    bank = read_bank(tmp_path / "b.jsonl")
    assert (bank.version, bank.sha256, bank.turns) == ("mine", digest, {("s", "p"): "Yes."})


def test_a_bank_is_immutable(tmp_path: Path) -> None:
    make(tmp_path / "b.jsonl")
    with pytest.raises(PanelistError, match="immutable"):
        make(tmp_path / "b.jsonl")


def test_a_missing_bank_is_named() -> None:
    with pytest.raises(PanelistError, match=r"nowhere\.jsonl: cannot read the partner bank"):
        find_bank("nowhere.jsonl")


def test_changed_turns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    make(path)
    path.write_text(path.read_text().replace("Yes.", "No."))
    with pytest.raises(PanelistError, match="wrong hash: its header says sha256"):
        read_bank(path)


def test_a_released_version_cannot_be_redefined(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    make(path, "v1")
    with pytest.raises(PanelistError, match=f"'v1' was released as sha256 {SHIPPED['v1']}"):
        read_bank(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense\n", "line 1: not JSON"),
        ("[]\n", "line 1: not a JSON object"),
        ("{}\n", "line 1: not a bank header"),
        (json.dumps({"bank": "x", "schema": 9, "sha256": "", "partners": []}), "schema: 9"),
    ],
)
def test_what_is_not_a_bank_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text(text)
    with pytest.raises(PanelistError, match=message):
        read_bank(path)
