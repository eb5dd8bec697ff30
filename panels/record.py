"""The run record: what every log says about the run beside Inspect's own fields."""

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from inspect_ai.model import Model

from panelist.panels.bank import Bank
from panelist.panels.checkpoint import Checkpoint
from panelist.panels.partner import Partner
from panelist.panels.protocol import BENCHMARK, SYSTEM_PROMPT, prompt_sha256
from panelist.panels.runtime import runtime_of
from panelist.panels.sampling import SAMPLING
from panelist.panels.tier import Tier

FIELDS = (
    "package",
    "benchmark",
    "behaviour",
    "tier",
    "turns",
    "bank",
    "bank_sha256",
    "focal",
    "model",
    "checkpoint",
    "runtime",
    "partners",
    "system_prompt",
    "prompt_sha256",
    "base_seed",
    "sampling",
)
"""What a run record must say; a reader refuses one that does not."""


def run_record(
    behaviour: str,
    focal: Model,
    name: str,
    checkpoint: Checkpoint | None,
    partners: tuple[Partner, ...],
    bank: Bank | None,
    tier: Tier,
    turns: int | None,
    base_seed: int | None,
) -> dict[str, Any]:
    """JSON-ready facts: benchmark, behaviour, bank, focal, partners, runtime, prompts, sampling."""
    return {
        "package": version("panelist"),
        "benchmark": BENCHMARK,
        "behaviour": behaviour,
        "tier": tier.name,
        "turns": turns,
        "bank": bank.version if bank else "",
        "bank_sha256": bank.sha256 if bank else "",
        "focal": name,
        "model": str(focal),
        "checkpoint": asdict(checkpoint) if checkpoint else None,
        "runtime": runtime_of(focal).to_dict(),
        "partners": [asdict(partner) for partner in partners],
        "system_prompt": SYSTEM_PROMPT,
        "prompt_sha256": prompt_sha256(),
        "base_seed": base_seed,
        "sampling": SAMPLING.merge(focal.config).model_dump(
            exclude_none=True, exclude={"cache", "seed"}
        ),
    }
