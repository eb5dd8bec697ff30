"""A corpus is scored, counted and laid out as Inspect's logs of the same chains are."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from panelist.analysis.cells import cells_by_focal
from panelist.analysis.tally import Tally
from panelist.cli import commands
from panelist.evals.batch_chunk import speak_chunk
from panelist.evals.batch_plan import missing
from panelist.evals.corpus_run import Growth, Options
from panelist.evals.design import read_design
from panelist.panels.batch_engines import RehearsalEngine, engine_spec
from panelist.panels.corpus import TURNS, parts
from panelist.panels.errors import PanelistError
from panelist.panels.manifest import read_manifest, write_manifest
from panelist.panels.tier import find_tier
from panelist.scorers.corpus import score_corpus
from panelist.scorers.corpus_table import Corpus, read_replies
from panelist.scorers.logs import read_logs

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Generates corpora in this process, with stock replies."""

    def made(**fields: object) -> Path:
        row = {"name": "mockllm/model", "model": "mockllm/model", "family": "f", "base": "f"}
        said = {
            "name": "mine",
            "kind": "factorial",
            "checkpoints": [{**row, "recipe": "sft"}],
            "sampling": {"seed": 1},
            **fields,
        }
        path = tmp_path / "design.yaml"
        path.write_text(yaml.safe_dump(said))
        design = read_design(path)
        growth = Growth(design, path, tmp_path / "out", Options(batch=100), print)
        work, manifest = growth.planned(growth.plan.steps[0], find_tier(design.tier), None)
        engine = RehearsalEngine(engine_spec("mockllm/model", {}))
        for level, _, numbers in work.levels():
            for chunk in missing(work, level, numbers, print):
                speak_chunk(work, chunk, engine)
        write_manifest(work.corpus, manifest)
        return work.corpus

    return made


def test_the_table_is_that_of_inspect(make: Make, rehearsal_path: Path) -> None:
    corpus = make()
    score_corpus(corpus, workers=1)
    runs, table = read_replies([corpus])
    [of_inspect], expected = read_logs([rehearsal_path])
    assert list(table.columns) == list(expected.columns)
    keys = ["partner", "seed", "replicate", "turn"]
    table, expected = (t.sort_values(keys, ignore_index=True) for t in (table, expected))
    pd.testing.assert_frame_equal(table.drop(columns="run"), expected.drop(columns="run"))
    [run] = runs
    assert (run.found, run.expected) == (of_inspect.found, of_inspect.expected)
    assert run.detectors == of_inspect.detectors
    assert run.record.keys() == of_inspect.record.keys()
    same = ("bank_sha256", "prompt_sha256", "base_seed", "tier", "partners", "focal", "model")
    assert {k: run.record[k] for k in same} == {k: of_inspect.record[k] for k in same}


def test_counts_are_those_of_the_table(make: Make) -> None:
    corpus = make(behaviours=["challenge"], partners="bank")
    score_corpus(corpus, workers=1)
    _, tally = Corpus(corpus).counted()
    table = Corpus(corpus).table()[1]
    again = Tally.from_table(table, ["challenge"])
    assert tally.partners.keys() == again.partners.keys()
    assert repr(tally.partners) == repr(again.partners)  # NaN is not NaN
    single = table[table["same_turns_as"] == ""]
    [(name, expected)] = cells_by_focal(single, behaviour="challenge").items()
    for found in (tally.cells("challenge")[name], again.cells("challenge")[name]):
        assert (found.seeds, found.partners) == (expected.seeds, expected.partners)
        assert found.missing == expected.missing
        for array in ("total", "exposure", "replies", "sumsq"):
            np.testing.assert_array_equal(getattr(found, array), getattr(expected, array))
    pd.testing.assert_frame_equal(tally.statuses(), again.statuses())


def test_what_is_scored_is_not_scored_again(make: Make) -> None:
    corpus = make(tier="4x2")
    before = {path: path.read_bytes() for path in (corpus / TURNS).glob("**/*.parquet")}
    first = score_corpus(corpus, workers=1)
    assert (first.made, first.there, first.replies) == (4, 0, 32)
    again = score_corpus(corpus, workers=1)
    assert (again.made, again.there, again.replies) == (0, 4, 0)
    more = score_corpus(corpus, ["hedging-learned", "repair-cues"], workers=1)
    assert (more.made, more.there) == (4, 4)
    assert before == {path: path.read_bytes() for path in (corpus / TURNS).glob("**/*.parquet")}


