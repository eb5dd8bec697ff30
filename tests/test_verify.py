"""Every bad submission is refused with its own code; a good one is taken, and scored twice."""

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import bad_cases  # noqa: F401 - registers the cases
import pyarrow as pa
import pytest
from bad_submissions import CASES, DAY, Draft, good_submission
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from panelist.cli import commands
from panelist.leaderboard import rescoring, sandbox
from panelist.leaderboard.check_against import check_pull
from panelist.leaderboard.check_private import check_private, mask_keys, mask_private, secret
from panelist.leaderboard.fault_codes import CODES, MENDS
from panelist.leaderboard.faults import Fault
from panelist.leaderboard.submission import MANIFEST, RUN
from panelist.leaderboard.texts import Texts
from panelist.leaderboard.verify import _rescored, examine, faults_of, verify
from panelist.panels.errors import PanelistError
from panelist.panels.protocol import BENCHMARK

DOCUMENT = Path(__file__).parents[1] / "docs" / "SUBMISSIONS.md"

ELSEWHERE = {
    "touches-other-submission": "of two trees (test_a_pull_request...)",
    "wrong-place": "of two trees (test_a_pull_request...)",
    "rescore-differs": "of the scorer (test_a_scorer...)",
    "reader-died": "of the child (test_what_becomes...)",
    "reader-timeout": "of the child (test_what_becomes...)",
}
"""Codes that no submission alone can have."""

PLACE = f"submissions/{BENCHMARK}"
"""Where a dataset has those of this benchmark."""


def test_a_good_one_is_taken(tmp_path: Path) -> None:
    folder = good_submission(tmp_path, panels=("hedging", "repair"))
    assert examine(folder) == []
    assert verify(folder) == []


def test_what_models_really_write_is_no_fault(tmp_path: Path) -> None:
    draft = Draft()
    draft.rows[1]["text"] = "One.\r\nTwo.\x0cThree\x07\x85\ufeff\u202e\u200b \x1b[1mfour\x1b[0m."
    folder = draft.seal(tmp_path)
    assert examine(folder) == []
    assert verify(folder) == []


def test_long_texts_in_wide_characters_are_read_in_little_memory(tmp_path: Path) -> None:
    """60 MB that Python would hold in 230: more than 4,000 characters for every chain at full."""
    draft = Draft()
    for number, row in enumerate(draft.rows):
        if number % 2:
            row["text"] = row["reasoning"] = f"\U0001f600{number}" + "x" * 150_000
    answer = sandbox.limited(
        "panelist.leaderboard.verify", ["examine", str(draft.seal(tmp_path)), "", "", ""]
    )
    assert answer.value == [] and answer.peak < 512_000_000


def test_a_word_that_begins_like_a_key_is_none() -> None:
    assert not secret("I would use sk-learn-style-regularization-of-2-kinds for this.")
    assert secret("Call it with sk-proj-aB3dEfGhIjKlMnOpQrStUv.")


def test_replies_with_a_word_added_are_still_those_of_another(tmp_path: Path) -> None:
    words = "some plain words that a made up model says about question number".split()
    long = (
        " ".join(words) + " {0}. And then it says more, again about the number {0}, at some length."
    )
    others = tmp_path / "others"
    first, copy, own = Draft("smollm2-360m"), Draft(), Draft()
    for number, rows in enumerate(zip(first.rows, copy.rows, own.rows, strict=True)):
        if number % 2:
            text = long.format(number)
            for row, said in zip(
                rows, (text, f"{text} Indeed", text.replace("number", "")), strict=True
            ):
                row["text"] = said
    first.seal(others)
    faults = examine(copy.seal(tmp_path / "copy"), against=others)
    assert [fault.code for fault in faults] == ["shared-text"]
    assert examine(own.seal(tmp_path / "own"), against=others) == []


def test_a_copy_of_the_same_checkpoint_is_no_second_row(tmp_path: Path) -> None:
    others = tmp_path / "others"
    good_submission(others)
    copy, newer, rerun = Draft(), Draft(), Draft(day="2026-11-11")
    for draft, submitter in ((copy, "mallory"), (newer, "a-team"), (rerun, "b-team")):
        draft.rows[1]["text"] += "."
        draft.manifest["submitter"] = submitter
    [fault] = examine(copy.seal(tmp_path), against=others)
    assert fault.code == "duplicate-transcripts" and "trust.yaml" in fault.mend
    assert f"long phrases are those of {next(others.iterdir()).name}" in fault.got
    assert examine(newer.seal(tmp_path), against=others) == []
    assert examine(rerun.seal(tmp_path), against=others) == []


