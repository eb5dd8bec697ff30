"""How much a checkpoint hedges in reply to a partner, and how far that moves with the partner.

Built around arXiv 2606.20632 (Zhang, Wang, Xue, Chu 2026), not a reproduction of it.

    inspect eval tasks/panel_hedging.py                       # embedded checkpoint, demo tier
    inspect eval panelist/panel_hedging --model vllm/org/name -T tier=standard
    inspect eval panelist/panel_hedging --model openai/gpt-4o-mini -T tier=quick
    inspect eval panelist/panel_hedging --model vllm/org/a --model-role partner=vllm/org/b
    inspect eval panelist/panel_hedging -T partners=self,scripted-neutral -T turns=2
"""

from inspect_ai import Epochs, Task, task

from panelist.panels.bank import DEFAULT
from panelist.panels.cast import cast_partners, focal_checkpoint, focal_model, role_is_given
from panelist.panels.checkpoint import EMBEDDED
from panelist.panels.conversation import check_turns, converse
from panelist.panels.grid import grid
from panelist.panels.protocol import BENCHMARK, SAMPLING
from panelist.panels.record import run_record
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier
from panelist.scorers.hedging import hedging


@task
def panel_hedging(
    *,
    tier: str = "demo",
    partners: str | list[str] | None = None,
    bank: str = DEFAULT,
    turns: int = 2,
    checkpoint: str | None = None,
) -> Task:
    """Hedging in the focal's reply to each partner.

    Model roles:
        partner: a live partner, in place of the bank.

    Args:
        tier: demo, quick, standard or full: how many seeds, and replies per seed and partner.
        partners: bank partners, `self`, registered checkpoints or Inspect model strings,
            separated by commas; default: the role `partner` if set, else the whole bank.
        bank: version of a shipped partner bank, or the path of a bank file.
        turns: turns in a chain, the partner's opening included; beyond 2 partners must be live.
        checkpoint: the focal's name in the registry, where `--model` does not tell.
    """
    focal = focal_model()
    name, registered = focal_checkpoint(focal, checkpoint)
    cast, frozen = cast_partners(partners, str(bank), role_is_given())
    check_turns(turns, cast)
    chosen = find_tier(str(tier))
    config = SAMPLING.merge(focal.config)
    # The embedded engine honours seeds; others may reject one, so they get it only on request.
    base_seed = 0 if config.seed is None and str(focal) == EMBEDDED else config.seed
    return Task(
        model=focal,
        dataset=grid(shipped_seeds(), cast, frozen, chosen, name),
        solver=converse(turns, config, base_seed),
        scorer=hedging(),
        config=SAMPLING,
        epochs=Epochs(chosen.replies, "mean"),
        version=BENCHMARK,
        metadata={
            "panelist": run_record(focal, name, registered, cast, frozen, chosen, turns, base_seed)
        },
    )
