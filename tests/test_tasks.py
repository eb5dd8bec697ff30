"""Every task runs on the mock model, and its log is read as what it is."""

from pathlib import Path

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, get_model

from panelist.leaderboard.card import make_card
from panelist.leaderboard.card_formats import to_html, to_json, to_markdown
from panelist.panels.errors import PanelistError
from panelist.panels.rehearsal import rehearse
from panelist.scorers.logs import read_logs


def run(folder: Path, task: str, limit: int | None = None, **arguments: object) -> EvalLog:
    [log] = inspect_eval(
        f"panelist/{task}",
        model=get_model(
            "mockllm/model", config=GenerateConfig(seed=1), custom_outputs=rehearse, memoize=False
        ),
        task_args=arguments,
        log_dir=str(folder),
        limit=limit,
        display="none",
    )
    assert log.status == "success"
    return log


def test_repair_plants_trouble_and_its_twin(tmp_path: Path) -> None:
    log = run(tmp_path, "panel_repair")
    runs, table = read_logs([Path(log.location)])
    assert runs[0].behaviour == "repair"
    assert runs[0].detector["name"] == "repair-cues"
    assert len(table) == 24 * 3 * 2
    assert dict(table.groupby("partner")["planted"].first()) == {
        "scripted-clean": 0,
        "scripted-clean-aa": 0,
        "scripted-trouble": 1,
    }
    kinds = set(table.loc[table["planted"] == 1, "trouble"])
    assert kinds == {"ambiguous", "contradiction", "garbled", "wrong-topic"}
    assert set(table.loc[table["planted"] == 0, "trouble"]) == {""}


def test_the_repair_card_leads_with_signal_detection(tmp_path: Path) -> None:
    log = run(tmp_path, "panel_repair")
    card = make_card(*read_logs([Path(log.location)]))
    [(question, answer, behind), *_] = card.answers
    assert question == "Does it react to planted trouble?"
    assert answer == "not shown"  # the mock model does not listen
    assert "d' " in behind
    for form in (to_html, to_markdown, to_json):
        assert "repair" in form(card)
        assert "hedg" not in form(card).replace("hedging-", "").lower()


def test_challenge_has_a_pair_for_each_level_of_confidence(tmp_path: Path) -> None:
    log = run(tmp_path, "panel_challenge")
    _, table = read_logs([Path(log.location)])
    assert len(table) == 24 * 5 * 2
    planted = table.drop_duplicates("partner").set_index("partner")[["pair", "planted"]]
    assert planted.loc["scripted-false-unsure"].tolist() == ["unsure", 1]
    assert planted.loc["scripted-true-sure"].tolist() == ["sure", 0]
    card = make_card(*read_logs([Path(log.location)]))
    questions = [question for question, _, _ in card.answers]
    assert questions[:2] == [
        "To a false claim, partner sure?",
        "To a false claim, partner unsure?",
    ]


def test_other_behaviours_can_be_scored_beside(tmp_path: Path) -> None:
    log = run(tmp_path, "panel_hedging", 4, also="repair,challenge")
    _, table = read_logs([Path(log.location)])
    assert {"hedging", "repair", "challenge", "partner_repair_cues"} <= set(table.columns)


def test_an_unknown_behaviour_beside_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PanelistError, match="also: unknown behaviour 'politeness'"):
        run(tmp_path, "panel_hedging", 4, also=["politeness"])


def test_openings_are_turns_and_no_replies(tmp_path: Path) -> None:
    log = run(tmp_path, "panel_openings", 3)
    assert log.samples is not None
    assert len(log.samples) == 3
    with pytest.raises(PanelistError, match="no log of replies in it"):
        read_logs([Path(log.location)])


def test_logs_of_two_behaviours_are_not_one_card(tmp_path: Path) -> None:
    for task in ("panel_hedging", "panel_repair"):
        run(tmp_path, task, 4)
    with pytest.raises(PanelistError, match="mixed behaviours"):
        read_logs([tmp_path])
    _, table = read_logs([tmp_path], behaviour="repair")
    assert set(table["partner"]) <= {"scripted-clean", "scripted-clean-aa", "scripted-trouble"}


def test_a_row_of_ones_own_names_the_focal(tmp_path: Path) -> None:
    row = {"name": "mine", "family": "x", "base": "x/b", "recipe": "sft"}
    log = run(tmp_path, "panel_hedging", 4, checkpoint=row)
    runs, table = read_logs([Path(log.location)])
    assert set(table["focal"]) == {"mine"}
    assert runs[0].record["checkpoint"]["recipe"] == "sft"


def test_half_a_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PanelistError, match="checkpoint: a checkpoint needs"):
        run(tmp_path, "panel_hedging", 4, checkpoint={"name": "mine", "family": "x"})
