"""Drawing on a 360 px canvas: lines, text, scales, round ticks; the alphabet of `plots`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike

from panelist.analysis.errors import AnalysisError
from panelist.analysis.sufficient import Floats

WIDTH = 360
FONT = "font-family:system-ui,-apple-system,'Segoe UI',sans-serif"
ACCENT = "var(--panelist-accent,#3b7dd8)"
MUTED = "var(--panelist-muted,#7a8290)"
GRID = "var(--panelist-grid,rgba(128,136,150,.28))"


class Scale:
    """Data to pixels."""

    def __init__(self, lo: float, hi: float, start: float, end: float) -> None:
        self.lo, self.hi, self.start, self.end = float(lo), float(hi), start, end

    def __call__(self, value: float) -> float:
        share = (float(value) - self.lo) / (self.hi - self.lo)
        return self.start + share * (self.end - self.start)

    def clip(self, value: float) -> float:
        """The pixel of the value, held inside the range."""
        return self(min(max(value, self.lo), self.hi))


def finite(name: str, values: object) -> Floats:
    """Values as an array, or an AnalysisError that names them."""
    a = np.asarray(values, dtype=np.float64)
    if not np.isfinite(a).all():
        raise AnalysisError(f"{name} has NaN or infinite values; leave those rows out")
    return a


def padded(values: ArrayLike, pad: float = 0.06) -> tuple[float, float]:
    """Lowest and highest value with some room; never an empty range."""
    v = np.asarray(values, dtype=float)
    lo, hi = float(v.min()), float(v.max())
    room = (hi - lo) * pad or abs(hi) * 0.1 or 1.0
    return lo - room, hi + room


def ticks_in(lo: float, hi: float) -> list[float]:
    """Three to six round numbers inside [lo, hi]."""
    raw = (hi - lo) / 4
    power = 10.0 ** np.floor(np.log10(raw))
    step = min((m * power for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - raw))
    first = np.ceil(lo / step) * step
    return [float(t) for t in np.arange(first, hi + step * 1e-9, step)]


def number(value: float, ticks: Sequence[float], scale: float) -> str:
    """A tick label with as many decimals as the ticks need."""
    step = scale * (ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0
    digits = max(0, int(-np.floor(np.log10(abs(step)) + 1e-9)))
    digits += 0 if abs(round(step, digits) - step) < 1e-9 * abs(step) else 1
    return f"{scale * value + 0.0:.{digits}f}"


def key_lines(names: Sequence[str]) -> list[str]:
    """'1 name  2 name' in lines that fit 360 px at 11 px."""
    lines = [""]
    for j, name in enumerate(names):
        item = f"{j + 1} {short(name, 34)}"
        if lines[-1] and len(lines[-1]) + len(item) + 3 > 56:
            lines.append("")
        lines[-1] += (" · " if lines[-1] else "") + item
    return lines


def short(label: str, limit: int) -> str:
    """The label, cut with an ellipsis."""
    return label if len(label) <= limit else label[: limit - 1] + "…"


def line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    colour: str,
    width: float,
    dash: str = "",
    cap: bool = False,
) -> str:
    """A straight line."""
    extra = f' stroke-dasharray="{dash}"' if dash else ""
    extra += ' stroke-linecap="round"' if cap else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"{extra}/>'
    )


def marker(x: float, y: float, emphasis: bool) -> str:
    """A dot, or a diamond where the point is the subject."""
    if emphasis:
        points = f"{x:.1f},{y - 7:.1f} {x + 7:.1f},{y:.1f} {x:.1f},{y + 7:.1f} {x - 7:.1f},{y:.1f}"
        return f'<polygon points="{points}" fill="{ACCENT}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{ACCENT}"/>'


def text(
    x: float,
    y: float,
    content: str,
    anchor: str,
    size: int,
    colour: str = "currentColor",
    weight: int = 400,
) -> str:
    """One line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'font-weight="{weight}" fill="{colour}">{escape(content)}</text>'
    )


def value(x: float, y: float, estimate: str, span: str) -> str:
    """An estimate in bold with its interval after it, ending at x."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="end" font-size="12" fill="currentColor">'
        f'<tspan font-weight="600">{escape(estimate)}</tspan>'
        f'<tspan fill="{MUTED}">{escape(span)}</tspan></text>'
    )


def document(height: float, title: str, described: str, parts: Sequence[str]) -> str:
    """The whole figure, with its title and a description for readers who do not see it."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title, quote=True)}" '
        f'style="width:100%;max-width:{WIDTH * 3 // 2}px;height:auto;{FONT}">'
        f"<title>{escape(title)}</title><desc>{escape(described)}</desc>"
        + text(10, 18, title, "start", 14, weight=600)
        + "".join(parts)
        + "</svg>"
    )
