"""The calibration recipes: small, recorded, trained on other questions, merged in place."""

import json
from pathlib import Path

import numpy as np
import pytest

from panelist.evals.recipe_data import Sampled, write_jsonl
from panelist.evals.recipe_training import read_sampled, select
from panelist.panels.bank import SHIPPED, find_bank
from panelist.panels.checkpoint import REASONING, shipped_checkpoints
from panelist.panels.embedded import Deltas
from panelist.panels.embedded_hf import _unpermute
from panelist.panels.errors import PanelistError
from panelist.panels.recipe import RECIPES, adapter


@pytest.mark.parametrize("name", RECIPES)
def test_an_adapter_is_small_and_says_what_it_was_made_from(name: str) -> None:
    folder = adapter(name)
    shipped = [folder / f for f in ("adapter_model.safetensors", "adapter_config.json")]
    assert sum(path.stat().st_size for path in shipped) <= 700_000
    record = json.loads((folder / "training.json").read_text())
    assert record["method"] == RECIPES[name].method
    assert record["losses"][-1] < record["losses"][0]
    assert {"seed", "examples_sha256", "rank", "rate", "epochs"} <= set(record)
    assert (
        "/" not in json.loads(shipped[1].read_text())["base_model_name_or_path"].split("/", 2)[2:]
    )


@pytest.mark.parametrize("name", RECIPES)
def test_no_recipe_was_trained_on_a_question_it_is_measured_with(name: str) -> None:
    trained = set(json.loads((adapter(name) / "training.json").read_text())["seeds"])
    for version in SHIPPED:
        assert trained.isdisjoint(seed for seed, _ in find_bank(version).turns)


def test_every_recipe_is_a_checkpoint_of_its_own() -> None:
    rows = {c.recipe: c for c in shipped_checkpoints() if c.recipe.startswith("calibration-")}
    assert set(rows) == {f"calibration-{name}" for name in RECIPES}
    assert {row.base for row in rows.values()} == {"HuggingFaceTB/SmolLM2-135M"}
    assert rows["calibration-thinking"].recipe in REASONING


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(PanelistError, match="recipe: unknown value 'bold'; choose one of direct"):
        adapter("bold")


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    with pytest.raises(PanelistError, match="not an adapter"):
        Deltas(tmp_path)


def test_deltas_reach_interleaved_queries_and_plain_values(tmp_path: Path) -> None:
    """A GGUF keeps the rows of q and k interleaved; undone, the matrix is W + scale B A."""
    save_file = pytest.importorskip("safetensors.numpy").save_file
    rng = np.random.default_rng(0)
    heads, width, rank = 3, 12, 2
    a, b = rng.normal(size=(rank, width)), rng.normal(size=(width, rank))
    stem = "base_model.model.model.layers.7.self_attn"
    save_file(
        {
            f"{stem}.{p}_proj.lora_{m}.weight": v.astype(np.float32)
            for p in "qv"
            for m, v in (("A", a), ("B", b))
        },
        tmp_path / "adapter_model.safetensors",
    )
    (tmp_path / "adapter_config.json").write_text('{"lora_alpha": 16, "r": 2}')
    deltas = Deltas(tmp_path)
    w, whole = rng.normal(size=(width, width)), 8.0 * (b @ a)
    interleaved = w.reshape(heads, 2, width // heads // 2, width).swapaxes(1, 2).reshape(w.shape)
    made = deltas.add("blk.7.attn_q.weight", interleaved, {"attn_q": heads})
    np.testing.assert_allclose(_unpermute(made, heads), w + whole, rtol=1e-5)
    plain = deltas.add("blk.7.attn_v.weight", w, {"attn_q": heads})
    np.testing.assert_allclose(plain, w + whole, rtol=1e-5)
    for other in ("blk.6.attn_q.weight", "blk.7.ffn_up.weight", "token_embd.weight"):
        assert deltas.add(other, w, {"attn_q": heads}) is w


def said(context: str, style: str, text: str, stop: str = "stop") -> Sampled:
    return Sampled(context, (("system", "s"), ("user", "Panelist A said: Yes.")), style, text, stop)


FLAT = "The plan works well and it costs less than the other one by far. " * 2
UNSURE = "I think it might perhaps work, though I am not sure that it would in every case. " * 2


def test_examples_are_the_extremes_of_each_context() -> None:
    rows = [
        said("a:0", "plain", FLAT),
        said("a:0", "hedged", UNSURE),
        said("a:0", "direct", FLAT + "So it goes."),
        said("a:0", "direct", "Too short."),
        said("a:0", "hedged", UNSURE + "Perhaps.", stop="max_tokens"),
        said("a:0", "think", "They ask about the plan.  It works."),
    ]
    made = select(rows)
    assert made["hedged"][0]["chosen"] == UNSURE
    assert made["direct"][0]["chosen"].startswith(FLAT)
    [pair] = made["preference"]
    assert (pair["chosen"], pair["rejected"]) == (UNSURE, made["direct"][0]["chosen"])
    assert made["thinking"][0]["chosen"].startswith(
        "<think>\nThey ask about the plan. It works.\n</think>"
    )


def test_sampled_turns_read_back(tmp_path: Path) -> None:
    rows = [said("a:0", "plain", FLAT)]
    write_jsonl(rows, tmp_path / "s.jsonl")
    assert read_sampled(tmp_path / "s.jsonl") == rows
    (tmp_path / "s.jsonl").write_text('{"context": 1}\n')
    with pytest.raises(PanelistError, match="line 1: not a sampled turn"):
        read_sampled(tmp_path / "s.jsonl")
