"""What is published where, with the real huggingface_hub client and a Hub on this machine."""

import json
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from bad_submissions import DAY, Draft, turns
from hub_parcels import BOARD, DATA, FOLDER, PLACE, Told, make_submission
from hub_server import Fault, Hub
from hub_state import Blob
from huggingface_hub import HfApi

from panelist.leaderboard import publish as publishing
from panelist.leaderboard.older_boards import list_of, read_list
from panelist.panels.errors import PanelistError

pytest_plugins = ["hub_fixtures"]

FAULTS_OF = publishing.faults_of
"""The real one, which `hub` replaces."""


def test_a_site_becomes_a_static_space(hub: Hub, publish: Told, site: Path) -> None:
    made = publish(site, BOARD, create=True)
    repo = hub.repos["space", BOARD]
    head = repo.history()[0]
    assert (made.kind, made.repo_type, made.commit) == ("site", "space", head.oid)
    assert made.attempts == 1 and not made.already_there and made.pr_url is None
    assert repo.sdk == "static" and not repo.private
    files = repo.files()
    names = {"index.html", "board.json", "board.parquet", "boards/0.9.html", "README.md"}
    assert files.keys() == {*names, ".gitattributes"}
    assert files["board.parquet"] == (site / "board.parquet").read_bytes()
    assert head.tree["board.parquet"].large and not head.tree["index.html"].large
    assert files["README.md"].startswith(
        b'---\ntitle: "board"\nsdk: static\napp_file: index.html\n'
    )
    assert f"space {BOARD}: created" in publish.lines
    assert made.commit in publish.said and f"{hub.url}/spaces/{BOARD}" in publish.said


def test_twice_is_once(hub: Hub, publish: Told, site: Path) -> None:
    first = publish(site, BOARD, create=True)
    again = publish(site, BOARD, create=True)
    assert again.already_there and again.attempts == 0 and again.commit == first.commit
    assert publish.lines == [
        f"space {BOARD}: nothing to do, already there at commit {first.commit}"
    ]
    assert hub.count("commit") == 1 and hub.count("create") == 1
    assert len(hub.repos["space", BOARD].history()) == 2


def test_what_changed_is_sent_and_what_is_gone_is_deleted(
    hub: Hub, publish: Told, site: Path
) -> None:
    publish(site, BOARD, create=True)
    (site / "board.json").write_text('{"rows": [1]}')
    (site / "board.parquet").unlink()
    (site / "boards" / "0.9.html").unlink()
    made = publish(site, BOARD)
    assert made.files == ("board.json",)
    assert "0 to add, 1 to change, 1 to delete" in publish.said
    repo = hub.repos["space", BOARD]
    assert len(repo.history()) == 3
    assert repo.files()["board.json"] == b'{"rows": [1]}'
    assert "board.parquet" not in repo.files()
    assert {"boards/0.9.html", ".gitattributes"} <= repo.files().keys()


def built(root: Path, version: str, date: str) -> Path:
    """A site as it is built where no older board is known."""
    (root / "boards" / version).mkdir(parents=True)
    for name in ("index.html", f"boards/{version}/index.html"):
        (root / name).write_text(f"<!doctype html><title>{version}</title>")
    (root / "board.json").write_text(f'{{"rows": [], "version": "{version}"}}')
    facts = {"version": version, "date": date, "benchmark": "1.0", "checkpoints": 3, "note": "x"}
    for name, content in list_of([facts]).items():
        (root / name).write_bytes(content)
    return root


def test_boards_that_a_space_keeps_are_listed_beside_a_new_one(
    hub: Hub, publish: Told, tmp_path: Path
) -> None:
    publish(built(tmp_path / "a", "1.0-aaaa", "2026-11-01"), BOARD, create=True)
    publish(built(tmp_path / "b", "1.0-bbbb", "2026-11-02"), BOARD)
    new = built(tmp_path / "c", "1.0-cccc", "2026-11-03")
    publish(new, BOARD)
    files = hub.repos["space", BOARD].files()
    assert list(read_list(files["boards/versions.json"])) == ["1.0-cccc", "1.0-bbbb", "1.0-aaaa"]
    listed = files["boards/index.html"].decode()
    for version in ("1.0-aaaa", "1.0-bbbb", "1.0-cccc"):
        assert f'href="{version}/index.html"' in listed and f"boards/{version}/index.html" in files
    assert listed.index("1.0-cccc") < listed.index("1.0-bbbb") < listed.index("1.0-aaaa")
    assert publish(new, BOARD).already_there


