"""Inspect logs become a corpus, and chains of a corpus become logs that score the same."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from filelock import FileLock
from inspect_ai import eval as inspect_eval
from inspect_ai import score
from inspect_ai.log import EvalLog, EvalSample, read_eval_log, write_eval_log
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import Scorer

from panelist.cli_corpus import corpus as commands
from panelist.evals import corpus_logs
from panelist.evals.corpus_logs import import_logs
from panelist.evals.corpus_sample import sample_log
from panelist.panels.chain import CHAIN_KEY, Chain
from panelist.panels.corpus import (
    LOCK,
    TURNS,
    key_of,
    parts,
    read_part,
    turns_of,
    write_part,
)
from panelist.panels.errors import PanelistError
from panelist.panels.logs import read_log
from panelist.panels.manifest import read_manifest
from panelist.panels.rehearsal import rehearse
from panelist.scorers.behaviour import hedging, repair
from panelist.scorers.logs import read_logs


@pytest.fixture(scope="module")
def log_path(rehearsal_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the rehearsal without its events, which nothing here reads."""
    path = tmp_path_factory.mktemp("light") / "light.eval"
    write_eval_log(read_log(rehearsal_path), str(path))
    return path


@pytest.fixture(scope="module")
def corpus(rehearsal_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora") / "rehearsed"
    import_logs([rehearsal_path], folder)
    return folder


def copy(source: Path, target: Path, change: Callable[[EvalLog], object]) -> Path:
    log = read_eval_log(str(source))
    change(log)
    target.parent.mkdir(exist_ok=True)
    write_eval_log(log, str(target))
    return target


def other_run(**said: object) -> Callable[[EvalLog], object]:
    """A change of the run record."""

    def change(log: EvalLog) -> None:
        log.eval.task_id = log.eval.eval_id = "other"
        assert log.eval.metadata is not None
        log.eval.metadata["panelist"].update(said)

    return change


def chains_of(path: Path) -> dict[str, Chain]:
    found = (Chain.from_dict(s.store[CHAIN_KEY]) for s in read_eval_log(str(path)).samples or [])
    return {chain.id: chain for chain in found}


def in_corpus(corpus: Path) -> dict[str, object]:
    return {k: v for p in parts(corpus / TURNS) for k, v in turns_of(read_part(p)).items()}


def rescored(path: Path, scorer: Scorer) -> pd.DataFrame:
    write_eval_log(score(read_eval_log(str(path)), scorer, display="none"), str(path))
    return rows([path])


def rows(paths: list[Path]) -> pd.DataFrame:
    """The tidy rows, without what names the log."""
    table = read_logs(paths)[1].drop(columns="run")
    return table.sort_values(["partner", "seed", "replicate", "turn"], ignore_index=True)


def test_a_corpus_has_the_chains_of_the_log(log_path: Path, corpus: Path) -> None:
    said = chains_of(log_path)
    assert in_corpus(corpus) == {chain.id: chain.turns for chain in said.values()}
    manifest = read_manifest(corpus)
    assert manifest.design == {"name": "rehearsed", "kind": "import"}
    assert manifest.behaviours == ["hedging"]
    assert (manifest.bank, manifest.base_seed, manifest.turns) == ("v1", 1, None)
    assert manifest.expected == len(said) == 192
    assert manifest.checkpoints["mockllm/model"]["runtime"]["engine"] == "mockllm"
    assert manifest.checkpoints["mockllm/model"]["sampling"] == {
        "temperature": 0.7,
        "top_p": 0.95,
        "max_tokens": 384,
    }
    aa, first = (manifest.partners[n] for n in ("scripted-neutral-aa", "scripted-neutral"))
    assert aa["words"] == first["words"]
    assert set(aa["words"]) == set(manifest.seeds)
    assert aa["reply_turn"] == 2
    [note] = manifest.generated
    assert (note["chains"], note["generations"], note["failed"]) == (192, 192, 0)
    assert note["tokens"] > 0


def test_parts_are_named_after_their_chains(
    log_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_logs, "LARGE", 20)
    made = import_logs([log_path], tmp_path / "c")
    assert len(made.parts) == 4 * 3
    order = list(read_manifest(tmp_path / "c").seeds)
    for part in made.parts:
        table = read_part(part, ["chain", "seed", "replicate"])
        assert key_of(table["chain"].unique().to_pylist()) == part.key
        told = table["seed"].to_pylist(), table["replicate"].to_pylist()
        asked = [(order.index(s), r) for s, r in zip(*told, strict=True)]
        assert asked == sorted(asked)


def test_importing_again_adds_nothing(log_path: Path, corpus: Path) -> None:
    before = sorted(corpus.rglob("*.parquet"))
    manifest = read_manifest(corpus)
    again = import_logs([log_path], corpus)
    assert (again.chains, again.there, again.failed, again.parts) == (0, 192, 0, ())
    assert sorted(corpus.rglob("*.parquet")) == before
    assert read_manifest(corpus) == manifest


def fail(log: EvalLog) -> None:
    from inspect_ai.log import EvalError

    for sample in (log.samples or [])[:10]:
        sample.error = EvalError(message="no answer", traceback="", traceback_ansi="")
        sample.store.clear()


def test_failed_chains_come_with_their_retry(log_path: Path, tmp_path: Path) -> None:
    first = copy(log_path, tmp_path / "logs" / "first.eval", fail)
    made = import_logs([first], tmp_path / "c")
    assert (made.chains, made.failed) == (182, 10)
    assert read_manifest(tmp_path / "c").expected == 192

    def retried(log: EvalLog) -> None:
        log.eval.eval_id = "retry"

    copy(log_path, tmp_path / "logs" / "second.eval", retried)
    made = import_logs([tmp_path / "logs"], tmp_path / "c")
    assert (made.chains, made.there, made.failed) == (10, 182, 0)
    assert len(in_corpus(tmp_path / "c")) == 192


def test_nothing_but_failures_is_refused(log_path: Path, tmp_path: Path) -> None:
    def all_fail(log: EvalLog) -> None:
        log.samples = (log.samples or [])[:10]
        fail(log)

    log = copy(log_path, tmp_path / "logs" / "failed.eval", all_fail)
    with pytest.raises(PanelistError, match="all 10 chains failed, the first with: no answer"):
        import_logs([log], tmp_path / "c")


def test_logs_of_other_seeds_add_up(log_path: Path, tmp_path: Path) -> None:
    def half(place: int) -> Callable[[EvalLog], object]:
        def change(log: EvalLog) -> None:
            ids = (log.eval.dataset.sample_ids or [])[48 * place :][:48]
            log.eval.dataset.sample_ids = ids
            log.samples = [sample for sample in log.samples or [] if sample.id in ids]
            log.eval.task_id = log.eval.eval_id = f"half {place}"

        return change

    halves = [copy(log_path, tmp_path / f"{n}.eval", half(n)) for n in (0, 1)]
    for log in halves:
        import_logs([log], tmp_path / "c")
    manifest = read_manifest(tmp_path / "c")
    assert manifest.expected == len(in_corpus(tmp_path / "c")) == 192
    assert all(len(partner["words"]) == 24 for partner in manifest.partners.values())
    assert len(manifest.generated) == 2


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"turns": 4}, "turns was None, and the design says 4"),
        ({"base_seed": None}, "base_seed was 1, and the design says None"),
        ({"prompt_sha256": "x"}, "prompt_sha256 was"),
        ({"sampling": {"temperature": 0.1}}, "checkpoint mockllm/model, sampling was"),
        ({"runtime": {"engine": "vllm"}}, "its runtime of mockllm/model is .*engine.*vllm"),
        ({"bank_sha256": "x"}, "its partner bank .sha256. is 'x'"),
        ({"behaviour": "repair"}, "its behaviour is 'repair', and that of .* is 'hedging'"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    log_path: Path, corpus: Path, tmp_path: Path, said: dict[str, object], why: str
) -> None:
    log = copy(log_path, tmp_path / "other.eval", other_run(**said))
    manifest = read_manifest(corpus)
    with pytest.raises(PanelistError, match=f"other.eval: .*{why}"):
        import_logs([log], corpus)
    assert read_manifest(corpus) == manifest


