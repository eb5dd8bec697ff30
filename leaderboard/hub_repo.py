"""A repo on the Hub: what it holds, how that differs from a parcel, and the one commit between."""

import json
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from panelist.leaderboard.older_boards import LIST, Facts, list_of, read_list, versions_in
from panelist.leaderboard.parcel import MARKERS, Parcel, ParcelFile
from panelist.leaderboard.submission import REGISTRY
from panelist.panels.errors import PanelistError
from panelist.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo

KEPT = (".gitattributes", "boards/")
"""What a Space keeps though the new site lacks it: the addresses of older boards stay good."""

NEW_SPACE = {".gitattributes", "README.md", "index.html", "style.css"}
"""Files that the Hub itself may put into a new Space."""

LONGEST_WAIT = 300.0
"""Seconds: the Hub counts calls over five minutes."""

_PATHS = 500  # in one question
_RATE = re.compile(r";\s*r=0\b.*?;\s*t=(\d+)")


@dataclass(frozen=True)
class Difference:
    """What lies between a repo and a parcel.

    Attributes:
        head: commit of the repo that was read; None for a repo without any.
        add, change, same: files of the parcel.
        delete: paths that the repo has and the parcel has not.
    """

    head: str | None
    add: tuple[ParcelFile, ...]
    change: tuple[ParcelFile, ...]
    same: tuple[ParcelFile, ...]
    delete: tuple[str, ...]

    @property
    def none(self) -> bool:
        """Whether the repo has everything already."""
        return not (self.add or self.change or self.delete)

    @property
    def sent(self) -> tuple[ParcelFile, ...]:
        """Files that have to be uploaded."""
        return self.add + self.change


@dataclass(frozen=True)
class PullRequest:
    """An open pull request.

    Attributes:
        num: of it; a newer one has a higher.
        url: of its page.
        author: who opened it.
        commit: its last one; None if it does not say.
    """

    num: int
    url: str
    author: str
    commit: str | None