KEYS = ["hf_" + "a1" * 12, "sk-" + "B-_9" * 6, "AKIA" + "Z9" * 8, "ghp_" + "x" * 30, "\x00"]


@given(
    st.lists(st.sampled_from([*KEYS, "é", "_", "x", " ", "-----BEGIN PRIVATE KEY", "\n", "AKIA"]))
)
def test_the_search_in_arrow_finds_every_key(parts: list[str]) -> None:
    text = "".join(parts)
    table = pa.table({"text": ["", text], "reasoning": [text, ""]})
    if secret(text) or "\x00" in text:
        assert Texts(table).suspect == {0, 1}


PERSONAL = ["/home/", "/Users/", "C:\\Users\\", "a@b.example", "@", ".de"]
PEM = ["-----BEGIN PRIVATE KEY", "-----END PRIVATE KEY-----", "-----"]


@given(st.lists(st.sampled_from([*KEYS, *PERSONAL, *PEM, "é", "_", "-", "x", " "])))
def test_nothing_private_is_left_of_what_is_masked(parts: list[str]) -> None:
    text = "".join(parts)
    assert not secret(mask_keys(text))
    assert not list(check_private(RUN, {"error": mask_private(text)}))
    if not secret(text):
        assert mask_keys(text) == text


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_bad_one_is_refused_with_its_own_code(name: str, tmp_path: Path) -> None:
    code, make = CASES[name]
    folder = make(tmp_path)
    against = tmp_path / "others"
    faults = examine(folder, against=against if against.exists() else None)
    assert faults and faults[0].code == code, [str(fault) for fault in faults]
    for fault in faults:
        assert fault.code in CODES
        assert str(fault).startswith(f"{fault.code}: ") and "\n" not in str(fault)
        mend = fault.to_dict()["mend"]
        assert mend and str(fault).endswith(f". {mend}")
        assert str(fault).isascii() or "…" in str(fault)


def test_every_code_has_a_submission_that_is_refused_with_it() -> None:
    assert set(CODES) == {code for code, _ in CASES.values()} | set(ELSEWHERE)
    assert len({code for code, _ in CASES.values()}) >= 40


@pytest.mark.parametrize("name", ["bomb-long-text", "bomb-many-texts", "deep", "pipe"])
def test_the_child_refuses_the_hostile_ones_too(name: str, tmp_path: Path) -> None:
    code, make = CASES[name]
    assert [fault.code for fault in verify(make(tmp_path))] == [code]


def test_what_becomes_of_the_child_is_a_fault() -> None:
    folder = Path("x-0123456789ab")
    slow = sandbox.limited("timeit", ["-n", "1", "import time; time.sleep(60)"], seconds=1)
    assert [f.code for f in faults_of(slow, folder)] == ["reader-timeout"]
    large = sandbox.limited("timeit", ["-n", "1", "bytearray(10**10)"])
    assert [f.code for f in faults_of(large, folder)] == ["reader-died"]
    loud = sandbox.limited("this", [])
    assert [f.code for f in faults_of(loud, folder)] == ["reader-died"]


def test_the_child_may_not_write(tmp_path: Path) -> None:
    target = tmp_path / "written"
    sandbox.limited("timeit", ["-n", "1", f"open({str(target)!r}, 'w').write('x')"])
    assert not target.exists() or not target.read_bytes()


def test_a_scorer_that_gives_two_results_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = iter((b"one", b"two"))
    monkeypatch.setattr(rescoring, "rescore_bytes", lambda folder: next(results))
    assert [fault.code for fault in _rescored(tmp_path)] == ["rescore-differs"]


def test_reading_needs_no_inspect(tmp_path: Path) -> None:
    """It takes longer to load than all checks together."""
    folder = good_submission(tmp_path)
    code = (
        "import sys\nfrom pathlib import Path\nfrom panelist.leaderboard.verify import examine\n"
        f"assert examine(Path({str(folder)!r})) == []\n"
        "assert not {'inspect_ai', 'pandas', 'scipy', 'numba'} & set(sys.modules)"
    )
    import subprocess
    import sys

    subprocess.run([sys.executable, "-I", "-c", code], check=True, cwd="/")


