"""The protocol: the words and settings that make two runs comparable, and their version."""

from collections.abc import Mapping
from hashlib import sha256

BENCHMARK = "1.0"
"""Version of the benchmark. Replies are compared only within a version; it changes with the
prompts, the sampling settings, the seeds or the order of speaking."""

SYSTEM_PROMPT = (
    "You are {me}, a member of a panel that discusses a question. "
    "Reply to what was said and give your own answer to the question, "
    "in two to five sentences of plain prose. Speak only for yourself."
)
"""What every generating panelist is told; its hash is part of every log."""

QUESTION = "Question for the panel: {question}"
SPEAK_FIRST = "You speak first."
SAID = "{who} said: {text}"

SETTINGS: Mapping[str, float] = {"temperature": 0.7, "top_p": 0.95, "max_tokens": 384}
"""Sampling settings of the benchmark, as plain numbers (`panels.sampling` for Inspect)."""


def prompt_sha256() -> str:
    """Hash of every word that is said to a panelist beside seeds and turns."""
    prompts = "\x1f".join((SYSTEM_PROMPT, QUESTION, SPEAK_FIRST, SAID))
    return sha256(prompts.encode()).hexdigest()
