"""The frozen partner banks as lm-eval tasks: documents, metrics, and their mean.

    lm_eval --model hf --model_args pretrained=DIR --include_path tasks/lm_eval \
        --tasks panelist_hedging_replay --apply_chat_template --log_samples --output_path out

What the YAML files next to this one name with `!function`. Other settings go into `--metadata`:

    --metadata '{"tier": "quick", "focal": "my-checkpoint"}'

`panelist.scorers.lm_eval.read_lm_eval` turns the samples file into the tidy table.
"""

from collections.abc import Sequence
from math import fsum, isnan, nan
from typing import Any

from panelist.panels.bank import BANKS, find_bank
from panelist.panels.chain import Turn
from panelist.panels.checkpoint import REASONING, checkpoint_of, shipped_checkpoints
from panelist.panels.conversation import view
from panelist.panels.errors import PanelistError
from panelist.panels.grid import grid
from panelist.panels.protocol import prompt_sha256
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import find_tier
from panelist.scorers.detector import Behaviour
from panelist.scorers.lm_eval import FIELDS, default_detector, reply_values


def documents(
    *,
    behaviour: Behaviour,
    tier: str = "demo",
    bank: str | None = None,
    focal: str | None = None,
    pretrained: str | None = None,
    model: str | None = None,
    **ignored: Any,
) -> list[dict[str, Any]]:
    """One document a seed, partner and replicate, in the order of `panelist.panels.grid`.

    Replicates of a pair follow each other, so that `--limit` cuts between whole pairs like
    Inspect's limit does.

    Args:
        behaviour: whose task it is.
        tier: demo, quick, standard or full.
        bank: version of a shipped bank, or the path of one; default: the behaviour's.
        focal: the checkpoint's name in every table; default: its name in the registry, else what
            `--model_args` says.
        pretrained: from `--model_args`, where lm-eval merges it into the metadata.
        model: the same, as the clients of remote servers call it.
        ignored: what else lm-eval and `--model_args` put there.

    Raises:
        PanelistError: the tier or bank is unknown, the checkpoint has no name, or it is one that
            the registry knows to reason aloud.
    """
    name = _focal(focal, pretrained or model, behaviour)
    frozen = find_bank(str(bank or BANKS[behaviour]))
    chosen = find_tier(str(tier))
    detector = default_detector(behaviour)
    run = {
        "prompt_sha256": prompt_sha256(),
        "behaviour": behaviour,
        "detector": detector.name,
        "detector_version": detector.version,
        "bank": frozen.version,
        "bank_sha256": frozen.sha256,
    }
    docs = []
    for sample in grid(shipped_seeds(), frozen.partners, frozen, chosen, name):
        facts = {**(sample.metadata or {}), **run}
        heard = Turn(1, "partner", facts["partner"], facts["opening"])
        system, user = view(facts["question"], [heard], seat=facts["reply_turn"] - 1)
        facts |= {"system": system.text, "user": user.text}
        docs += [
            {field: replicate if field == "replicate" else facts[field] for field in FIELDS}
            for replicate in range(1, chosen.replies + 1)
        ]
    return docs


def dataset(**metadata: Any) -> dict[str, Any]:
    """The documents (see there for arguments and errors) as the split that the tasks test on."""
    from datasets import Dataset  # type: ignore[import-not-found, import-untyped]

    return {"test": Dataset.from_list(documents(**metadata))}


def process_results(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """The two values of the behaviour's Inspect scorer for one reply; NaN if it has no outcome."""
    return reply_values(doc, results[0])


def mean_known(values: Sequence[float]) -> float:
    """The mean of the values that are there; NaN if none is.

    lm-eval gives no standard error with it, and rightly: its own would take replies to one seed for
    independent. `panelist` clusters by seed.
    """
    known = [value for value in values if not isnan(value)]
    return fsum(known) / len(known) if known else nan


def _focal(given: str | None, path: str | None, behaviour: str) -> str:
    """The checkpoint's name, if the benchmark can run it here."""
    registered = checkpoint_of(f"lm-eval/{path}") if path else None
    if registered is None and given:
        registered = next((c for c in shipped_checkpoints() if c.name == given), None)
    name = given or (registered.name if registered else path)
    if not name:
        raise PanelistError(
            "the checkpoint has no name: --model_args has neither pretrained= nor model=; "
            "give --metadata focal=NAME"
        )
    if registered is not None and registered.recipe in REASONING:
        # Inspect knows when a reply was cut off inside its reasoning, and takes it for empty.
        raise PanelistError(
            f"{registered.name} reasons aloud before it replies, and lm-eval does not say which "
            "replies were cut off in the middle of that; use "
            f"`inspect eval panelist/panel_{behaviour} --model hf/...` (or vllm/...)"
        )
    return str(name)
