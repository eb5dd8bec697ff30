"""A submission: one checkpoint's transcripts, in a folder that says what they are.

<slug>-<first 12 of the manifest's sha256>/
    manifest.json         canonical JSON: what ran, on what, by whom; sha256 of the other files
    transcripts.parquet   one row a turn (`SCHEMA`), every chain of the grid that did not fail
    run.json              canonical JSON: runs with their times, chains that failed

It holds no number that is published: the board scores the transcripts itself.
"""

import json
import re
import unicodedata
from hashlib import sha256
from typing import Any

import pyarrow as pa

MANIFEST, TRANSCRIPTS, RUN = "manifest.json", "transcripts.parquet", "run.json"

FILES = (MANIFEST, TRANSCRIPTS, RUN)

REGISTRY = "checkpoints.yaml"
"""What maintainers keep beside the submissions: checkpoints that do not ship with the package."""

FORMAT = 1
"""Version of the folder's layout."""

SCHEMA = pa.schema(
    [
        pa.field("panel", pa.string(), nullable=False),
        pa.field("partner", pa.string(), nullable=False),
        pa.field("seed", pa.string(), nullable=False),
        pa.field("replicate", pa.int32(), nullable=False),
        pa.field("turn", pa.int16(), nullable=False),
        pa.field("chain", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("speaker", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("reasoning", pa.string(), nullable=False),
        pa.field("stop_reason", pa.string(), nullable=False),
        pa.field("output_tokens", pa.int32()),
        pa.field("max_tokens", pa.int32()),
    ]
)
"""Columns of the transcripts; `panel` is the behaviour whose bank was replied to. Rows are sorted
by panel, partner, seed (as text), replicate and turn."""

REASONING = 1000
"""Characters of a reply's reasoning that are kept. It is not scored, and all that a reasoning model
thinks in the 13,300 replies of the tier full may be half a gigabyte."""

ORDER = ("panel", "partner", "seed", "replicate", "turn")

LICENCES = ("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "Apache-2.0", "MIT", "ODC-BY-1.0")
"""SPDX ids under which transcripts may be given to the board."""

ATTESTATIONS = ("complete", "unedited", "may_publish")
"""What a submitter states: every chain that was run is in it, no text was changed, and the
licences of weights and texts allow their publication."""

MIN_SEEDS = 20
"""Seeds of a panel below which there is no interval."""

MAX_FAILED = 0.05
"""Share of a panel's chains that may have failed."""

MAX_EMPTY = 0.2
"""Share of a panel's replies that may be empty."""


def canonical(data: Any) -> bytes:
    """JSON of which there is one form: sorted keys, NFC, no spaces, one newline at the end.

    >>> canonical({"b": 1, "a": "é"})
    b'{"a":"\\xc3\\xa9","b":1}\\n'
    """
    text = json.dumps(
        data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    return (unicodedata.normalize("NFC", text) + "\n").encode()


def slug_of(name: str) -> str:
    """A checkpoint's name as a part of a folder's.

    >>> slug_of("Tulu 3/8B (SFT)")
    'tulu-3-8b-sft'
    """
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:60] or "checkpoint"


def folder_name(name: str, manifest: bytes) -> str:
    """The name of a submission's folder, from its checkpoint and the bytes of its manifest."""
    return f"{slug_of(name)}-{sha256(manifest).hexdigest()[:12]}"
