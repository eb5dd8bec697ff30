"""The manifest of a corpus: what was asked of whom, and the files with their hashes.

What replies depend on never changes in a corpus (benchmark, prompts, length of chains, the words of
a partner, weights and settings of a checkpoint); checkpoints, partners, seeds and replicates may be
added.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from panelist.panels.corpus import TURNS, parts, write_whole
from panelist.panels.errors import PanelistError
from panelist.panels.partner import Partner
from panelist.panels.protocol import SYSTEM_PROMPT, prompt_sha256
from panelist.panels.runtime import Runtime
from panelist.panels.tier import TIERS

FORMAT = 1
"""Version of the corpus' layout."""

NAME = "manifest.json"

OPENINGS = "openings"
"""Folder of the corpus that a bank of openings was frozen of: turns that reply to nobody."""

IMPORT = "import"
"""Kind of the design that a corpus of imported logs says it is made by."""

BY_SEED = ("words", "trouble")
"""What a manifest says of a partner seed by seed."""


@dataclass(frozen=True)
class Manifest:
    """What a corpus says of itself.

    Attributes:
        design: as its file says it.
        behaviours: scored in the report, the bank's own first.
        package: version of panelist that made it.
        benchmark, prompt_sha256: of the protocol.
        turns: turns of a chain; None up to the reply.
        bank, bank_sha256: version and content hash of the partner bank, "" for live partners.
        base_seed: of the sampling seeds; None for none.
        checkpoints: by focal: registry row, runtime, sampling.
        partners: by name: the partner, its `reply_turn`, and by seed a hash of its frozen `words`
            and the kind of planted `trouble`.
        seeds: by id, domain and question, in the order in which tiers nest.
        asked: by focal and partner, how many seeds and chains of each.
        format: of the layout.
        files: sha256 and bytes of every part, by path in the corpus.
        generated: of every run into it: chains, generations, tokens, seconds.
    """

    design: Mapping[str, Any]
    behaviours: list[str]
    package: str
    benchmark: str
    prompt_sha256: str
    turns: int | None
    bank: str
    bank_sha256: str
    base_seed: int | None
    checkpoints: Mapping[str, Mapping[str, Any]]
    partners: Mapping[str, Mapping[str, Any]]
    seeds: Mapping[str, Mapping[str, str]]
    asked: Mapping[str, Mapping[str, tuple[int, int]]]
    format: int = FORMAT
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    generated: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def expected(self) -> int:
        """Chains that the corpus is to have."""
        return sum(n * r for pairs in self.asked.values() for n, r in pairs.values())

    @property
    def run(self) -> str:
        """An id: the same for the same questions to the same checkpoints."""
        said = asdict(self) | {"design": {}, "files": {}, "generated": []}
        digest = sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        return f"{self.design.get('name', 'corpus')}-{digest[:12]}"


def corpora_in(path: Path) -> list[Path]:
    """The corpora at a path: itself, or those that lie in it; none where it is something else."""
    if (path / NAME).exists():
        return [path]
    return sorted(at.parent for at in path.glob(f"*/{NAME}") if at.parent.name != OPENINGS)


def read_manifest(corpus: Path) -> Manifest:
    """The manifest of a corpus.

    Raises:
        PanelistError: there is none, or it is not one that this version reads.
    """
    path = corpus / NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as ex:
        raise PanelistError(
            f"{corpus}: not a corpus, it has no {NAME} ({ex.strerror}); give a folder made by "
            "`panelist run DESIGN --engine ray` or `panelist corpus import`"
        ) from ex
    except ValueError as ex:
        raise PanelistError(f"{path}: damaged ({ex}); restore it, or run the design again") from ex
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        said = data.get("format") if isinstance(data, dict) else data
        raise PanelistError(f"{path}, format: {said!r}; this panelist reads {FORMAT}")
    try:
        return Manifest(**data)
    except TypeError as ex:
        raise PanelistError(f"{path}: not a manifest ({ex}); run the design again") from ex


