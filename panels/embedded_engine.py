"""The embedded engine: OpenVINO GenAI's continuous batching behind Inspect's model interface.

Measured on 2 shared cores (Intel Xeon with AMX, 24 GB), SmolLM2-135M-Instruct, 48 chats of about
130 prompt tokens, temperature 0.7, at most 384 new tokens; figures of one run, load 1 to 3:

| engine | start, s | tokens/s | greedy replies equal to Transformers float32 |
|---|---|---|---|
| OpenVINO GenAI 2026.4, float16 GGUF, the CPU's default precision | 4 | 300-340 | 3 of 4 |
| the same, INFERENCE_PRECISION_HINT=f32 | 4 | 93-200 | 4 of 4 |
| OpenVINO GenAI 2026.4, the released Q4_1 GGUF | 3 | 385 | 0 of 4, f32 or not |
| CTranslate2 4.8, int8 / float32, batches of 96 and 32 | 1 | 83 / 57 | 3 of 3 in float32 |
| Transformers 5.23, bfloat16, one batch of 48 | 4 | 49 | not compared |
| llama.cpp (xllamacpp 2026.10, no AVX-512), Q4_1, 16 slots | 1 | 39 | 1 of 3 |

and, measured earlier for this project: vLLM's CPU build, 200-230 tokens/s, start 42 s.
A request repeated with its seed, among others that came in another order, gave the same reply in 46
to 47 of 48 cases (48 of 48 in f32): seeds make runs alike, not identical.
"""

import importlib.util
import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from panelist.panels.checkpoint import EMBEDDED
from panelist.panels.embedded import INSTALL_HINT, embedded_model, file_sha256
from panelist.panels.errors import PanelistError
from panelist.panels.recipe import RECIPES

CACHE_GB = 1
"""Room for keys and values: 64 chats of 1,000 tokens need about 0.75 GB in float16."""

EXACT = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
"""OpenVINO properties: activations are not quantised. `-M` arguments add to them."""

CONNECTIONS = 64
"""Chats generated side by side."""


Reply = tuple[str, StopReason, int, int]
"""Text, stop reason, tokens of the prompt, tokens generated."""


@dataclass(frozen=True)
class _Request:
    prompt: str
    config: Any
    done: "Future[Reply]"