def registered(folder: Path, draft: Draft, model: str) -> Path:
    """A board's registry, in which the draft's checkpoint is a new one."""
    row = {"name": "our-new-one", "family": "smollm", "base": "org/base", "recipe": "dpo"}
    draft.manifest["checkpoint"] |= row
    for one in draft.rows:
        one["speaker"] = "our-new-one" if one["role"] == "focal" else one["speaker"]
    row |= {"model": model, "revision": "main", "licence": "apache-2.0"}
    folder.mkdir()
    (folder / "checkpoints.yaml").write_text(json.dumps({"checkpoints": [row]}))
    return folder / "checkpoints.yaml"


def test_the_registry_of_a_board_is_taken_too(tmp_path: Path) -> None:
    draft = Draft()
    registry = registered(tmp_path / "others", draft, "panelist/x")
    folder = draft.seal(tmp_path)
    assert examine(folder)[0].code == "unregistered-checkpoint"
    codes = {fault.code for fault in examine(folder, registry=registry)}
    assert codes == {fault.code for fault in examine(folder, against=registry.parent)}
    assert codes == {"chain-id"}


def test_what_is_wrong_with_the_registry_is_said_of_it(tmp_path: Path) -> None:
    draft = Draft()
    registry = registered(tmp_path / "others", draft, "panelist/x")
    registry.write_text(registry.read_text().replace("dpo", "dpoo"))
    folder = draft.seal(tmp_path)
    for place in ({"registry": registry}, {"against": registry.parent}):
        with pytest.raises(PanelistError, match=r"checkpoints.yaml, row 1, recipe: .*'dpoo'"):
            verify(folder, **place)
    words = ["verify", str(folder), "--registry", str(registry)]
    done = CliRunner().invoke(commands, words)
    assert done.exit_code == 1 and "recipe: unknown value 'dpoo'" in done.output


@pytest.mark.parametrize(
    ("known", "dated", "undated"),
    [
        ("openai/gpt-4o", "-2024-08-06", ""),
        ("openai/gpt-4", "-0613", "-turbo-preview"),
        ("openai/gpt-5", "-2025-08-07", ""),
        ("openai/gpt-5-mini", "-2025-08-07", ""),
        ("anthropic/claude-3-5-sonnet", "-20241022", ""),
        ("anthropic/claude-haiku-4-5", "-20251001", ""),
        ("anthropic/claude-opus-4-6", "", "-latest"),
        ("google/gemini-2.5-pro", "", "-latest"),
    ],
)
def test_a_closed_model_is_named_exactly_where_it_can_be(
    known: str, dated: str, undated: str, tmp_path: Path
) -> None:
    provider, _, name = known.partition("/")
    draft = Draft()
    registry = registered(tmp_path / "others", draft, known)
    draft.manifest["runtime"]["engine"] = provider
    for ending, code in ((dated, "chain-id"), (undated, "revision-not-pinned")):
        weights = {"kind": "api", "value": name + ending}
        draft.manifest["checkpoint"] |= {"model": known + ending, "weights": weights}
        faults = examine(draft.seal(tmp_path / ending), registry=registry)
        assert {fault.code for fault in faults} == {code}


def test_a_time_may_be_ahead_by_minutes_only(tmp_path: Path) -> None:
    folder = good_submission(tmp_path)
    early = datetime.fromisoformat(f"{DAY}T10:55:00+00:00")
    assert examine(folder, now=early) == []
    [fault] = examine(folder, now=early.replace(minute=30).astimezone(UTC))
    assert (fault.code, fault.field) == ("time-in-future", "runs.0.completed")


def test_a_pull_request_adds_one_submission_and_nothing_else(tmp_path: Path) -> None:
    base = tmp_path / "base"
    good_submission(base / PLACE, "smollm2-135m-hedged")
    head = Path(shutil.copytree(base, tmp_path / "head"))
    own = good_submission(head / PLACE)
    run = CliRunner().invoke
    good = run(commands, ["verify", str(head), "--base", str(base)])
    assert good.exit_code == 0 and good.output == f"accepted: {own.name}\n"
    other = next(path for path in (head / PLACE).iterdir() if path != own)
    (other / MANIFEST).write_bytes(b"{}")
    bad = run(commands, ["verify", str(head), "--base", str(base), "--json"])
    [fault] = json.loads(bad.output)
    assert bad.exit_code == 1 and fault["code"] == "touches-other-submission"
    assert (fault["file"], fault["got"]) == (f"{PLACE}/{other.name}/{MANIFEST}", "changed")
    shutil.rmtree(other)
    assert "removed" in run(commands, ["verify", str(head), "--base", str(base)]).output
    two = Path(shutil.copytree(base, tmp_path / "two"))
    good_submission(two / PLACE)
    good_submission(two / PLACE, "smollm2-135m-direct")
    (two / "README.md").write_text("mine")
    said = run(commands, ["verify", str(two), "--base", str(base)]).output
    assert said.count("touches-other-submission") == 3


