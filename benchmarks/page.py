"""The board of 500 checkpoints on 3 behaviours: its size, and how long it takes to sort and filter.

    python benchmarks/page.py [--checkpoints 500]

Timed in headless Chromium: from the event (a click on a header, a key in the search field) to the
end of the layout of the next animation frame, the median of many. The browser starts no network.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from statistics import median
from tempfile import TemporaryDirectory

from panelist.leaderboard.page import render_board

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

KILOBYTES, MILLISECONDS, TIMES = 300, 100, 21

QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()

TIMED = """async ([selector, times, step]) => {
  const element = document.querySelector(selector);
  const found = [];
  for (let i = 0; i < times; i++) {
    await new Promise((go) => setTimeout(go, 30));
    const start = performance.now();
    if (step === "click") element.click();
    else {
      element.value = ["llama", "", "sft vllm", "a-lab"][i % 4];
      element.dispatchEvent(new Event("input", { bubbles: true }));
    }
    await new Promise((go) => requestAnimationFrame(go));
    document.body.getBoundingClientRect();
    found.push(performance.now() - start);
  }
  return found;
}"""


def timings(page: Path) -> dict[str, list[float]]:
    """Milliseconds of each sort and each filter."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=which("chromium"), args=QUIET)
        view = browser.new_page(viewport={"width": 1280, "height": 900})
        view.goto(page.as_uri() + "#repair")
        found = {
            "sort": view.evaluate(TIMED, ["#repair th[data-key=level] button", TIMES, "click"]),
            "filter": view.evaluate(TIMED, ["#filters [name=q]", TIMES, "type"]),
        }
        browser.close()
    return found


def main() -> None:
    """Print sizes, times and their ratios to what is promised."""
    from made_up_board import made_up_board

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoints", type=int, default=500)
    n = parser.parse_args().checkpoints
    board = made_up_board(n)
    render_board(made_up_board(1))  # templates compile once
    start = time.perf_counter()
    text = render_board(board)
    seconds = time.perf_counter() - start
    size = len(gzip.compress(text.encode(), 9)) / 1000
    print(f"{n} checkpoints x {len(board['behaviours'])} behaviours: rendered in {seconds:.2f} s")
    print(f"{len(text.encode()) / 1000:.0f} kB, gzipped {size:.0f} kB")
    lines = [f"ratio page-kilobytes {size / KILOBYTES:.2f} target 1.00"]
    if which("chromium") and find_spec("playwright"):
        with TemporaryDirectory() as folder:
            page = Path(folder, "index.html")
            page.write_text(text, encoding="utf-8")
            found = timings(page)
        for name, values in found.items():
            print(f"{name}: median {median(values):.0f} ms, slowest {max(values):.0f} ms")
            lines.append(f"ratio page-{name} {median(values) / MILLISECONDS:.2f} target 1.00")
    else:
        print("sorting and filtering: not measured (no chromium on the PATH, or no playwright)")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
