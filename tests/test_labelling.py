"""The labelling kit: the draw, and what raters see."""

import csv
import io
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from made_up_sample import fill, ids_in, lines, replies, write

from panelist.analysis.table import KEY
from panelist.cli_label import label as command
from panelist.panels.errors import PanelistError
from panelist.scorers.judge_rubric import RUBRICS
from panelist.scorers.labelling_folder import KEY_COLUMNS, plain_cell
from panelist.scorers.labelling_sample import draw, sample

# The draw.


def test_every_stratum_gets_its_equal_share() -> None:
    key = draw(replies(), "hedging", 100, 0)
    counts = key.groupby(["focal", "partner"])["drawn"].sum()
    assert counts.sum() == 100 and set(counts) == {16, 17}
    share = key.groupby(["focal", "partner"])["drawn"].transform("mean")
    assert np.allclose(key["sampling_probability"], share)


def test_a_small_stratum_gives_all_it_has_and_the_others_more() -> None:
    table = replies()
    small = (table["focal"] == "f1") & (table["partner"] == "low") & (table["replicate"] == 1)
    drop = table["focal"].eq("f1") & table["partner"].eq("low") & ~(small & (table.index < 6))
    key = draw(table[~drop], "hedging", 53, 0)
    counts = key.groupby(["focal", "partner"])["drawn"].sum()
    assert counts["f1", "low"] == 3 and set(counts.drop(("f1", "low"))) == {10}
    assert (key.loc[key["partner"].eq("low") & key["focal"].eq("f1"), "drawn"]).all()


def test_all_replies_can_be_drawn_and_no_more() -> None:
    table = replies(seeds=3)
    assert draw(table, "hedging", len(table), 0)["drawn"].all()
    for n in (len(table) + 1, 5, 0, -1):
        with pytest.raises(PanelistError, match=rf"n: {n}; there are 36 scored replies in 6 str"):
            draw(table, "hedging", n, 0)


def test_the_draw_depends_on_names_and_seed_alone() -> None:
    table = replies()
    shuffled = table.sample(frac=1, random_state=3)
    one, two, other = (
        draw(t, "hedging", 60, s) for t, s in ((table, 0), (shuffled, 0), (table, 1))
    )
    pd.testing.assert_frame_equal(one, two)
    assert set(one.loc[one["drawn"], "id"]) != set(other.loc[other["drawn"], "id"])
    larger = draw(table, "hedging", 100, 0)
    assert set(one.loc[one["drawn"], "id"]) < set(larger.loc[larger["drawn"], "id"])


def test_the_draw_is_fair() -> None:
    """Over many seeds every reply of a stratum comes up about as often."""
    table = replies(seeds=5, replicates=2)
    drawn = np.zeros(len(table))
    for seed in range(300):
        key = draw(table, "hedging", 18, seed).merge(table.reset_index(), on=KEY)
        np.add.at(drawn, key.loc[key["drawn"], "index"].to_numpy(), 1)
    # 3 of 10 in each stratum: 90 of 300 expected, standard deviation 7.9.
    assert drawn.sum() == 18 * 300
    assert np.abs(drawn - 90).max() < 4.5 * 7.9


def test_replies_without_an_outcome_are_not_drawn() -> None:
    table = replies(seeds=4)
    table.loc[::2, "status"] = "refused"
    key = draw(table, "hedging", 12, 0)
    assert len(key) == len(table) / 2 and set(key["status"]) == {"ok"}
    with pytest.raises(PanelistError, match="behaviour: 'humour'"):
        draw(table, "humour", 12, 0)


def test_the_order_of_the_items_says_nothing(tmp_path: Path) -> None:
    write(tmp_path / "d", 300)
    key = {row["id"]: row for row in lines(tmp_path / "d" / "key.jsonl")}
    order = [key[i]["focal"] + key[i]["partner"] for i in ids_in(tmp_path / "d")]
    runs = 1 + sum(a != b for a, b in pairwise(order))
    assert runs > 200  # 250 expected of six strata in random order, 6 if they stood together


# What the raters see.


def test_a_rater_sees_text_and_nothing_else(tmp_path: Path) -> None:
    table = replies().assign(text="Well said.", partner_text="It is so.")
    write(tmp_path / "d", table=table)
    for item in lines(tmp_path / "d" / "items.jsonl"):
        assert list(item) == ["id", "partner", "reply"]
    for name in ("items.jsonl", "rater-1.csv", "rater-2.csv", "label.html"):
        content = (tmp_path / "d" / name).read_text("utf-8-sig")
        for hidden in ("f1", "f2", "low", "mid", "high", "made-up", "s12", "0.1666"):
            assert not re.search(rf'[",>]{re.escape(hidden)}[",<]', content), (name, hidden)
    assert {path.name for path in (tmp_path / "d").iterdir()} == {
        "items.jsonl",
        "key.jsonl",
        "rater-1.csv",
        "rater-2.csv",
        "label.html",
    }


def test_the_key_holds_every_reply_and_its_probability(tmp_path: Path) -> None:
    made = write(tmp_path / "d")
    key = pd.DataFrame(lines(tmp_path / "d" / "key.jsonl"))
    assert tuple(key) == KEY_COLUMNS and len(key) == len(replies())
    assert key["drawn"].sum() == 60 and key["id"].is_unique
    assert np.allclose(key["sampling_probability"], made["sampling_probability"])
    assert key["detector_probability"].isna().all()


