"""What it costs to refuse a bad submission, reading it in a child process included.

    python benchmarks/verify.py

Every bad submission of tests/bad_cases.py goes through `verify`, as on the board. Time is wall
clock from the call to its result; memory is the resident memory of the child at its peak.
Reference: the limits of issue 7, 2 s and 512 MB each. A ratio is the
share of the limit that the worst one used.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import bad_cases  # noqa: F401 - registers the cases
from bad_submissions import write_all

from panelist.leaderboard import verify as verifying
from panelist.leaderboard.sandbox import Answer, limited

SECONDS, BYTES = 2.0, 512e6


def main() -> None:
    """Make, measure, print."""
    peaks: list[int] = []

    def watched(*words: object, **options: object) -> Answer:
        said = limited(*words, **options)  # type: ignore[arg-type]
        peaks.append(said.peak)
        return said

    verifying.limited = watched  # type: ignore[assignment]
    slowest, largest, wrong = (0.0, ""), (0, ""), []
    with tempfile.TemporaryDirectory() as scratch:
        made = write_all(Path(scratch))
        for name, (code, folder) in made.items():
            against = folder.parent / "others"
            start = time.monotonic()
            faults = verifying.verify(folder, against=against if against.exists() else None)
            slowest = max(slowest, (time.monotonic() - start, name))
            largest = max(largest, (peaks[-1], name))
            if not faults or faults[0].code != code:
                wrong.append(name)
    print(f"{len(made)} bad submissions, {len({code for code, _ in made.values()})} codes")
    print(f"slowest {slowest[0]:.2f} s ({slowest[1]})")
    print(f"largest {largest[0] / 1e6:.0f} MB ({largest[1]})")
    if wrong:
        raise SystemExit(f"not refused with their own code: {', '.join(wrong)}")
    print(f"ratio verify-seconds {slowest[0] / SECONDS:.2f} target 1.00")
    print(f"ratio verify-memory {largest[0] / BYTES:.2f} target 1.00")


if __name__ == "__main__":
    main()