def test_a_list_that_cannot_be_read_loses_no_board(hub: Hub, publish: Told, tmp_path: Path) -> None:
    publish(built(tmp_path / "a", "1.0-aaaa", "2026-11-01"), BOARD, create=True)
    repo = hub.repos["space", BOARD]
    said = b'[{"version": "<script>"}, 7, {"version": "1.0-aaaa", "date": 3}]'
    tree = dict(repo.history()[0].tree) | {"boards/versions.json": Blob(said)}
    repo.commit("main", "theirs", "", "somebody", tree)
    publish(built(tmp_path / "b", "1.0-bbbb", "2026-11-02"), BOARD)
    listed = repo.files()["boards/index.html"].decode()
    assert 'href="1.0-aaaa/index.html"' in listed and "script>" not in listed
    assert read_list(b"[") == read_list(b"7") == {}


def test_a_large_file_is_compared_by_its_sha256(hub: Hub, publish: Told, site: Path) -> None:
    publish(site, BOARD, create=True)
    (site / "board.parquet").write_bytes(b"PAR1 other")
    assert publish(site, BOARD).files == ("board.parquet",)
    assert hub.count("put") == 2


def test_the_readme_of_a_site_is_taken(hub: Hub, publish: Told, site: Path) -> None:
    (site / "README.md").write_text("---\ntitle: Mine\nsdk: static\n---\n")
    publish(site, BOARD, create=True)
    assert hub.repos["space", BOARD].files()["README.md"].startswith(b"---\ntitle: Mine")
    (site / "README.md").write_text("# Mine\n")
    with pytest.raises(PanelistError, match=r"README\.md: .*sdk: static"):
        publish(site, BOARD)


def test_a_space_that_holds_something_else_is_not_emptied(
    hub: Hub, publish: Told, site: Path
) -> None:
    repo = hub.add("space", BOARD)
    tree = {"app.py": Blob(b"import gradio"), "index.html": Blob(b"")}
    repo.commit("main", "an app", "", "owner", tree)
    with pytest.raises(PanelistError, match="holds something else"):
        publish(site, BOARD)
    hub.add("space", BOARD, sdk="gradio")
    with pytest.raises(PanelistError, match="sdk gradio"):
        publish(site, BOARD)
    assert hub.count("commit") == 0


