"""Does a checkpoint challenge its partner when the partner is wrong, and only then?

In the bank the partner says something checkably false, or the true twin of the same sentence, each
as a thing it is sure of and as one it is not. Challenges of false claims are hits, challenges of
true ones false alarms (signal detection: d' and criterion, at each level of the partner's
confidence). Built around arXiv 2606.20632, not a reproduction of it.

    inspect eval tasks/panel_challenge.py                     # embedded checkpoint, demo tier
    inspect eval panelist/panel_challenge --model vllm/org/name -T tier=quick
"""

from typing import Any

from inspect_ai import Task, task

from panelist.panels.bank import BANKS
from panelist.tasks.panel import panel_task


@task
def panel_challenge(
    *,
    tier: str = "demo",
    partners: str | list[str] | None = None,
    bank: str = BANKS["challenge"],
    turns: int | None = None,
    checkpoint: str | dict[str, Any] | None = None,
    also: str | list[str] | None = None,
) -> Task:
    """Challenge in the focal's reply to a false claim and to its true twin.

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
        "challenge",
        tier=tier,
        partners=partners,
        bank=bank,
        turns=turns,
        checkpoint=checkpoint,
        also=also,
    )
