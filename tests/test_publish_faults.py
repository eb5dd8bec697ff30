"""Exactly one commit, or one pull request, whatever goes wrong on the way to the Hub."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hub_parcels import BOARD, DATA, PLACE, Told, make_submission
from hub_server import Fault, Hub
from hub_state import Blob, Discussion, Repo

from panelist.leaderboard.publish import Published
from panelist.panels.errors import PanelistError

pytest_plugins = ["hub_fixtures"]

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "429": ({"status": 429, "retry_after": 7}, "HTTP 429"),
    "500": ({"status": 500}, "HTTP 500"),
    "502-after": ({"status": 502, "acts": True}, "HTTP 502"),
    "drop-before": ({"drop": True}, "the connection broke"),
    "drop-after": ({"drop": True, "acts": True}, "the connection broke"),
    "garbled-after": ({"status": 200, "acts": True, "body": b"<html>"}, "no JSON"),
}
OURS = ("info", "paths-info", "commit")
"""Routes at which huggingface_hub gives up at once."""

CLIENTS = ("preupload", "batch", "put", "verify")
"""Routes at which it tries six times before it gives up."""

both = pytest.mark.parametrize("pr", [False, True], ids=["main", "pr"])


def check_landed(repo: Repo, made: Published, submission: Path, pr: bool) -> None:
    """Exactly one commit, or one pull request, with the whole submission."""
    assert len(repo.history()) == (1 if pr else 2)
    assert len(repo.discussions) == (1 if pr else 0)
    ref = "refs/pr/1" if pr else "main"
    assert made.commit == repo.refs[ref] and not made.already_there
    landed = repo.files(ref)
    for file in submission.iterdir():
        assert landed[f"{PLACE}/{file.name}"] == file.read_bytes()


@both
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("route", OURS)
def test_one_commit_whatever_goes_wrong(
    hub: Hub, publish: Told, submission: Path, route: str, fault: str, times: int, pr: bool
) -> None:
    how, words = FAULTS[fault]
    lost = route == "commit" and how.get("acts", False)
    repo = hub.add("dataset", DATA)
    hub.faults = [Fault(route, **how) for _ in range(times)]
    made = publish(submission, DATA, pr=pr)
    check_landed(repo, made, submission, pr)
    # A commit whose answer was lost is found in place, and no second one sent.
    failed = 1 if lost else times
    assert publish.said.count(words) == len(publish.slept) == failed
    assert f"attempt {failed} of 5: " in publish.said
    assert hub.count("commit") == made.attempts == (1 if lost or route != "commit" else 1 + times)
    assert ("the response was lost" in publish.lines[-1]) == lost
    where = made.pr_url if pr else made.commit
    assert where is not None and where in publish.lines[-1]
    if "retry_after" in how:
        assert publish.slept == [7] * times


@both
@pytest.mark.parametrize("times", [1, 6])
@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "garbled-after"])
@pytest.mark.parametrize("route", CLIENTS)
def test_one_commit_whatever_breaks_an_upload(
    hub: Hub, publish: Told, submission: Path, route: str, fault: str, times: int, pr: bool
) -> None:
    how, words = FAULTS[fault]
    repo = hub.add("dataset", DATA)
    hub.faults = [Fault(route, **how) for _ in range(times)]
    made = publish(submission, DATA, pr=pr)
    check_landed(repo, made, submission, pr)
    assert not hub.faults and hub.count("commit") == 1
    assert publish.said.count(words) == len(publish.slept) == (times == 6)


@both
def test_backoff_is_exponential_and_bounded(
    hub: Hub, publish: Told, submission: Path, pr: bool
) -> None:
    repo = hub.add("dataset", DATA)
    hub.faults = [Fault("commit", status=503) for _ in range(9)]
    with pytest.raises(PanelistError, match=r"gave up after 5 attempts.*HTTP 503") as gave_up:
        publish(submission, DATA, pr=pr)
    assert "\n" not in str(gave_up.value)
    assert publish.slept == [1, 2, 4, 8, 16] and hub.count("commit") == 5
    assert len(repo.history()) == 1 and not repo.discussions


@both
def test_the_last_attempt_is_looked_for_too(
    hub: Hub, publish: Told, submission: Path, pr: bool
) -> None:
    repo = hub.add("dataset", DATA)
    hub.faults = [*(Fault("commit", status=500) for _ in range(4))]
    hub.faults += [Fault("commit", drop=True, acts=True)]
    made = publish(submission, DATA, pr=pr)
    assert made.attempts == 5
    check_landed(repo, made, submission, pr)


def test_a_wait_is_bounded(hub: Hub, publish: Told, submission: Path) -> None:
    hub.add("dataset", DATA)
    hub.faults = [Fault("commit", status=429, retry_after=86_400)]
    publish(submission, DATA)
    assert publish.slept == [300]


def test_somebody_commits_first(hub: Hub, publish: Told, site: Path) -> None:
    """Their commit stays, ours is on top of it and takes what they changed into account."""
    publish(site, BOARD, create=True)
    repo = hub.repos["space", BOARD]
    (site / "board.json").write_text('{"rows": [2]}')

    def somebody_commits() -> None:
        tree = dict(repo.history()[0].tree) | {"boards/0.8.html": Blob(b"theirs")}
        repo.commit("main", "theirs", "", "somebody", tree | {"stray.txt": Blob(b"theirs")})

    hub.faults = [Fault("commit", before=somebody_commits)]
    made = publish(site, BOARD)
    assert "somebody else committed first (HTTP 412)" in publish.said
    assert [c.author for c in repo.history()] == ["owner", "somebody", "owner", "system"]
    assert made.commit == repo.history()[0].oid and made.attempts == 2
    assert repo.files()["boards/0.8.html"] == b"theirs" and "stray.txt" not in repo.files()


def test_somebody_commits_the_same_first(hub: Hub, publish: Told, submission: Path) -> None:
    repo = hub.add("dataset", DATA)
    ours = {f"{PLACE}/{f.name}": Blob(f.read_bytes()) for f in submission.iterdir()}
    tree = repo.history()[0].tree | ours
    hub.faults = [
        Fault("commit", before=partial(repo.commit, "main", "theirs", "", "somebody", tree))
    ]
    made = publish(submission, DATA)
    assert len(repo.history()) == 2 and made.commit == repo.history()[0].oid


def test_a_commit_of_somebody_else_is_not_called_ours(
    hub: Hub, publish: Told, submission: Path
) -> None:
    """After a lost answer ours may lie below the head; what is said is what is known."""
    repo = hub.add("dataset", DATA)

    def somebody_commits() -> None:
        repo.commit("main", "theirs", "", "somebody", dict(repo.history()[0].tree))

    first, second = Fault("info"), Fault("info", before=somebody_commits)
    hub.faults = [first, Fault("commit", drop=True, acts=True), second]
    made = publish(submission, DATA)
    assert [c.author for c in repo.history()] == ["somebody", "owner", "system"]
    assert made.commit == repo.history()[0].oid and made.attempts == 1
    assert f"all is there at commit {made.commit}" in publish.lines[-1]


@pytest.mark.parametrize("fault", [{"status": 413}, {"drop": True, "acts": True}])
def test_each_is_one_pull_request_whatever_goes_wrong_with_the_second(
    hub: Hub, publish: Told, submission: Path, fault: dict[str, Any]
) -> None:
    names = ["a-ba9876543210", submission.name, "z-ba9876543210"]
    for name in (names[0], names[2]):
        make_submission(submission.parent, name)
    repo = hub.add("dataset", DATA)
    hub.faults = [Fault("commit"), Fault("commit", **fault)]
    if "status" in fault:
        there = rf"{names[0]} at {hub.url}/datasets/{DATA}/discussions/1\."
        words = rf"^{names[1]}: .*HTTP 413.* 2 of 3 submissions; before it: {there}.*none twice$"
        with pytest.raises(PanelistError, match=words):
            publish.each(submission.parent, DATA, pr=True)
        assert len(repo.discussions) == 1
    for already in ([True, False, False] if "status" in fault else [False] * 3, [True] * 3):
        made = publish.each(submission.parent, DATA, pr=True)
        assert [one.already_there for one in made] == already
        assert len(repo.discussions) == 3 and len(repo.history()) == 1
        for num, name in enumerate(names, 1):
            added = repo.files(f"refs/pr/{num}").keys() - repo.files().keys()
            assert {path.split("/")[2] for path in added} == {name}
            assert made[num - 1].commit == repo.refs[f"refs/pr/{num}"]


class Late:
    """Faults in which the Hub opens a pull request long after it has answered 504."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.kept: list[tuple[Discussion, str]] = []
        lost = Fault("commit", status=504, acts=True)
        self.faults = [Fault("info"), lost, Fault("info", before=self.hide)]

    def hide(self) -> None:
        self.kept.append((self.repo.discussions.pop(), self.repo.refs.pop("refs/pr/1")))

    def appear(self, author: str = "") -> None:
        request, head = self.kept.pop()
        num = len(self.repo.discussions) + 1
        self.repo.discussions.append(replace(request, num=num, author=author or request.author))
        self.repo.refs[f"refs/pr/{num}"] = head


