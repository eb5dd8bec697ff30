"""What ships is what the scripts make, its status is computed, and a log can be scored again."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner
from inspect_ai import score
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log

from panelist.cli import commands
from panelist.panels.errors import PanelistError
from panelist.scorers.bars import BARS
from panelist.scorers.behaviour import hedging
from panelist.scorers.detector import BEHAVIOURS
from panelist.scorers.detectors import shipped
from panelist.scorers.logs import read_logs
from panelist.scorers.validation_report import status_of

LABELS = Path(__file__).parents[2] / "shared" / "labels"


def measured() -> Iterator[tuple[str, str, dict[str, object]]]:
    """Behaviour, detector and facts of validation.json."""
    found = json.loads((files("panelist.scorers") / "validation.json").read_text())
    for behaviour, detectors in found["statuses"].items():
        for name, facts in detectors.items():
            yield behaviour, name, facts


def test_every_shipped_detector_was_validated_as_it_is() -> None:
    versions = {(behaviour, name): facts["version"] for behaviour, name, facts in measured()}
    now = {(b, one.name): one.version for b in BEHAVIOURS for one in shipped(b)}
    assert versions == now, "run `panelist validate` and commit the result"


def test_a_status_follows_from_the_bars() -> None:
    for behaviour, name, facts in measured():
        bars = sum(bar.behaviour == behaviour for bar in BARS)
        missed = facts["missed"]
        assert isinstance(missed, list)
        assert (facts["status"] == "validated") == (not missed)
        assert status_of(behaviour, name, str(facts["version"])) == facts["status"]
        assert status_of(behaviour, name, "another") == "exploratory"
        assert len(missed) <= bars


@pytest.mark.parametrize("name", ["hedging-cues", "hedging-learned"])
def test_a_log_is_scored_again_without_generating(
    rehearsal_log: EvalLog, tmp_path: Path, name: str
) -> None:
    again = score(rehearsal_log, hedging(name), action="overwrite")
    assert again.stats.model_usage == rehearsal_log.stats.model_usage
    path = tmp_path / "again.eval"
    write_eval_log(again, str(path))
    runs, table = read_logs([path])
    [version] = [one.version for one in shipped("hedging") if one.name == name]
    assert runs[0].detector == {
        "name": name,
        "version": version,
        "status": status_of("hedging", name, version),
    }
    cued = table["hedging_cues"] > 0
    assert (
        table["hedging"] == (cued if name == "hedging-cues" else table["hedging_score"] >= 0.5)
    ).all()
    for sample in read_eval_log(str(path)).samples or []:
        for one in (sample.scores or {}).values():
            assert (one.metadata or {})["detector"] == name


def test_a_detector_of_another_behaviour_is_refused() -> None:
    with pytest.raises(PanelistError, match="it detects repair; give hedging-learned"):
        hedging("repair-cues")


@pytest.mark.slow
@pytest.mark.skipif(not LABELS.is_dir(), reason=f"no labelled sets at {LABELS}")
@pytest.mark.parametrize("command", ["train", "validate"])
def test_weights_and_reports_are_what_the_labels_make(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[1])
    result = CliRunner().invoke(commands, [command, "--labels", str(LABELS), "--check"])
    assert result.exit_code == 0, result.output


def test_inspect_does_not_wait_for_what_scoring_needs() -> None:
    code = (
        "import sys, inspect_ai; had = set(sys.modules); import panelist.registry; "
        "print(set(sys.modules) - had)"
    )
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    for heavy in ("numpy", "pandas", "scipy", "pyarrow", "numba"):
        assert f"'{heavy}'" not in loaded
