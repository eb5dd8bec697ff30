"""Boards before this one: the list of what lies in `boards/`, as a page and as JSON.

A site that is built anew knows none of the boards that a Space keeps; the JSON lets `publish` list
them again without reading each.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from panelist.leaderboard.page import render_versions

FOLDER = "boards"
PAGE, LIST = f"{FOLDER}/index.html", f"{FOLDER}/versions.json"

Facts = dict[str, Any]
"""Of a board: its version, and if known its date, benchmark, number of checkpoints, and a note
of what scored it."""


def facts_of(board: Mapping[str, Any]) -> Facts:
    """What the list says of a board, from its `board.json`."""
    return {
        "version": board["version"],
        "date": board["latest"],
        "benchmark": board["benchmark"],
        "checkpoints": len({row["name"] for row in board["rows"]}),
        "note": ", ".join(
            [f"panelist {board['package']}"]
            + [f"{one['name']} {one['version']}" for one in board["detectors"].values()]
        ),
    }


def list_of(versions: Iterable[Facts]) -> dict[str, bytes]:
    """The two files that list some boards, by their paths in a site; the newest board first."""
    newest = sorted(versions, key=lambda v: (v["date"], v["version"]), reverse=True)
    text = json.dumps(newest, ensure_ascii=False, indent=1) + "\n"
    return {PAGE: render_versions(newest).encode(), LIST: text.encode()}


def read_list(data: bytes) -> dict[str, Facts]:
    """Facts by version; what is not of a list's form, which others may write to, is left out."""
    try:
        said = json.loads(data)
    except ValueError:
        return {}
    kinds: dict[str, type] = dict.fromkeys(("version", "date", "benchmark", "note"), str)
    kinds["checkpoints"] = int
    rows = [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
    return {
        row["version"]: {key: row[key] for key in kinds}
        for row in rows
        if all(type(row.get(key)) is kind for key, kind in kinds.items())
    }


def versions_in(paths: Iterable[str]) -> set[str]:
    """Versions of the boards among the files of a site or Space."""
    split = (path.split("/") for path in paths)
    return {s[1] for s in split if len(s) == 3 and s[0] == FOLDER and s[2] == "index.html"}
