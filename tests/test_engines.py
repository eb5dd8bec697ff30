"""Which units share an engine, and what a vLLM server is told of the adapters to come."""

import json
from dataclasses import replace
from pathlib import Path

from inspect_ai.model import GenerateConfig

from panelist.evals.running import Engines, _engine_of, _lora_arguments
from panelist.evals.units import Unit
from panelist.panels.checkpoint import find_checkpoint

ROW = find_checkpoint("smollm2-135m-instruct")
UNIT = Unit("u", ROW, "", "vllm/org/a", {"dtype": "bfloat16"}, GenerateConfig())


def test_adapters_of_one_base_share_an_engine_and_other_arguments_do_not() -> None:
    assert _engine_of("vllm/org/a", UNIT) == _engine_of("vllm/org/a:org/adapter", UNIT)
    other = replace(UNIT, args={"dtype": "float32"})
    assert _engine_of("vllm/org/a", UNIT) != _engine_of("vllm/org/a", other)
    assert _engine_of("panelist/x:a", UNIT) != _engine_of("panelist/x:b", UNIT)


def test_a_server_is_told_of_adapters_and_their_rank(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 9}))
    told = _lora_arguments(["vllm/org/a", f"vllm/org/a:{tmp_path}"])
    assert told == {"enable_lora": True, "max_lora_rank": 16}
    assert _lora_arguments(["vllm/org/a:org/adapter"]) == {"enable_lora": True}
    assert _lora_arguments(["vllm/org/a"]) == {}
    assert _lora_arguments(["panelist/smollm2-135m-instruct:hedged"]) == {}


def test_an_engine_is_stopped_once() -> None:
    engines = Engines()
    engines.model(replace(UNIT, model="mockllm/m", args={}))
    engines.stop()
    engines.stop()
