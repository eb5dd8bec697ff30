"""Publishing on the Hugging Face Hub: one commit or one pull request, whatever happens on the way.

    panelist publish site --to org/board --create              a board, as a static Space
    panelist publish submissions/mine-0123456789ab --to org/submissions --pr
    panelist publish logs --to org/logs --viewer --create      Inspect logs, as a static Space

The answer to a commit may get lost after the Hub has acted on it. So before every try the repo is
read, and only what differs from it is sent, on top of the commit that was read; a try whose answer
was lost is found in place by the next one. The Hub may act later still, and then open a second pull
request: so after a second try the repo is read once more, and the newer of two is closed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from panelist.leaderboard.hub_repo import (
    TOKEN,
    Difference,
    HubRepo,
    Interruption,
    PullRequest,
    interruption,
    refusal,
)
from panelist.leaderboard.parcel import Kind, Parcel, packed
from panelist.panels.checkpoint import read_checkpoints
from panelist.panels.errors import PanelistError

ATTEMPTS = 5
"""Times that a commit is sent at most."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Published:
    """What came of it.

    Attributes:
        kind: site, submissions or viewer.
        repo, repo_type: where it was sent.
        commit: that holds the files, be it made by this call or not; None after a dry run.
        pr_url: of the pull request, if there is one.
        files: paths that were sent; after a dry run those that would be.
        attempts: times that a commit was sent.
        already_there: whether nothing had to be sent.
    """

    kind: Kind
    repo: str
    repo_type: str
    commit: str | None
    pr_url: str | None
    files: tuple[str, ...]
    attempts: int
    already_there: bool


def publish(
    path: str | Path,
    to: str,
    *,
    pr: bool = False,
    create: bool = False,
    private: bool = False,
    viewer: bool = False,
    dry_run: bool = False,
    message: str | None = None,
    registry: Path | None = None,
    say: Say = print,
    sleep: Callable[[float], None] = time.sleep,
    endpoint: str | None = None,
) -> list[Published]:
    """Publish a site, submissions, or with `viewer` a folder of logs.

    Args:
        path: what to publish; `panelist.leaderboard.parcel.WANTED` says what it may be.
        to: organisation and name of the repo, as org/name.
        pr: open a pull request instead of committing, one for each submission.
        create: make the repo if it does not exist.
        private: make it private; only with `create`.
        viewer: `path` holds Inspect logs: send them with Inspect's viewer.
        dry_run: only say what would be sent; needs no token.
        message: title of the commit or pull request.
        registry: YAML file of checkpoints to verify with, in place of the dataset's own.
        say: gets a line for whatever happens.
        sleep: waits between tries.
        endpoint: of the Hub; huggingface_hub's own by default.

    Returns:
        What came of each pull request; otherwise, and after a dry run, one for all.

    Raises:
        PanelistError: for what cannot be published, and when five tries failed.
    """
    _refuse_name(to)
    if private and not create:
        raise PanelistError("--private does nothing without --create: it is of a new repo")
    token = _token(needed=not dry_run)
    with packed(Path(path), to.split("/")[1], viewer) as parcel, TemporaryDirectory() as scratch:
        if registry is not None and not parcel.folders:
            raise PanelistError(f"--registry {registry}: {path} is no submission; leave it out")
        repo = HubRepo(to, parcel, endpoint, token)

        @cache
        def known() -> Path | None:
            return registry or _registry_of(repo, Path(scratch), create)

        if dry_run:
            return [_rehearsed(repo, parcel, known, pr, create, say)]

        @cache
        def verify() -> None:
            if parcel.folders:
                _refuse_faulty(parcel, known(), say)

        parts = parcel.parts if pr else (parcel,)
        done: list[Published] = []
        for part in parts:
            title, tell = message or part.title, say
            if len(parts) > 1:
                name = part.folders[0].name
                title = f"{message}: {name}" if message else title
                tell = partial(_say_of, name, say)
            repo = HubRepo(to, part, endpoint, token)
            sending = _Sending(repo, part, verify, pr, create, private, title, tell)
            try:
                done.append(sending.until_done(sleep))
            except PanelistError as error:
                if not done:
                    raise
                there = [
                    f"{part.folders[0].name} at {one.pr_url or one.commit}"
                    for part, one in zip(parts, done, strict=False)
                ]
                raise PanelistError(
                    f"{name}: {error}. It is {len(done) + 1} of {len(parts)} submissions; before "
                    f"it: {', '.join(there)}. The same command goes on, and sends none twice"
                ) from error
        return done


