"""What `panelist validate` writes, and the command itself."""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from made_up_labels import SECRET, Random, Reader, everyone, write_labels

from panelist.cli_validate import validate
from panelist.scorers import validation_report
from panelist.scorers.bars import figure
from panelist.scorers.validation import run
from panelist.scorers.validation_report import status_of, statuses_json, to_json, to_markdown

Folder = Callable[..., Path]


@pytest.fixture
def labels(tmp_path: Path) -> Folder:
    """Writes a folder of labels; `wrong` says for how many rows of a corpus texts mislead."""
    return partial(write_labels, tmp_path / "labels")


def test_reports_are_the_same_bytes_again_and_in_any_order(labels: Folder) -> None:
    folder = labels({"mrda_q": 9, "subreddit": 13})
    shuffled = everyone()
    np.random.default_rng(1).shuffle(shuffled)
    first, again, other = (
        [
            make(run(folder, detectors, replicates=50))
            for make in (to_markdown, to_json, statuses_json)
        ]
        for detectors in (everyone(), everyone(), shuffled)
    )
    assert first == again == other


def test_reports_hold_no_text_no_path_and_no_id(labels: Folder) -> None:
    folder = labels()
    results = run(folder, everyone(), replicates=20)
    for made in (to_markdown(results), to_json(results), statuses_json(results)):
        assert SECRET not in made
        assert str(folder) not in made
        assert sha256((folder / "repair/mrda_q.test.jsonl").read_bytes()).hexdigest() in made


def test_the_markdown_lines_up_and_says_what_matters(labels: Folder) -> None:
    made = to_markdown(run(labels({"minecraft": 11}), everyone(), replicates=20))
    tables = [block.splitlines() for block in made.split("\n\n") if block.startswith("|")]
    assert len(tables) > 12
    for table in tables:
        assert len({len(line) for line in table}) == 1, table[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for t in tables for line in t]
    assert ["repair", "reader", "1", "exploratory", "4 of 5"] in rows
    assert ["repair", "reader", "minecraft kappa at least 0.80", "0.780 against 0.80"] in rows
    [minecraft] = [r for r in rows if r[:3] == ["minecraft", "reader", "no"]]
    assert minecraft[6].startswith("0.780 (0.")
    assert any(r[:2] == ["minecraft", "question-rule"] and r[6][:5] == "0.000" for r in rows)
    assert max(len(line) for line in made.splitlines() if not line.startswith("|")) <= 100
    assert "—" not in made


def test_the_numbers_are_published_with_three_decimals(labels: Folder) -> None:
    made = json.loads(to_json(run(labels({"mrda_q": 9}), everyone(), replicates=30)))

    def numbers(value: Any) -> Iterator[float]:
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from numbers(inner)
        elif isinstance(value, float):
            yield value

    found = list(numbers(made))
    assert len(found) > 500
    assert all(round(number, 3) == number for number in found)
    assert figure(-1e-12) == 0.0 and str(figure(-1e-12)) == "0.0"


def test_a_status_is_of_a_name_and_version(
    labels: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation_report, "files", lambda _: tmp_path)
    validation_report._packaged.cache_clear()
    monkeypatch.setattr(validation_report, "_packaged", validation_report._packaged.__wrapped__)
    assert status_of("repair", "reader", "1") == "exploratory"  # no file yet
    made = statuses_json(run(labels({"pei_science": 40}), everyone(), replicates=20))
    (tmp_path / "validation.json").write_text(made)
    assert status_of("repair", "reader", "1") == "validated"
    assert status_of("repair", "reader", "2") == "exploratory"
    assert status_of("repair", "nobody", "1") == "exploratory"
    assert status_of("hedging", "reader", "1") == "exploratory"
    packaged = json.loads(made)["statuses"]["hedging"]["reader"]
    assert (packaged["version"], packaged["met"], packaged["bars"]) == ("1", 5, 7)
    assert packaged["missed"][0] == "pei_science kappa at least 0.70: 0.200 against 0.70"


def test_the_packaged_statuses_can_be_read() -> None:
    assert status_of("hedging", "no such detector", "1") == "exploratory"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: Folder) -> Path:
    """A made-up checkout with labels beside it, and made-up detectors in the package."""
    folder = tmp_path / "checkout"
    (folder / "scorers").mkdir(parents=True)
    shipped = SimpleNamespace(
        shipped=lambda b, labels=None: [Reader(b, f"{b}-reader"), Random(b, f"{b}-random")]
    )
    monkeypatch.setitem(sys.modules, "panelist.scorers.detectors", shipped)
    monkeypatch.setattr("panelist.cli_validate.checkout", lambda: folder)
    monkeypatch.setenv("PANELIST_LABELS", str(labels()))
    monkeypatch.setenv("COLUMNS", "200")
    return folder


def test_the_command_writes_both_files_and_checks_them(root: Path) -> None:
    result = CliRunner().invoke(validate, [])
    assert result.exit_code == 0, result.output
    assert "hedging-reader" in result.output and "validated" in result.output
    statuses = json.loads((root / "scorers" / "validation.json").read_text())["statuses"]
    assert statuses["repair"]["repair-reader"]["status"] == "validated"
    assert statuses["repair"]["repair-random"]["status"] == "exploratory"

    result = CliRunner().invoke(validate, ["--check"])
    assert result.exit_code == 0, result.output

    report = root / "scorers" / "VALIDATION.md"
    committed = report.read_text()
    report.write_text(committed.replace("exploratory", "validated"))
    result = CliRunner().invoke(validate, ["--check"])
    assert result.exit_code == 1
    assert "scorers/VALIDATION.md would change" in result.output
    assert "--- committed VALIDATION.md" in result.output
    assert any(line.startswith("+| repair ") for line in result.output.splitlines())
    assert report.read_text() != committed  # nothing was written


def test_a_run_of_some_writes_only_where_it_is_told(root: Path, tmp_path: Path) -> None:
    only = ["--detector", "repair-reader"]
    result = CliRunner().invoke(validate, only)
    assert result.exit_code == 0, result.output
    assert "left as it is: not a run of all detectors" in result.output
    assert not list((root / "scorers").iterdir())
    told = [*only, "-o", str(tmp_path / "r.md"), "--json", str(tmp_path / "r.json")]
    result = CliRunner().invoke(validate, told)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "r.md").read_text().startswith("# How well")
    [detector] = json.loads((tmp_path / "r.json").read_text())["detectors"]
    assert detector["name"] == "repair-reader"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--detector", "x"], 2, "no such detector: x; there are hedging-reader"),
        (["--check", "--split", "heldout"], 2, "--check takes no option but --labels"),
        (["--labels", "nowhere"], 1, "nowhere: holds no labels"),
    ],
)
def test_the_command_says_what_is_wrong(
    root: Path, arguments: list[str], code: int, said: str
) -> None:
    result = CliRunner().invoke(validate, arguments)
    assert result.exit_code == code
    assert said in result.output


def test_without_labels_the_command_says_what_such_a_folder_holds(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PANELIST_LABELS")
    result = CliRunner().invoke(validate, [])
    assert result.exit_code == 1
    assert "$PANELIST_LABELS" in result.output and "id, conv, text, context" in result.output
