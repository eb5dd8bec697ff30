"""Whatever dies, fills up or breaks: a corpus ends as the uninterrupted one, row for row."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

ray = pytest.importorskip("ray")

from panelist.evals import batch_cluster, batch_plan  # noqa: E402
from panelist.evals.corpus_run import Grown, Options, grow  # noqa: E402
from panelist.evals.design import Design  # noqa: E402
from panelist.panels.batch_engines import EngineSpec  # noqa: E402
from panelist.panels.corpus import (  # noqa: E402
    CORRUPT,
    TURNS,
    folder_of,
    key_of,
    part_at,
    parts,
    read_part,
    write_part,
)
from panelist.panels.errors import PanelistError  # noqa: E402
from panelist.panels.manifest import NAME, read_manifest  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::UserWarning:ray"),
]

SCRIPT = Path(__file__).with_name("grow_corpus.py")
TIMEOUT = 300
"""Seconds after which a run that goes on is taken to hang, on a busy machine."""

ROWS: dict[str, Any] = {
    name: {"name": name, "model": f"mockllm/{name}", "family": "f", "base": "b", "recipe": "sft"}
    for name in ("a", "b", "c")
}
_AB: dict[str, Any] = {"kind": "factorial", "checkpoints": [ROWS["a"], ROWS["b"]]}
DESIGNS: dict[str, dict[str, Any]] = {
    "bank": {**_AB, "tier": "30x4", "partners": "bank"},
    "grown": {**_AB, "tier": "40x6", "partners": "bank", "checkpoints": list(ROWS.values())},
    "openings": {**_AB, "tier": "30x4", "partners": "openings"},
    "live": {
        "kind": "card",
        "focal": "a",
        "tier": "10x4",
        "checkpoints": [ROWS["a"]],
        "partners": ["self", "mockllm/x", "self+mockllm/x"],
        "turns": 5,
    },
}
CHAINS = {"bank": 2 * 4 * 120, "grown": 3 * 4 * 240, "openings": 2 * 2 * 120, "live": 3 * 40}
"""Of the corpus itself, without the openings that are frozen first."""

TURNS_EACH = {"bank": 2, "grown": 2, "openings": 2, "live": 5}


def title_of(process: psutil.Process) -> str:
    """What a process calls itself."""
    try:
        return str(process.cmdline()[0])
    except (psutil.Error, IndexError):
        return ""


@dataclass
class Run:
    """A process that grows a corpus, and all processes that it was seen to have."""

    process: subprocess.Popen[bytes]
    log: Path
    output: Path
    seen: set[psutil.Process]

    def look(self) -> set[psutil.Process]:
        """Its descendants now."""
        try:
            now = set(psutil.Process(self.process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            now = set()
        self.seen |= now
        return now

    def until(self, true: Callable[[], bool]) -> bool:
        """Wait for something; False if the process ends before it."""
        for step in range(TIMEOUT * 20):
            if step % 20 == 0:
                self.look()
            if true():
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.05)
        raise AssertionError(f"hangs: {self.said}")

    def end(self) -> int:
        """Its exit code."""
        self.until(lambda: False)
        return int(self.process.wait())

    def left(self, besides: str = "nothing") -> list[psutil.Process]:
        """Descendants that do not end within seconds, but for some by the end of their names."""
        waited = [process for process in self.seen if not title_of(process).endswith(besides)]
        return list(psutil.wait_procs(waited, timeout=20)[1])

    def stop(self) -> None:
        """End it and what it started."""
        self.look()
        self.process.kill()
        self.process.wait()
        for process in self.seen:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    @property
    def said(self) -> str:
        return self.log.read_text()


Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts runs; none outlives its test."""
    runs: list[Run] = []

    def begin(name: str, output: Path, **faults: Any) -> Run:
        folder = tmp_path_factory.mktemp("run")
        path = written(name, folder)
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", str(SCRIPT), str(path), str(output), json.dumps(faults)],
                cwd=folder,
                # What a run names no cluster for stays here, whatever Ray would join.
                env={**os.environ, "RAY_ADDRESS": "127.0.0.1:1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        runs.append(Run(process, folder / "log", output, set()))
        return runs[-1]

    yield begin
    for run in runs:
        run.stop()


def written(name: str, folder: Path) -> Path:
    """A design file."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, **DESIGNS[name]}))
    return path


@pytest.fixture(scope="module")
def here() -> Iterator[None]:
    """Ray in this process, for runs that nothing kills; its files lie in a folder of their own."""
    # Sockets lie in it, whose paths must be short.
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        with batch_cluster.cluster(None):
            yield
    shutil.rmtree(folder, ignore_errors=True)


def grow_here(name: str, output: Path, said: list[str] | None = None) -> Grown:
    """Grow a corpus in this process."""
    lines = [] if said is None else said
    design = Design(name=name, **DESIGNS[name])
    return grow(design, Path(f"{name}.yaml"), output, Options(), say=lines.append)


@pytest.fixture(scope="module")
def whole(here: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Uninterrupted runs by design, each made once."""
    made: dict[str, Path] = {}

    def find(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "out"
            assert grow_here(name, made[name]).lacking == 0
            found = rows(made[name])
            own = [row for row in found if row[0] == "hedging"]
            assert len({row[3] for row in own}) == CHAINS[name]
            assert len({row[:5] for row in found}) == len(found)
            assert len(own) == CHAINS[name] * TURNS_EACH[name]
        return made[name]

    return find


def rows(output: Path) -> list[tuple[Any, ...]]:
    """Every row below a folder: corpus, focal, partner, chain, turn, and the rest."""
    found = [
        (corpus.name, part.focal, part.partner, row.pop("chain"), row.pop("turn"), *row.values())
        for corpus in output.iterdir()
        if (corpus / TURNS).is_dir()
        for part in parts(corpus / TURNS)
        for row in read_part(part).to_pylist()
    ]
    return sorted(found, key=lambda row: row[:5])


def same(output: Path, reference: Path) -> bool:
    """Whether two runs came to the same, and the manifests list the files that are there."""
    for corpus in output.iterdir():
        if (corpus / NAME).exists():
            listed = read_manifest(corpus).files
            assert set(listed) == {str(p.path.relative_to(corpus)) for p in parts(corpus / TURNS)}
    assert not list(output.glob("**/turns/**/.*.part"))
    assert [p.name for p in output.glob("*.jsonl")] == [p.name for p in reference.glob("*.jsonl")]
    return rows(output) == rows(reference)


def files(output: Path) -> list[Path]:
    """The parts of all corpora."""
    return sorted(output.glob(f"*/{TURNS}/*/*/*.parquet"))


def test_a_run_ends_with_the_workers_that_it_started(
    start: Start, whole: Callable[[str], Path], tmp_path: Path
) -> None:
    run = start("openings", tmp_path / "out")
    assert run.end() == 0, run.said
    assert len(run.seen) > 3
    assert not run.left()
    assert same(tmp_path / "out", whole("openings"))


def test_killed_workers_are_replaced_while_the_run_goes_on(
    start: Start, whole: Callable[[str], Path], tmp_path: Path
) -> None:
    run = start("bank", tmp_path / "out", batch=24, slow=0.25)
    chance = random.Random(1)
    for title in ("ray::EngineActor", "ray::MapWorker", "ray::EngineActor"):
        before = len(files(run.output))
        assert run.until(lambda before=before: len(files(run.output)) > before), run.said
        time.sleep(chance.uniform(0, 0.5))
        [worker] = [p for p in run.look() if title_of(p).startswith(title)]
        worker.kill()
    assert len(files(run.output)) < 40
    assert run.end() == 0, run.said
    assert json.loads(run.said.splitlines()[-1]) == {"made": CHAINS["bank"], "lacking": 0}
    assert same(tmp_path / "out", whole("bank"))


def test_an_engine_that_dies_of_its_work_again_and_again_ends_the_run(
    start: Start, tmp_path: Path
) -> None:
    run = start("bank", tmp_path / "out", dies=True)
    assert run.end() == 1
    [said] = [line for line in run.said.splitlines() if "PanelistError" in line]
    assert "mockllm/a, mockllm/b: the engine died 4 times over the same chains" in said
    assert "Traceback" not in run.said
    assert not run.left()


def test_a_run_killed_ten_times_ends_as_if_it_had_not_been(
    start: Start, whole: Callable[[str], Path], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    chance = random.Random(2)
    at: list[int] = []
    runs = []
    for kill in range(10):
        before = len(files(output))
        run = start("openings", output, batch=6, slow=0.3)
        runs.append(run)
        if kill in (0, 4):  # while it starts
            wait = time.monotonic() + chance.uniform(2, 6)
            going = run.until(lambda wait=wait: time.monotonic() > wait)
        else:
            going = run.until(lambda before=before: len(files(output)) > before)
            time.sleep(chance.uniform(0, 1))
        run.look()
        if not going or run.process.poll() is not None:
            break
        # Its workers go on for a moment, and the next run does not wait for them.
        run.process.kill()
        run.process.wait()
        at.append(len(files(output)))
    assert len(at) == 10, at
    grown = grow_here("openings", output)
    assert grown.lacking == 0
    assert same(output, whole("openings"))
    partial = [n for n in at if 0 < n < len(files(output))]
    assert len(set(partial)) >= 5, at
    # Ray's two agents of a node take a minute to notice.
    assert not [left for run in runs for left in run.left(besides="Agent")]


def test_a_full_disk_is_said_once_and_the_run_goes_on_with_room(
    start: Start, whole: Callable[[str], Path], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    run = start("bank", output, batch=24, full_after=15)
    assert run.end() == 1
    [said] = [line for line in run.said.splitlines() if "PanelistError" in line]
    assert "No space left on device" in said and "make room" in said
    assert "Traceback" not in run.said and "ERROR" not in run.said
    named = Path(said.removeprefix("PanelistError: ").partition(":")[0])
    assert part_at(named) and not named.exists() and named.is_relative_to(output)
    assert not list(output.glob("**/*.part"))
    assert 15 <= len(files(output)) < 40
    there = sum(read_part(part).num_rows for part in parts(output / "hedging" / TURNS)) // 2
    assert grow_here("bank", output).made.chains == CHAINS["bank"] - there
    assert same(output, whole("bank"))


def test_a_disk_too_full_for_the_manifest_keeps_the_old_one(
    whole: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = shutil.copytree(whole("bank"), tmp_path / "out")
    before = (output / "hedging" / NAME).read_bytes()

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(PanelistError, match=r"manifest\.json: cannot be written .*make room"):
            grow_here("grown", output)
    assert (output / "hedging" / NAME).read_bytes() == before
    assert not list(output.glob("**/*.part"))


def test_damaged_files_are_named_and_set_aside_and_only_their_chains_made_anew(
    whole: Callable[[str], Path], tmp_path: Path
) -> None:
    output = shutil.copytree(whole("bank"), tmp_path / "out")
    flipped, cut, gone, *kept = files(output)
    data = bytearray(flipped.read_bytes())
    data[random.Random(3).randrange(len(data))] ^= 1
    flipped.write_bytes(data)
    cut.write_bytes(cut.read_bytes()[:-100])
    gone.unlink()
    times = [(path, path.stat().st_mtime_ns) for path in kept]
    said: list[str] = []
    grown = grow_here("bank", output, said)
    for path in (flipped, cut):
        [line] = [line for line in said if str(path.name) in line]
        assert "corrupt" in line and "made anew" in line
    aside = sorted(path.read_bytes() for path in (output / "hedging" / CORRUPT).rglob("*.parquet"))
    assert len(aside) == 2 and bytes(data) in aside
    assert (grown.made.chains, grown.lacking) == (3 * 120, 0)
    assert times == [(path, path.stat().st_mtime_ns) for path in kept]
    assert same(output, whole("bank"))


def test_what_a_killed_run_wrote_beside_the_next_one_is_set_aside(
    whole: Callable[[str], Path], tmp_path: Path
) -> None:
    output = shutil.copytree(whole("bank"), tmp_path / "out")
    turns = output / "hedging" / TURNS
    halves = []
    for part, first in zip(list(parts(turns))[:2], (True, False), strict=True):
        table = read_part(part)
        chains = table["chain"].unique().to_pylist()
        # Some of its chains, as a worker with another chunk would have written them; the part that
        # comes first by its name is kept.
        n = next(n for n in range(1, 120) if (key_of(chains[:n]) < part.key) == first)
        some = table.slice(0, 2 * n)
        key = key_of(chains[:n])
        halves.append(write_part(turns, part.focal, part.partner, some, key=key))
    said: list[str] = []
    grown = grow_here("bank", output, said)
    assert len([line for line in said if "another part has its chains too" in line]) == 2
    kept = read_part(halves[0]).num_rows // 2
    assert (grown.made.chains, grown.lacking) == (120 - kept, 0)
    assert not halves[1].path.exists()
    assert same(output, whole("bank"))


def test_a_second_writer_is_refused_while_the_first_goes_on(
    start: Start, whole: Callable[[str], Path], tmp_path: Path
) -> None:
    output = tmp_path / "out"
    run = start("bank", output, batch=120, slow=2.0)
    assert run.until(lambda: bool(files(output))), run.said
    with pytest.raises(PanelistError, match=f"{output}: another run is writing to it"):
        grow_here("bank", output)
    assert run.process.poll() is None
    assert run.end() == 0, run.said
    assert same(output, whole("bank"))


def test_a_corpus_grows_by_what_it_lacks(whole: Callable[[str], Path], tmp_path: Path) -> None:
    output = shutil.copytree(whole("bank"), tmp_path / "out")
    old = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files(output)}
    grown = grow_here("grown", output)
    # A checkpoint more, 40 seeds for 30, 6 replicates for 4.
    assert (grown.made.chains, grown.lacking) == (CHAINS["grown"] - CHAINS["bank"], 0)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in old} == old
    assert same(output, whole("grown"))
    assert read_manifest(output / "hedging").expected == CHAINS["grown"]


def test_chains_that_go_from_engine_to_engine_survive_kills_and_a_lost_first_leg(
    start: Start,
    whole: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / "out"
    chance = random.Random(4)
    for turn in (1, 2):
        run = start("live", output, batch=10, slow=0.1, engine_each=True)
        live = folder_of(output / "hedging" / TURNS, "a", "mockllm/x")
        assert run.until(lambda live=live, turn=turn: len(list(live.glob("*.parquet"))) > 4 * turn)
        time.sleep(chance.uniform(0, 1))
        run.look()
        run.process.kill()
        run.process.wait()
    found = [part for part in parts(output / "hedging" / TURNS) if part.partner == "mockllm/x"]
    firsts = [part for part in found if 1 in read_part(part)["turn"].to_pylist()]
    assert len(firsts) == 4 < len(found) < 20
    firsts[0].path.write_bytes(b"")
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(batch_plan, "engine_spec", engine_each)
        grown = grow_here("live", output, said)
    assert grown.engines == 2 and grown.lacking == 0
    assert [line for line in said if firsts[0].path.name in line]
    # The reference spoke its chains through one engine, from the first turn to the last.
    assert same(output, whole("live"))


def engine_each(model: str, args: Any) -> EngineSpec:
    """An engine of its own for every mock model."""
    return EngineSpec(f"mockllm {model}", "mockllm", (model,), {})


def test_a_cluster_that_is_not_there_is_said_at_once(start: Start, tmp_path: Path) -> None:
    begun = time.monotonic()
    run = start("bank", tmp_path / "out", address="127.0.0.1:1")
    assert run.end() == 1
    assert time.monotonic() - begun < 30
    [said] = run.said.splitlines()
    assert said.startswith("PanelistError: --address 127.0.0.1:1: no Ray cluster there")
