"""Tables of three and more: who speaks when, what each hears, and how the transcript reads."""

from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from panelist.panels.cast import cast_partners
from panelist.panels.chain import CHAIN_KEY, Chain, Turn
from panelist.panels.conversation import check_turns, view
from panelist.panels.errors import PanelistError
from panelist.panels.partner import Partner
from panelist.scorers.logs import read_logs
from panelist.tasks.panel_hedging import panel_hedging

TURNS = (
    Turn(1, "partner", "p", "One."),
    Turn(2, "partner", "q", "Two."),
    Turn(3, "focal", "f", "Three."),
    Turn(4, "partner", "p", "Four."),
)


def test_each_hears_what_was_said_since_its_own_last_turn() -> None:
    heard = [m.text for m in view("Q?", TURNS, seat=1, seats=3)[1:]]
    assert heard == [
        "Question for the panel: Q?\n\nPanelist A said: One.",
        "Two.",
        "Panelist C said: Three.\n\nPanelist A said: Four.",
    ]


def test_names_joined_by_plus_are_a_table_with_the_focal_last() -> None:
    [table], bank = cast_partners("scripted-low+self+mockllm/b", "v1", role_given=False)
    assert table.kind == "table"
    assert table.order == ("scripted-low", "self", "mockllm/b", "focal")
    assert table.reply_turn == 4
    assert bank is not None


def test_the_focal_sits_where_it_is_named() -> None:
    [table], bank = cast_partners("self+focal+mockllm/b", "v1", role_given=False)
    assert table.order == ("self", "focal", "mockllm/b")
    assert table.reply_turn == 2
    assert bank is None


def test_a_focal_that_opens_replies_in_the_second_round() -> None:
    [table], _ = cast_partners("focal+self+mockllm/b", "v1", role_given=False)
    assert table.reply_turn == 4


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("self+self", "a name stands twice at the table"),
        ("self+focal", "is not a round table"),
        ("focal+self+focal", "is not a round table"),
        ("self+nobody", "unknown partner 'nobody'"),
    ],
)
def test_a_table_that_is_none_is_refused(names: str, message: str) -> None:
    with pytest.raises(PanelistError, match=message):
        cast_partners(names, "v1", role_given=False)


@pytest.mark.parametrize(
    ("order", "turns"), [("self+scripted-low", None), ("scripted-low+self", 4)]
)
def test_a_scripted_member_only_opens(order: str, turns: int | None) -> None:
    cast, _ = cast_partners(order, "v1", role_given=False)
    with pytest.raises(PanelistError, match="scripted-low can only open"):
        check_turns(turns, cast)


def test_a_table_needs_its_turns() -> None:
    cast, _ = cast_partners("self+mockllm/b", "v1", role_given=False)
    with pytest.raises(PanelistError, match="needs at least 3"):
        check_turns(2, cast)


def run(folder: Path, **task: Any) -> EvalLog:
    spoken = iter(range(10**6))

    def speak(*_: Any) -> ModelOutput:
        output = ModelOutput.from_content("mockllm/model", f"Perhaps it is number {next(spoken)}.")
        output.usage = ModelUsage(output_tokens=5)
        return output

    model = get_model("mockllm/model", custom_outputs=speak, memoize=False)
    [log] = inspect_eval(
        panel_hedging,
        task_args=task,
        model=model,
        log_dir=str(folder),
        limit=2,
        display="none",
    )
    assert log.status == "success"
    return log


def test_three_speakers_read_in_order_in_the_viewer(tmp_path: Path) -> None:
    """What `inspect view` draws: messages by speaker, and a span for every turn."""
    log = run(tmp_path, partners="scripted-high+mockllm/other", turns=3)
    for sample in read_eval_log(log.location).samples or []:
        names = ["scripted-high", "mockllm/other", "mockllm/model"]
        said = [(m.metadata or {}).get("speaker") for m in sample.messages]
        assert said == ["question", *names]
        assert [m.role for m in sample.messages] == ["user", "user", "user", "assistant"]
        for message, name in zip(sample.messages[1:], names, strict=True):
            assert message.text.startswith(f"**{name}:** ")
        spans = [e.name for e in sample.events if e.event == "span_begin" and e.type == "agent"]
        assert spans == names
        chain = Chain.from_dict(sample.store[CHAIN_KEY])
        assert chain.order == tuple(names)
        assert [turn.role for turn in chain.turns] == ["partner", "partner", "focal"]


def test_replies_at_a_table_and_to_one_partner_stand_in_one_table(tmp_path: Path) -> None:
    log = run(tmp_path, partners="self+mockllm/other,scripted-low")
    _, table = read_logs([Path(log.location)])
    turns = dict(zip(table["partner"], table["turn"], strict=True))
    assert turns == {"self+mockllm/other+focal": 3, "scripted-low": 2}
    assert set(table["partner_kind"]) == {"table", "scripted"}


def test_a_longer_table_goes_round(tmp_path: Path) -> None:
    log = run(tmp_path, partners="self+mockllm/other", turns=6)
    _, table = read_logs([Path(log.location)])
    assert sorted(set(table["turn"])) == [3, 6]


def test_a_chain_of_an_older_log_has_two_seats() -> None:
    data = Chain("id", "s", "Q?", "f", "p", 1, TURNS[:1]).to_dict()
    del data["order"]
    assert Chain.from_dict(data).seats == 2


def test_a_partner_of_one_opens_and_hears_the_focal() -> None:
    assert Partner("p", "checkpoint", model="m").seats[1] is None
    assert Partner("p", "checkpoint", model="m").reply_turn == 2
