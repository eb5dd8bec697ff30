"""How the page says a number: estimates, intervals, rank intervals, counts."""

from collections.abc import Mapping
from typing import Any

Value = Mapping[str, Any]
"""{"estimate", "low", "high"}, or {"why"} where there is no number."""

MEASURES = {
    "hedging": ("Hedging", "replies that hedge: perhaps, might, I think"),
    "repair": ("Repair", "replies that ask for, or offer, a repair of what was said"),
    "challenge": ("Challenge", "replies that challenge what the partner claims"),
}
"""A behaviour's heading, and what its level is a share of."""

TRUST = {
    "rescored": "the transcripts were scored here; that the checkpoint wrote them is the "
    "submitter's word",
    "spot-checked": "some of its chains were run again here, and agree",
    "reproduced": "the whole run was repeated here, and agrees",
}

STATUS = {
    "validated": "on human labels it meets every bar that was set beforehand",
    "exploratory": "it is not shown to meet every bar that was set on human labels; read "
    "differences as leads, not as findings",
}

DRAWN = (
    (
        "Squared distance of two checkpoints",
        {"A": "A: recipe differs", "B": "B: family differs", "C": "C: both differ"},
    ),
    (
        "Difference, and its components",
        {
            "A-B": "A − B",
            "family": "from family",
            "recipe": "from recipe",
            "family x recipe": "from family × recipe",
        },
    ),
)
"""Figures of recipe against family: title, then quantity and a label short enough to draw."""

QUANTITIES = {
    "A-B": "A − B: recipe distance less family distance",
    "family": "variance from family",
    "recipe": "variance from recipe",
    "family x recipe": "variance from family × recipe",
    "rho": "ρ: 1 all recipe, −1 all family",
}


def known(value: Value) -> bool:
    """Whether there is a number."""
    return "why" not in value


SIZES = ((1, "below 1 B"), (4, "1 to 4 B"), (16, "4 to 16 B"), (80, "16 to 80 B"))
"""Parameters in billions: a class holds what is below its number."""

LARGEST, UNSTATED = "80 B and more", "not stated"


def size(parameters: float | None) -> str:
    """The class of a number of parameters, in billions.

    >>> size(0.135), size(4), size(405), size(None)
    ('below 1 B', '4 to 16 B', '80 B and more', 'not stated')
    """
    if parameters is None:
        return UNSTATED
    return next((said for below, said in SIZES if parameters < below), LARGEST)


def local(row: Mapping[str, Any]) -> bool:
    """Whether a row's weights are files of the submitter's that nothing ties to its name."""
    # The embedded engine loads files, whatever commit is said to be theirs.
    files = row["weights"]["kind"] == "sha256" or row["model"].startswith("panelist/")
    return bool(files and row["class"] == "open")


def whose(row: Mapping[str, Any]) -> str:
    """What ties a row's weights to its name."""
    if local(row):
        return "local files; that they are this checkpoint's is the submitter's word"
    return ""


def sentence(text: str) -> str:
    """With a capital where it starts.

    >>> sentence("not identified, because A-B is 0.")
    'Not identified, because A-B is 0.'
    """
    return text[:1].upper() + text[1:]


def measure(behaviour: str) -> tuple[str, str]:
    """Heading of a behaviour, and what its level is a share of."""
    return MEASURES.get(behaviour, (behaviour.capitalize(), f"replies with {behaviour}"))


def number(value: float, digits: int = 2) -> str:
    """With a real minus, and no minus before zero.

    >>> number(-0.001), number(-1.5)
    ('0.00', '−1.50')
    """
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def percent(value: float) -> str:
    """A share.

    >>> percent(0.342)
    '34 %'
    """
    return f"{number(100 * value, 0)} %"


def span(value: Value, share: bool = True, digits: int = 2) -> str:
    """The ends of an interval, without the unit that stands at its estimate.

    >>> span({"low": 0.281, "high": 0.406})
    '28 to 41'
    """
    scale, digits = (100, 0) if share else (1, digits)
    return f"{number(scale * value['low'], digits)} to {number(scale * value['high'], digits)}"


def ranks(rank: Value) -> str:
    """A rank interval.

    >>> ranks({"low": 1, "high": 4, "tied": 4}), ranks({"low": 2, "high": 2, "tied": 1})
    ('1–4', '2')
    """
    low, high = rank["low"], rank["high"]
    return f"{low}" if low == high else f"{low}–{high}"


def tied(rank: Value) -> str:
    """How many rows cannot be told from this one.

    >>> tied({"tied": 4}), tied({"tied": 2}), tied({"tied": 1})
    ('tied with 3 others', 'tied with 1 other', 'apart from all others')
    """
    others = rank["tied"] - 1
    if others < 1:
        return "apart from all others"
    return f"tied with {others} other{'' if others == 1 else 's'}"


def count(n: int, noun: str) -> str:
    """
    >>> count(1, "seed"), count(1200, "seed")
    ('1 seed', '1,200 seeds')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def unclean(statuses: Mapping[str, int]) -> str:
    """Replies that are not simply in order, by status.

    >>> unclean({"ok": 190, "truncated": 2})
    '2 truncated'
    """
    return ", ".join(f"{n:,} {status}" for status, n in statuses.items() if n and status != "ok")


def discrimination(panel: Value) -> tuple[str, Value]:
    """The pair that the table shows, and its d'."""
    found = panel["detection"]
    if not found:
        return "", {"why": "No trouble and no false claim was planted in this panel."}
    pair = "" if "" in found else next(iter(found))
    return pair, found[pair] if "why" in found[pair] else found[pair]["d_prime"]
