"""How much a checkpoint hedges in reply to a partner, and how far that moves with the partner.

Built around arXiv 2606.20632 (Zhang, Wang, Xue, Chu 2026), not a reproduction of it.

    inspect eval tasks/panel_hedging.py                       # embedded checkpoint, demo tier
    inspect eval panelist/panel_hedging --model vllm/org/name -T tier=standard
    inspect eval panelist/panel_hedging --model openai/gpt-4o-mini -T tier=quick
    inspect eval panelist/panel_hedging --model vllm/org/a --model-role partner=vllm/org/b
    inspect eval panelist/panel_hedging -T partners=self,scripted-neutral -T turns=2
    inspect eval panelist/panel_hedging -T partners=self+vllm/org/b     # a table of three
"""

from typing import Any

from inspect_ai import Task, task

from panelist.panels.bank import BANKS
from panelist.tasks.panel import panel_task


@task
def panel_hedging(
    *,
    tier: str = "demo",
    partners: str | list[str] | None = None,
    bank: str = BANKS["hedging"],
    turns: int | None = None,
    checkpoint: str | dict[str, Any] | None = None,
    also: str | list[str] | None = None,
) -> Task:
    """Hedging in the focal's reply to each partner.

    Model roles:
        partner: a live partner, in place of the bank.

    Args:
        tier: demo, quick, standard or full: how many seeds, and replies per seed and partner.
        partners: bank partners, `self`, registered checkpoints or Inspect model strings,
            separated by commas; names joined by `+` sit at one table and speak in that order, the
            focal last or where `focal` stands. Default: the role `partner` if set, else the bank.
        bank: version of a shipped partner bank, or the path of a bank file.
        turns: turns in a chain, the opening included; default: up to the focal's reply. Who has to
            speak after the opening must be live.
        checkpoint: the focal's name in the registry, where `--model` does not tell; or a row of
            one's own: name, family, base, recipe.
        also: behaviours that the same replies are scored for beside.
    """
    return panel_task(
        "hedging",
        tier=tier,
        partners=partners,
        bank=bank,
        turns=turns,
        checkpoint=checkpoint,
        also=also,
    )
