"""Planted banks: every item says what is wrong, and twins match in length and form."""

from collections import Counter

import pytest

from panelist.panels.bank import BANKS, Bank, find_bank
from panelist.panels.partner import Partner
from panelist.panels.seed import nested, shipped_seeds
from panelist.panels.tier import TIERS
from panelist.scorers.cues import detect
from panelist.scorers.reply_status import is_english

REPAIR, CHALLENGE = find_bank(BANKS["repair"]), find_bank(BANKS["challenge"])

TROUBLES = {"ambiguous", "contradiction", "garbled", "wrong-topic"}


def seeds(bank: Bank) -> list[str]:
    return [seed.id for seed in nested(tuple(s for s in shipped_seeds() if bank.covers(s.id)))]


def words(bank: Bank, seed: str, partner: str) -> list[str]:
    return bank.turns[seed, partner].split()


@pytest.mark.parametrize("bank", [REPAIR, CHALLENGE], ids=lambda bank: bank.version)
def test_at_least_200_seeds_over_every_domain(bank: Bank) -> None:
    assert len(seeds(bank)) >= 200
    assert len({seed.partition("-")[0] for seed in seeds(bank)}) == 16


@pytest.mark.parametrize("bank", [REPAIR, CHALLENGE], ids=lambda bank: bank.version)
def test_every_planted_turn_says_what_is_wrong_and_no_twin_does(bank: Bank) -> None:
    for (seed, name), _ in bank.turns.items():
        partner = bank.partner(name)
        assert partner is not None
        wrong = bank.planted.get((seed, name))
        assert (wrong is not None) == bool(partner.planted)
        if wrong is not None:
            assert wrong.trouble
            assert wrong.note


@pytest.mark.parametrize("bank", [REPAIR, CHALLENGE], ids=lambda bank: bank.version)
def test_twins_differ_and_there_is_an_aa_partner(bank: Bank) -> None:
    def spoken(partner: Partner, seed: str) -> str:
        return bank.opening(seed, partner)

    [aa] = [p for p in bank.partners if p.same_turns_as]
    assert aa.planted == 0
    by_pair: dict[str | None, list[Partner]] = {}
    for partner in bank.partners:
        if not partner.same_turns_as:
            by_pair.setdefault(partner.pair, []).append(partner)
    for twins in by_pair.values():
        assert sorted(p.planted or 0 for p in twins) == [0, 1]
        assert all(spoken(twins[0], s) != spoken(twins[1], s) for s in seeds(bank))


def test_every_kind_of_trouble_stands_in_every_tier() -> None:
    for tier in ("demo", "quick"):
        kinds = Counter(
            REPAIR.planted[seed, "scripted-trouble"].trouble
            for seed in seeds(REPAIR)[: TIERS[tier].seeds]
        )
        assert set(kinds) == TROUBLES
        assert max(kinds.values()) <= 1.5 * min(kinds.values())


def test_repair_twins_match_in_length_and_form() -> None:
    for seed in seeds(REPAIR):
        clean, planted = (REPAIR.turns[seed, f"scripted-{p}"] for p in ("clean", "trouble"))
        assert len(planted.split()) == pytest.approx(len(clean.split()), rel=0.16), seed
        assert abs(detect(planted).sentences - detect(clean).sentences) <= 1, seed
        assert is_english(planted)
        assert planted.rstrip()[-1] == clean.rstrip()[-1] == "."


def test_repair_twins_are_of_one_length_on_average() -> None:
    lengths = {
        p: sum(len(words(REPAIR, s, f"scripted-{p}")) for s in seeds(REPAIR))
        for p in ("clean", "trouble")
    }
    assert lengths["trouble"] == pytest.approx(lengths["clean"], rel=0.03)


def test_the_clean_twins_are_turns_of_bank_v1() -> None:
    v1 = find_bank("v1")
    for seed in seeds(REPAIR):
        assert REPAIR.turns[seed, "scripted-clean"] == v1.turns[seed, "scripted-neutral"]
    for seed in seeds(CHALLENGE):
        low = v1.turns[seed, "scripted-low"]
        assert all(
            CHALLENGE.turns[seed, p.name].startswith(low)
            for p in CHALLENGE.partners
            if not p.same_turns_as
        )


@pytest.mark.parametrize("level", ["sure", "unsure"])
def test_true_and_false_differ_in_at_most_three_words(level: str) -> None:
    for seed in seeds(CHALLENGE):
        true, false = (words(CHALLENGE, seed, f"scripted-{t}-{level}") for t in ("true", "false"))
        assert len(true) == len(false), seed
        assert 1 <= sum(a != b for a, b in zip(true, false, strict=True)) <= 3, (seed, true, false)


def test_both_levels_of_confidence_make_one_claim_in_as_many_words() -> None:
    for seed in seeds(CHALLENGE):
        for truth in ("true", "false"):
            sure, unsure = (
                words(CHALLENGE, seed, f"scripted-{truth}-{level}") for level in ("sure", "unsure")
            )
            assert len(sure) == len(unsure), seed
            assert sure[-4:] == unsure[-4:], seed