class HubRepo:
    """The repo that a parcel goes to."""

    def __init__(self, name: str, parcel: Parcel, endpoint: str | None, token: str | None) -> None:
        from huggingface_hub import HfApi

        # False rather than None: without a token nothing is to be looked up again.
        self._api: Any = HfApi(
            endpoint, token or False, library_name="panelist", library_version=__version__
        )
        self._parcel = parcel
        self._others: set[int] = set()
        self.name = name
        self.type = parcel.repo_type
        self.private: bool | None = None

    def __str__(self) -> str:
        return f"{self.type} {self.name}"

    @property
    def url(self) -> str:
        """Of its page."""
        return f"{self._api.endpoint}/{self.type}s/{self.name}"

    def create(self, private: bool) -> None:
        """Make it; no error if somebody was faster."""
        sdk = {"space_sdk": "static"} if self.type == "space" else {}
        self._api.create_repo(
            self.name, repo_type=self.type, private=private or None, exist_ok=True, **sdk
        )

    def registry(self, folder: Path) -> Path | None:
        """The checkpoints that its maintainers registered, brought into a folder; None if none."""
        if not self._api.get_paths_info(self.name, REGISTRY, repo_type=self.type):
            return None
        return Path(
            self._api.hf_hub_download(self.name, REGISTRY, repo_type=self.type, local_dir=folder)
        )

    def difference(self) -> Difference:
        """Read its head and compare.

        Raises:
            PanelistError: if it holds something that must not be written over.
        """
        info = self._api.repo_info(self.name, repo_type=self.type)
        self.private = info.private
        head: str | None = info.sha
        there = {} if head is None else self._files(head)
        if self.type == "space":
            self._refuse_foreign(info.sdk, set(there))
        files = self._parcel.files
        if self._parcel.kind == "site" and head is not None:
            files = self._listing_theirs(files, there, head)
        add = tuple(f for f in files if f.path not in there)
        known = tuple(f for f in files if f.path in there)
        change = tuple(f for f in known if there[f.path] not in (f.sha256, f.blob))
        if change and self._parcel.kind == "submissions":
            raise PanelistError(
                f"{self}: {change[0].path} is there with another content, and a submission is "
                "never changed; make a new one, whose folder gets a new name"
            )
        delete: tuple[str, ...] = ()
        if self.type == "space":
            ours = {f.path for f in self._parcel.files}
            delete = tuple(p for p in sorted(there) if p not in ours and not p.startswith(KEPT))
        same = tuple(f for f in known if f not in change)
        return Difference(head, add, change, same, delete)

    def _listing_theirs(
        self, files: tuple[ParcelFile, ...], there: Collection[str], head: str
    ) -> tuple[ParcelFile, ...]:
        """A site's files, in which the older boards that the Space keeps are listed too."""
        own = {file.path: file for file in files}
        lacking = versions_in(there) - versions_in(own)
        if not lacking or LIST not in own:
            return files
        said: dict[str, Facts] = {}
        if LIST in there:
            with TemporaryDirectory() as scratch:
                path = self._api.hf_hub_download(
                    self.name, LIST, repo_type=self.type, revision=head, local_dir=scratch
                )
                said = read_list(Path(path).read_bytes())
        unknown = {"date": "", "benchmark": "", "note": "", "checkpoints": None}
        theirs = [said.get(one) or {"version": one, **unknown} for one in lacking]
        listed = list_of([*read_list(own[LIST].content).values(), *theirs])
        own |= {path: ParcelFile.of(path, content) for path, content in listed.items()}
        return tuple(own[path] for path in sorted(own))

    def _files(self, head: str) -> dict[str, str]:
        """Path → sha256 of a large file, git's id of any other."""
        where = {"repo_type": self.type, "revision": head}
        entries: Iterable[Any]
        if self.type == "space":
            entries = self._api.list_repo_tree(self.name, recursive=True, **where)
        else:
            # A dataset may hold thousands of other submissions: ask for these files only.
            paths = [file.path for file in self._parcel.files]
            chunks = [paths[at : at + _PATHS] for at in range(0, len(paths), _PATHS)]
            entries = [e for c in chunks for e in self._api.get_paths_info(self.name, c, **where)]
        files = [entry for entry in entries if hasattr(entry, "blob_id")]
        return {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}

    def _refuse_foreign(self, sdk: str | None, there: set[str]) -> None:
        """A wrong name after --to must not empty somebody's app."""
        marker = MARKERS[self._parcel.kind]
        if sdk not in (None, "static") or not (marker in there or there <= NEW_SPACE):
            raise PanelistError(
                f"{self}: holds something else (sdk {sdk}, {len(there)} files, no {marker}), which "
                "publishing would delete; publish to another Space, or empty this one first"
            )

    def pull_request(self) -> PullRequest | None:
        """The open pull request that brings this parcel, whoever opened it."""
        return next(self._pull_requests(), None)

    def pull_requests(self) -> list[PullRequest]:
        """All that bring it, the oldest first."""
        return sorted(self._pull_requests(), key=lambda request: request.num)

    def _pull_requests(self) -> Iterator[PullRequest]:
        from huggingface_hub import DiscussionComment, DiscussionCommit

        found = [
            pr
            for pr in self._api.get_repo_discussions(
                self.name,
                repo_type=self.type,
                discussion_type="pull_request",
                discussion_status="open",
            )
            if pr.num not in self._others
        ]
        # Its title tells in most cases, and saves reading the others; titles can be edited.
        short = self._parcel.content[:12]
        for pr in sorted(found, key=lambda pr: short not in pr.title):
            details = self._api.get_discussion_details(self.name, pr.num, repo_type=self.type)
            said = [e.content for e in details.events if isinstance(e, DiscussionComment)]
            commits = [e for e in details.events if isinstance(e, DiscussionCommit)]
            # The first comment can be edited too; the commit's own title cannot.
            titled = any(f"[{short}]" in commit.summary for commit in commits)
            if titled or (said and _mark(self._parcel) in said[0]):
                url = f"{self.url}/discussions/{pr.num}"
                yield PullRequest(pr.num, url, pr.author, commits[-1].oid if commits else None)
            else:
                self._others.add(pr.num)

    def user(self) -> str:
        """Whose the token is."""
        name: str = self._api.whoami()["name"]
        return name

    def close(self, request: PullRequest, instead: PullRequest) -> None:
        """Close one of two that bring the same."""
        self._api.change_discussion_status(
            self.name,
            request.num,
            "closed",
            comment=f"#{instead.num} brings the same.",
            repo_type=self.type,
        )

    def send(self, difference: Difference, title: str, pr: bool) -> "CommitInfo":
        """One commit, or one pull request, on top of the head that was read."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        # New operations at each try: huggingface_hub marks those that it has sent.
        operations = [CommitOperationAdd(file.path, file.source) for file in difference.sent]
        deleted = [CommitOperationDelete(path, is_folder=False) for path in difference.delete]
        with warnings.catch_warnings():
            # A page offers its table as Parquet; the warning takes that for a data set gone astray.
            warnings.filterwarnings("ignore", "It seems that you are about to commit a data file")
            sent: CommitInfo = self._api.create_commit(
                self.name,
                [*operations, *deleted],
                commit_message=f"{title} [{self._parcel.content[:12]}]" if pr else title,
                commit_description=f"{_mark(self._parcel)}\n\nSent by panelist {__version__}.",
                repo_type=self.type,
                create_pr=pr,
                parent_commit=difference.head,
            )
        return sent


@dataclass(frozen=True)
class Interruption:
    """Something that may be better at the next try.

    Attributes:
        words: what happened.
        wait: seconds that the Hub asks for; 0 if it asks for nothing.
    """

    words: str
    wait: float = 0.0


def interruption(error: Exception) -> Interruption | None:
    """An error of `HubRepo` as an interruption; None for one that will come again."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    cause = _cause(error)
    if isinstance(cause, HfHubHTTPError):
        status = cause.response.status_code
        if status == 412:
            return Interruption("somebody else committed first (HTTP 412)")
        if status in (408, 409, 429) or status >= 500:
            return Interruption(f"HTTP {status}", _wait(cause.response.headers))
        return None
    # The HTTP library below huggingface_hub goes by another name in each major version.
    transport = next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")
    if isinstance(cause, OfflineModeIsEnabled):
        return None
    if isinstance(cause, json.JSONDecodeError):
        return Interruption("an answer that is no JSON")
    if isinstance(cause, (transport, ConnectionError, TimeoutError)):
        return Interruption(f"the connection broke ({type(cause).__name__})")
    return None


