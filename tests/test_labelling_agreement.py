"""Two raters compared, their disagreements, and the detector held against them."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from made_up_sample import fill, ids_in, lines, replies, save_with_sample, write
from statsmodels.stats.inter_rater import cohens_kappa

from panelist.analysis.table import KEY
from panelist.cli_label import label as command
from panelist.panels.errors import PanelistError
from panelist.scorers.agreement import conversation_weights
from panelist.scorers.labelling_agreement import agree, corrected_levels, kappa
from panelist.scorers.labelling_raters import LABELS
from panelist.scorers.labelling_sample import draw


def test_kappa_is_cohens() -> None:
    rng = np.random.default_rng(0)
    first = rng.choice(list(LABELS), 200)
    second = np.where(rng.random(200) < 0.6, first, rng.choice(list(LABELS), 200))
    table = pd.crosstab(first, second).to_numpy()
    [value] = kappa(np.ones((1, 1)), np.zeros(200, int), first, second)
    assert value == pytest.approx(cohens_kappa(table).kappa, abs=1e-12)


def test_a_resample_of_kappa_is_kappa_of_the_copied_rows() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.choice(["0", "1"], (2, 60))
    cluster = rng.integers(0, 12, 60)
    weights = conversation_weights(12, "test", 5)
    drawn = kappa(weights, cluster, first, second)
    for column in range(6):
        rows = np.repeat(np.arange(60), weights[cluster, column].astype(int))
        table = pd.crosstab(first[rows], second[rows]).to_numpy()
        assert drawn[column] == pytest.approx(cohens_kappa(table).kappa)


def test_raters_who_say_one_thing_have_no_kappa() -> None:
    one = np.array(["1"] * 5)
    assert np.isnan(kappa(np.ones((1, 1)), np.zeros(5, int), one, one)).all()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sample whose raters agree with the detector, but for a few replies."""
    write(tmp_path / "d", 120)
    key = {row["id"]: row for row in lines(tmp_path / "d" / "key.jsonl")}
    first = {i: str(key[i]["detector_label"]) for i in ids_in(tmp_path / "d")}
    second = dict(first)
    flipped = list(first)[:10]
    second.update({i: "0" if first[i] == "1" else "1" for i in flipped})
    first[list(first)[10]] = second[list(first)[10]] = "unsure"
    fill(tmp_path / "d" / "rater-1.csv", first)
    save_with_sample(tmp_path / "d", "rater-2.json", second)
    return tmp_path / "d"


def test_two_raters_are_compared(folder: Path) -> None:
    found = agree(folder)
    assert found.raw.estimate == pytest.approx(110 / 120)
    assert found.kappa.low < found.kappa.estimate < found.kappa.high < 1
    first = found.labels["rater_1"].to_numpy()
    second = found.labels["rater_2"].to_numpy()
    with_unsure = cohens_kappa(pd.crosstab(first, second).to_numpy()).kappa
    sure = first != "unsure"
    without = cohens_kappa(pd.crosstab(first[sure], second[sure]).to_numpy()).kappa
    assert found.kappa_unsure.estimate == pytest.approx(with_unsure)
    assert found.kappa.estimate == pytest.approx(without)
    assert found.undecided == 11
    assert "the raters differ on 10, one or both are unsure of 1" in found.summary()
    assert "provisional" in found.summary()
    assert found.to_frame()["estimate"].notna().all()


def test_disagreements_are_written_decided_and_used(folder: Path) -> None:
    agree(folder)
    path = folder / "adjudicated.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    assert [row["id"] for row in rows] == ids_in(folder)[:11]
    assert list(rows[0]) == ["id", "label", "rater_1", "rater_2", "partner", "reply"]
    assert {row["rater_1"] for row in rows} == {"0", "1", "unsure"}
    fill(path, {row["id"]: "1" for row in rows})
    before = path.read_bytes()
    found = agree(folder)
    assert path.read_bytes() == before
    assert found.undecided == 0 and "provisional" not in found.summary()
    human = found.labels.set_index("id")["human"]
    assert (human.loc[[row["id"] for row in rows]] == 1).all()


def test_a_new_disagreement_is_added_and_decisions_are_kept(folder: Path) -> None:
    agree(folder)
    path = folder / "adjudicated.csv"
    fill(path, {ids_in(folder)[0]: "1"})
    late = ids_in(folder)[50]
    fill(folder / "rater-1.csv", {late: "unsure"})
    found = agree(folder)
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    assert len(rows) == 12 and late in [row["id"] for row in rows]
    assert rows[0]["label"] == "1" and found.undecided == 11


def test_the_detector_is_held_against_the_labels(folder: Path) -> None:
    found = agree(folder)
    assert found.error is not None and found.overall is not None
    assert [s.name for s in found.error.strata] == [
        f"{f} x {p}" for f in ("f1", "f2") for p in ("high", "low", "mid")
    ]
    # The raters agree with the detector wherever they agree with each other.
    assert found.overall.strata[0].n == 109
    frame = found.overall.to_frame()
    assert (frame["estimate"] == 1).all() and (frame["low"] < 1).all()


