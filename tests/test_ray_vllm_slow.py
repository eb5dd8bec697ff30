"""Real vLLM (its CPU build) on Ray: base and adapter on one engine, resumed and scored.

tox run -e vllm
"""

from pathlib import Path

import pytest
import yaml

from panelist.evals.corpus_run import Options, grow
from panelist.evals.design import read_design
from panelist.panels.manifest import read_manifest
from panelist.scorers.corpus import score_corpus
from panelist.scorers.corpus_table import read_replies

pytest.importorskip("vllm")
pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def test_base_and_adapter_speak_on_one_engine(tmp_path: Path) -> None:
    path = tmp_path / "design.yaml"
    rows = [
        {
            "name": name,
            "model": model,
            "family": "smollm2",
            "base": "smollm2-135m",
            "recipe": recipe,
        }
        for name, model, recipe in (
            ("plain", "vllm/embedded", "sft"),
            ("hedged", "vllm/embedded:hedged", "calibration-hedged"),
        )
    ]
    said = {
        "name": "on-vllm",
        "kind": "factorial",
        "tier": "8x2",
        "checkpoints": rows,
        "sampling": {"max_tokens": 48},
    }
    path.write_text(yaml.safe_dump(said))
    design = read_design(path)
    lines: list[str] = []
    first = grow(design, path, tmp_path / "out", Options(), say=lines.append)
    assert (first.lacking, first.engines, first.made.chains) == (0, 1, 2 * 8 * 4 * 2)
    assert lines == ["panelist: loading vllm/embedded, vllm/embedded:hedged"]
    again = grow(design, path, tmp_path / "out", Options(), say=lines.append)
    assert (again.lacking, again.engines, again.made.generations) == (0, 0, 0)
    corpus = first.corpora["hedging"]
    runtimes = {n: c["runtime"] for n, c in read_manifest(corpus).checkpoints.items()}
    assert all(found["engine"] == "vllm" for found in runtimes.values())
    assert runtimes["plain"]["weights_sha256"] != runtimes["hedged"]["weights_sha256"]
    score_corpus(corpus, workers=1)
    _, table = read_replies([corpus])
    assert table.groupby("focal").size().to_dict() == {"hedged": 64, "plain": 64}
    assert table["words"].mean() > 10
    # The planted recipe shows through the adapter, and the base is left as it is.
    share = table.groupby("focal")["hedging"].mean()
    assert share["hedged"] > share["plain"] + 0.1
