"""The board as static pages: the board itself, one page a checkpoint, the list of older boards.

Every page is one file: no request, no library, its style and script pinned by hash in a policy that
allows nothing else. What a model or a submitter wrote is escaped by Jinja and never trusted; the
board reads without its script, which only sorts, filters and folds what is there.
"""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from panelist.leaderboard import board_figures, board_words
from panelist.leaderboard.board_words import known
from panelist.panels.tier import TIERS

if TYPE_CHECKING:
    from jinja2 import Environment

OPEN_ROWS = 40
"""Rows up to which a heatmap stands unfolded."""

NAMED = 8
"""Checkpoints that a sentence names before it says how many more."""

METRICS = (("shift", "shift"), ("d_prime", "d′"), ("level", "level"))


def render_board(board: Mapping[str, Any], *, older: str = "boards/index.html") -> str:
    """`index.html`; `older` is where the list of older boards lies from here."""
    names = {row["id"]: row["name"] for row in board["rows"]}
    profile = [row for row in board["rows"] if not row["superseded_by"]]
    return _page(
        "board.html",
        script=_read("board.js") + _read("composer.js"),
        board=board,
        older=older,
        names=names,
        by_id={row["id"]: row for row in board["rows"]},
        profile=profile if len(board["behaviours"]) > 1 else [],
        repeated=_repeated(profile),
        tables=[_table(board, behaviour) for behaviour in board["behaviours"]],
        choices=_choices(board),
        demo_only=bool(board["rows"]) and _tiers(board) == {"demo"},
        recipe_figures=_recipe_figures(board["decomposition"]),
        composer=inline_json(_candidates(board)) if _composes(board) else "",
        year=board["latest"][:4],
    )


def render_checkpoint(
    row: Mapping[str, Any], board: Mapping[str, Any], chains: Sequence[Mapping[str, Any]]
) -> str:
    """`checkpoints/<id>.html`: its facts, its levels by partner, and every chain, cues marked."""
    panels = [
        (behaviour, row["panels"][behaviour], _by_partner(chains, behaviour))
        for behaviour in board["behaviours"]
        if behaviour in row["panels"]
    ]
    return _page(
        "checkpoint.html",
        row=row,
        board=board,
        panels=panels,
        metrics=METRICS,
        names={other["id"]: other["name"] for other in board["rows"]},
    )


def render_versions(versions: Sequence[Mapping[str, Any]]) -> str:
    """`boards/index.html`: the boards before this one, in the order given.

    A version has `version` and `date`; `benchmark`, `checkpoints` (how many) and `note` if known.
    """
    return _page("versions.html", versions=versions)


def inline_json(data: Any) -> Markup:
    """JSON for a script element: no text in it can end the element or open another.

    >>> inline_json(["</script>"])
    Markup('["\\\\u003c/script\\\\u003e"]')
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return Markup(text)


def policy(style: str, script: str = "") -> str:
    """The page's content security policy: these bytes of style and script, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; "
        f"script-src {repr(_hash(script)) if script else repr('none')}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _page(template: str, script: str = "", **content: Any) -> str:
    style = _read("page.css") + _read("board.css")
    text = (
        _environment()
        .get_template(template)
        .render(style=style, script=script, policy=policy(style, script), **content)
    )
    # A lone surrogate, which JSON can carry, has no UTF-8; HTML has no NUL.
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


