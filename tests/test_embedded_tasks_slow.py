"""Every task on the embedded checkpoint, and a recipe that does what it was trained for."""

from pathlib import Path

import numpy as np
import pytest
from inspect_ai.model import GenerateConfig

from panelist.evals.running import Engines, run_unit
from panelist.evals.units import Unit
from panelist.panels.checkpoint import find_checkpoint
from panelist.panels.embedded import Deltas, embedded_model
from panelist.panels.embedded_hf import write_hf_directory
from panelist.panels.recipe import RECIPES, adapter
from panelist.scorers.logs import read_logs

pytest.importorskip("openvino_genai")
pytestmark = pytest.mark.slow

SHORT = GenerateConfig(max_tokens=80)


def unit(name: str) -> Unit:
    row = find_checkpoint(name)
    return Unit(name, row, "", row.model, {}, SHORT)


def test_every_task_runs(tmp_path: Path) -> None:
    engines = Engines()
    tasks = [f"panelist/panel_{b}" for b in ("hedging", "repair", "challenge")]
    one = unit("smollm2-135m-instruct")
    outcome = run_unit(one, tasks, {"tier": "demo"}, tmp_path, engines, limit=5)
    engines.stop()
    assert outcome.failed == 0, outcome.first_error
    for behaviour in ("hedging", "repair", "challenge"):
        _, table = read_logs([tmp_path], behaviour=behaviour)
        assert table[behaviour].notna().any()


def test_the_hedged_recipe_hedges_more_than_the_direct_one(tmp_path: Path) -> None:
    engines = Engines()
    shares = {}
    for name in ("smollm2-135m-hedged", "smollm2-135m-direct"):
        arguments = {"tier": "demo", "partners": ["scripted-neutral"]}
        folder = tmp_path / name
        run_unit(unit(name), ["panelist/panel_hedging"], arguments, folder, engines)
        shares[name] = read_logs([folder])[1]["hedging"].mean()
    engines.stop()
    assert shares["smollm2-135m-hedged"] > shares["smollm2-135m-direct"] + 0.2


@pytest.mark.parametrize("name", RECIPES)
def test_merged_weights_are_the_base_and_the_delta(name: str, tmp_path: Path) -> None:
    """Exported again, the matrices of the merged file are W + scale B A, and the others are W."""
    from safetensors.numpy import load_file

    weights = {}
    for recipe in (None, name):
        folder = tmp_path / str(recipe)
        folder.mkdir()
        write_hf_directory(embedded_model(recipe), folder)
        weights[recipe] = load_file(folder / "model.safetensors")
    deltas = load_file(adapter(name) / "adapter_model.safetensors")
    assert Deltas(adapter(name)).sha256
    changed = 0
    for key, base in weights[None].items():
        stem = f"base_model.model.{key.removesuffix('.weight')}"
        expected = base.astype(np.float32)
        if f"{stem}.lora_A.weight" in deltas:
            a, b = (deltas[f"{stem}.lora_{m}.weight"].astype(np.float32) for m in "AB")
            expected = expected + 8.0 * (b @ a)
            changed += 1
        np.testing.assert_allclose(weights[name][key], expected, atol=2e-3, rtol=2e-3)
    assert changed == 4 * 30
