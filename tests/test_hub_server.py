"""The test Hub answers the real client as the Hub does, also where publishing does not ask."""

from pathlib import Path

import pytest
from hub_server import Hub
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

pytest_plugins = ["hub_fixtures"]

DATA = "org/data"


@pytest.fixture
def api(hub: Hub) -> HfApi:
    """An owner's client."""
    made = HfApi(hub.url, "hf_owner")
    made.create_repo(DATA, repo_type="dataset")
    return made


def commit(api: HfApi, path: str, data: bytes, **options: object) -> str:
    operations = [CommitOperationAdd(path, data)]
    made = api.create_commit(
        DATA, operations, commit_message=f"add {path}", repo_type="dataset", **options
    )
    return str(made.oid)


def test_who_one_is(api: HfApi) -> None:
    assert api.whoami()["name"] == "owner"
    with pytest.raises(HfHubHTTPError) as refused:
        api.whoami(token="hf_wrong")
    assert refused.value.response.status_code == 401


def test_what_was_committed_can_be_downloaded(api: HfApi, tmp_path: Path) -> None:
    small, large = b"small", b"large" * 3000
    commit(api, "deep/small.txt", small)
    oid = commit(api, "large.bin", large)
    for path, data in {"deep/small.txt": small, "large.bin": large}.items():
        there = api.hf_hub_download(DATA, path, repo_type="dataset", cache_dir=tmp_path)
        assert Path(there).read_bytes() == data
    listed = api.list_repo_tree(DATA, recursive=True, repo_type="dataset")
    assert {e.path for e in listed} == {".gitattributes", "deep", "deep/small.txt", "large.bin"}
    assert [e.path for e in api.list_repo_tree(DATA, "deep", repo_type="dataset")] == [
        "deep/small.txt"
    ]
    [commits, refs] = [api.list_repo_commits, api.list_repo_refs]
    assert [c.title for c in commits(DATA, repo_type="dataset")] == [
        "add large.bin",
        "add deep/small.txt",
        "initial commit",
    ]
    assert [r.target_commit for r in refs(DATA, repo_type="dataset").branches] == [oid]


def test_a_pull_request_is_a_ref_until_it_is_merged(api: HfApi) -> None:
    oid = commit(api, "new.txt", b"new", create_pr=True)
    assert not api.file_exists(DATA, "new.txt", repo_type="dataset")
    assert api.file_exists(DATA, "new.txt", repo_type="dataset", revision="refs/pr/1")
    [ref] = api.list_repo_refs(DATA, repo_type="dataset", include_pull_requests=True).pull_requests
    assert (ref.ref, ref.target_commit) == ("refs/pr/1", oid)
    api.merge_pull_request(DATA, 1, repo_type="dataset")
    assert api.file_exists(DATA, "new.txt", repo_type="dataset")
    assert api.get_discussion_details(DATA, 1, repo_type="dataset").status == "merged"


def test_errors_are_those_of_the_hub(api: HfApi, hub: Hub) -> None:
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info("org/none")
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info(DATA, revision="none")
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(DATA, "none", repo_type="dataset"))
    with pytest.raises(EntryNotFoundError):
        gone = [CommitOperationDelete("none.txt")]
        api.create_commit(DATA, gone, commit_message="delete", repo_type="dataset")
    hub.add("dataset", "org/private", private=True)
    assert api.dataset_info("org/private").private
    with pytest.raises(RepositoryNotFoundError):
        HfApi(hub.url, "hf_guest").dataset_info("org/private")
    head = api.dataset_info(DATA).sha
    commit(api, "a.txt", b"a", parent_commit=head)
    with pytest.raises(HfHubHTTPError) as stale:
        commit(api, "b.txt", b"b", parent_commit=head)
    assert stale.value.response.status_code == 412