def test_a_folder_with_labels_is_never_written_over(tmp_path: Path, rehearsal_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    sample([rehearsal_path], "hedging", 8, 0, folder)  # an empty folder will do
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(PanelistError, match="is there already and not empty"):
        sample([rehearsal_path], "hedging", 8, 0, folder)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["d"]  # nothing temporary is left


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("panelist.scorers.labelling_folder.to_page", fail)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


EVIL = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "=cmd|' /C calc'!A0",
    "  +1+1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "\ud83d half a pair",
    'quotes " and, commas; and\r\nlines',
    "\u2028\u2029\x00",
    "{{ 7 * 7 }} {% raw %}",
)


def test_texts_are_data_in_every_file(tmp_path: Path) -> None:
    table = replies(seeds=4)
    texts = [EVIL[i % len(EVIL)] for i in range(len(table))]
    table = table.assign(
        **{name: pd.Series(texts, dtype=object) for name in ("text", "partner_text")}
    )
    write(tmp_path / "d", len(table), table)
    page = (tmp_path / "d" / "label.html").read_text()
    assert page.count("<script") == page.count("</script>") == 2  # the data, and the program
    data = json.loads(re.findall(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[0])
    items = lines(tmp_path / "d" / "items.jsonl")
    assert data["items"] == items and {item["reply"] for item in items} == set(EVIL)
    content = (tmp_path / "d" / "rater-1.csv").read_text("utf-8-sig")
    rows = list(csv.reader(io.StringIO(content, newline="")))
    assert len(rows) == len(table) + 1
    assert not any(cell.lstrip()[:1] in tuple("=+-@") for row in rows for cell in row if cell)


@given(st.text())
def test_no_cell_starts_a_formula(text: str) -> None:
    cell = plain_cell(text)
    assert cell in (text, f"'{text}")
    assert cell.lstrip(" \t\r\n\x00")[:1] not in ("=", "+", "-", "@") or not cell.strip()


def test_the_page_is_self_contained_and_says_what_counts(tmp_path: Path) -> None:
    write(tmp_path / "d")
    page = (tmp_path / "d" / "label.html").read_text()
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|src=|@import|url\(", page)
    text = page.replace("&#39;", "'")
    for rule in (RUBRICS["hedging"].definition, *RUBRICS["hedging"].counts):
        assert rule in text


# From logs.


class Shouting:
    """Finds repair in replies with an even number of letters; cannot score one that says No."""

    behaviour: Any = "repair"
    name = "repair-shouting"
    version = "3"

    def score(self, texts: Sequence[str], contexts: Sequence[str] | None = None) -> pd.DataFrame:
        assert contexts is not None and all(contexts)
        p = [np.nan if "No." in text else float(len(text) % 2 == 0) for text in texts]
        return pd.DataFrame(
            {"probability": p, "label": [v == 1 for v in p], "spans": "", "version": "3"}
        )


def test_logs_are_sampled(tmp_path: Path, rehearsal_path: Path) -> None:
    key = sample([rehearsal_path], "hedging", 12, 0, tmp_path / "d")
    assert key["drawn"].sum() == 12 and set(key["partner"]) >= {"scripted-low", "scripted-high"}
    items = lines(tmp_path / "d" / "items.jsonl")
    assert len(items) == 12 and all(item["partner"] and item["reply"] for item in items)
    again = sample([rehearsal_path], "hedging", 12, 0, tmp_path / "e")
    pd.testing.assert_frame_equal(key, again)
    for name in ("items.jsonl", "key.jsonl", "rater-1.csv", "label.html"):
        assert (tmp_path / "d" / name).read_bytes() == (tmp_path / "e" / name).read_bytes()


def test_another_behaviour_takes_a_detector(tmp_path: Path, rehearsal_path: Path) -> None:
    with pytest.raises(PanelistError, match="hold no scores of repair; name a detector"):
        sample([rehearsal_path], "repair", 12, 0, tmp_path / "d")
    key = sample([rehearsal_path], "repair", 12, 0, tmp_path / "d", Shouting())
    assert set(key["detector"]) == {"repair-shouting"} and set(key["detector_version"]) == {"3"}
    assert set(key["detector_probability"]) == {0.0, 1.0}
    assert not any("No." in item["reply"] for item in lines(tmp_path / "d" / "items.jsonl"))
    with pytest.raises(PanelistError, match="it detects repair, not challenge"):
        sample([rehearsal_path], "challenge", 12, 0, tmp_path / "e", Shouting())


def test_the_whole_road_at_the_command_line(tmp_path: Path, rehearsal_path: Path) -> None:
    folder = tmp_path / "d"
    arguments = ["sample", str(rehearsal_path), "-n", "24", "-o", str(folder)]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert "label.html" in result.output
    ids = ids_in(folder)
    fill(folder / "rater-1.csv", {i: str(n % 2) for n, i in enumerate(ids)})
    fill(folder / "rater-2.csv", {i: str(n % 2 if n else 1) for n, i in enumerate(ids)})
    result = CliRunner().invoke(command, ["agree", str(folder)])
    assert result.exit_code == 0, result.output
    for said in ("kappa (1 or 0)", "1 replies are not decided", "sensitivity", "corrected"):
        assert said in result.output
    assert (folder / "adjudicated.csv").is_file()
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1 and "is there already" in result.output