@pytest.mark.parametrize(
    "place", [".", "submissions", "submissions/9.9", "elsewhere/1.0", f"a/{PLACE}", f"{PLACE}/a"]
)
def test_a_pull_request_adds_it_where_publish_does(place: str, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    head = tmp_path / "head"
    own = good_submission(head / place)
    [fault] = check_pull(base, head)
    assert (fault.code, fault.file) == ("wrong-place", own.relative_to(head).as_posix())
    assert fault.expected == f"{PLACE}/{own.name}"
    (head / PLACE).mkdir(parents=True, exist_ok=True)
    own.rename(head / PLACE / own.name)
    assert check_pull(base, head) == []


def _nested(other: Path) -> None:
    good_submission(other)


def _same_name(other: Path) -> None:
    copy = other.parent.parent / "copy" / other.name
    copy.mkdir(parents=True)
    (copy / MANIFEST).write_bytes((other / MANIFEST).read_bytes())
    (copy / "run.json").write_bytes(b"not looked at?")


def _no_manifest(other: Path) -> None:
    folder = other.with_name("x-0123456789ab")
    folder.mkdir()
    (folder / "run.json").write_bytes(b"not looked at?")


def _link_for_file(other: Path) -> None:
    good_submission(other.parent)
    target = other.parent.parent.parent / "elsewhere"
    (other / MANIFEST).rename(target)
    (other / MANIFEST).symlink_to(target)


def _link_to_folder(other: Path) -> None:
    good_submission(other.parent)
    other.with_name("y-0123456789ab").symlink_to("/etc")


def _pipe(other: Path) -> None:
    good_submission(other.parent)
    os.mkfifo(other / "pipe")


@pytest.mark.parametrize(
    "change", [_nested, _same_name, _no_manifest, _link_for_file, _link_to_folder, _pipe]
)
def test_a_pull_request_sneaks_nothing_in(change: Callable[[Path], None], tmp_path: Path) -> None:
    base = tmp_path / "base"
    other = good_submission(base / PLACE, "smollm2-135m-hedged")
    head = Path(shutil.copytree(base, tmp_path / "head"))
    change(head / PLACE / other.name)
    done = CliRunner().invoke(commands, ["verify", str(head), "--base", str(base)])
    assert done.exit_code == 1, done.output
    assert "reader-" not in done.output


def test_what_is_wrong_with_another_is_not_this_ones_fault(tmp_path: Path) -> None:
    others = tmp_path / "others"
    for name, said in (("a", {}), ("b", {"files": {"transcripts.parquet": {"sha256": ""}}})):
        (others / name).mkdir(parents=True)
        said = said | {"checkpoint": {"name": "another"}}
        (others / name / MANIFEST).write_text(json.dumps(said))
    assert examine(good_submission(tmp_path), against=others) == []


def test_the_command_line_says_every_reason_and_ends_with_1(tmp_path: Path) -> None:
    draft = Draft()
    draft.manifest |= {"licence": "mine", "base_seed": 7}
    folder = draft.seal(tmp_path)
    done = CliRunner().invoke(commands, ["verify", str(folder)])
    assert done.exit_code == 1
    first, second = done.output.splitlines()
    assert first.startswith("licence: manifest.json, licence: got mine, expected CC0-1.0 or ")
    assert second == (
        "base-seed-off: manifest.json, base_seed: got 7, expected 0. Run it with --seed 0: "
        "whoever may choose the seed may choose the result"
    )


def test_a_fault_says_where_what_and_how_to_mend_it() -> None:
    fault = Fault("stop-reason", "transcripts.parquet", "stop_reason", 7, "a", "b", "Mend it")
    assert str(fault) == (
        "stop-reason: transcripts.parquet, stop_reason, row 7: got a, expected b. Mend it"
    )


def test_the_documented_codes_are_those_of_the_package() -> None:
    codes = DOCUMENT.read_text().partition("## Codes")[2]
    lines = [line for line in codes.splitlines() if line.startswith("| `")]
    assert lines == [f"| `{code}` | {what} | {MENDS[code]} |" for code, what in CODES.items()]
    assert MENDS.keys() == CODES.keys()
