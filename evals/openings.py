"""Freezing checkpoints' own opening turns into a new partner bank (`panelist bank build`)."""

from collections.abc import Sequence
from pathlib import Path

from inspect_ai.log import list_eval_logs

from panelist.evals.running import Engines, run_unit
from panelist.evals.units import Unit
from panelist.panels.bank import SHIPPED, read_bank, write_bank
from panelist.panels.chain import CHAIN_KEY, Chain
from panelist.panels.errors import PanelistError
from panelist.panels.logs import read_log
from panelist.panels.partner import Partner
from panelist.scorers.reply_status import reply_status

TASK = "panelist/panel_openings"

USABLE = ("ok", "truncated")
"""Statuses of an opening that a partner can reply to."""


def build_bank(
    units: Sequence[Unit],
    version: str,
    tier: str,
    path: Path,
    work: Path,
    *,
    limit: int | None = None,
    engines: Engines | None = None,
) -> tuple[str, list[str]]:
    """Let every checkpoint open on every seed of a tier, and write the bank.

    What was generated stays in `work`: built again after an interruption, it goes on from there.

    Args:
        units: the checkpoints; their names become the partners'.
        version: of the bank; new.
        tier: how many seeds.
        path: of the bank file; new.
        work: folder of the logs.
        limit: seeds, for a rehearsal.
        engines: shared with what runs after it.

    Returns:
        The bank's content hash, and the seeds that were left out because some checkpoint's
        opening was empty, a refusal or not English.

    Raises:
        PanelistError: the bank exists, or its version is that of a shipped one; openings failed,
            or none is left.
    """
    check_version(version, path)
    own = engines or Engines()
    said: dict[str, dict[str, str]] = {}
    for unit in units:
        folder = work / unit.name
        outcome = run_unit(unit, [TASK], {"tier": tier}, folder, own, limit=limit)
        if outcome.failed:
            raise PanelistError(
                f"{unit.name}: {outcome.failed} of {outcome.chains} openings failed, the first "
                f"with: {outcome.first_error}; mend the cause and run it again, it goes on from "
                f"{work}"
            )
        said[unit.checkpoint.name] = _openings(folder)
    if engines is None:
        own.stop()
    every = sorted(set().union(*said.values()))
    whole = [seed for seed in every if all(seed in turns for turns in said.values())]
    if not whole:
        raise PanelistError(f"{work}: no seed has a usable opening of every checkpoint")
    partners = tuple(
        Partner(unit.checkpoint.name, "scripted", model=unit.checkpoint.model) for unit in units
    )
    turns = {(seed, name): said[name][seed] for seed in whole for name in said}
    return write_bank(path, version, partners, turns), [s for s in every if s not in set(whole)]


def check_version(version: str, path: Path) -> None:
    """Refuse a bank that is there already, before anything is generated.

    Raises:
        PanelistError: the file exists, or the version is a shipped bank's.
    """
    if version in SHIPPED:
        raise PanelistError(f"version: {version!r} is a shipped bank's; name this one otherwise")
    if path.exists():
        there = read_bank(path)
        raise PanelistError(
            f"{path}: exists already (bank {there.version!r}), and a bank is immutable; name "
            "another file and version"
        )


def _openings(folder: Path) -> dict[str, str]:
    """Seed to opening turn, of the logs in a folder, without what nobody could reply to."""
    found: dict[str, str] = {}
    for info in list_eval_logs(str(folder)):
        log = read_log(info.name)
        for sample in log.samples or []:
            if (data := sample.store.get(CHAIN_KEY)) is None:
                continue
            chain = Chain.from_dict(data)
            found.pop(chain.seed, None)
            if reply_status(chain.turns[0]) in USABLE:
                found[chain.seed] = chain.turns[0].text
    return found
