"""The board in a real browser: accessible, silent, deaf to hostile text, usable by keyboard."""

import gzip
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any

import made_up_board as made_up
import pytest

from panelist.leaderboard.page import render_board, render_checkpoint, render_versions

CHROMIUM = which("chromium")
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (apt install chromium)"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed"),
]

WIDTHS = (1280, 390)
SITES = ("index.html", "checkpoints/one.html", "boards/index.html")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with all its pages, once with tame and once with hostile texts."""
    root = tmp_path_factory.mktemp("site")
    for name in ("tame", "hostile"):
        hostile = name == "hostile"
        board = made_up.made_up_board(30, hostile=hostile)
        row = next(r for r in board["rows"] if len(r["panels"]) == 3)
        folder = root / name
        for page, text in {
            "index.html": render_board(board),
            "checkpoints/one.html": render_checkpoint(
                row, board, made_up.made_up_chains(board, hostile)
            ),
            "boards/index.html": render_versions([{"version": "1.0-aaaa", "date": "2026-10-01"}]),
            "few.html": render_board(made_up.made_up_board(1)),
            "none.html": render_board(made_up.made_up_board(0)),
        }.items():
            (folder / page).parent.mkdir(parents=True, exist_ok=True)
            (folder / page).write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class Visit:
    """One page, with what it said and asked for."""

    def __init__(self, chromium: Any, address: str, **context: Any) -> None:
        context = {"viewport": {"width": 1280, "height": 900}} | context
        self.context = chromium.new_context(**context)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, *failure: object) -> None:
        self.context.close()
        if failure[0] is None:
            assert self.said == []
            assert [u for u in self.asked if not u.startswith(("file://", "data:"))] == []


def at(site: Path, page: str = "index.html", folder: str = "tame") -> str:
    return (site / folder / page).as_uri()


def names(page: Any, tab: str = "hedging") -> list[str]:
    """Checkpoints of a table that are shown, in order."""
    shown = page.locator(f"#{tab} .rows .r:visible th a")
    # Rows off the screen are not laid out, so they have no inner text.
    return [text.strip() for text in shown.all_text_contents()]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", SITES)
def test_axe_finds_nothing_serious(
    site: Path, chromium: Any, address: str, scheme: str, width: int
) -> None:
    pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    import axe_core_python

    axe = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    viewport = {"width": width, "height": 900}
    with Visit(chromium, at(site, address), color_scheme=scheme, viewport=viewport) as page:
        page.evaluate(axe)
        tabs = page.get_by_role("tab").all() or [None]
        for tab in tabs:
            if tab:
                tab.click()
            # What is folded must be right too once it is open.
            page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
            found = page.evaluate("axe.run()")
            bad = [
                (v["id"], v["nodes"][0]["html"][:120])
                for v in found["violations"]
                if v["impact"] in ("serious", "critical", "moderate")
            ]
            assert bad == []
            assert len(found["passes"]) > 10


@pytest.mark.parametrize("scripted", [True, False])
@pytest.mark.parametrize("address", [*SITES, "few.html", "none.html"])
@pytest.mark.parametrize("folder", ["tame", "hostile"])
def test_nothing_is_said_asked_or_wider_than_a_phone(
    site: Path, chromium: Any, folder: str, address: str, scripted: bool
) -> None:
    viewport = {"width": 390, "height": 800}
    with Visit(
        chromium, at(site, address, folder), viewport=viewport, java_script_enabled=scripted
    ) as page:
        for tab in page.get_by_role("tab").all():
            tab.click()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("address", SITES[:2])
def test_no_hostile_text_runs(site: Path, chromium: Any, address: str) -> None:
    with Visit(chromium, at(site, address, "hostile")) as page:
        page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        for tab in page.get_by_role("tab").all():
            tab.click()
        if address == "index.html":
            page.get_by_role("tab", name="Panels").click()
            page.locator("input[name=in]").nth(1).check()
            page.locator("#restricted li").first.wait_for()
            page.get_by_role("tab", name="Hedging").click()
            page.locator("[name=family]").select_option(index=3)
            page.locator("[name=q]").fill("<script>")
        page.wait_for_timeout(200)
        assert page.evaluate("window.executed") is None
        assert page.locator("img, iframe, object, embed").count() == 0


def test_the_corpus_would_run_in_a_page_that_believed_it(tmp_path: Path, chromium: Any) -> None:
    ran = []
    for i, text in enumerate(made_up.HOSTILE[:5]):
        (tmp_path / f"{i}.html").write_text(f"<title>x</title><p>{text}", encoding="utf-8")
        context = chromium.new_context()
        page = context.new_page()
        page.goto((tmp_path / f"{i}.html").as_uri())
        page.wait_for_timeout(200)
        ran.append(page.evaluate("window.executed"))
        context.close()
    assert ran[:4] == [1, 1, 1, 1], "the flag is set where nothing escapes: the test can fail"


def test_the_policy_stops_a_script_that_got_in(site: Path, chromium: Any) -> None:
    path = site / "tame" / "believed.html"
    text = (site / "tame" / "index.html").read_text(encoding="utf-8")
    inserted = f'<main id="main"><script>{made_up.FLAG}</script><img src=x onerror={made_up.FLAG}>'
    path.write_text(text.replace('<main id="main">', inserted), encoding="utf-8")
    visit = Visit(chromium, path.as_uri())
    assert visit.page.evaluate("window.executed") is None
    assert any("Content Security Policy" in said for said in visit.said)
    visit.context.close()


def test_overriding_letters_stay_inside_their_name(site: Path, chromium: Any) -> None:
    said = next(text for text in made_up.HOSTILE if "\u202e" in text)
    with Visit(chromium, at(site, folder="hostile")) as page:
        row = page.locator(".rows .r").filter(has=page.locator("th bdi", has_text=said)).first
        assert row.locator("th bdi").text_content() == said
        widths = row.evaluate(
            "r => [...r.cells].filter(c => c.offsetWidth).map(c => c.getBoundingClientRect().left)"
        )
        assert widths == sorted(widths)
        assert row.locator("th bdi").evaluate("b => getComputedStyle(b).unicodeBidi") == "isolate"


def test_headers_sort_by_keyboard(site: Path, chromium: Any) -> None:
    with Visit(chromium, at(site)) as page:
        assert page.locator("#hedging th[data-key=rank]").get_attribute("aria-sort") == "ascending"
        before = names(page)
        page.locator("#filters button").focus()
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "Level":
                break
        page.keyboard.press("Enter")
        head = page.locator("#hedging th[data-key=level]")
        assert head.get_attribute("aria-sort") == "descending"
        assert page.locator("#hedging th[aria-sort]").count() == 1
        first = "#hedging .rows tbody:first-of-type .r:visible td:nth-child(4) data"
        levels = [float(v.get_attribute("value")) for v in page.locator(first).all()]
        assert levels == sorted(levels, reverse=True) and len(levels) > 15
        page.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == "ascending"
        levels = [float(v.get_attribute("value")) for v in page.locator(first).all()]
        assert levels == sorted(levels)
        assert sorted(names(page)) == sorted(before) and names(page) != before


def test_rows_without_a_number_are_last_either_way(site: Path, chromium: Any) -> None:
    with Visit(chromium, at(site)) as page:
        shift = page.locator("#hedging th[data-key=shift] button")
        for _ in range(2):
            shift.click()
            last = page.locator("#hedging .rows tbody:first-of-type .r:visible").last
            assert last.locator("td:nth-child(5) .why").count() == 1


def test_arrow_keys_move_between_tabs(site: Path, chromium: Any) -> None:
    with Visit(chromium, at(site)) as page:
        chosen = page.locator("[role=tab][aria-selected=true]")
        chosen.focus()
        for key, tab in [
            ("ArrowRight", "repair"),
            ("ArrowLeft", "hedging"),
            ("ArrowLeft", "submit"),
            ("Home", "hedging"),
            ("End", "submit"),
        ]:
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.id") == f"tab-{tab}"
            assert chosen.get_attribute("aria-controls") == tab
            assert page.locator("[role=tabpanel]:visible").count() == 1
            assert page.locator(f"#{tab}").is_visible()


def test_a_link_brings_back_tab_order_and_filters(site: Path, chromium: Any) -> None:
    from playwright.sync_api import expect

    with Visit(chromium, at(site)) as page:
        page.get_by_role("tab", name="Repair").click()
        page.locator("#repair th[data-key=dprime] button").click()
        page.locator("[name=family]").select_option("llama")
        page.locator("[name=q]").fill("vllm")
        page.locator("[name=old]").check()
        shown, said = names(page, "repair"), page.locator("#filters output").inner_text()
        assert 0 < len(shown) < 10 and f"{len(shown)} of" in said
        link = page.url
        page.reload()
        assert page.url == link
        assert names(page, "repair") == shown
        assert page.locator("#filters output").inner_text() == said
        assert page.locator("[name=family]").input_value() == "llama"
        assert page.locator("[name=old]").is_checked()
        head = page.locator("#repair th[data-key=dprime]")
        assert head.get_attribute("aria-sort") == "descending"
        page.get_by_role("button", name="Clear").first.click()
        expect(page).not_to_have_url(re.compile("family"))
        assert len(names(page, "repair")) > 20


def test_a_link_to_what_is_not_there_shows_the_board(site: Path, chromium: Any) -> None:
    with Visit(chromium, at(site) + "#nowhere&sort=-nothing&family=%3Cscript%3E") as page:
        assert len(names(page)) == 29
        assert page.locator("#hedging th[data-key=rank]").get_attribute("aria-sort") == "ascending"


def test_filters_hide_rows_and_say_how_many(site: Path, chromium: Any) -> None:
    with Visit(chromium, at(site)) as page:
        output = page.locator("#filters output")
        assert output.get_attribute("aria-live") == "polite"
        assert "29 of 30" in output.inner_text() and "1 superseded" in output.inner_text()
        page.locator("[name=class]").select_option("api")
        assert 0 < len(names(page)) < 6
        assert page.locator("#hedging .heatmap tbody tr:visible").count() == len(names(page))
        page.get_by_role("button", name="Clear").first.click()
        page.locator("[name=size]").select_option("16 to 80 B")
        page.locator("[name=tier]").select_option("demo")
        fits = [
            row["name"]
            for row in made_up.made_up_board(30)["rows"]
            if row["parameters"] == 70 and row["panels"]["hedging"]["tier"] == "demo"
        ]
        assert sorted(names(page)) == sorted(fits) and fits
        page.locator("[name=q]").fill("no such checkpoint")
        assert names(page) == [] and page.locator("#hedging .none").is_visible()


def test_the_composer_searches_under_conditions(site: Path, chromium: Any) -> None:
    board = made_up.made_up_board(30)
    ids, matrix = board["distances"]["ids"], board["distances"]["matrix"]
    called = {row["id"]: row["name"] for row in board["rows"]}
    with Visit(chromium, at(site) + "#panels") as page:
        page.get_by_label("2", exact=True).check()
        assert page.locator(".panel:visible").count() == 1
        page.locator("input[name=in]").nth(0).check()
        page.locator("input[name=out]").nth(1).check()
        best = max(range(2, len(ids)), key=lambda j: matrix[0][j])
        first = page.locator("#restricted li").first.inner_text()
        expected = f"{called[ids[0]]} + {called[ids[best]]}: {matrix[0][best]:.2f}"
        assert first == expected.replace("-0", "−0") or first == expected
        page.locator("input[name=out]").nth(0).check()
        page.evaluate("document.querySelector('.panel[data-k=\"4\"]').dataset.refused = ''")
        page.get_by_label("4", exact=True).check()
        assert not page.locator("#restrict").is_visible(), "nothing is chosen on too few seeds"
        page.get_by_label("2", exact=True).check()
        assert "both in and out" in page.locator("#restricted-said").inner_text()


def test_all_is_readable_without_javascript(site: Path, chromium: Any) -> None:
    with Visit(chromium, at(site), java_script_enabled=False) as page:
        assert page.locator("section:visible").count() == 7
        assert page.locator("#hedging .rows .r:visible").count() == 30
        assert page.locator("button:visible, input:visible").count() == 0
        assert page.locator(".panel").count() == 4
        page.locator(".panel summary").first.click()
        assert page.locator(".panel .sets").first.is_visible()


def test_print_shows_every_section_unfolded(site: Path, chromium: Any) -> None:
    with Visit(chromium, at(site), viewport={"width": 720, "height": 1000}) as page:
        page.locator("[name=old]").check()
        page.emulate_media(media="print")
        assert page.locator("section:visible").count() == 7
        assert page.locator("#filters :is(input, select, button):visible").count() == 0
        assert page.locator("#hedging .c-run:visible").count() == 31, "no column is left out"
        assert page.locator("#filters output").is_visible(), "what was filtered is said on paper"
        folded = page.locator("details:not([open]) > p, details:not([open]) li").all()
        assert len(folded) > 10 and all(text.is_visible() for text in folded)


def test_the_page_with_500_rows_is_whole(tmp_path: Path, chromium: Any) -> None:
    text = render_board(made_up.made_up_board(500))
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    assert len(gzip.compress(text.encode(), 9)) <= 300_000
    with Visit(chromium, (tmp_path / "index.html").as_uri()) as page:
        assert re.match("499 of 500", page.locator("#filters output").inner_text())
        assert not page.locator("#hedging .heatmap").is_visible()