def test_two_behaviours_are_two_corpora(log_path: Path, tmp_path: Path) -> None:
    log = copy(log_path, tmp_path / "r.eval", other_run(behaviour="repair"))
    with pytest.raises(PanelistError, match=r"hedging \(.*\) and repair \(.*r.eval\)") as refused:
        import_logs([log_path, log], tmp_path / "c")
    assert "\n" not in refused.value.message
    assert not (tmp_path / "c").exists()


def test_openings_are_passed_over(log_path: Path, tmp_path: Path) -> None:
    log = copy(log_path, tmp_path / "o.eval", other_run(behaviour="openings"))
    assert import_logs([log, log_path], tmp_path / "c").chains == 192
    with pytest.raises(PanelistError, match="only logs of opening turns"):
        import_logs([log], tmp_path / "d")


@pytest.mark.parametrize("above", [True, False])
def test_a_corpus_that_is_written_to_is_left_alone(
    log_path: Path, tmp_path: Path, above: bool
) -> None:
    folder = tmp_path / "run" / "hedging"
    folder.mkdir(parents=True)
    locked = FileLock((folder.parent if above else folder) / LOCK)
    with locked, pytest.raises(PanelistError, match="another run is writing to it"):
        import_logs([log_path], folder)


def test_a_sample_is_what_the_log_was(rehearsal_path: Path, corpus: Path, tmp_path: Path) -> None:
    made = sample_log(corpus, tmp_path, chains=30)
    [path] = made.logs
    before, now = (read_eval_log(str(p)) for p in (rehearsal_path, path))
    assert before.eval.metadata == now.eval.metadata  # the run record
    assert (now.eval.task, now.eval.model) == (before.eval.task, before.eval.model)
    whole = {(s.id, s.epoch): s for s in before.samples or []}
    assert len(now.samples or []) == made.chains == 30

    def facts(sample: EvalSample) -> list[object]:
        read = [(m.role, m.text, m.metadata) for m in sample.messages]
        said = [sample.input, sample.metadata, sample.store, sample.output.completion]
        return [*said, read, sample.model_usage]

    for sample in now.samples or []:
        assert facts(sample) == facts(whole[sample.id, sample.epoch])
        assert sample.uuid == sample.store[CHAIN_KEY]["id"]
    drawn = {(s.metadata["partner"], s.metadata["seed"], s.epoch) for s in now.samples or []}
    table = rows([rehearsal_path])
    keys = table[["partner", "seed", "replicate"]].itertuples(index=False, name=None)
    expected = table[[key in drawn for key in keys]].reset_index(drop=True)
    pd.testing.assert_frame_equal(rescored(path, hedging()), expected)
    [run] = read_logs([path])[0]
    assert run.expected == run.found == 30
    assert import_logs([path], corpus).chains == 0