def write_manifest(corpus: Path, manifest: Manifest) -> None:
    """Write it, whole or not at all, with the files that are there now."""
    said = asdict(manifest) | {"files": _files(corpus, manifest.files)}
    write_whole(corpus / NAME, (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode())


def _files(corpus: Path, known: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {}
    for part in parts(corpus / TURNS):
        name = str(part.path.relative_to(corpus))
        said = known.get(name)
        # A part never changes: what is listed already need not be read again.
        found[name] = (
            dict(said)
            if said
            else {
                "sha256": sha256(part.path.read_bytes()).hexdigest(),
                "bytes": part.path.stat().st_size,
            }
        )
    return found


def record_in(manifest: Manifest, focal: str) -> dict[str, Any]:
    """The run record of a focal in a corpus, as `panels.record` makes it of a run."""
    said = manifest.checkpoints[focal]
    row, asked = said["row"], manifest.asked[focal].values()
    seeds, replies = max(n for n, _ in asked), max(r for _, r in asked)
    tiers = [t.name for t in TIERS.values() if (t.seeds or seeds, t.replies) == (seeds, replies)]
    return {
        "package": manifest.package,
        "benchmark": manifest.benchmark,
        "behaviour": manifest.behaviours[0],
        "tier": tiers[0] if tiers else f"{seeds}x{replies}",
        "turns": manifest.turns,
        "bank": manifest.bank,
        "bank_sha256": manifest.bank_sha256,
        "focal": focal,
        "model": row["model"],
        "checkpoint": row if row["family"] else None,
        "runtime": said["runtime"] or Runtime(row["model"].partition("/")[0]).to_dict(),
        "partners": [
            {column.name: partner[column.name] for column in fields(Partner)}
            for partner in manifest.partners.values()
        ],
        "system_prompt": SYSTEM_PROMPT if manifest.prompt_sha256 == prompt_sha256() else "",
        "prompt_sha256": manifest.prompt_sha256,
        "base_seed": manifest.base_seed,
        "sampling": said["sampling"],
    }


def partner_of(said: Mapping[str, Any]) -> Partner:
    """A partner from a run record or a manifest."""
    own = {column.name: said[column.name] for column in fields(Partner)}
    members = tuple(partner_of(member) for member in said["members"])
    return Partner(**own | {"members": members, "order": tuple(said["order"])})


def grown(old: Manifest, new: Manifest, corpus: Path) -> Manifest:
    """What a corpus becomes when a design adds to it.

    Args:
        old: as it is.
        new: of the design.
        corpus: for the message.

    Raises:
        PanelistError: the design asks for something that would not be comparable with what is
            there; the message names the field.
    """
    for what, before, now in _fixed(old, new):
        if before != now:
            raise PanelistError(
                f"{corpus}: {what} was {before!r}, and the design says {now!r}; replies of both "
                "cannot be compared. Name another folder with -o, or mend the design"
            )
    return Manifest(
        **{
            **asdict(new),
            "checkpoints": {**new.checkpoints, **old.checkpoints},
            "partners": {**old.partners, **_with_seeds(old.partners, new.partners)},
            "seeds": {**old.seeds, **new.seeds},
            "asked": _more(old.asked, new.asked, corpus),
            "bank": new.bank or old.bank,  # live partners have none
            "bank_sha256": new.bank_sha256 or old.bank_sha256,
            "behaviours": list(dict.fromkeys([*old.behaviours, *new.behaviours])),
            "files": old.files,
            "generated": old.generated,
        }
    )


def _with_seeds(
    old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The new partners, with what the old ones say on other seeds."""
    return {
        name: {
            **said,
            **{key: {**old.get(name, said)[key], **said[key]} for key in BY_SEED},
        }
        for name, said in new.items()
    }


def _more(
    old: Mapping[str, Mapping[str, tuple[int, int]]],
    new: Mapping[str, Mapping[str, tuple[int, int]]],
    corpus: Path,
) -> dict[str, dict[str, tuple[int, int]]]:
    """For every pair the larger grid; tiers nest, so that the smaller one is part of it."""
    found = {focal: dict(pairs) for focal, pairs in old.items()}
    for focal, pairs in new.items():
        mine = found.setdefault(focal, {})
        for partner, (n, r) in pairs.items():
            n0, r0 = mine.get(partner, (0, 0))
            if (n - n0) * (r - r0) < 0:
                raise PanelistError(
                    f"{corpus}, tier: {n0} seeds x {r0} replies of {focal} to {partner} are asked "
                    f"for already, and now {n} x {r}; one has to be part of the other. Take "
                    f"{max(n, n0)}x{max(r, r0)}, or name another folder with -o"
                )
            mine[partner] = (max(n, n0), max(r, r0))
    return found


def _fixed(old: Manifest, new: Manifest) -> Iterator[tuple[str, Any, Any]]:
    for name in ("benchmark", "prompt_sha256", "turns", "base_seed"):
        yield name, getattr(old, name), getattr(new, name)
    for name in old.partners.keys() & new.partners.keys():
        before, now = old.partners[name], new.partners[name]
        both = before["words"].keys() & now["words"].keys()
        changed = {seed for seed in both if before["words"][seed] != now["words"][seed]}
        yield f"partner {name}, turns on seeds", [], sorted(changed)
        for key in before.keys() - set(BY_SEED):
            yield f"partner {name}, {key}", before[key], now.get(key)
    for name in old.checkpoints.keys() & new.checkpoints.keys():
        for key in ("row", "args", "sampling"):  # a runtime is compared once it is loaded
            said = old.checkpoints[name].get(key)
            yield f"checkpoint {name}, {key}", said, new.checkpoints[name].get(key)