def test_a_link_in_a_site_is_refused(hub: Hub, publish: Told, site: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("token")
    (site / "secret").symlink_to(tmp_path / "secret")
    with pytest.raises(PanelistError, match="a link"):
        publish(site, BOARD, create=True)
    assert not hub.requests


def test_private_is_of_a_new_repo(hub: Hub, publish: Told, site: Path) -> None:
    publish(site, BOARD, create=True, private=True)
    assert hub.repos["space", BOARD].private
    with pytest.raises(PanelistError, match="without --create"):
        publish(site, BOARD, private=True)
    hub.add("space", "org/open")
    with pytest.raises(PanelistError, match="exists and is public"):
        publish(site, "org/open", create=True, private=True)
    assert hub.count("commit") == 1


def test_somebody_creates_it_first(hub: Hub, publish: Told, site: Path) -> None:
    hub.faults = [Fault("create", before=partial(hub.add, "space", BOARD))]
    made = publish(site, BOARD, create=True)
    assert [r.outcome for r in hub.requests if r.route == "create"] == ["409"]
    assert hub.repos["space", BOARD].history()[0].oid == made.commit


def test_a_guest_proposes_a_submission_once(hub: Hub, publish: Told, submission: Path) -> None:
    repo = hub.add("dataset", DATA)
    owner = HfApi(hub.url, "hf_owner")
    with pytest.MonkeyPatch.context() as guest:
        guest.setenv("HF_TOKEN", "hf_guest")
        made = publish(submission, DATA, pr=True)
        again = publish(submission, DATA, pr=True)
        assert len(repo.discussions) == 1 and len(repo.history()) == 1
        assert made.pr_url == again.pr_url == f"{hub.url}/datasets/{DATA}/discussions/1"
        assert again.already_there and again.commit == made.commit == repo.refs["refs/pr/1"]
        assert f"already there at pull request {made.pr_url}" in publish.said
        [request] = repo.discussions
        assert FOLDER in request.title and "panelist-content: " in request.description
        proposed = repo.files("refs/pr/1")
        for file in submission.iterdir():
            assert proposed[f"{PLACE}/{file.name}"] == file.read_bytes()

        owner.merge_pull_request(DATA, 1, repo_type="dataset")
        merged = publish(submission, DATA, pr=True)
        assert merged.already_there and merged.commit == repo.history()[0].oid
        assert merged.pr_url is None and len(repo.discussions) == 1


def test_a_pull_request_is_known_whatever_it_says_by_now(
    hub: Hub, publish: Told, submission: Path
) -> None:
    """Title and comment can be edited; and with others before it, on a later page of the list."""
    repo = hub.add("dataset", DATA)
    for n in range(hub.page + 1):
        publish(make_submission(submission.parent.parent / f"{n}", f"x-{n:012x}"), DATA, pr=True)
    made = publish(submission, DATA, pr=True)
    repo.discussions[-1].title = "please look at this"
    assert publish(submission, DATA, pr=True).pr_url == made.pr_url
    repo.discussions[-1].description = "mine"
    assert publish(submission, DATA, pr=True).pr_url == made.pr_url
    assert len(repo.discussions) == hub.page + 2


def test_a_folder_of_submissions_is_one_commit(hub: Hub, publish: Told, submission: Path) -> None:
    other = make_submission(submission.parent, "other-ba9876543210")
    repo = hub.add("dataset", DATA)
    made = publish(submission.parent, DATA)
    assert len(made.files) == 6 and len(repo.history()) == 2
    assert f"submissions/1.0/{other.name}/run.json" in repo.files()
    assert ".gitattributes" in repo.files()


def test_each_of_a_folder_is_a_pull_request_that_the_board_takes(
    hub: Hub, publish: Told, submission: Path
) -> None:
    other = make_submission(submission.parent, "a-ba9876543210")
    repo = hub.add("dataset", DATA)
    first = publish(submission, DATA, pr=True)
    made = publish.each(submission.parent, DATA, pr=True, message="ours")
    assert [one.pr_url for one in made] == [f"{first.pr_url[:-1]}2", first.pr_url]
    assert [one.already_there for one in made] == [False, True]
    assert f"{other.name}: dataset {DATA}: pull request {made[0].pr_url}" in publish.said
    assert f"{FOLDER}: dataset {DATA}: nothing to do" in publish.said
    assert repo.discussions[1].title.startswith(f"ours: {other.name} [")
    for ref, name in (("refs/pr/1", FOLDER), ("refs/pr/2", other.name)):
        added = repo.files(ref).keys() - repo.files().keys()
        assert {path.split("/")[2] for path in added} == {name} and len(added) == 3
    publish(submission.parent, DATA, pr=True, dry_run=True)
    assert f"dry run: 2 pull requests to dataset {DATA}" in publish.lines[0]


def test_none_of_a_folder_is_proposed_if_one_is_faulty(
    hub: Hub, publish: Told, submission: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add("dataset", DATA)
    make_submission(submission.parent, "a-ba9876543210")
    monkeypatch.setattr(
        publishing, "faults_of", lambda at, _: ["empty-file: run.json"] * (at.name == FOLDER)
    )
    with pytest.raises(PanelistError, match=r"^nothing was sent: 1 of 2 submissions"):
        publish(submission.parent, DATA, pr=True)
    assert hub.count("commit") == 0


def test_a_submission_is_never_changed(hub: Hub, publish: Told, submission: Path) -> None:
    hub.add("dataset", DATA)
    publish(submission, DATA)
    (submission / "run.json").write_text('{"edited": true}')
    with pytest.raises(PanelistError, match=r"run\.json is there with another content"):
        publish(submission, DATA)
    assert hub.count("commit") == 1


def test_a_faulty_submission_is_not_sent(
    hub: Hub, publish: Told, submission: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "faults_of", lambda *_: ["sha256-mismatch: run.json"])
    with pytest.raises(PanelistError, match="nothing was sent"):
        publish(submission, DATA, create=True)
    assert publish.lines == [f"{FOLDER}: sha256-mismatch: run.json"]
    assert not hub.repos and [r.route for r in hub.requests] == ["paths-info"]


def test_faults_are_those_of_verify(submission: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = ModuleType("verify")
    monkeypatch.setattr(
        checks, "verify", lambda folder, registry: [folder.name, registry], raising=False
    )
    monkeypatch.setitem(sys.modules, "panelist.leaderboard.verify", checks)
    assert publishing.faults_of(submission, None) == [FOLDER, "None"]


def test_a_checkpoint_of_the_boards_own_registry_is_sent(
    hub: Hub, publish: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "faults_of", FAULTS_OF)
    draft = Draft()
    row = {"name": "our-new-one", "family": "smollm", "base": "org/base", "recipe": "dpo"}
    draft.manifest["checkpoint"] |= row
    draft.rows = [dict(one) for one in turns("hedging", "our-new-one", DAY)]
    folder = draft.seal(tmp_path)
    row |= {"model": draft.manifest["checkpoint"]["model"], "revision": "main", "licence": "mit"}
    repo = hub.add("dataset", DATA)
    with pytest.raises(PanelistError, match="nothing was sent"):
        publish(folder, DATA)
    assert "unregistered-checkpoint" in publish.said
    tree = dict(repo.history()[0].tree)
    registry = json.dumps({"checkpoints": [row]}).encode()
    repo.commit("main", "register", "", "owner", tree | {"checkpoints.yaml": Blob(registry)})
    hub.faults = [Fault("paths-info", status=503), Fault("resolve", drop=True)]
    made = publish(folder, DATA, pr=True)
    assert made.pr_url and f"submissions/1.0/{folder.name}/run.json" in repo.files("refs/pr/1")
    assert not hub.faults and len(publish.slept) == 2
    # Before it is registered there, with a file, also out of reach of the Hub.
    mine = tmp_path / "mine.yaml"
    mine.write_bytes(registry)
    made = publish(folder, "org/nowhere", dry_run=True, registry=mine)
    assert "not compared" in publish.said and len(made.files) == 3
    with pytest.raises(PanelistError, match="nothing was sent"):
        publish(folder, "org/nowhere", dry_run=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"checkpoints: [{name: x}]", r"checkpoints\.yaml, row 1: a checkpoint needs base"),
        (b"checkpoints: [", r"checkpoints\.yaml: not a registry"),
        (b"checkpoints:", r"checkpoints\.yaml: not a registry, a YAML list.*got None"),
        (b"\xff", r"checkpoints\.yaml: not a registry"),
    ],
)
def test_a_registry_with_a_typo_is_named(
    hub: Hub, publish: Told, submission: Path, tmp_path: Path, text: bytes, words: str
) -> None:
    repo = hub.add("dataset", DATA)
    tree = dict(repo.history()[0].tree) | {"checkpoints.yaml": Blob(text)}
    repo.commit("main", "register", "", "owner", tree)
    with pytest.raises(PanelistError, match=rf"(?s)^dataset {DATA}: {words}.*--registry"):
        publish(submission, DATA)
    (tmp_path / "checkpoints.yaml").write_bytes(text)
    with pytest.raises(PanelistError, match=words):
        publish(submission, DATA, registry=tmp_path / "checkpoints.yaml")
    assert hub.count("commit") == 0


def test_a_registry_is_of_submissions(hub: Hub, publish: Told, site: Path) -> None:
    with pytest.raises(PanelistError, match=r"--registry .*is no submission; leave it out"):
        publish(site, BOARD, registry=site / "board.json")


def test_without_permission_it_says_to_add_pr(
    hub: Hub, publish: Told, submission: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_guest")
    repo = hub.add("dataset", DATA)
    with pytest.raises(PanelistError, match=r"HTTP 403.*--pr") as refused:
        publish(submission, DATA)
    assert "\n" not in str(refused.value)
    assert len(repo.history()) == 1 and not publish.slept
