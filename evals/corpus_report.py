"""The report of corpora, counted in streams: from their folders alone."""

import re
from collections.abc import Sequence
from pathlib import Path

from panelist.evals.design import Design
from panelist.evals.report import report_of, step_report
from panelist.evals.units import Plan
from panelist.leaderboard.card import Card, make_card
from panelist.leaderboard.report import Report
from panelist.panels.errors import PanelistError
from panelist.panels.manifest import Manifest, corpora_in, read_manifest, record_in
from panelist.scorers.corpus_table import Corpus
from panelist.scorers.detectors import detector


def find_corpora(paths: Sequence[Path]) -> list[Path]:
    """The corpora at some paths, each a corpus or a folder of them.

    Raises:
        PanelistError: a path holds none.
    """
    found: list[Path] = []
    for path in paths:
        here = corpora_in(path)
        if not here:
            raise PanelistError(
                f"{path}: no corpus there; give a folder made by `panelist run DESIGN --engine "
                "ray` or `panelist corpus import`"
            )
        found += here
    return found


def corpus_report(paths: Sequence[Path], names: Sequence[str] = ()) -> Report:
    """The report of scored corpora, one a behaviour.

    Args:
        paths: the corpora, or folders of them.
        names: detectors; default those that each corpus is scored by.

    Raises:
        PanelistError: a corpus is none, is not scored, or a part of it is corrupt.
    """
    corpora = find_corpora(paths)
    manifests = [read_manifest(path) for path in corpora]
    behaviours = list(dict.fromkeys(b for m in manifests for b in m.behaviours))
    parts = []
    for path, manifest in zip(corpora, manifests, strict=True):
        own = [n for n in names if detector(n).behaviour in manifest.behaviours] or None
        runs, tally = Corpus(path, own).counted()
        parts.append(step_report(Plan(design_of(manifest, behaviours)), tally, runs))
    return report_of(design_of(manifests[0], behaviours), parts)


def corpus_cards(path: Path, focal: str) -> Card:
    """The card of one focal, whose replies are read into memory."""
    return make_card(*Corpus(path).table(focal), focal=focal)


def design_of(manifest: Manifest, behaviours: Sequence[str]) -> Design:
    """The design of all that a corpus has grown to.

    Args:
        manifest: of the corpus; one of imported logs has no design of its own.
        behaviours: that are reported on.
    """
    rows = []
    for said in manifest.checkpoints.values():
        name = said["row"]["name"]
        # A checkpoint that is in no registry is a family, recipe and base of its own.
        rows.append({k: name if v is None else v for k, v in said["row"].items()})
    names = {row["name"] for row in rows}
    known = {k: v for k, v in manifest.design.items() if k in Design.model_fields}
    kind = str(known.get("kind", ""))
    if kind not in ("card", "factorial", "corpus"):
        kind = "corpus" if len({row["family"] for row in rows}) > 1 else "factorial"
    tier = record_in(manifest, next(iter(manifest.checkpoints)))["tier"]
    return Design.model_validate(
        {
            **known,
            "name": re.sub("[^a-z0-9]+", "-", str(known.get("name", "")).lower()).strip("-")
            or "corpus",
            "kind": kind,
            "tier": tier,
            "behaviours": list(behaviours),
            "checkpoints": rows,
            "identical": [pair for pair in known.get("identical", ()) if set(pair) <= names],
        }
    )
