"""Figures as self-contained SVG strings, for cards and pages; no plotting library.

Text and lines take ``currentColor`` and the CSS custom properties ``--panelist-accent``,
``--panelist-muted`` and ``--panelist-grid``, each with a fallback that is legible on white and on
black, so a page in dark mode needs no second figure. Widths are laid out for 360 px; the SVG grows
with its container up to its ``max-width``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from panelist.analysis import svg
from panelist.analysis.errors import AnalysisError


class Row(NamedTuple):
    """One line of a forest plot."""

    label: str
    mean: float
    low: float
    high: float
    emphasis: bool = False
    """Drawn as a diamond: the one this card is about."""


def forest(
    rows: Sequence[Row | tuple[str, float, float, float]],
    *,
    title: str,
    reference: float | None = None,
    unit: str = "",
    digits: int = 1,
    scale: float = 1.0,
    axis: tuple[float, float] | None = None,
    xlabel: str = "",
) -> str:
    """Estimates with intervals, one a row, each value printed as text.

    Parameters
    ----------
    rows : sequence of (label, mean, low, high[, emphasis])
    title : str
        Also the accessible name.
    reference : float, optional
        Where to draw the reference line, in the units of the rows.
    unit, digits, scale
        Values print as ``scale * value`` with `digits` decimals and `unit` after them.
    axis : (low, high), optional
        Of the axis, in the units of the rows; default all intervals and the reference.
    """
    data = [Row(*r) for r in rows]
    if not data:
        raise AnalysisError("rows is empty; a forest plot needs one row or more")
    values = svg.finite("rows", [[r.mean, r.low, r.high] for r in data])
    if ((values[:, 1] > values[:, 0]) | (values[:, 0] > values[:, 2])).any():
        raise AnalysisError("every row needs low <= mean <= high")
    inside = values if reference is None else np.append(values, reference)
    lo, hi = axis or svg.padded(inside)
    top, pitch, left, right = 36, 40, 10, svg.WIDTH - 10
    bottom = top + pitch * len(data)
    x = svg.Scale(lo, hi, left + 4, right - 4)
    parts = []
    ticks = svg.ticks_in(lo, hi)
    for t in ticks:
        parts.append(svg.line(x(t), top, x(t), bottom, svg.GRID, 1))
        parts.append(
            svg.text(x(t), bottom + 15, svg.number(t, ticks, scale), "middle", 11, svg.MUTED)
        )
    for i, r in enumerate(data):
        y = top + pitch * i
        if reference is not None:
            # Beside the labels, not through them.
            parts.append(
                svg.line(x(reference), y + 18, x(reference), y + 34, "currentColor", 1, "4 3")
            )
        weight = 600 if r.emphasis else 400
        value = f"{scale * r.mean:.{digits}f}{unit}"
        span = f" ({scale * r.low:.{digits}f} to {scale * r.high:.{digits}f})"
        parts.append(svg.text(left, y + 13, svg.short(r.label, 26), "start", 13, weight=weight))
        parts.append(svg.value(right, y + 13, value, span))
        yc = y + 26
        a, b = x.clip(r.low), x.clip(r.high)
        parts.append(svg.line(a, yc, b, yc, svg.ACCENT, 3 if r.emphasis else 2, cap=True))
        if lo <= r.mean <= hi:
            parts.append(svg.marker(x(r.mean), yc, r.emphasis))
    if xlabel:
        parts.append(svg.text(svg.WIDTH / 2, bottom + 32, xlabel, "middle", 11, svg.MUTED))
    height = bottom + (40 if xlabel else 24)
    described = "; ".join(
        f"{r.label} {scale * r.mean:.{digits}f}{unit} "
        f"({scale * r.low:.{digits}f} to {scale * r.high:.{digits}f})"
        for r in data
    )
    return svg.document(height, title, described, parts)


def dose(
    points: Sequence[Row | tuple[str, float, float, float]],
    doses: Sequence[float],
    *,
    title: str,
    xlabel: str = "partner's dose",
    ylabel: str = "level",
    slope: float | None = None,
    scale: float = 1.0,
    unit: str = "",
    digits: int = 1,
) -> str:
    """Levels of the focal against the dose of its partner, with intervals and the fitted line.

    `points` are rows as in `forest`, one a dose; `slope` is per unit of dose, in the rows' units.
    """
    data = [Row(*p) for p in points]
    if not data or len(data) != len(doses):
        raise AnalysisError(f"points and doses must pair up, got {len(data)} and {len(doses)}")
    values = svg.finite("points", [[r.mean, r.low, r.high] for r in data])
    at = svg.finite("doses", list(doses))
    top, bottom, left, right = 52, 240, 46, svg.WIDTH - 16
    lo, hi = svg.padded(values)
    x, y = svg.Scale(*svg.padded(at, 0.08), left, right), svg.Scale(lo, hi, bottom, top)
    parts = []
    ticks = svg.ticks_in(lo, hi)
    for t in ticks:
        parts.append(svg.line(left, y(t), right, y(t), svg.GRID, 1))
        parts.append(
            svg.text(left - 6, y(t) + 4, svg.number(t, ticks, scale), "end", 11, svg.MUTED)
        )
    parts.append(svg.text(10, 40, ylabel, "start", 11, svg.MUTED))
    across = svg.ticks_in(x.lo, x.hi)
    for t in across:
        parts.append(
            svg.text(x(t), bottom + 16, svg.number(t, across, 1.0), "middle", 11, svg.MUTED)
        )
    if slope is not None:
        mid, height = float(at.mean()), float(values[:, 0].mean())
        ends = [(t, height + slope * (t - mid)) for t in (at.min(), at.max())]
        (x1, y1), (x2, y2) = ((x(t), y.clip(v)) for t, v in ends)
        parts.append(svg.line(x1, y1, x2, y2, svg.MUTED, 1.5, "5 4"))
    beside = _apart([x(t) for t in at])
    for i, (r, place) in enumerate(zip(data, beside, strict=True)):
        parts.append(svg.line(place, y(r.low), place, y(r.high), svg.ACCENT, 2, cap=True))
        parts.append(svg.marker(place, y(r.mean), r.emphasis))
        parts.append(svg.text(place, y(r.high) - 6, str(i + 1), "middle", 12, weight=600))
    parts.append(svg.text((left + right) / 2, bottom + 36, xlabel, "middle", 12, svg.MUTED))
    # Names and values stand in a key: doses may lie close, and labels would run into each other.
    foot = bottom + 58
    for i, (r, t) in enumerate(zip(data, at, strict=True)):
        value = f"{scale * r.mean:.{digits}f}{unit}"
        span = f" ({scale * r.low:.{digits}f} to {scale * r.high:.{digits}f})"
        label = f"{i + 1}  {svg.short(r.label, 22)} at {t:.3g}"
        parts.append(svg.text(10, foot, label, "start", 12))
        parts.append(svg.value(svg.WIDTH - 10, foot, value, span))
        foot += 17
    described = "; ".join(
        f"{r.label}, dose {t:g}: {scale * r.mean:.{digits}f}{unit}"
        for r, t in zip(data, at, strict=True)
    )
    return svg.document(foot - 6, title, described, parts)


def heatmap(
    values: ArrayLike | Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    scale: float = 1.0,
    unit: str = "",
    digits: int = 0,
    row_name: str = "",
    column_name: str = "",
) -> str:
    """A grid of values (rows x columns), each printed in its cell; NaN cells show a dash.

    Column names stand in a key under the grid, numbered, so that long names stay legible at 360 px.
    """
    v = np.asarray(values, dtype=float)
    if v.shape != (len(rows), len(columns)) or not v.size:
        raise AnalysisError(f"values have shape {v.shape}, names {(len(rows), len(columns))}")
    if np.isinf(v).any():
        raise AnalysisError("values has infinite entries; give NaN for a cell without a value")
    left, top, right, cell = 138, 62, svg.WIDTH - 8, 32
    width = (right - left) / len(columns)
    known = v[~np.isnan(v)]
    lo, hi = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    parts = []
    if column_name:
        parts.append(svg.text(right, 42, f"{column_name} →", "end", 11, svg.MUTED))
    if row_name:
        parts.append(svg.text(8, top - 6, f"{row_name} ↓", "start", 11, svg.MUTED))
    size = 12 if width >= 34 else 10
    for j in range(len(columns)):
        parts.append(
            svg.text(left + width * (j + 0.5), top - 6, str(j + 1), "middle", 12, weight=600)
        )
    for i, name in enumerate(rows):
        y = top + cell * i
        parts.append(svg.text(left - 8, y + cell / 2 + 4, svg.short(name, 17), "end", 12))
        for j in range(len(columns)):
            x, value = left + width * j, float(v[i, j])
            share = 0.0 if np.isnan(value) or hi == lo else (value - lo) / (hi - lo)
            parts.append(
                f'<rect x="{x + 1:.1f}" y="{y + 1}" width="{width - 2:.1f}" height="{cell - 2}" '
                f'rx="3" fill="{svg.ACCENT}" fill-opacity="{0.06 + 0.5 * share:.2f}"/>'
            )
            text = "–" if np.isnan(value) else f"{scale * value:.{digits}f}{unit}"
            parts.append(svg.text(x + width / 2, y + cell / 2 + 4, text, "middle", size))
    y = top + cell * len(rows) + 20
    for line in svg.key_lines(columns):
        parts.append(svg.text(8, y, line, "start", 11, svg.MUTED))
        y += 15
    described = "; ".join(
        f"{a} with {b}: " + ("none" if np.isnan(v[i, j]) else f"{scale * v[i, j]:.{digits}f}{unit}")
        for i, a in enumerate(rows)
        for j, b in enumerate(columns)
    )
    return svg.document(y, title, described, parts)


def _apart(places: Sequence[float], gap: float = 9.0) -> list[float]:
    """Horizontal places, those of equal or nearly equal doses moved a few pixels apart."""
    out: dict[int, float] = {}
    for i in sorted(range(len(places)), key=lambda j: places[j]):
        out[i] = max([places[i], *(v + gap for v in out.values() if v > places[i] - gap)])
    return [out[i] for i in range(len(places))]
