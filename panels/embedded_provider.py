"""The embedded checkpoint as an Inspect model: `--model panelist/smollm2-135m-instruct`."""

from typing import Any

from inspect_ai.model import ModelAPI, modelapi


@modelapi(name="panelist")
def panelist_provider() -> type[ModelAPI]:
    """The provider class, imported only when a model of it is made (it loads OpenVINO)."""
    from panelist.panels.embedded_engine import EmbeddedAPI

    return EmbeddedAPI


__all__: list[Any] = ["panelist_provider"]
