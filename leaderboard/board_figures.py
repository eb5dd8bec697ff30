"""Figures of the page as SVG: interval bars in table cells, shades of a heatmap, forest plots.

They use presentation attributes and classes only: the page's policy allows no style attribute.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor
from typing import Any

from markupsafe import Markup

from panelist.analysis import plots
from panelist.leaderboard.board_words import Value, known

SHADES = 10
"""Classes h0 to h9 of the style sheet."""

CUT = 0.98
"""Share of the intervals that the common scale holds: one wild row among many must not flatten the
rest."""

Scale = tuple[float, float]


def scale(values: Iterable[Value], step: float) -> Scale:
    """A common scale from 0, or below it, to a round number."""
    found = [v for v in values if known(v)]
    highs, lows = sorted(v["high"] for v in found), sorted(v["low"] for v in found)
    if not found:
        return 0.0, step
    last = ceil(CUT * (len(found) - 1))
    low = min(0.0, floor(lows[len(found) - 1 - last] / step) * step)
    return low, max(step, ceil(highs[last] / step - 1e-9) * step)


def interval_bar(value: Value, axis: Scale) -> Markup:
    """The interval as a line with a tick at the estimate; an arrowhead where the scale cuts it, and
    no tick beyond that.

    Its numbers stand beside it as text, so it is hidden from screen readers.
    """
    low, mean, high = (_place(value[k], axis) for k in ("low", "estimate", "high"))
    path = f"M{low} 5H{max(high, low + 1)}"
    path += "M96 2L99 5L96 8" if value["high"] > axis[1] else ""
    path += "M4 2L1 5L4 8" if value["low"] < axis[0] else ""
    inside = axis[0] <= value["estimate"] <= axis[1]
    tick = f'<path class="at" d="M{mean} 1V9"/>' if inside else ""
    zero = f'<path class="zero" d="M{_place(0.0, axis)} 0V10"/>' if axis[0] < 0 else ""
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'{zero}<path d="{path}"/>{tick}</svg>'
    )


def _place(value: float, axis: Scale) -> int:
    share = (value - axis[0]) / (axis[1] - axis[0])
    return round(100 * min(max(share, 0.0), 1.0))


def shade(value: Value, axis: Scale) -> str:
    """The heatmap class of a level; "" where there is none."""
    if not known(value):
        return ""
    share = (value["estimate"] - axis[0]) / (axis[1] - axis[0])
    return f"h{min(SHADES - 1, max(0, int(share * SHADES)))}"


def estimates(values: Iterable[Value]) -> Scale:
    """Lowest and highest estimate, for a heatmap's shades."""
    found = [v["estimate"] for v in values if known(v)]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1.0)


def forest(rows: Sequence[tuple[str, Value]], title: str, **options: Any) -> Markup:
    """A forest plot of those rows that have a number; "" for none."""
    drawn = [plots.Row(label, v["estimate"], v["low"], v["high"]) for label, v in rows if known(v)]
    return _classed(plots.forest(drawn, title=title, **options)) if drawn else Markup("")


def level_forest(panel: Mapping[str, Any], title: str) -> Markup:
    """Levels by partner around their mean."""
    level = panel["level"]
    return forest(
        list(panel["levels"].items()),
        title,
        reference=level["estimate"] if known(level) else None,
        unit=" %",
        scale=100,
        digits=0,
        xlabel="% of replies; dashed: mean over partners",
    )


def _classed(figure: str) -> Markup:
    """The plot without its style attribute, which the policy would refuse with a console error."""
    return Markup(re.sub(r'(<svg[^>]*?) style="[^"]*"', r'\1 class="figure"', figure, count=1))