def test_a_draw_is_the_same_every_time(
    log_path: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(folder: Path, **asked: int) -> set[str]:
        [path] = sample_log(folder, tmp_path / "logs", **asked).logs
        return set(chains_of(path))

    some = drawn(corpus, chains=40)
    assert len(some) == 40
    assert drawn(corpus, chains=40) == some
    assert len(list((tmp_path / "logs").iterdir())) == 1
    assert drawn(corpus, chains=20) < some
    assert drawn(corpus, chains=40, draw=1) != some
    assert len(drawn(corpus, chains=1000)) == 192
    monkeypatch.setattr(corpus_logs, "LARGE", 7)
    import_logs([log_path], tmp_path / "c")
    assert drawn(tmp_path / "c", chains=40) == some
    often = [chain for draw in range(24) for chain in drawn(corpus, chains=16, draw=draw)]
    counts = pd.Series(often).value_counts().reindex(list(chains_of(log_path)), fill_value=0)
    chi2 = ((counts - 2) ** 2 / 2).sum()
    assert 120 < chi2 < 240  # mean 176, standard deviation 18


def test_only_what_was_asked_for_is_drawn(corpus: Path, tmp_path: Path) -> None:
    seed = next(iter(read_manifest(corpus).seeds))
    [path] = sample_log(corpus, tmp_path, partner="scripted-low", seed=seed).logs
    assert {(c.partner, c.seed) for c in chains_of(path).values()} == {("scripted-low", seed)}
    for what, name in (("focal", "x"), ("partner", "y"), ("seed", "z")):
        with pytest.raises(PanelistError, match=f"{what}: no '{name}' in it; it has "):
            sample_log(corpus, tmp_path, **{what: name})  # type: ignore[arg-type]
    with pytest.raises(PanelistError, match="not a corpus"):
        sample_log(tmp_path / "none", tmp_path)


def live(folder: Path, task: str, limit: int, **arguments: object) -> Path:
    [log] = inspect_eval(
        f"panelist/{task}",
        model=get_model(
            "mockllm/model", config=GenerateConfig(seed=1), custom_outputs=rehearse, memoize=False
        ),
        task_args=arguments,
        log_dir=str(folder),
        limit=limit,
        display="none",
    )
    return Path(log.location)


def test_legs_are_joined_and_unfinished_chains_left_out(tmp_path: Path) -> None:
    log = live(tmp_path / "logs", "panel_hedging", 6, partners="self,self+mockllm/z", turns=5)
    import_logs([log], tmp_path / "c")
    [path] = sample_log(tmp_path / "c", tmp_path / "s").logs
    whole = chains_of(path)
    assert whole == chains_of(log)
    assert {chain.order for chain in whole.values()} == {(), ("self", "mockllm/z", "mockllm/model")}
    # The same turns as the batch engine leaves them where engine after engine speaks.
    unfinished = set()
    for part in list(parts(tmp_path / "c" / TURNS)):
        table = read_part(part)
        part.path.unlink()
        names, parent = table["chain"].unique().to_pylist(), ""
        unfinished.add(names[0])
        for leg, turns in enumerate(([1, 2], [3], [4, 5])):
            said = zip(table["chain"].to_pylist(), table["turn"].to_pylist(), strict=True)
            kept = [t in turns and (leg < 2 or c != names[0]) for c, t in said]
            parent = write_part(
                tmp_path / "c" / TURNS,
                part.focal,
                part.partner,
                table.filter(kept),
                key=key_of(names, leg),
                leg=leg,
                parent=parent,
            ).name
    [path] = sample_log(tmp_path / "c", tmp_path / "s").logs
    assert chains_of(path) == {i: c for i, c in whole.items() if i not in unfinished}


def test_planted_trouble_goes_there_and_back(tmp_path: Path) -> None:
    log = live(tmp_path / "logs", "panel_repair", 12)
    import_logs([log], tmp_path / "c")
    [path] = sample_log(tmp_path / "c", tmp_path / "s").logs
    before, now = (
        {(s.id, s.epoch): s.metadata for s in read_eval_log(str(p)).samples or []}
        for p in (log, path)
    )
    assert now == before
    assert {facts["trouble"] for facts in now.values()} > {None}
    pd.testing.assert_frame_equal(rescored(path, repair()), rows([log]))


def test_the_commands_say_what_they_did(log_path: Path, tmp_path: Path) -> None:
    def invoke(*words: object) -> str:
        result = CliRunner().invoke(commands, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result.output

    first = copy(log_path, tmp_path / "logs" / "first.eval", fail)
    target = tmp_path / "c"
    assert invoke("import", first, "-o", target) == (
        f"182 chains of 1 focals and 4 partners: {target} "
        "(10 failed chains left out, run them again with inspect eval-retry)\n"
    )
    assert "(182 were there already)" in invoke("import", log_path, "-o", target)
    said = invoke("sample", target, "-o", tmp_path / "s", "--chains", 5).splitlines()
    assert Path(said[0]).exists()
    assert said[1] == f"5 chains; read them with: inspect view --log-dir {tmp_path / 's'}"
    result = CliRunner().invoke(commands, ["sample", str(target), "-o", "s", "--focal", "x"])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {target}, focal: no 'x' in it")
