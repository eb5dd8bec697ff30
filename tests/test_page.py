"""The board as pages, without a browser: what is in them, and that nothing in them is believed."""

import csv
import gzip
import io
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import made_up_board as made_up
import pytest

from panelist.leaderboard import board_csv, board_figures, board_words
from panelist.leaderboard.older_boards import PAGE, list_of
from panelist.leaderboard.page import (
    inline_json,
    render_board,
    render_checkpoint,
    render_versions,
)

VOID = {"meta", "link", "input", "br", "path", "line", "circle", "polygon", "rect"}
VERSIONS = [
    {"version": "1.0-aaaa", "date": "2026-10-01", "benchmark": "1.0", "checkpoints": 0},
    {"version": "1.0-bbbb", "date": "2026-11-01", "note": made_up.HOSTILE[0]},
]


class Page(HTMLParser):
    """A page's elements, its text by element, and whether its tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.misnested: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style", "title"):
            self.inside.setdefault(tag, []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.misnested.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.inside:
            self.inside[self.open[-1]][-1] += data
        self.inside.setdefault("text", []).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.inside["text"]).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def pages(n: int = 30, hostile: bool = False) -> Iterator[tuple[str, str]]:
    """Every kind of page."""
    board = made_up.made_up_board(n, hostile=hostile)
    yield "board", render_board(board)
    chains = made_up.made_up_chains(board, hostile)
    for i, row in enumerate(board["rows"]):
        yield f"checkpoint {i}", render_checkpoint(row, board, chains)
    yield "versions", render_versions(VERSIONS)


@pytest.mark.parametrize("hostile", [False, True])
def test_no_page_asks_for_anything_or_runs_anything_but_its_own_script(hostile: bool) -> None:
    for name, text in pages(hostile=hostile):
        page = Page(text)
        assert page.misnested == [] and page.open == [], name
        for tag, attributes in page.tags:
            assert not [a for a in attributes if a.startswith("on")], (name, tag, attributes)
            assert "style" not in attributes and "srcdoc" not in attributes, (name, tag)
            assert tag not in ("img", "iframe", "object", "embed", "base"), (name, tag)
            for link in ("href", "src", "action", "formaction"):
                url = attributes.get(link) or ""
                trusted = "rel" in attributes and url.startswith(("https://", "data:image/svg"))
                # A scheme or a host would leave the site.
                assert trusted or not re.match(r"\s*([a-z][a-z0-9+.-]*:|//)", url, re.I), url
        scripts = page.all("script")
        kinds = ["application/json", None] if name == "board" else []
        assert [s.get("type") for s in scripts] == kinds, name
        assert all("src" not in s for s in scripts)
        assert len(page.all("style")) == 1


def test_the_policy_holds_the_hashes_of_what_is_inlined() -> None:
    for name, text in pages(3):
        page = Page(text)
        policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m) or ""
        assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
        inlined = {"style-src": page.inside["style"][0]}
        if name == "board":
            inlined["script-src"] = page.inside["script"][-1]
        else:
            assert "script-src 'none'" in policy
        for directive, content in inlined.items():
            digest = b64encode(sha256(content.encode()).digest()).decode()
            assert f"{directive} 'sha256-{digest}'" in policy, (name, directive)
    assert "innerHTML" not in text and "insertAdjacentHTML" not in text


def test_hostile_names_and_replies_are_there_as_text() -> None:
    board = made_up.made_up_board(30, hostile=True)
    shown = Page(render_board(board))
    row = board["rows"][0]
    one = Page(render_checkpoint(row, board, made_up.made_up_chains(board, hostile=True)))
    for said in made_up.HOSTILE:
        plain = " ".join(said.replace("\ud800", "?").replace("\0", "\ufffd").split())
        assert plain in shown.text, said
        assert plain in one.text, said
    assert "49" not in Page(render_board(made_up.made_up_board(1, hostile=True))).inside["title"][0]


def test_the_page_can_be_written_as_utf_8() -> None:
    for _, text in pages(24, hostile=True):
        assert text.encode("utf-8")
        assert "\0" not in text


def test_inlined_json_comes_back_and_ends_no_script() -> None:
    said = inline_json(list(made_up.HOSTILE))
    assert not set("<>&\u2028\u2029") & set(said)
    assert json.loads(said) == list(made_up.HOSTILE)


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert list(pages(6)) == list(pages(6))
    assert render_board(made_up.made_up_board(6)) != render_board(made_up.made_up_board(7))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_board_of_few_rows_says_what_it_lacks(n: int) -> None:
    board = made_up.made_up_board(n)
    page = Page(render_board(board))
    assert page.misnested == []
    assert board["decomposition"]["why"] in page.text
    assert board["composer"]["why"] in page.text
    assert ("No submission yet." in page.text) == (n == 0)
    assert len([r for r in page.all("tr") if r.get("class") == "r"]) == 3 * n


def test_every_reason_is_shown_in_words() -> None:
    board = made_up.made_up_board(30)
    reasons = set(_reasons(board))
    assert len(reasons) > 5
    rows = board["rows"]
    text = Page(render_board(board)).text
    text += " ".join(Page(render_checkpoint(row, board, [])).text for row in rows)
    unplanted = "Nothing is planted here."  # a rank of d' where there is no d'
    assert [r for r in reasons - {unplanted} if " ".join(r.split()) not in text] == []


def _reasons(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "why" in value:
            yield value["why"]
        for inner in value.values():
            yield from _reasons(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _reasons(inner)


def test_every_row_stands_in_the_table_of_each_behaviour_that_it_ran() -> None:
    board = made_up.made_up_board(30)
    text = render_board(board)
    for behaviour in board["behaviours"]:
        section = text.split(f'<section id="{behaviour}"')[1].split("</section>")[0]
        table, rest = section.split("</table>")[:2]
        for row in board["rows"]:
            link = f'<a href="checkpoints/{row["id"]}.html">'
            ran = behaviour in row["panels"]
            assert (f'<th scope="row">{link}' in table) == ran
            assert ran or link in rest, "a row that was not run is named under the table"


def test_the_order_is_by_the_rank_of_the_shift_in_groups() -> None:
    board = made_up.made_up_board(30)
    text = render_board(board)
    table = text.split('class="rows"')[1].split("</table>")[0]
    ids = re.findall(r'<th scope="row"><a href="checkpoints/(.+?)\.html"', table)
    rows = {row["id"]: row for row in board["rows"]}
    kinds = ["old" if rows[i]["superseded_by"] else rows[i]["class"] for i in ids]
    assert sorted(kinds, key=["open", "calibration", "api", "old"].index) != kinds[::-1]
    assert kinds[-1] == "old" and "api" in kinds
    first = [i for i, kind in zip(ids, kinds, strict=True) if kind in ("open", "calibration")]
    ranks = [rows[i]["panels"]["hedging"]["ranks"]["shift"].get("low", 999) for i in first]
    assert ranks == sorted(ranks) and ids[: len(first)] == first


def test_demo_rows_alone_carry_a_caution() -> None:
    board = made_up.made_up_board(3)
    assert "Too small to rank anything" not in render_board(board)
    for row in board["rows"]:
        for panel in row["panels"].values():
            panel["tier"] = "demo"
    assert "Too small to rank anything" in render_board(board)


def test_a_superseded_row_says_by_what() -> None:
    board = made_up.made_up_board(8)
    row = next(r for r in board["rows"] if r["superseded_by"])
    assert f'href="{row["superseded_by"]}.html"' in render_checkpoint(row, board, [])
    assert 'data-old><th scope="row">' in render_board(board)


def test_cues_are_marked_and_lost_replies_are_said() -> None:
    board = made_up.made_up_board(1)
    text = render_checkpoint(board["rows"][0], board, made_up.made_up_chains(board))
    assert "I <mark>think</mark> so. " in text
    assert "<b>empty</b> · no outcome" in text


def test_a_probability_is_shown_only_of_a_learned_detector() -> None:
    board = made_up.made_up_board(1)
    board["detectors"]["challenge"]["name"] = "challenge-cues"
    text = render_checkpoint(board["rows"][0], board, made_up.made_up_chains(board))
    said = {b: text.split(f'<section id="{b}"')[1].split("</section>")[0] for b in made_up.PARTNERS}
    assert {b: "(probability " in part for b, part in said.items()} == {
        "hedging": True,
        "repair": True,
        "challenge": False,
    }
    assert "shows challenge" in said["challenge"]


def test_a_source_is_a_link_only_where_it_is_https() -> None:
    board = made_up.made_up_board(1)
    [row] = board["rows"]
    assert 'rel="noopener noreferrer nofollow ugc"' in render_checkpoint(row, board, [])
    for source in ("javascript:alert(1)", "http://example.org", " https://example.org"):
        row["source"] = source
        assert "<a href" not in render_checkpoint(row, board, []).split("Source</th>")[1][:40]


def test_what_the_seeds_are_too_few_to_choose_is_not_chosen_by_the_page() -> None:
    board = made_up.made_up_board(30)
    board["composer"]["3"] = {"why": "not identified, because there are 24 seeds."}
    text = render_board(board)
    assert 'data-k="3" data-refused open' in text and 'id="restrict"' in text
    board["composer"] = dict.fromkeys("2345", board["composer"]["3"])
    text = render_board(board)
    assert 'id="restrict"' not in text and 'id="distances"' not in text
    assert "Not identified, because there are 24 seeds." in text


def test_the_page_says_what_its_rows_are() -> None:
    board = made_up.made_up_board(30)
    text = render_board(board)
    assert text.count(">local weights<") == text.count('data-class="open"') > 0
    assert "calibration standard" in text.split('id="recipe"')[1]
    board["decomposition"]["calibration"] = 0
    assert "calibration standard" not in render_board(board).split('id="recipe"')[1]
    for row in board["rows"]:
        row["weights"] = {"kind": "revision", "value": "0" * 40}
    assert "local weights" not in render_board(board)


def test_an_a_a_check_is_counted_among_all() -> None:
    board = made_up.made_up_board(20)
    for i, row in enumerate(board["rows"]):
        for panel in row["panels"].values():
            panel["floor_p"] = (0.01, 0.5, 0.9, None)[i % 4]
    text = render_board(board)
    assert "p is below 0.05 in 5 of 15 rows; 0.75 would be by chance" in text
    assert "should not" not in render_checkpoint(board["rows"][0], board, [])


def test_profiles_have_every_behaviour_and_no_mean() -> None:
    board = made_up.made_up_board(30)
    profiles = render_board(board).split('id="profile"')[1].split("</section>")[0]
    current = [row for row in board["rows"] if not row["superseded_by"]]
    assert profiles.count('<tr><th scope="row">') == len(current) == 29
    assert "not run" in profiles
    assert 'id="profile"' not in render_board(made_up.made_up_board(30, behaviours=1))


def test_older_boards_stand_newest_first() -> None:
    text = list_of(VERSIONS)[PAGE].decode()
    assert text.index("1.0-bbbb/index.html") < text.index("1.0-aaaa/index.html")
    assert '<td class="n">0</td>' in text
    assert "first board" in render_versions([])
    assert 'href="../boards/"' in render_board(made_up.made_up_board(1), older="../boards/")


def test_500_checkpoints_fit_in_300_kilobytes() -> None:
    text = render_board(made_up.made_up_board(500))
    assert len(gzip.compress(text.encode(), 9)) <= 300_000


def test_no_cell_of_the_csv_is_a_formula() -> None:
    board = made_up.made_up_board(30, hostile=True)
    for record in csv.DictReader(io.StringIO(board_csv.to_csv(board), newline="")):
        for column, cell in record.items():
            number = re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell)
            assert number or not cell.startswith(board_csv.FORMULA), (column, cell)


def test_the_csv_holds_every_number_as_it_is() -> None:
    board = made_up.made_up_board(12)
    text = board_csv.to_csv(board)
    records = list(csv.DictReader(io.StringIO(text, newline="")))
    frame = board_csv.to_frame(board)
    assert len(records) == len(frame) == sum(len(row["panels"]) for row in board["rows"])
    row = board["rows"][0]
    record = next(r for r in records if (r["id"], r["behaviour"]) == (row["id"], "hedging"))
    panel = row["panels"]["hedging"]
    assert float(record["level_low"]) == panel["level"]["low"]
    assert int(record["shift_rank_high"]) == panel["ranks"]["shift"]["high"]
    assert record["d_prime"] == "" and "planted" in record["d_prime_why"]
    assert record["aa_replies"] == str(panel["aa_replies"]) and record["d_prime_pair"] == ""
    assert frame["level"].dtype == "Float64" and frame["seeds"].dtype == "Int64"


def test_the_csv_says_which_pair_a_d_prime_is_of() -> None:
    board = made_up.made_up_board(1)
    panel = board["rows"][0]["panels"]["challenge"]
    whole = panel["detection"].pop("")
    panel["detection"] = {"bare": whole, "confident": {"d_prime": {"why": "Too few."}}}
    records = list(csv.DictReader(io.StringIO(board_csv.to_csv(board), newline="")))
    assert [r["d_prime_pair"] for r in records] == ["", "", "bare"]
    assert float(records[2]["d_prime"]) == whole["d_prime"]["estimate"]


def test_the_frame_keeps_texts_and_goes_through_parquet(tmp_path: Any) -> None:
    import pandas as pd

    board = made_up.made_up_board(24, hostile=True)
    frame = board_csv.to_frame(board)
    frame.to_parquet(tmp_path / "board.parquet")
    again = pd.read_parquet(tmp_path / "board.parquet")
    assert set(again["name"]) >= {"@SUM(1+1)*cmd|' /C calc'!A0", "\t=1+1"}
    assert list(board_csv.to_frame(made_up.made_up_board(0)).columns) == list(frame.columns)


def test_the_scale_keeps_one_wild_row_from_flattening_the_rest() -> None:
    values = [{"estimate": 0.3, "low": 0.2, "high": 0.41}] * 99
    wild = {"estimate": 9.0, "low": -2.0, "high": 20.0}
    assert board_figures.scale([*values, wild, {"why": "none"}], 0.2) == (0.0, pytest.approx(0.6))
    assert board_figures.scale([{"estimate": 0, "low": -0.3, "high": 1.0}], 1.0) == (-1.0, 1.0)
    assert board_figures.scale([], 0.2) == (0.0, 0.2)
    drawn = str(board_figures.interval_bar(wild, (0.0, 0.6)))
    assert "L99 5" in drawn and "L1 5" in drawn, "an arrowhead on either side"
    assert "L99 5" not in str(board_figures.interval_bar(values[0], (0.0, 0.6)))


def test_a_small_board_cuts_nobody_off() -> None:
    values = [{"estimate": e, "low": e - 0.1, "high": e + 0.1} for e in (0.2, 0.3, 1.4)]
    axis = board_figures.scale(values, 0.2)
    assert axis == (0.0, pytest.approx(1.6))
    assert all('class="at"' in str(board_figures.interval_bar(v, axis)) for v in values)
    beyond = str(board_figures.interval_bar(values[2], (0.0, 1.0)))
    assert "L99 5" in beyond and 'class="at"' not in beyond, "no estimate where none is"


@pytest.mark.parametrize(("share", "shade"), [(0.0, "h0"), (0.5, "h5"), (1.0, "h9")])
def test_shades_run_from_the_lowest_to_the_highest(share: float, shade: str) -> None:
    assert board_figures.shade({"estimate": share, "low": 0, "high": 1}, (0.0, 1.0)) == shade
    assert board_figures.shade({"why": "none"}, (0.0, 1.0)) == ""


def test_figures_carry_no_style_attribute() -> None:
    figure = board_figures.forest([('a" style="x', {"estimate": 1, "low": 0, "high": 2})], "t")
    assert not [a for _, a in Page(str(figure)).tags if "style" in a]
    assert Page(str(figure)).all("svg")[0]["class"] == "figure"
    assert board_figures.forest([("a", {"why": "none"})], "t") == ""


def test_words() -> None:
    assert board_words.number(-0.5) == "−0.50"
    assert board_words.discrimination({"detection": {}})[1].keys() == {"why"}
    pairs = {"detection": {"word": {"d_prime": {"why": "a"}}, "fact": {"d_prime": {"why": "b"}}}}
    assert board_words.discrimination(pairs) == ("word", {"why": "a"})