def refusal(error: Exception, repo: HubRepo) -> PanelistError | None:
    """A lasting error as one message with its mend; None for one that is no answer of the Hub."""
    from huggingface_hub.errors import (
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    cause = _cause(error)
    if isinstance(cause, OfflineModeIsEnabled):
        return PanelistError("HF_HUB_OFFLINE is set; unset it to publish")
    if isinstance(cause, HfHubHTTPError):
        status = cause.response.status_code
        if status in (402, 403) and "/repos/create" in str(cause.response.request.url):
            return PanelistError(
                f"{repo}: your token may not make it (HTTP {status}); ask somebody of the "
                "organisation to, or give another --to"
            )
        if status == 403:
            return PanelistError(
                f"{repo}: your token may not write there (HTTP 403); add --pr to propose the files "
                "in a pull request, or use a token with write permission"
            )
        if status == 401 and not isinstance(cause, RepositoryNotFoundError):
            return PanelistError(f"{repo}: the Hub refuses your token (HTTP 401); {TOKEN}")
        if isinstance(cause, RepositoryNotFoundError):
            return PanelistError(
                f"{repo}: does not exist, or your token may not see it (HTTP {status}); check the "
                "name, or make it with --create"
            )
        said = (cause.server_message or str(cause)).splitlines()[0]
        return PanelistError(f"{repo}: the Hub refused (HTTP {status}): {said}")
    if isinstance(cause, ValueError) and "README.md" in str(cause):
        return PanelistError(f"{repo}: {cause}")
    return None


TOKEN = (
    "give one that may write in HF_TOKEN, or log in with `hf auth login`; there is no option for "
    "it, since a command line is kept in the shell's history"
)
"""How to give a token, for messages."""


def _mark(parcel: Parcel) -> str:
    """The line by which a pull request is known again."""
    return f"panelist-content: {parcel.content}"


def _cause(error: BaseException) -> BaseException:
    """What lies under huggingface_hub's own error for a failed upload or download."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    while type(error) in (RuntimeError, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _wait(headers: Mapping[str, str]) -> float:
    """Seconds from Retry-After, or from RateLimit where nothing remains."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*", headers.get("Retry-After", ""))
    found = found or _RATE.search(headers.get("RateLimit", ""))
    return min(float(found[1]), LONGEST_WAIT) if found else 0.0