@pytest.mark.parametrize("token", ["hf_owner", "hf_guest"])
@pytest.mark.parametrize("fault", ["none", "drop-after", "500", "502-after"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_one_pull_request_stays_where_the_first_comes_late(
    hub: Hub,
    publish: Told,
    submission: Path,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
    fault: str,
    token: str,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    repo = hub.add("dataset", DATA)
    late = Late(repo)
    how = {} if fault == "none" else FAULTS[fault][0]
    lost = how if fault == "drop-after" else {}
    appears = late.appear if when == "before" else None
    hub.faults = [*late.faults, Fault("commit", before=appears, **lost)]
    if when == "after":
        hub.faults += [Fault("discussions"), Fault("discussions")]
        hub.faults += [Fault("discussions", before=late.appear)]
    if how and not lost:
        hub.faults += [Fault("status", **how)]
    made = publish(submission, DATA, pr=True)
    assert not hub.faults and not late.kept and made.attempts == hub.count("commit") == 2
    assert [request.status for request in repo.discussions] == ["open", "closed"]
    assert made.commit == repo.refs["refs/pr/1"] and len(repo.history()) == 1
    first, second = (f"{hub.url}/datasets/{DATA}/discussions/{num}" for num in (1, 2))
    assert made.pr_url == first and first in publish.lines[-1]
    if fault != "502-after":  # which loses the answer to the closing
        assert (
            f"an earlier attempt went through late; closed {second}: pull request {first} is older"
            in publish.said
        )
    assert publish(submission, DATA, pr=True).pr_url == first and len(repo.discussions) == 2


def test_somebody_elses_pull_request_is_left_open(
    hub: Hub, publish: Told, submission: Path
) -> None:
    """It came by after ours, with the same content."""
    repo = hub.add("dataset", DATA)

    def somebody_opens() -> None:
        repo.discussions.append(replace(repo.discussions[0], num=2, author="somebody"))
        repo.refs["refs/pr/2"] = repo.refs["refs/pr/1"]

    hub.faults = [Fault("commit", status=504), Fault("discussions"), Fault("discussions")]
    hub.faults += [Fault("discussions", before=somebody_opens)]
    made = publish(submission, DATA, pr=True)
    assert made.pr_url == f"{hub.url}/datasets/{DATA}/discussions/1"
    assert [request.status for request in repo.discussions] == ["open", "open"]


def test_ours_is_closed_where_somebody_else_was_faster(
    hub: Hub, publish: Told, submission: Path
) -> None:
    repo = hub.add("dataset", DATA)
    late = Late(repo)
    hub.faults = [*late.faults, Fault("commit", before=lambda: late.appear("somebody"))]
    made = publish(submission, DATA, pr=True)
    first, second = (f"{hub.url}/datasets/{DATA}/discussions/{num}" for num in (1, 2))
    assert [request.status for request in repo.discussions] == ["open", "closed"]
    assert made.pr_url == first
    assert f"somebody else was faster; closed {second}: " in publish.lines[-1]


def test_a_second_pull_request_that_cannot_be_closed_is_named(
    hub: Hub, publish: Told, submission: Path
) -> None:
    repo = hub.add("dataset", DATA)
    late = Late(repo)
    hub.faults = [*late.faults, Fault("commit", before=late.appear), Fault("status", status=403)]
    made = publish(submission, DATA, pr=True)
    first, second = (f"{hub.url}/datasets/{DATA}/discussions/{num}" for num in (1, 2))
    assert made.pr_url == first and made.attempts == 2
    assert (
        f"close {second} by hand, which the Hub refused: pull request {first} is older"
        in publish.lines[-1]
    )


def test_creating_survives_a_lost_response(hub: Hub, publish: Told, site: Path) -> None:
    hub.faults = [Fault("create", drop=True, acts=True), Fault("validate", status=500)]
    hub.faults += [Fault("validate", drop=True), Fault("tree", status=500)]
    publish(site, BOARD, create=True)
    assert hub.count("create") == 1 and not hub.faults
    assert len(hub.repos["space", BOARD].history()) == 2


def test_a_pull_request_to_a_space(hub: Hub, publish: Told, site: Path) -> None:
    repo = hub.add("space", BOARD)
    hub.faults = [Fault("commit", drop=True, acts=True), Fault("discussion", status=500)]
    made = publish(site, BOARD, pr=True)
    assert len(repo.discussions) == 1 and len(repo.history()) == 1
    assert made.commit == repo.refs["refs/pr/1"] and "board.json" in repo.files("refs/pr/1")
