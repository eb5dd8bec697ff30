"""The card: what it says of a rehearsal, and how it refuses what is no card's matter."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import GenerateConfig, get_model

from panelist.analysis.cells import cells
from panelist.analysis.table import KEY, check_table
from panelist.cli import commands, main
from panelist.leaderboard.card import make_card
from panelist.leaderboard.card_formats import to_html, to_json, to_markdown
from panelist.panels.errors import PanelistError
from panelist.panels.rehearsal import rehearse
from panelist.scorers.logs import read_logs
from panelist.tasks.panel_hedging import panel_hedging


def changed(source: Path, target: Path, *, sample=None, metadata=None, samples=None, log=None):  # type: ignore[no-untyped-def]
    """The path of a copy of a log with some of it changed; `log` and `sample` are functions."""
    change, log = log, read_eval_log(str(source))
    if change is not None:
        change(log)
    if metadata is not None:
        assert log.eval.metadata is not None
        log.eval.metadata["panelist"].update(metadata)
    if samples is not None:
        log.samples = samples
    for one in log.samples or []:
        if sample is not None:
            sample(one)
    write_eval_log(log, str(target))
    return target


def test_the_table_has_one_row_a_reply(rehearsal_path: Path) -> None:
    _, table = read_logs([rehearsal_path])
    assert len(table) == 24 * 4 * 2
    assert not table.duplicated(KEY).any()
    assert check_table(table) is table
    assert set(table["status"]) == {"ok"}
    assert (table["hedging"] == (table["hedging_score"] >= 0.5)).all()
    assert set(table["hedging"]) == {0, 1}


def test_inspect_and_the_card_agree_on_the_means(rehearsal_path: Path) -> None:
    """Inspect's mean and clustered stderr against the card's level, partner by partner."""
    log = read_eval_log(str(rehearsal_path))
    assert log.results is not None
    metrics = next(s.metrics for s in log.results.scores if s.name == "hedging")
    by_name = {metric.name: metric.value for metric in metrics.values()}
    _, table = read_logs([rehearsal_path])
    measured = cells(table, behaviour="hedging", measure="label")
    for partner, level in zip(measured.partners, measured.levels(), strict=True):
        assert by_name[f"{partner} mean"] == pytest.approx(level, abs=1e-12)
    card = make_card(*read_logs([rehearsal_path]))
    for partner, level in card.levels.items():
        # One cluster a seed with one (epoch-averaged) value: the same standard error.
        assert by_name[f"{partner} stderr"] == pytest.approx(level.se, rel=1e-9)


def test_a_demo_says_that_it_is_too_small(rehearsal_path: Path) -> None:
    card = make_card(*read_logs([rehearsal_path]))
    [_, _, (question, answer, behind)] = card.answers
    assert (question, answer) == ("Can I believe it?", "with care")
    assert "demo tier is too small" in behind
    assert "exploratory" in behind


def test_five_seeds_are_refused_in_words(tmp_path: Path) -> None:
    [log] = inspect_eval(
        panel_hedging,
        model=get_model(
            "mockllm/model", config=GenerateConfig(seed=1), custom_outputs=rehearse, memoize=False
        ),
        log_dir=str(tmp_path),
        limit=20,
        display="none",
    )
    card = make_card(*read_logs([Path(log.location)]))
    [_, (_, moves, why), _] = card.answers
    assert moves == "cannot say"
    assert "not identified" in why
    html = to_html(card)
    assert "cannot say" in html
    assert json.loads(to_json(card))["omnibus_p"] is None


def test_failures_are_counted_not_dropped(rehearsal_path: Path, tmp_path: Path) -> None:
    def spoil(sample) -> None:  # type: ignore[no-untyped-def]
        if sample.epoch == 1 and sample.metadata["partner"] == "scripted-high":
            for turn in sample.scores["hedging"].metadata["turns"]:
                turn["status"] = "refused"

    path = changed(rehearsal_path, tmp_path / "refused.eval", sample=spoil)
    card = make_card(*read_logs([path]))
    assert card.counts["refused"] == 24
    assert "24 of 192 replies have no outcome" in card.answers[2][2]


def test_the_seed_count_is_that_of_the_numbers(rehearsal_path: Path, tmp_path: Path) -> None:
    """Seeds that lack a reply to some partner are left out, and the card says how many."""
    log = read_eval_log(str(rehearsal_path))
    seeds = sorted({sample.metadata["seed"] for sample in log.samples or []})

    def spoil(sample) -> None:  # type: ignore[no-untyped-def]
        if sample.metadata["seed"] in seeds[:3] and sample.metadata["partner"] == "scripted-low":
            sample.scores["hedging"].metadata["turns"][0]["status"] = "refused"

    card = make_card(*read_logs([changed(rehearsal_path, tmp_path / "some.eval", sample=spoil)]))
    assert (card.n_seeds, card.n_seen) == (21, 24)
    assert card.shift.n_seeds == 21  # type: ignore[union-attr]
    assert "3 seeds lack a reply to some partner" in card.answers[2][2]


def test_a_retry_supersedes_what_it_retried(rehearsal_path: Path, tmp_path: Path) -> None:
    log = read_eval_log(str(rehearsal_path))
    first = changed(rehearsal_path, tmp_path / "a.eval", samples=(log.samples or [])[:50])
    second = read_eval_log(str(rehearsal_path))
    second.eval.eval_id = "another"
    write_eval_log(second, str(tmp_path / "b.eval"))
    runs, table = read_logs([tmp_path])
    assert len(table) == 192
    assert [run.superseded for run in runs] == [(first,)]


def test_an_unfinished_run_says_what_is_missing(rehearsal_path: Path, tmp_path: Path) -> None:
    log = read_eval_log(str(rehearsal_path))
    part = changed(rehearsal_path, tmp_path / "part.eval", samples=(log.samples or [])[:160])
    card = make_card(*read_logs([part]))
    assert "32 of 192 replies were never made" in card.answers[2][2]


def test_mixed_settings_are_refused(rehearsal_path: Path, tmp_path: Path) -> None:
    def hotter(log: EvalLog) -> None:
        assert log.eval.metadata is not None
        log.eval.metadata["panelist"]["sampling"]["temperature"] = 1.5
        log.eval.task_id = log.eval.eval_id = "hotter"

    other = changed(rehearsal_path, tmp_path / "hot.eval", log=hotter)
    with pytest.raises(PanelistError, match="mixed settings of mockllm/model"):
        read_logs([rehearsal_path, other])


def test_at_temperature_0_the_floor_is_not_informative(
    rehearsal_path: Path, tmp_path: Path
) -> None:
    def cold(log: EvalLog) -> None:
        assert log.eval.metadata is not None
        log.eval.metadata["panelist"]["sampling"]["temperature"] = 0.0

    card = make_card(*read_logs([changed(rehearsal_path, tmp_path / "cold.eval", log=cold)]))
    assert "at temperature 0" in card.floor.summary()


def test_one_live_partner_still_has_its_level(tmp_path: Path) -> None:
    """One partner: no shift, but a level with an interval inside 0 to 100 %."""
    [log] = inspect_eval(
        panel_hedging,
        task_args={"partners": "self"},
        model=get_model(
            "mockllm/model", config=GenerateConfig(seed=1), custom_outputs=rehearse, memoize=False
        ),
        log_dir=str(tmp_path),
        limit=5,
        display="none",
    )
    card = make_card(*read_logs([Path(log.location)]))
    [level] = card.levels.values()
    assert 0 <= level.low <= level.estimate <= level.high <= 1
    assert level.low < level.high
    assert "| self | " in to_markdown(card)
    assert "mean over 1 partner" in to_markdown(card)


def test_output_errors_are_one_message(
    rehearsal_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "card.html").mkdir()
    target = str(tmp_path / "card.html")
    assert "card.html" in refused(capsys, monkeypatch, "card", str(rehearsal_path), "-o", target)
    assert [path.name for path in tmp_path.iterdir()] == ["card.html"]


class _Balance(HTMLParser):
    """Open elements, to see that every one is closed."""

    VOID = frozenset({"meta", "br", "line", "circle", "rect", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_self_contained_and_well_formed(rehearsal_path: Path) -> None:
    page = to_html(make_card(*read_logs([rehearsal_path])))
    parser = _Balance()
    parser.feed(page)
    assert not parser.open
    assert {"svg", "table"} <= parser.seen
    assert not {"script", "link", "img", "iframe"} & parser.seen
    assert not re.search(r"(?:src|href)=", page)
    assert "prefers-color-scheme: dark" in page


def test_what_a_model_wrote_is_text(rehearsal_path: Path, tmp_path: Path) -> None:
    attack = "Perhaps <script>alert(1)</script> </bdi><img src=x onerror=alert(1)>"

    def inject(sample) -> None:  # type: ignore[no-untyped-def]
        sample.store["panelist_chain"]["turns"][1]["text"] = attack
        sample.scores["hedging"].metadata["turns"][0]["spans"] = [[0, 7]]

    path = changed(rehearsal_path, tmp_path / "attack.eval", sample=inject)
    page = to_html(make_card(*read_logs([path])))
    assert "<script>" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "<mark>Perhaps</mark>" in page


def test_json_is_strict_and_markdown_has_the_levels(rehearsal_path: Path) -> None:
    card = make_card(*read_logs([rehearsal_path]))
    data = json.loads(to_json(card), parse_constant=lambda name: pytest.fail(name))
    assert data["focal"] == "mockllm/model"
    assert np.isfinite(data["level"]["estimate"])
    assert "| scripted-low | " in to_markdown(card)


def test_the_command_writes_and_prints(rehearsal_path: Path, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "card.html"
    result = CliRunner().invoke(commands, ["card", str(rehearsal_path), "-o", str(target)])
    assert result.exit_code == 0, result.output
    assert "How much does it hedge?" in result.output
    assert target.read_text().startswith("<!doctype html>")
    assert [p.name for p in target.parent.iterdir()] == ["card.html"]
    result = CliRunner().invoke(commands, ["card", str(rehearsal_path), "--format", "json"])
    assert json.loads(result.output)["focal"] == "mockllm/model"


def refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str
) -> str:
    """The one line that the command ends with."""
    monkeypatch.setattr("sys.argv", ["panelist", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert error.count("\n") == 1
    return error


def test_bad_logs_are_refused(
    rehearsal_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def card(*paths: Path) -> str:
        return refused(capsys, monkeypatch, "card", *map(str, paths))

    assert "no such log" in card(tmp_path / "none.eval")
    (tmp_path / "folder").mkdir()
    assert "no Inspect log in this folder" in card(tmp_path / "folder")
    garbage = tmp_path / "garbage.eval"
    garbage.write_bytes(b"not a zip")
    assert "not a readable Inspect log" in card(garbage)
    empty = changed(rehearsal_path, tmp_path / "empty.eval", samples=[])
    assert "an empty log" in card(empty)

    def other_run(log: EvalLog) -> None:
        log.eval.task_id = log.eval.eval_id = "other"

    old = changed(
        rehearsal_path, tmp_path / "old.eval", metadata={"benchmark": "0.9"}, log=other_run
    )
    assert "mixed benchmark versions" in card(rehearsal_path, old)
    other_bank = changed(
        rehearsal_path, tmp_path / "bank.eval", metadata={"bank_sha256": "f"}, log=other_run
    )
    assert "mixed partner banks" in card(rehearsal_path, other_bank)
    assert "stand twice" in card(rehearsal_path, rehearsal_path)

    def forget(log: EvalLog) -> None:
        assert log.eval.metadata is not None
        del log.eval.metadata["panelist"]["base_seed"]

    foreign = changed(rehearsal_path, tmp_path / "foreign.eval", log=forget)
    assert "its run record lacks base_seed" in card(foreign)
    [log] = inspect_eval(
        Task(dataset=[Sample("hi")], name="other"),
        model=get_model(
            "mockllm/model", config=GenerateConfig(seed=1), custom_outputs=rehearse, memoize=False
        ),
        log_dir=str(tmp_path / "other"),
        display="none",
    )
    assert "a log of the task 'other'" in card(Path(log.location))


def test_an_unknown_focal_is_named(
    rehearsal_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = refused(capsys, monkeypatch, "card", str(rehearsal_path), "--focal", "x")
    assert "no replies of 'x' in the logs; they hold mockllm/model" in error