def _say_of(name: str, say: Say, line: str) -> None:
    say(f"{name}: {line}")


def faults_of(folder: Path, registry: Path | None) -> list[str]:
    """What is wrong with a submission."""
    from panelist.leaderboard.verify import verify

    return [str(fault) for fault in verify(folder, registry=registry)]


@dataclass
class _Sending:
    """A parcel on its way."""

    repo: HubRepo
    parcel: Parcel
    verify: Callable[[], None]
    pr: bool
    create: bool
    private: bool
    title: str
    say: Say
    attempts: int = 0
    files: tuple[str, ...] = ()

    def until_done(self, sleep: Callable[[float], None]) -> Published:
        """Look and send; after a failure look again, and once more after the last."""
        failure = Interruption("")
        for tried in range(ATTEMPTS + 1):
            try:
                difference = self._look()
                if (found := self._found(difference)) is not None:
                    return found
                if tried == ATTEMPTS:
                    break
                return self._sent(difference)
            except PanelistError:
                raise
            except Exception as error:
                if (passing := interruption(error)) is None:
                    if (refused := refusal(error, self.repo)) is not None:
                        raise refused from error
                    raise
                failure = passing
            if tried < ATTEMPTS:
                wait = max(2.0**tried, failure.wait)
                said = f"attempt {tried + 1} of {ATTEMPTS}: {failure.words}"
                self.say(f"{said}; looking again in {wait:g} s")
                sleep(wait)
        raise PanelistError(
            f"{self.repo}: gave up after {ATTEMPTS} attempts; the last: {failure.words}. Run the "
            "same command again later: what is there by then is not sent twice"
        )

    def _look(self) -> Difference:
        """What is missing; makes the repo first if it is to be made, but for no faulty parcel."""
        from huggingface_hub.errors import RepositoryNotFoundError

        self.verify()
        try:
            difference = self.repo.difference()
        except RepositoryNotFoundError:
            if not self.create:
                raise
            self.repo.create(self.private)
            self.say(f"{self.repo}: created")
            difference = self.repo.difference()
        if self.private and self.repo.private is False:
            raise PanelistError(
                f"{self.repo}: exists and is public, which --private does not change; make it "
                "private in its settings, or leave --private out"
            )
        return difference

    def _found(self, difference: Difference) -> Published | None:
        """What is there already, be it by an earlier call or by a try whose answer was lost."""
        if difference.none:
            # The head's, be it ours or a later one of somebody else.
            where, request = f"commit {difference.head}", None
            commit = difference.head
        elif self.pr and (request := self._request()) is not None:
            where, commit = f"pull request {request.url}", request.commit
        else:
            return None
        self.say(
            f"{self.repo}: the response was lost, but all is there at {where}"
            if self.attempts
            else f"{self.repo}: nothing to do, already there at {where}"
        )
        return self._published(commit, request.url if request else None, not self.attempts)

    def _sent(self, difference: Difference) -> Published:
        if self.attempts == 0:
            self.say(f"{self.repo}: {_counted(difference)}")
        self.attempts += 1
        self.files = tuple(file.path for file in difference.sent)
        info = self.repo.send(difference, self.title, self.pr)
        what = f"pull request {info.pr_url}" if self.pr else f"commit {info.oid}"
        self.say(f"{self.repo}: {what}; see {info.pr_url or self.repo.url}")
        if self.pr and self.attempts > 1:
            kept = self._request()
            if kept is not None and kept.num < (info.pr_num or 0):
                return self._published(kept.commit, kept.url, False)
        return self._published(info.oid, info.pr_url, False)

    def _request(self) -> PullRequest | None:
        """The pull request with all of it; where several tries may have opened one, the oldest.

        A stale parent keeps a commit from being made twice, and nothing a pull request: the Hub may
        open one after a look has missed it.
        """
        if self.attempts < 2:
            return self.repo.pull_request()
        requests = self.repo.pull_requests()
        if len(requests) < 2:
            return requests[0] if requests else None
        kept, *newer = requests
        user = self.repo.user()
        for request in newer:
            if request.author == user:
                self._close(request, kept)
        return kept

    def _close(self, request: PullRequest, kept: PullRequest) -> None:
        why = f"pull request {kept.url} is older and brings the same"
        try:
            self.repo.close(request, kept)
        except Exception as error:
            # What may be better at the next try is left to it.
            if interruption(error) or refusal(error, self.repo) is None:
                raise
            self.say(f"{self.repo}: close {request.url} by hand, which the Hub refused: {why}")
        else:
            ours = kept.author == request.author
            how = "an earlier attempt went through late" if ours else "somebody else was faster"
            self.say(f"{self.repo}: {how}; closed {request.url}: {why}")

    def _published(self, commit: str | None, pr_url: str | None, already: bool) -> Published:
        repo, kind = self.repo, self.parcel.kind
        return Published(
            kind, repo.name, repo.type, commit, pr_url, self.files, self.attempts, already
        )


