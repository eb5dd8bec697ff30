"""Runs a design on a model that notes every answer it gives; the resume test kills it.

python counted_run.py DESIGN OUTPUT NOTES
"""

import asyncio
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, modelapi
from inspect_ai.tool import ToolChoice, ToolInfo

from panelist.evals.design import read_design
from panelist.evals.experiment import run_design

DESIGN, OUTPUT, NOTES = map(Path, sys.argv[1:])


class Counted(ModelAPI):
    """Takes its time, and writes down what it said before it says it."""

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        await asyncio.sleep(0.1)
        mark = uuid4().hex
        with NOTES.open("a") as notes:
            notes.write(mark + "\n")
        return ModelOutput.from_content("counted/model", f"Perhaps the mark is {mark} then.")

    def max_connections(self) -> int:
        return 4


@modelapi(name="counted")
def counted() -> type[ModelAPI]:
    return Counted


def main() -> Any:
    return run_design(read_design(DESIGN), DESIGN, OUTPUT, limit=20)


if __name__ == "__main__":
    main()
