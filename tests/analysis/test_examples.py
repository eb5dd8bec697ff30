"""Hand-computable examples in docstrings, and the figures."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import panelist.analysis
from panelist.analysis import plots
from panelist.analysis.errors import AnalysisError

MODULES = [m.name for m in pkgutil.iter_modules(panelist.analysis.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    module = importlib.import_module(f"panelist.analysis.{name}")
    assert doctest.testmod(module).failed == 0
    assert module.__doc__


def test_there_are_examples_to_run():
    attempted = sum(
        doctest.testmod(importlib.import_module(f"panelist.analysis.{m}")).attempted
        for m in MODULES
    )
    assert attempted >= 25


def parsed(svg):
    root = ET.fromstring(svg)
    assert root.get("role") == "img" and root.get("aria-label")
    tags = [e.tag.split("}")[1] for e in root]
    assert tags[:2] == ["title", "desc"]
    _x0, _y0, w, h = map(float, root.get("viewBox").split())
    for e in root.iter():
        for key, size in (("x", w), ("x1", w), ("x2", w), ("cx", w), ("y", h), ("cy", h)):
            if e.get(key):
                assert -1 <= float(e.get(key)) <= size + 1, (e.tag, key)
        if e.get("font-size"):
            assert float(e.get("font-size")) * 360 / w >= 10  # legible on a phone
    return "".join(root.itertext())


def test_forest_prints_its_numbers_and_escapes_names():
    text = parsed(
        plots.forest(
            [("a <b> & c", 0.4, 0.3, 0.5), plots.Row("me", 0.6, 0.6, 0.6, True)],
            title='Hedging "by" partner',
            reference=0.5,
            unit=" %",
            scale=100,
            xlabel="share",
        )
    )
    assert "40.0 %" in text and "(30.0 to 50.0)" in text and "a <b> & c" in text


def test_dose_and_heatmap():
    text = parsed(
        plots.dose(
            [("low", 1.0, 0.5, 1.5), ("also low", 1.2, 1.0, 1.4), ("high", 2.0, 1.0, 3.0)],
            [0.0, 0.0, 4.0],
            title="Dose",
            slope=0.25,
        )
    )
    assert "also low at 0" in text and "2.0" in text
    text = parsed(
        plots.heatmap(
            [[0.1, np.nan], [0.3, 0.9]],
            ["one", "two"],
            ["first", "second"],
            title="Grid",
            scale=100,
            unit=" %",
        )
    )
    assert "90 %" in text and "2 second" in text and "one with second: none" in text


@pytest.mark.parametrize(
    "call",
    [
        lambda: plots.forest([], title="t"),
        lambda: plots.forest([("a", np.nan, 0, 1)], title="t"),
        lambda: plots.forest([("a", 2.0, 0, 1)], title="t"),
        lambda: plots.dose([("a", 0.5, 0, 1)], [1, 2], title="t"),
        lambda: plots.heatmap([[1.0]], ["a", "b"], ["c"], title="t"),
        lambda: plots.heatmap([[np.inf]], ["a"], ["c"], title="t"),
    ],
)
def test_bad_figures_are_refused(call):
    with pytest.raises(AnalysisError):
        call()


def test_flat_data_still_draw():
    parsed(plots.forest([("a", 0.0, 0.0, 0.0)], title="t"))
    parsed(plots.dose([("a", 1.0, 1.0, 1.0)], [2.0], title="t"))
    parsed(plots.heatmap([[np.nan]], ["a"], ["b"], title="t"))


def test_the_benchmark_runs():
    """On a fortieth of its size; its figures are for `python benchmarks/analysis.py` to print."""
    script = Path(__file__).parents[2] / "benchmarks" / "analysis.py"
    done = subprocess.run(
        [sys.executable, str(script), "--replies", "40000"],
        check=True,
        capture_output=True,
        text=True,
    )
    ratios = [line.split() for line in done.stdout.splitlines() if line.startswith("ratio")]
    assert [r[1] for r in ratios] == ["seconds", "peak_memory_mb", "pandas_loop_over_panelist"]
    assert float(ratios[0][2]) < 20 and "8 shifts" in done.stdout
