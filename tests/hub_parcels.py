"""What the tests publish, and `publish` with what it said."""

import json
from pathlib import Path
from typing import Any

from hub_server import Hub

from panelist.leaderboard import publish as publishing
from panelist.leaderboard.publish import Published

BOARD, DATA = "org/board", "org/submissions"
FOLDER = "tiny-0123456789ab"
PLACE = f"submissions/1.0/{FOLDER}"


def make_submission(parent: Path, name: str) -> Path:
    """A folder that looks like a submission; nothing here verifies it."""
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"benchmark": "1.0", "name": name}))
    (folder / "transcripts.parquet").write_bytes(b"PAR1" + name.encode() * 9)
    (folder / "run.json").write_text("{}")
    return folder


class Told:
    """`publish`, with what it said and how long it slept."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.lines: list[str] = []
        self.slept: list[float] = []

    def __call__(self, path: Path, to: str, **options: Any) -> Published:
        [made] = self.each(path, to, **options)
        return made

    def each(self, path: Path, to: str, **options: Any) -> list[Published]:
        """What came of each, where there may be several pull requests."""
        self.lines, self.slept = [], []
        return publishing.publish(
            path,
            to,
            say=self.lines.append,
            sleep=self.slept.append,
            endpoint=self.hub.url,
            **options,
        )

    @property
    def said(self) -> str:
        return "\n".join(self.lines)
