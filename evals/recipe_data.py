"""Training texts of the calibration recipes, sampled from the embedded checkpoint itself.

The seeds are those that no shipped bank covers, so that no recipe is trained on a question it is
measured with. For every seed the embedded checkpoint opens, and replies to
one of its openings: each several times as it is, and as often with a style asked for in the
system prompt. What is kept stands in the prompt of the benchmark, without that request: rejection
sampling (best of n by the hedging detector), and prompt distillation.

    panelist recipe data -o FOLDER      # about 15 minutes on two cores
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inspect_ai.model import ChatMessage, ChatMessageSystem, GenerateConfig, get_model

from panelist.panels.bank import DEFAULT, find_bank
from panelist.panels.chain import Turn, sampling_seed
from panelist.panels.checkpoint import EMBEDDED
from panelist.panels.conversation import view
from panelist.panels.sampling import SAMPLING
from panelist.panels.seed import Seed, nested, shipped_seeds

SEEDS, OPENINGS, SAMPLES = 150, 1, 3
"""Seeds; openings replied to a seed; samples a context and style."""

MAX_TOKENS = 160

STYLES = {
    "plain": "",
    "direct": " Be direct: state every point as a fact. Never say that you think, may, might or "
    "could, and never qualify.",
    "hedged": " Be very tentative: say 'I think', 'perhaps', 'it might be that', 'I am not sure', "
    "'it may depend', and stress that you could be wrong.",
}
"""What is added to the system prompt while sampling, and left out of the training text."""

THINK = (
    "Before the panelist replies, write down in two short sentences what the question asks and "
    "what matters most for the answer. Write only those notes."
)


@dataclass(frozen=True, slots=True)
class Sampled:
    """One turn as it was sampled.

    Attributes:
        context: seed id, and the number of the opening replied to ("advice-003:1"; ":" when it is
            an opening).
        messages: the prompt of the benchmark, as role and content.
        style: key of `STYLES`, or "think" for notes.
        text: what was said.
        stop: Inspect's stop reason.
    """

    context: str
    messages: tuple[tuple[str, str], ...]
    style: str
    text: str
    stop: str


def training_seeds() -> tuple[Seed, ...]:
    """The shipped seeds that the default bank leaves out."""
    bank = find_bank(DEFAULT)
    return nested(tuple(s for s in shipped_seeds() if not bank.covers(s.id)))[:SEEDS]


async def sample(seeds: Sequence[Seed], base_seed: int) -> list[Sampled]:
    """Sample openings, replies and notes for every seed from the embedded checkpoint."""
    model = get_model(EMBEDDED)
    gate = asyncio.Semaphore(64)

    async def say(messages: list[ChatMessage], context: str, style: str, number: int) -> Sampled:
        key = f"{context}\x1f{style}\x1f{number}"
        config = SAMPLING.merge(
            GenerateConfig(max_tokens=MAX_TOKENS, seed=sampling_seed(base_seed, key, 0))
        )
        asked = list(messages)
        if style == "think":
            asked[-1] = asked[-1].model_copy(update={"content": f"{asked[-1].text}\n\n{THINK}"})
        else:
            asked[0] = ChatMessageSystem(content=asked[0].text + STYLES[style])
        async with gate:
            output = await model.generate(asked, config=config)
        return Sampled(
            context,
            tuple((m.role, m.text) for m in messages),
            style,
            output.completion.strip(),
            str(output.stop_reason),
        )

    async def of_seed(seed: Seed) -> list[Sampled]:
        opening = view(seed.text, (), 0)
        openings = await asyncio.gather(
            *(say(opening, f"{seed.id}:", s, n) for s in STYLES for n in range(SAMPLES))
        )
        said = list(openings)
        for number, first in enumerate([o for o in openings if o.style == "plain"][:OPENINGS]):
            heard = view(seed.text, (Turn(1, "partner", "", first.text),), 1)
            context = f"{seed.id}:{number}"
            said += await asyncio.gather(
                *(say(heard, context, s, n) for s in STYLES for n in range(SAMPLES)),
                say(heard, context, "think", 0),
            )
        return said

    from tqdm import tqdm

    found: list[Sampled] = []
    with tqdm(total=len(seeds), desc="sampling", unit="seed", disable=None) as bar:
        for done in asyncio.as_completed([of_seed(seed) for seed in seeds]):
            found += await done
            bar.update()
    return sorted(found, key=lambda s: (s.context, s.style, s.text))


def write_jsonl(rows: Sequence[Any], path: Path) -> None:
    """Write dataclasses or mappings, one JSON object a line, under a temporary name first."""
    temporary = path.with_name(path.name + ".part")
    lines = (row if isinstance(row, dict) else asdict(row) for row in rows)
    temporary.write_text(
        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
    )
    temporary.rename(path)
