"""What `panelist.registry` adds to `import inspect_ai`: Inspect loads it at every start.

    python benchmarks/import_time.py

Each import runs in a fresh interpreter, the two in turn; medians of 15 rounds are compared.
"""

import statistics
import subprocess
import sys

ROUNDS = 15
BASE = "import inspect_ai"
WITH = "import inspect_ai, panelist.registry"
CLOCK = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def seconds(statement: str) -> float:
    """Wall time of an import in a fresh interpreter."""
    command = [sys.executable, "-P", "-c", CLOCK.format(statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Print both medians, the difference in ms and the ratio."""
    rounds = [(seconds(BASE), seconds(WITH)) for _ in range(ROUNDS)]
    base, both = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"import inspect_ai                     {1000 * base:8.1f} ms")
    print(f"import inspect_ai, panelist.registry  {1000 * both:8.1f} ms")
    added = statistics.median(second - first for first, second in rounds)
    print(f"added (median of the differences)     {1000 * added:8.1f} ms  target 50")
    print(f"ratio import {1 + added / base:.3f} target {1 + 0.05 / base:.3f}")


if __name__ == "__main__":
    main()
