"""Rehearsal: `--model mockllm/model` runs the whole road without tokens, weights or network.

Inspect's mock model answers with one fixed sentence and counts its tokens with an encoding that
it downloads. The rehearsal gives it stock replies, some hedged and some flat, whatever the
partner said: a run of it must show no shift.
"""

import random
from typing import Any

from inspect_ai.model import GenerateConfig, Model, ModelOutput, ModelUsage, get_model

REPLIES = (
    "I agree with the main point. The plan works, and the reasons given are sound.",
    "I think that is probably right, though it may depend on who is asked.",
    "That is the better choice. It costs less and it is easier to change later.",
    "Perhaps. It seems to me that the second reason is the stronger one.",
    "The answer is clear: start small, measure, and go on from there.",
    "I'm not sure about the first reason, but the conclusion could well be correct.",
    "Yes. The first step matters most, and the rest follows from it.",
    "No. The costs outweigh the gains, and nobody has asked for it.",
)


def offline(model: Model) -> Model:
    """The model itself, or a rehearsal where it is Inspect's mock without outputs of its own."""
    if not str(model).startswith("mockllm/") or model.model_args.get("custom_outputs"):
        return model
    return get_model(str(model), config=model.config, custom_outputs=rehearse)


def rehearse(input: Any, tools: Any, tool_choice: Any, config: GenerateConfig) -> ModelOutput:
    """A stock reply, drawn with the request's sampling seed (at random without one)."""
    text = random.Random(config.seed).choice(REPLIES)
    output = ModelOutput.from_content("mockllm/model", text)
    words = len(text.split())
    output.usage = ModelUsage(input_tokens=0, output_tokens=words, total_tokens=words)
    return output