def test_a_detector_that_is_always_right_is_not_corrected(tmp_path: Path) -> None:
    write(tmp_path / "d", 120)
    key = {row["id"]: row for row in lines(tmp_path / "d" / "key.jsonl")}
    labels = {i: str(key[i]["detector_label"]) for i in ids_in(tmp_path / "d")}
    for rater in ("rater-1", "rater-2"):
        fill(tmp_path / "d" / f"{rater}.csv", labels)
    found = agree(tmp_path / "d")
    assert found.kappa.estimate == found.raw.estimate == 1 and found.undecided == 0
    assert not (tmp_path / "d" / "adjudicated.csv").exists()
    levels = found.levels
    assert len(levels) == 6 and (levels["labelled"] == 20).all() and (levels["replies"] == 60).all()
    assert np.allclose(levels["detected"], levels["corrected"])


def test_corrected_levels_are_unbiased_under_differential_error() -> None:
    """The detector misses half the hedges to one partner; the mean over draws is the truth."""
    rng = np.random.default_rng(5)
    table = replies(seeds=40, replicates=1)
    truth = table["hedging"].to_numpy(int)
    missed = (table["partner"] == "high").to_numpy() & (truth == 1) & (rng.random(len(table)) < 0.5)
    detected = table.assign(hedging=np.where(missed, 0, truth), truth=truth)
    true = table.groupby(["focal", "partner"])["hedging"].mean()
    seen = detected.groupby(["focal", "partner"])["hedging"].mean()
    assert (true - seen).max() > 0.15
    draws = []
    for seed in range(150):
        key = draw(detected, "hedging", 90, seed).merge(detected[[*KEY, "truth"]], on=KEY)
        human = np.where(key["drawn"], key["truth"], np.nan)
        levels = corrected_levels(key, human).set_index(["focal", "partner"])
        assert np.allclose(levels["detected"], seen)
        draws.append(levels["corrected"])
    drawn = pd.concat(draws, axis=1)
    error = drawn.std(axis=1) / np.sqrt(drawn.shape[1])
    assert ((drawn.mean(axis=1) - true).abs() <= 4 * error + 1e-12).all()


def test_a_stratum_without_labels_is_not_called_corrected() -> None:
    key = draw(replies(), "hedging", 60, 0)
    human = np.where(key["drawn"], key["detector_label"], np.nan)
    human[(key["focal"] == "f1") & (key["partner"] == "low")] = np.nan
    levels = corrected_levels(key, human).set_index(["focal", "partner"])
    assert np.isnan(levels.loc[("f1", "low"), "corrected"])
    assert levels["corrected"].notna().sum() == 5 and levels["detected"].notna().all()


def test_both_files_of_a_rater_are_not_guessed_between(folder: Path) -> None:
    save_with_sample(folder, "rater-1.json", {ids_in(folder)[0]: "1"})
    with pytest.raises(PanelistError, match=r"both rater-1\.json and rater-1\.csv hold labels"):
        agree(folder)
    (folder / "rater-1.json").unlink()
    (folder / "rater-2.json").unlink()
    with pytest.raises(PanelistError, match=r"no labels in rater-2\.json and rater-2\.csv"):
        agree(folder)


def test_the_two_raters_are_two(folder: Path) -> None:
    with pytest.raises(PanelistError, match="give two different files"):
        agree(folder, [folder / "rater-1.csv", folder / "rater-1.csv"])
    with pytest.raises(PanelistError, match="give two different files"):
        agree(folder, [folder / "rater-1.csv"])
    assert agree(folder, [folder / "rater-2.json", folder / "rater-1.csv"]).undecided == 11


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("items.jsonl", None, "give the folder that `panelist label sample` wrote"),
        ("items.jsonl", "{}\n", "line 1: lacks id, partner or reply"),
        ("items.jsonl", "", "holds no rows"),
        ("items.jsonl", "[1]\n", "holds no rows"),
        ("items.jsonl", "{\n", "not JSON lines"),
        ("key.jsonl", None, "give the folder"),
        ("key.jsonl", '{"id": "r1"}\n', "lacks focal, partner"),
    ],
)
def test_a_damaged_folder_is_refused(
    folder: Path, name: str, content: str | None, said: str
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(PanelistError, match=said):
        agree(folder)


def test_a_key_of_another_sample_is_refused(folder: Path, tmp_path: Path) -> None:
    key = draw(replies(), "hedging", 60, 1).assign(detector="d", detector_version="1")
    rows = key.astype(object).where(key.notna(), None).to_dict("records")
    (folder / "key.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(PanelistError, match="does not belong to items"):
        agree(folder)


def test_raters_who_agree_on_nothing_end_in_words(folder: Path) -> None:
    ids = ids_in(folder)
    fill(folder / "rater-1.csv", dict.fromkeys(ids, "unsure"))
    save_with_sample(folder, "rater-2.json", dict.fromkeys(ids, "unsure"))
    result = CliRunner().invoke(command, ["agree", str(folder)])
    assert result.exit_code == 0, result.output
    assert "labels that nobody agrees on" in result.output
    assert "Kappa is not defined" in result.output
