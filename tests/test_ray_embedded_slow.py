"""The same design through Inspect and through Ray, on the embedded checkpoint: an A/A test.

tox run -e ray
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from panelist.analysis.cells import cells_by_focal
from panelist.analysis.contrasts import joint_p
from panelist.analysis.errors import NotIdentified
from panelist.evals.corpus_run import Options, grow
from panelist.evals.design import read_design
from panelist.evals.experiment import run_design
from panelist.scorers.corpus import score_corpus
from panelist.scorers.corpus_table import read_replies
from panelist.scorers.logs import read_logs

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

KEY = ["focal", "partner", "seed", "replicate", "turn"]

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def design(folder: Path, name: str, seed: int) -> Path:
    path = folder / f"{name}.yaml"
    embedded = "panelist/smollm2-135m-instruct"
    rows = [
        {"name": n, "model": model, "family": "smollm2", "base": "smollm2-135m", "recipe": recipe}
        for n, model, recipe in (
            ("plain", embedded, "sft"),
            ("hedged", f"{embedded}:hedged", "calibration-hedged"),
        )
    ]
    said = {
        "name": name,
        "kind": "factorial",
        "tier": "24x2",
        "checkpoints": rows,
        "sampling": {"max_tokens": 40, "seed": seed},
    }
    path.write_text(yaml.safe_dump(said))
    return path


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """The replies through Inspect, through Ray, and through Ray with fresh sampling seeds."""
    folder = tmp_path_factory.mktemp("aa")
    path = design(folder, "through-inspect", 0)
    run_design(read_design(path), path, folder / "inspect", say=lambda line: None)
    logs = sorted((folder / "inspect" / "logs").iterdir())
    made = [read_logs(logs)[1]]
    for name, seed in (("through-ray", 0), ("fresh-seeds", 1)):
        path = design(folder, name, seed)
        done = grow(read_design(path), path, folder / name, Options(), say=lambda line: None)
        assert (done.lacking, done.engines, done.made.generations) == (0, 2, 2 * 24 * 4 * 2)
        corpus = done.corpora["hedging"]
        score_corpus(corpus, workers=1)
        made.append(read_replies([corpus])[1])
    yield made[0], made[1], made[2]


def test_the_schema_is_the_same(tables: Tables) -> None:
    for table in tables[1:]:
        assert list(table.columns) == list(tables[0].columns)
        assert table.dtypes.equals(tables[0].dtypes)
        assert set(map(tuple, table[KEY].to_numpy())) == set(map(tuple, tables[0][KEY].to_numpy()))


def test_the_same_sampling_seeds_give_the_same_replies(tables: Tables) -> None:
    inspect, ray, fresh = (table.set_index(KEY)["text"].sort_index() for table in tables)
    # Seeded sampling is alike, not identical: rounding depends on what shares the engine's batch,
    # and that on how busy the machine is.
    assert (inspect == ray).mean() > 0.5
    assert (inspect == fresh).mean() < 0.1


def test_fresh_seeds_differ_by_noise_alone(tables: Tables) -> None:
    cells = {}
    for measure in ("label", "rate", "words"):
        per = {}
        for name, table in (("inspect", tables[0]), ("ray", tables[2])):
            single = table[table["same_turns_as"] == ""]
            for focal, found in cells_by_focal(single, measure=measure).items():
                per[f"{focal}-{name}"] = found
        cells[measure] = per
    for focal in ("plain", "hedged"):
        p = joint_p(cells, f"{focal}-inspect", f"{focal}-ray")
        assert not isinstance(p, NotIdentified)
        print(f"A/A of Inspect and Ray, {focal}: p = {p:.2f}")
        assert p > 0.01
    # The test can fail: it tells the two recipes apart.
    apart = joint_p(cells, "plain-inspect", "hedged-ray")
    assert not isinstance(apart, NotIdentified) and apart < 1e-6