def _rehearsed(
    repo: HubRepo,
    parcel: Parcel,
    known: Callable[[], Path | None],
    pr: bool,
    create: bool,
    say: Say,
) -> Published:
    """Say what would be sent, compared with the repo where it can be read."""
    requests = len(parcel.parts)
    how = "one commit to"
    if pr:
        how = f"{requests} pull requests to" if requests > 1 else "a pull request to"
    say(f"dry run: {how} {repo}, {len(parcel.files)} files, {_bytes(parcel.size)}")
    registry, difference = None, Difference(None, parcel.files, (), (), ())
    try:
        registry = known() if parcel.folders else None
        difference = repo.difference()
    except PanelistError:
        raise
    except Exception as error:
        failure, refused = interruption(error), refusal(error, repo)
        if failure is None and refused is None:
            raise
        reason = failure.words if failure else str(refused)
        say(f"not compared: {reason}" + ("; --create would make it" if create else ""))
    _refuse_faulty(parcel, registry, say)
    words = {f.path: "add" for f in difference.add}
    words |= {f.path: "change" for f in difference.change}
    for file in parcel.files:
        say(f"  {words.get(file.path, 'same'):7} {_bytes(file.size):>9}  {file.path}")
    for path in difference.delete:
        say(f"  {'delete':7} {'':>9}  {path}")
    say(f"{_counted(difference)}; nothing was sent")
    files = tuple(f.path for f in difference.sent)
    return Published(
        parcel.kind, repo.name, repo.type, None, None, files, 0, already_there=difference.none
    )


def _registry_of(repo: HubRepo, folder: Path, create: bool) -> Path | None:
    """The dataset's own registry, by which its maintainers verify."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        path = repo.registry(folder)
    except RevisionNotFoundError:  # a dataset without any commit
        return None
    except RepositoryNotFoundError:
        if not create:
            raise
        return None
    if path is not None:
        try:
            read_checkpoints(path)
        except PanelistError as error:
            said = str(error).replace(str(path), path.name)
            raise PanelistError(
                f"{repo}: {said}; tell its maintainers, and until it is mended give a good copy "
                "with --registry"
            ) from error
    return path


def _refuse_faulty(parcel: Parcel, registry: Path | None, say: Say) -> None:
    if registry is not None:
        read_checkpoints(registry)  # before a line is said of any submission
    faulty = 0
    for folder in parcel.folders:
        faults = faults_of(folder, registry)
        faulty += bool(faults)
        for fault in faults:
            say(f"{folder.name}: {fault}")
    if faulty:
        of = f"{faulty} of {len(parcel.folders)} submissions" if len(parcel.folders) > 1 else "it"
        raise PanelistError(f"nothing was sent: {of} would be refused for the faults above")


def _refuse_name(to: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(to)
    except HFValidationError as error:
        raise PanelistError(f"--to {to}: no repo of the Hub; write org/name ({error})") from error
    if "/" not in to:
        raise PanelistError(f"--to {to}: no repo of the Hub; write org/name")


def _token(needed: bool) -> str | None:
    from huggingface_hub import get_token

    token = get_token()
    if token is None and needed:
        raise PanelistError(f"no token for the Hub; {TOKEN}")
    return token


def _counted(difference: Difference) -> str:
    size = _bytes(sum(file.size for file in difference.sent))
    return (
        f"{len(difference.add)} to add, {len(difference.change)} to change, "
        f"{len(difference.delete)} to delete, {len(difference.same)} the same; {size} to send"
    )


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
