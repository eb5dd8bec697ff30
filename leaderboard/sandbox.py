"""A child process that reads what strangers sent: little memory, little time, nothing to write."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEMORY = 1_500_000_000
"""Bytes of address space, of which the libraries map the larger part before anything is read."""

LITTLE = 250_000_000
"""Bytes more that a child may write to while it measures what it will read."""

SECONDS = 20
"""Of wall clock and of CPU."""

ANSWER = 1_000_000
"""Bytes of an answer that are read."""

_QUIET = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "ARROW_IO_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}

_KEPT = ("PATH", "LANG", "TMPDIR", "SYSTEMROOT", "XDG_CACHE_HOME", "HOME", "NUMBA_CACHE_DIR")


@dataclass(frozen=True)
class Answer:
    """What a child said.

    Attributes:
        value: parsed; None where it said nothing that is JSON.
        timed_out: whether it took too long and was ended.
        peak: bytes of its resident memory at most.
    """

    value: Any
    timed_out: bool
    peak: int


def limited(
    module: str,
    arguments: Sequence[str],
    *,
    memory: int = MEMORY,
    seconds: int = SECONDS,
    write: bool = False,
) -> Answer:
    """Run a module's main in a child with limits, and take the JSON that it prints.

    Args:
        module: to run.
        arguments: of its command line.
        memory: bytes of address space.
        seconds: of wall clock and CPU.
        write: whether it may write files (a cache of compiled code).
    """

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        # A soft limit that `little` lowers for a while.
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        if not write:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    environment = {key: os.environ[key] for key in _KEPT if key in os.environ} | _QUIET
    child = subprocess.Popen(
        [sys.executable, "-I", "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
        preexec_fn=limits,
        start_new_session=True,
    )
    timed_out = False
    try:
        said, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(child.pid, signal.SIGKILL)
        said, _ = child.communicate()
    value, peak = None, 0
    if child.returncode == 0 and len(said) < ANSWER:
        try:
            answer = json.loads(said)
            value, peak = answer["value"], answer["peak"]
        except (ValueError, KeyError, TypeError):
            value = None
    return Answer(value, timed_out, peak)


@contextmanager
def little() -> Iterator[None]:
    """In a child of `limited` only: little memory beside what is in use, while this lasts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    used = 0 if soft == resource.RLIM_INFINITY else _status("VmData")
    if used:
        resource.setrlimit(resource.RLIMIT_DATA, (min(soft, used + LITTLE), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def answer(value: Any) -> None:
    """Print a child's answer."""
    print(json.dumps({"value": value, "peak": _peak()}))


def _peak() -> int:
    """Bytes of this process's memory at most."""
    # What getrusage says is also that of the parent, which forked.
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status(key: str) -> int:
    """Bytes that the kernel says of this process; 0 where it says nothing."""
    with suppress(OSError):
        said = re.search(rf"{key}:\s*(\d+) kB", Path("/proc/self/status").read_text())
        return int(said[1]) * 1024 if said else 0
    return 0
