"""What the test Hub keeps: repos, their commits, branches and pull requests, and large files."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

WHEN = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class Blob:
    """A file's content, and whether it is kept as a large file."""

    data: bytes
    large: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def oid(self) -> str:
        """Git's id; of a large file it is that of the pointer to it, as on the real Hub."""
        data = f"pointer to {self.sha256}".encode() if self.large else self.data
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    def entry(self, path: str) -> dict[str, Any]:
        """As the tree shows it."""
        entry = {"type": "file", "path": path, "size": len(self.data), "oid": self.oid}
        if self.large:
            entry["lfs"] = {"oid": self.sha256, "size": len(self.data), "pointerSize": 130}
        return entry


@dataclass(frozen=True)
class Commit:
    """A state of a repo.

    Attributes:
        oid: 40 hex digits.
        parent: oid; None for the first.
        title, message, author: of it.
        tree: path → blob.
    """

    oid: str
    parent: str | None
    title: str
    message: str
    author: str
    tree: dict[str, Blob]


@dataclass
class Discussion:
    """A pull request."""

    num: int
    title: str
    description: str
    author: str
    status: str = "open"
    merged: str | None = None


@dataclass
class Repo:
    """A repo of one of the three types; made with one commit, as on the real Hub."""

    type: str
    id: str
    private: bool = False
    sdk: str | None = None
    refs: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    discussions: list[Discussion] = field(default_factory=list)

    def __post_init__(self) -> None:
        tree = {".gitattributes": Blob(b"*.parquet filter=lfs\n")}
        if self.type == "space":
            tree["README.md"] = Blob(b"---\ntitle: new\nsdk: static\n---\n")
        self.commit("main", "initial commit", "", "system", tree)

    def commit(
        self,
        ref: str,
        title: str,
        message: str,
        author: str,
        tree: dict[str, Blob],
        parent: str | None = None,
    ) -> Commit:
        """Put a commit on a branch, on top of `parent` or of what the branch was at."""
        parent = parent or self.refs.get(ref)
        seal = (
            f"{self.id} {len(self.commits)} {parent} {sorted((p, b.oid) for p, b in tree.items())}"
        )
        made = Commit(hashlib.sha1(seal.encode()).hexdigest(), parent, title, message, author, tree)
        self.commits[made.oid] = made
        self.refs[ref] = made.oid
        return made

    def at(self, revision: str) -> Commit | None:
        """By branch, pull request or oid."""
        return self.commits.get(self.refs.get(revision, revision))

    def history(self, ref: str = "main") -> list[Commit]:
        """The newest first."""
        oid: str | None = self.refs[ref]
        found = []
        while oid is not None:
            found.append(self.commits[oid])
            oid = found[-1].parent
        return found

    def files(self, ref: str = "main") -> dict[str, bytes]:
        """Path → content."""
        return {path: blob.data for path, blob in self.commits[self.refs[ref]].tree.items()}

    def merge(self, num: int) -> Commit:
        """A pull request into main."""
        request = self.discussions[num - 1]
        head = self.commits[self.refs[f"refs/pr/{num}"]]
        base = self.commits[head.parent].tree if head.parent else {}
        tree = dict(self.commits[self.refs["main"]].tree)
        tree |= {path: blob for path, blob in head.tree.items() if base.get(path) != blob}
        for path in base.keys() - head.tree.keys():
            tree.pop(path, None)
        made = self.commit("main", f"{request.title} (#{num})", request.description, "owner", tree)
        request.status, request.merged = "merged", made.oid
        return made
