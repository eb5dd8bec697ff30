"""What a manifest and a run record say: in shape, of this benchmark, by somebody who may say it."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from panelist.leaderboard.check_json import Each, Flag, Keys, Number, Text
from panelist.leaderboard.faults import Fault, shown
from panelist.leaderboard.submission import (
    ATTESTATIONS,
    FORMAT,
    LICENCES,
    MANIFEST,
    RUN,
    TRANSCRIPTS,
)
from panelist.leaderboard.weights import CLOSED, LOADERS, MOVING
from panelist.panels.bank import BANKS, find_bank
from panelist.panels.checkpoint import Checkpoint, read_checkpoints, shipped_checkpoints
from panelist.panels.coverage import covered_seeds
from panelist.panels.protocol import BENCHMARK, SETTINGS, prompt_sha256
from panelist.panels.seed import shipped_seeds
from panelist.panels.tier import TIERS

OLDEST = (0, 1, 0)
"""Version of panelist whose runs are still taken."""

MOST_TOKENS = 1_000_000
"""Of a reply, at most."""

FREE = frozenset({"hardware", "error", "licence", "dtype", "quantization"})
"""Fields in prose."""

_FILE = {"bytes": Number(), "sha256": Text(64)}

SHAPE = Keys(
    {
        "format": Number(),
        "benchmark": Text(20),
        "prompt_sha256": Text(64),
        "package": Keys({"version": Text(40), "git": Text(40, null=True), "dirty": Flag()}),
        "checkpoint": Keys(
            {
                "name": Text(96),
                "family": Text(96),
                "base": Text(),
                "recipe": Text(96),
                "model": Text(),
                "weights": Keys({"kind": Text(20), "value": Text()}),
            }
        ),
        "runtime": Keys(
            {
                "engine": Text(40),
                **{
                    name: Text(null=True)
                    for name in (
                        "engine_version",
                        "dtype",
                        "quantization",
                        "weights_sha256",
                        "chat_template_sha256",
                    )
                },
            }
        ),
        "hardware": Text(),
        "sampling": Keys(
            {
                "temperature": Number(whole=False),
                "top_p": Number(whole=False),
                "max_tokens": Number(),
                "top_k": Number(null=True),
            },
            frozenset({"top_k"}),
        ),
        "base_seed": Number(null=True),
        "panels": Each(
            Keys(
                {
                    "bank": Text(40),
                    "bank_sha256": Text(64),
                    "tier": Text(20),
                    "seeds": Number(),
                    "replies": Number(),
                    "chains": Number(),
                    "failed": Number(),
                }
            ),
            dict,
            8,
        ),
        "submitter": Text(96),
        "source": Text(500),
        "licence": Text(40),
        "attestations": Keys(dict.fromkeys(ATTESTATIONS, Flag())),
        "files": Keys({RUN: Keys(_FILE), TRANSCRIPTS: Keys(_FILE | {"rows": Number()})}),
    }
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})\.([0-9]{1,6})(?:[A-Za-z.+-][A-Za-z0-9.+-]*)?")


@lru_cache(maxsize=8)
def known_checkpoints(registry: Path | None) -> Mapping[str, Checkpoint]:
    """Checkpoints by name: those of the package, and those of a board's registry.

    Raises:
        PanelistError: the registry cannot be read.
    """
    more = read_checkpoints(registry) if registry else ()
    return {row.name: row for row in (*shipped_checkpoints(), *more)}


def check_manifest(said: Any, registry: Path | None) -> Iterator[Fault]:
    """What a manifest of the right shape says that is not so."""

    def fault(code: str, field: str, got: Any, expected: str = "", mend: str = "") -> Fault:
        return Fault(code, MANIFEST, field, None, shown(got), expected, mend)

    again = "Run it again with this version of panelist"
    if said["format"] != FORMAT:
        yield fault("unknown-format", "format", said["format"], str(FORMAT))
    if said["benchmark"] != BENCHMARK:
        yield fault("unknown-benchmark", "benchmark", said["benchmark"], BENCHMARK, again)
    if said["prompt_sha256"] != prompt_sha256():
        yield fault("prompt-changed", "prompt_sha256", said["prompt_sha256"], "", again)
    package = said["package"]
    version = _VERSION.fullmatch(package["version"])
    if not version or tuple(map(int, version.groups())) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield fault("package-too-old", "package.version", package["version"], oldest, again)
    if package["dirty"]:
        yield fault("dirty-package", "package.dirty", True, "", "Commit, or install a release")
    if package["git"] is not None and not re.fullmatch("[0-9a-f]{40}", package["git"]):
        yield fault("revision-not-pinned", "package.git", package["git"], "40 hexadecimal digits")
    yield from _checkpoint(said, registry)
    for field in ("submitter",):
        yield from _named(field, said[field])
    if said["source"] and not _is_plain_url(said["source"]):
        yield fault("bad-url", "source", said["source"], "https://host/path")
    if said["licence"] not in LICENCES:
        yield fault("licence", "licence", said["licence"], " or ".join(LICENCES))
    for name in ATTESTATIONS:
        if said["attestations"][name] is not True:
            yield fault("attestation", f"attestations.{name}", False, "true", "Add --attest")
    yield from _sampling(said)
    if not said["panels"]:
        yield fault("unknown-panel", "panels", said["panels"], "one or more panels")
    for name, panel in said["panels"].items():
        yield from _panel(name, panel)


def _named(field: str, value: str) -> Iterator[Fault]:
    if not value.isascii():
        mend = "Letters that look alike are different names: use a to z"
        yield Fault("not-ascii-id", MANIFEST, field, None, shown(value), "ASCII", mend)
    elif not _NAME.fullmatch(value):
        yield Fault("bad-name", MANIFEST, field, None, shown(value), _NAME.pattern)


def _checkpoint(said: Any, registry: Path | None) -> Iterator[Fault]:
    own = said["checkpoint"]
    faults = list(_named("checkpoint.name", own["name"]))
    yield from faults
    row = known_checkpoints(registry).get(own["name"])
    if not faults and row is None:
        yield Fault(
            "unregistered-checkpoint",
            MANIFEST,
            "checkpoint.name",
            None,
            shown(own["name"]),
            "a registered name (`panelist checkpoints`)",
            "Ask the board's maintainers for a row in its checkpoints.yaml, with the model's card",
        )
    if row is not None:
        for field in ("family", "base", "recipe"):
            if own[field] != getattr(row, field):
                mend = "Labels come from the registry; correct it there if it is wrong"
                yield Fault("wrong-label", MANIFEST, f"checkpoint.{field}", None, shown(own[field]),
                            getattr(row, field), mend)  # fmt: skip
    provider, slash, tail = own["model"].partition("/")
    ways = {"", ".", ".."} & set(tail.split("/"))
    if not (slash and tail and not ways and re.fullmatch(r"[\x21-\x7e]+", own["model"])):
        yield Fault("bad-model", MANIFEST, "checkpoint.model", None, shown(own["model"]))
    elif said["runtime"]["engine"] != provider:
        yield Fault("engine-mismatch", MANIFEST, "runtime.engine", None,
                    shown(said["runtime"]["engine"]), shown(provider))  # fmt: skip
    yield from _weights(own["weights"], provider)
    known = row.model.partition("/")[2] if row is not None else tail
    # Weights that are a hash may lie in any folder.
    named = own["weights"]["kind"] != "sha256"
    if named and tail != known and not (provider in CLOSED and tail.startswith(f"{known}-")):
        mend = "Name the checkpoint that was run; correct its row in the registry if that is wrong"
        yield Fault("wrong-model", MANIFEST, "checkpoint.model", None, shown(own["model"]),
                    shown(known), mend)  # fmt: skip
    for field in ("weights_sha256", "chat_template_sha256"):
        value = said["runtime"][field]
        if value is not None and not re.fullmatch("[0-9a-f]{64}", value):
            yield Fault("revision-not-pinned", MANIFEST, f"runtime.{field}", None, shown(value),
                        "64 hexadecimal digits")  # fmt: skip
    seen = said["runtime"]["weights_sha256"]
    if own["weights"]["kind"] == "sha256" and seen not in (None, own["weights"]["value"]):
        yield Fault("revision-not-pinned", MANIFEST, "checkpoint.weights.value", None,
                    shown(own["weights"]["value"]), "what runtime.weights_sha256 says")  # fmt: skip


def _weights(weights: Mapping[str, str], provider: str) -> Iterator[Fault]:
    field = "checkpoint.weights.value"
    if provider not in (*CLOSED, *LOADERS):
        mend = "Run open weights on one of these engines: which ones others load cannot be seen"
        yield Fault("bad-model", MANIFEST, "checkpoint.model", None, shown(provider),
                    " or ".join((*LOADERS, *CLOSED)), mend)  # fmt: skip
        return
    kinds = ("api",) if provider in CLOSED else ("revision", "sha256")
    if weights["kind"] not in kinds:
        yield Fault("weights-kind", MANIFEST, "checkpoint.weights.kind", None,
                    shown(weights["kind"]), " or ".join(kinds))  # fmt: skip
        return
    patterns = {
        "revision": "[0-9a-f]{40}",
        "sha256": "[0-9a-f]{64}",
        "api": r"(?!.*latest)[\x21-\x7e]{1,200}",
    }
    moving = weights["kind"] == "api" and re.fullmatch(MOVING.get(provider, ""), weights["value"])
    if moving or not re.fullmatch(patterns[weights["kind"]], weights["value"]):
        expected = patterns[weights["kind"]]
        mend = "Name the commit of the weights with --revision; a branch such as main moves"
        if weights["kind"] == "api":
            expected = "an exact name, such as gpt-4o-2024-08-06"
            mend = "Run the model under its dated name: which weights others mean changes"
        yield Fault("revision-not-pinned", MANIFEST, field, None, shown(weights["value"]),
                    expected, mend)  # fmt: skip


def _is_plain_url(text: str) -> bool:
    if not re.fullmatch(r"https://[\x21-\x7e]+", text) or re.search(r"[<>\"'\\`{}|^]", text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and "@" not in parts.netloc and parts.port is None
    except ValueError:
        return False


def _sampling(said: Any) -> Iterator[Fault]:
    sampling = said["sampling"]
    for name in ("temperature", "top_p"):
        if sampling[name] != SETTINGS[name]:
            yield Fault("sampling-off-protocol", MANIFEST, f"sampling.{name}", None,
                        shown(sampling[name]), str(SETTINGS[name]))  # fmt: skip
    if not SETTINGS["max_tokens"] <= sampling["max_tokens"] <= MOST_TOKENS:
        expected = f"{SETTINGS['max_tokens']} to {MOST_TOKENS}"
        yield Fault("sampling-off-protocol", MANIFEST, "sampling.max_tokens", None,
                    shown(sampling["max_tokens"]), expected)  # fmt: skip
    if sampling.get("top_k") is not None:
        yield Fault("sampling-off-protocol", MANIFEST, "sampling.top_k", None,
                    shown(sampling["top_k"]), "none")  # fmt: skip
    free = said["checkpoint"]["model"].partition("/")[0] in CLOSED
    if said["base_seed"] != 0 and not (free and said["base_seed"] is None):
        mend = "Run it with --seed 0: whoever may choose the seed may choose the result"
        yield Fault(
            "base-seed-off", MANIFEST, "base_seed", None, shown(said["base_seed"]), "0", mend
        )


@lru_cache(maxsize=12)
def _seeds(panel: str, tier: str) -> int:
    return len(covered_seeds(shipped_seeds(), find_bank(BANKS[panel]), TIERS[tier]))


def _panel(name: str, said: Mapping[str, Any]) -> Iterator[Fault]:
    def fault(code: str, field: str, expected: Any) -> Fault:
        where = f"panels.{name}.{field}"
        return Fault(code, MANIFEST, where, None, shown(said[field]), str(expected))

    if name not in BANKS:
        field = f"panels.{shown(name)}"
        yield Fault("unknown-panel", MANIFEST, field, None, shown(name), " or ".join(BANKS))
        return
    bank = find_bank(BANKS[name])
    if (said["bank"], said["bank_sha256"]) != (bank.version, bank.sha256):
        field = "bank" if said["bank"] != bank.version else "bank_sha256"
        yield fault("wrong-bank", field, bank.version if field == "bank" else bank.sha256)
        return
    if said["tier"] not in TIERS:
        yield fault("wrong-tier", "tier", " or ".join(TIERS))
        return
    tier = TIERS[said["tier"]]
    seeds = _seeds(name, said["tier"])
    counts = {"seeds": seeds, "replies": tier.replies}
    counts["chains"] = seeds * tier.replies * len(bank.partners)
    for field, count in counts.items():
        if said[field] != count:
            yield fault("counts-mismatch", field, count)
    if not 0 <= said["failed"] <= counts["chains"]:
        yield fault("counts-mismatch", "failed", f"0 to {counts['chains']}")
