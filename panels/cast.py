"""The cast: from what the user names to the focal and the partners of a run."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspect_ai.model import GenerateConfig, Model, get_model, model_roles

from panelist.panels.bank import SHIPPED, Bank, find_bank
from panelist.panels.checkpoint import (
    EMBEDDED,
    Checkpoint,
    checkpoint_of,
    find_checkpoint,
    row_of,
    shipped_checkpoints,
)
from panelist.panels.embedded import OVERRIDE
from panelist.panels.errors import PanelistError
from panelist.panels.partner import FOCAL, Partner
from panelist.panels.rehearsal import offline

SELF = "self"
"""The partner's name in self-play."""

ROLE = "partner"
"""The Inspect model role that names a live partner."""

BATCHED = GenerateConfig(max_connections=64)
"""The embedded engine is fastest full: no slow start, as there is for a remote service."""


def focal_model() -> Model:
    """The model under test: Inspect's active model, or the embedded checkpoint if there is none.

    Raises:
        PanelistError: called outside an evaluation.
    """
    try:
        model = get_model()
    except ValueError as ex:
        # A task that names a model overrides the one given to eval(): outside an evaluation
        # nobody can know yet which it will be, and the wrong one must not be run in silence.
        raise PanelistError(
            "a panel task was made outside an evaluation, where its focal model is not known yet; "
            "give the task itself, eval(panel_hedging, task_args={...}, model=...), "
            "or its name, eval('panelist/panel_hedging', ...)"
        ) from ex
    embedded = str(model).partition(":")[0] == EMBEDDED
    if (embedded or str(model) == "none/none") and not model.model_args:
        name = str(model) if embedded else EMBEDDED
        return get_model(name, config=BATCHED.merge(model.config))
    return offline(model)


def role_is_given() -> bool:
    """Whether the user set the model role `partner`."""
    return ROLE in model_roles()


def focal_checkpoint(
    model: Model, given: str | Mapping[str, Any] | None
) -> tuple[str, Checkpoint | None]:
    """The focal's name and registry row: the one the user gives, else the one that fits the model.

    Args:
        model: the focal.
        given: a registered name, or a row of one's own: `name`, with or without the fields of a
            registry row.

    Raises:
        PanelistError: the user names a checkpoint that is not registered, or gives half a row.
    """
    if isinstance(given, Mapping):
        return _own_row(model, given)
    if given is None and str(model) == EMBEDDED and (override := os.environ.get(OVERRIDE)):
        return f"embedded:{Path(override).name}", None
    checkpoint = find_checkpoint(given) if given else checkpoint_of(str(model))
    return (checkpoint.name if checkpoint else str(model)), checkpoint


def _own_row(model: Model, given: Mapping[str, Any]) -> tuple[str, Checkpoint | None]:
    if not (name := given.get("name")):
        raise PanelistError(f"checkpoint: {dict(given)} has no name")
    if set(given) <= {"name", "model"}:
        known = checkpoint_of(str(model))
        return str(name), replace(known, name=str(name)) if known else None
    row = {"model": str(model), "revision": "not stated", "licence": "not stated", **given}
    return str(name), row_of("checkpoint", row)


def cast_partners(
    names: str | Sequence[str] | None, bank: str, role_given: bool
) -> tuple[tuple[Partner, ...], Bank | None]:
    """The partners of a run, and the bank if any of them is scripted.

    Args:
        names: bank partners, `self`, registered checkpoints or Inspect model strings, several
            separated by commas; names joined by `+` sit at one round table and speak in that
            order, the focal last or where `focal` stands. None takes the model role `partner` if
            it was given, and every partner of the bank otherwise.
        bank: version or path of the bank.
        role_given: whether the model role `partner` is set.

    Raises:
        PanelistError: a name is none of these, or stands twice; the bank cannot be read.
    """
    if names is None and role_given:
        model = str(get_model(role=ROLE))
        checkpoint = checkpoint_of(model)
        name = checkpoint.name if checkpoint else model
        return (Partner(name, "checkpoint", model=f"role:{ROLE}"),), None
    frozen = find_bank(bank)
    if names is None:
        return frozen.partners, frozen
    wanted = list(names) if isinstance(names, (list, tuple)) else str(names).split(",")
    partners = tuple(_partner(str(name).strip(), frozen) for name in wanted)
    if len({partner.name for partner in partners}) < len(partners):
        raise PanelistError(f"partners: a name stands twice in {wanted}")
    speakers = [seat for partner in partners for seat in partner.seats if seat is not None]
    scripted = any(speaker.kind == "scripted" for speaker in speakers)
    return partners, frozen if scripted else None


def _check_model(name: str) -> None:
    """Refuse a model that cannot be made, before anything is spent on its partners."""
    try:
        get_model(name)
    except Exception as ex:
        raise PanelistError(f"partners: the model {name!r} cannot be made: {ex}") from ex


def _table(name: str, bank: Bank) -> Partner:
    """A round table, from its members' names in the order of speaking."""
    order = [part.strip() for part in name.split("+")]
    if FOCAL not in order:
        order.append(FOCAL)
    if order.count(FOCAL) > 1 or len(order) < 3:
        raise PanelistError(
            f"partners: {name!r} is not a round table; join two or more partners by '+', with "
            "'focal' once at most"
        )
    members = tuple(_partner(part, bank) for part in order if part != FOCAL)
    if len({member.name for member in members}) < len(members):
        raise PanelistError(f"partners: a name stands twice at the table {name!r}")
    seated = iter(members)
    names = tuple(FOCAL if part == FOCAL else next(seated).name for part in order)
    return Partner("+".join(names), "table", members=members, order=names)


def _partner(name: str, bank: Bank) -> Partner:
    if "+" in name:
        return _table(name, bank)
    if (scripted := bank.partner(name)) is not None:
        return scripted
    if name == SELF:
        return Partner(SELF, "self")
    for checkpoint in shipped_checkpoints():
        if checkpoint.name == name:
            return Partner(name, "checkpoint", model=checkpoint.model)
    if "/" in name:
        _check_model(name)
        checkpoint_or_none = checkpoint_of(name)
        label = checkpoint_or_none.name if checkpoint_or_none else name
        return Partner(label, "checkpoint", model=name)
    raise PanelistError(
        f"partners: unknown partner {name!r}; name one of the bank "
        f"({', '.join(p.name for p in bank.partners)}; banks: {', '.join(SHIPPED)}), 'self', a "
        "registered checkpoint, or an Inspect model string such as vllm/org/name"
    )