class _Engine:
    """One OpenVINO pipeline and the thread that steps it; requests join as they come."""

    def __init__(self, recipe: str | None, properties: dict[str, Any]) -> None:
        import openvino_genai

        self.genai = openvino_genai
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.cache_size = CACHE_GB
        scheduler.max_num_seqs = CONNECTIONS
        scheduler.enable_prefix_caching = False  # a cached prefix changes the numbers a little
        weights = embedded_model(recipe)
        self.weights_sha256 = file_sha256(weights) if weights.is_file() else None
        self._pipeline = openvino_genai.ContinuousBatchingPipeline(
            str(weights), scheduler, "CPU", properties
        )
        self.tokenizer = self._pipeline.get_tokenizer()
        self.waiting: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="panelist-engine", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread once what runs is done."""
        self.waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        """Step the engine while anything is unfinished; sleep on the queue otherwise."""
        running: dict[int, tuple[_Request, Any, int]] = {}
        number = 0
        while True:
            while not running or not self.waiting.empty():
                request = self.waiting.get()
                if request is None:
                    return
                try:
                    given = self.tokenizer.encode(
                        request.prompt, add_special_tokens=False
                    ).input_ids
                    handle = self._pipeline.add_request(number, given, request.config)
                    running[number] = (request, handle, given.shape[1])
                    number += 1
                except Exception as ex:
                    request.done.set_exception(ex)
            try:
                self._pipeline.step()
            except Exception as ex:
                for request, _, _ in running.values():
                    request.done.set_exception(ex)
                running.clear()
                continue
            for key, (request, handle, length) in list(running.items()):
                if handle.get_status() != self.genai.GenerationStatus.RUNNING:
                    del running[key]
                    request.done.set_result(self._result(handle, length))

    def _result(self, handle: Any, given: int) -> Reply:
        output = handle.read_all()[0]
        ids = list(output.generated_ids)
        at_limit = output.finish_reason == self.genai.GenerationFinishReason.LENGTH
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text, ("max_tokens" if at_limit else "stop"), given, len(ids)


_engines: dict[tuple[str, str], _Engine] = {}
"""Engines that run, by recipe and properties: Inspect makes several models of one name."""

_starting = threading.Lock()


class EmbeddedAPI(ModelAPI):
    """Inspect provider `panelist`; models of one recipe and properties share an engine."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        name, _, recipe = model_name.partition(":")
        if f"panelist/{name}" != EMBEDDED:
            raise PanelistError(
                f"unknown checkpoint 'panelist/{model_name}'; the embedded one is {EMBEDDED} "
                f"(recipes: {', '.join(f':{known}' for known in RECIPES)}), and any other "
                "Inspect model works by its own provider (vllm/…, hf/…, openai/…)"
            )
        if importlib.util.find_spec("openvino_genai") is None:
            raise PanelistError(f"{EMBEDDED} needs openvino_genai: {INSTALL_HINT}")
        self._recipe = recipe or None
        self._properties = EXACT | model_args
        self.dtype = str(model_args.get("INFERENCE_PRECISION_HINT", "float16 weights, CPU default"))
        engine = self._engine
        self.weights_sha256, self.tokenizer = engine.weights_sha256, engine.tokenizer

    @property
    def _engine(self) -> _Engine:
        """The engine, started if it does not run."""
        key = (self._recipe or "", repr(sorted(self._properties.items())))
        with _starting:
            if key not in _engines:
                _engines[key] = _Engine(self._recipe, self._properties)
            return _engines[key]

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Generate one reply; honours temperature, top_p, top_k, max_tokens, stop_seqs, seed."""
        messages = [{"role": message.role, "content": message.text} for message in input]
        started = time.monotonic()
        done = self.submit(messages, config)
        text, stop_reason, given, made = await anyio.to_thread.run_sync(
            done.result, abandon_on_cancel=True, limiter=_unlimited()
        )
        return ModelOutput(
            model=self.model_name,
            choices=[
                ChatCompletionChoice(
                    message=ChatMessageAssistant(
                        content=text, model=self.model_name, source="generate"
                    ),
                    stop_reason=stop_reason,
                )
            ],
            usage=ModelUsage(input_tokens=given, output_tokens=made, total_tokens=given + made),
            time=time.monotonic() - started,
        )

    def submit(self, messages: list[dict[str, str]], config: GenerateConfig) -> "Future[Reply]":
        """Ask for one reply to chat messages (`role` and `content`), without an event loop."""
        prompt = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        engine = self._engine
        request = _Request(prompt, self._sampling(engine, config), Future())
        engine.waiting.put(request)
        return request.done

    def max_connections(self) -> int:
        """As many chats as the engine batches."""
        return CONNECTIONS

    def max_tokens(self) -> int | None:
        """The limit where the caller sets none."""
        return 1024

    def close(self) -> None:
        """Stop the engine; a later generation starts it again."""
        key = (self._recipe or "", repr(sorted(self._properties.items())))
        with _starting:
            engine = _engines.pop(key, None)
        if engine:
            engine.stop()

    def _sampling(self, engine: _Engine, config: GenerateConfig) -> Any:
        sampling = engine.genai.GenerationConfig()
        sampling.apply_chat_template = False  # the prompt is a filled template already
        sampling.max_new_tokens = config.max_tokens or 1024
        sampling.set_eos_token_id(self.tokenizer.get_eos_token_id())
        temperature = 1.0 if config.temperature is None else config.temperature
        sampling.do_sample = temperature > 0
        if sampling.do_sample:
            sampling.temperature = temperature
            sampling.top_p = 1.0 if config.top_p is None else config.top_p
            if config.top_k is not None:
                sampling.top_k = config.top_k
            sampling.rng_seed = time.monotonic_ns() if config.seed is None else config.seed
        if config.stop_seqs:
            sampling.stop_strings = set(config.stop_seqs)
        return sampling


def _unlimited() -> anyio.CapacityLimiter:
    """Waiting on a future takes no processor: Inspect's connections are the only limit."""
    return anyio.CapacityLimiter(1)