@cache
def _read(name: str) -> str:
    return files("panelist.leaderboard").joinpath(name).read_text(encoding="utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(_read),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=board_words, figures=board_figures, NAMED=NAMED)
    return environment


def _tiers(board: Mapping[str, Any]) -> set[str]:
    return {panel["tier"] for row in board["rows"] for panel in row["panels"].values()}


def _choices(board: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the rows may be filtered by, and its values."""
    rows = board["rows"]
    found = {
        key: sorted({row[key] for row in rows}) for key in ("family", "recipe", "class", "trust")
    }
    sizes, tiers = {board_words.size(row["parameters"]) for row in rows}, _tiers(board)
    ordered = (*(said for _, said in board_words.SIZES), board_words.LARGEST, board_words.UNSTATED)
    return found | {
        "size": [said for said in ordered if said in sizes],
        "tier": [name for name in TIERS if name in tiers],
    }


def _table(board: Mapping[str, Any], behaviour: str) -> dict[str, Any]:
    """The rows of one behaviour in their groups, and the scales that they share."""
    rows = sorted(
        (row for row in board["rows"] if behaviour in row["panels"]),
        key=lambda row: _default_order(row, behaviour),
    )
    panels = [row["panels"][behaviour] for row in rows]
    levels = [value for panel in panels for value in panel["levels"].values()]
    current = [row for row in rows if not row["superseded_by"]]
    checks = [p["floor_p"] for p in panels if p["floor_p"] is not None]
    groups = {
        "": [row for row in current if row["class"] != "api"],
        "Closed-API models: weights that cannot be checked; ranked among themselves": [
            row for row in current if row["class"] == "api"
        ],
        "Superseded by a newer submission; not ranked": [r for r in rows if r["superseded_by"]],
    }
    return {
        "behaviour": behaviour,
        "groups": {heading: members for heading, members in groups.items() if members},
        "rows": [row for members in groups.values() for row in members],
        "absent": [row for row in board["rows"] if behaviour not in row["panels"]],
        "planted": any(panel["detection"] for panel in panels),
        "level": board_figures.scale((panel["level"] for panel in panels), 0.2),
        "shift": board_figures.scale((panel["shift"] for panel in panels), 0.2),
        "d_prime": board_figures.scale((board_words.discrimination(p)[1] for p in panels), 1.0),
        "shades": board_figures.estimates(levels),
        "partners": board["partners"].get(behaviour, []),
        "repeated": _repeated(rows),
        "folded": len(rows) > OPEN_ROWS,
        "checked": len(checks),
        "beyond": sum(p < 0.05 for p in checks),
        "ranking": [
            (said, board["ranking"].get(behaviour, {})[metric])
            for metric, said in METRICS
            if metric in board["ranking"].get(behaviour, {})
            and (metric != "d_prime" or any(panel["detection"] for panel in panels))
        ],
    }


def _repeated(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Names of several rows, which it takes the engine to tell apart."""
    return {name for name, n in Counter(row["name"] for row in rows).items() if n > 1}


def _default_order(row: Mapping[str, Any], behaviour: str) -> tuple[Any, ...]:
    rank = row["panels"][behaviour]["ranks"]["shift"]
    return (not known(rank), rank.get("low", 0), row["name"], row["id"])


def _recipe_figures(found: Mapping[str, Any]) -> list[Markup]:
    if not known(found):
        return []
    quantities = found["quantities"]
    drawn = [
        board_figures.forest(
            [(label, quantities[key]) for key, label in labels.items() if key in quantities],
            title,
            digits=2,
            reference=0.0,
        )
        for title, labels in board_words.DRAWN
    ]
    return [figure for figure in drawn if figure]


def _composes(board: Mapping[str, Any]) -> bool:
    """Whether the reader may choose: not where the seeds are too few for any choice."""
    panels = board["composer"]
    return known(board["distances"]) and known(panels) and any(map(known, panels.values()))


def _candidates(board: Mapping[str, Any]) -> dict[str, Any]:
    rows = {row["id"]: row for row in board["rows"]}
    ids = board["distances"]["ids"]
    return {
        "ids": ids,
        "names": [rows[i]["name"] if i in rows else i for i in ids],
        "matrix": board["distances"]["matrix"],
    }


def _by_partner(
    chains: Sequence[Mapping[str, Any]], behaviour: str
) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for chain in chains:
        if chain["panel"] == behaviour:
            found.setdefault(chain["partner"], []).append(chain)
    return found
