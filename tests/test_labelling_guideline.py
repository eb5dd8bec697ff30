"""How many labels it takes, and the guideline that says so."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from statsmodels.stats.inter_rater import cohens_kappa

from panelist.cli_label import label as command
from panelist.panels.errors import PanelistError
from panelist.scorers.detector import BEHAVIOURS
from panelist.scorers.judge_rubric import RUBRICS
from panelist.scorers.labelling_size import half_widths

GUIDELINE = Path(__file__).parents[1] / "docs" / "LABELLING.md"


def test_half_widths_are_what_simulation_gives() -> None:
    [row] = half_widths([400], base_rate=0.25, kappa=0.6).to_dict("records")
    rng = np.random.default_rng(2)
    differ = 0.4 * 0.25 * 0.75
    shares = [0.75 - differ, differ, differ, 0.25 - differ]
    drawn = [cohens_kappa(rng.multinomial(400, shares).reshape(2, 2)).kappa for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(0.6, abs=0.01)
    assert row["kappa"] == pytest.approx(1.96 * np.std(drawn), rel=0.06)
    assert row["positives"] == 100


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(PanelistError, match=r"base rate: 1\.5; give a number between 0 and 1"):
        half_widths(base_rate=1.5)
    with pytest.raises(PanelistError, match=r"n: 10 labels at base rate 0\.01 are 0 positives"):
        half_widths([10], base_rate=0.01)
    result = CliRunner().invoke(command, ["size", "--kappa", "2"])
    assert result.exit_code == 1 and "kappa: 2.0" in result.output


@pytest.mark.parametrize("rate", ["0.3", "0.05"])
def test_the_table_of_the_guideline_is_the_commands(rate: str) -> None:
    result = CliRunner().invoke(command, ["size", "--base-rate", rate])
    assert result.exit_code == 0, result.output
    guideline = [line.split() for line in GUIDELINE.read_text().splitlines()]
    for line in result.output.splitlines():
        assert line.split() in guideline


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_the_guideline_defines_what_the_judge_is_told(behaviour: str) -> None:
    guideline = " ".join(GUIDELINE.read_text().split())
    rubric = RUBRICS[behaviour]  # type: ignore[index]
    assert rubric.definition in guideline
    for rule in (*rubric.counts, *rubric.does_not_count):
        assert rule in guideline
    examples = GUIDELINE.read_text().split(f"### Examples: {behaviour}")[1].split("\n#")[0]
    labels = re.findall(r"^\| .* \| (1|0|unsure) \| .* \|$", examples, re.MULTILINE)
    assert len(labels) >= 8 and {"0", "1"} <= set(labels)