def test_more_replies_are_scored_alone(make: Make) -> None:
    score_corpus(make(tier="4x2"), workers=1)
    corpus = make(tier="5x3")
    with pytest.raises(PanelistError, match=r"not scored by hedging-learned .* run `panelist sco"):
        Corpus(corpus).counted()
    assert score_corpus(corpus, workers=1).there == 4
    assert len(Corpus(corpus).table()[1]) == 5 * 3 * 4


def test_corrupt_scores_are_made_anew(make: Make) -> None:
    corpus = make(tier="4x2")
    score_corpus(corpus, workers=1)
    path = next((corpus / "scores").glob("**/*.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PanelistError, match=f"{path.name}.*run `panelist score` again"):
        Corpus(corpus).counted()
    assert score_corpus(corpus, workers=1).made == 1
    assert Corpus(corpus).counted()[0][0].found == 32


def test_corrupt_turns_are_named_and_the_rest_scored(make: Make) -> None:
    corpus = make(tier="4x2")
    part = next(parts(corpus / TURNS))
    part.path.write_bytes(part.path.read_bytes()[::-1])
    with pytest.raises(PanelistError, match=f"{part.path.name}: corrupt.*All other parts are sco"):
        score_corpus(corpus, workers=1)
    assert len(list((corpus / "scores").glob("**/*.parquet"))) == 3
    make(tier="4x2")
    assert score_corpus(corpus, workers=1).made == 1


def test_later_turns_reply_to_the_part_before(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "panelist.evals.batch_plan.engine_spec",
        lambda model, args: replace(engine_spec(model, args), key=model),
    )
    corpus = make(tier="3x2", partners=["mockllm/other", "self"], turns=4)
    legs = {path.path.parent.name for path in parts(corpus / TURNS)}
    assert legs == {"partner=mockllm%2Fother", "partner=self"}
    assert sum(1 for _ in parts(corpus / TURNS)) == 5  # four legs with another, one with itself
    score_corpus(corpus, workers=1)
    table = Corpus(corpus).table()[1]
    assert sorted(set(table["turn"])) == [2, 4]
    own = table.set_index(["partner", "seed", "replicate", "turn"])
    said = {}
    for part in parts(corpus / TURNS):
        for row in pq.read_table(part.path).to_pylist():
            said[part.partner, row["seed"], row["replicate"], row["turn"]] = row["text"]
    for (partner, seed, replicate, turn), row in own.iterrows():
        assert row["text"] == said[partner, seed, replicate, turn]
        assert row["partner_text"] == said[partner, seed, replicate, turn - 1]
    _, tally = Corpus(corpus).counted()
    assert tally.statuses().to_numpy().sum() == 3 * 2 * 2  # the first reply of each chain


def test_the_commands_from_turns_to_report(make: Make, tmp_path: Path) -> None:
    corpus = make(tier="20x2")

    def panelist(*words: object) -> str:
        done = CliRunner().invoke(commands, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return done.output

    assert "160 replies scored by hedging-learned" in panelist("score", corpus, "--workers", 1)
    panelist("report", corpus, "-o", tmp_path)
    assert "160 replies in 1 runs" in (tmp_path / "report.md").read_text()
    assert "mockllm/model" in panelist("card", corpus)
    for name in ("t.parquet", "t.csv"):
        assert "160 replies" in panelist("table", corpus, "-o", tmp_path / name)
    whole = pd.read_parquet(tmp_path / "t.parquet")
    assert len(whole) == len(pd.read_csv(tmp_path / "t.csv")) == 160
    panelist("table", corpus, "--no-text", "-o", tmp_path / "n.parquet")
    bare = pd.read_parquet(tmp_path / "n.parquet")
    pd.testing.assert_frame_equal(bare, whole.drop(columns=["text", "partner_text", "spans"]))


def test_a_corpus_says_what_it_lacks(make: Make) -> None:
    corpus = make(tier="4x2")
    next(parts(corpus / TURNS)).path.unlink()
    score_corpus(corpus, workers=1)
    [run], _ = Corpus(corpus).counted()
    assert (run.found, run.expected) == (24, 32)
    assert read_manifest(corpus).expected == 32
