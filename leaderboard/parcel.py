"""What is published: the files of a site, of submissions or of a viewer, and their places."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any, Literal

from panelist.leaderboard.submission import FILES, MANIFEST
from panelist.leaderboard.viewer_space import bundled, logs_in
from panelist.panels.errors import PanelistError

Kind = Literal["site", "submissions", "viewer"]

WANTED = (
    "publish a site (index.html and board.json, made by `panelist board build`), a submission "
    "(manifest.json, transcripts.parquet and run.json), a folder of submissions, or with --viewer "
    "a folder of Inspect logs"
)
"""What a path may be, for messages."""

MARKERS: dict[Kind, str] = {"site": "board.json", "viewer": "logs/listing.json"}
"""File by which a Space is known to hold a thing of this kind, and may be made to hold another."""

_FOLDER = re.compile(r"[a-z0-9][a-z0-9.-]*-[0-9a-f]{12}")
_VERSION = re.compile(r"[0-9A-Za-z]+([._-][0-9A-Za-z]+)*")
_FRONT = re.compile(r"\A---\r?\n(.*?)\r?\n---", re.DOTALL)


@dataclass(frozen=True)
class ParcelFile:
    """A file to be published.

    Attributes:
        path: in the repo.
        source: where it lies, or its content.
        size: in bytes.
        sha256: of its content, by which the Hub knows a large file.
        blob: git's id of its content, by which the Hub knows any other.
    """

    path: str
    source: Path | bytes
    size: int
    sha256: str
    blob: str

    @property
    def content(self) -> bytes:
        """Its content."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    @classmethod
    def of(cls, path: str, source: Path | bytes) -> "ParcelFile":
        """Read it once, in pieces: logs may be large."""
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        content, blob = sha256(), sha1(b"blob %d\0" % size, usedforsecurity=False)
        for piece in _pieces(source):
            content.update(piece)
            blob.update(piece)
        return cls(path, source, size, content.hexdigest(), blob.hexdigest())


@dataclass(frozen=True)
class Parcel:
    """Everything that one call publishes.

    Attributes:
        kind: what it is.
        title: of the commit or pull request.
        files: by path.
        folders: on this disk, of the submissions; to be verified.
    """

    kind: Kind
    title: str
    files: tuple[ParcelFile, ...]
    folders: tuple[Path, ...] = ()

    @property
    def repo_type(self) -> str:
        """Submissions make a dataset; pages are Spaces."""
        return "dataset" if self.kind == "submissions" else "space"

    @property
    def parts(self) -> tuple["Parcel", ...]:
        """A parcel for each submission: a pull request takes one."""
        if len(self.folders) < 2:
            return (self,)
        return tuple(_submissions([folder]) for folder in self.folders)

    @property
    def content(self) -> str:
        """Sha256 over paths and contents: the same parcel has the same one, whenever it is sent."""
        lines = "".join(f"{file.sha256}  {file.path}\n" for file in self.files)
        return sha256(lines.encode()).hexdigest()

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.size for file in self.files)


@contextmanager
def packed(path: Path, name: str, viewer: bool = False) -> Iterator[Parcel]:
    """The parcel of what lies at `path`; a viewer's files exist only inside the `with`.

    Args:
        path: a site, a submission, a folder of submissions, or a folder of logs.
        name: of the Space, which becomes its title.
        viewer: whether it is a folder of logs.

    Raises:
        PanelistError: where it is none of them.
    """
    if not path.is_dir():
        raise PanelistError(f"{path}: no such folder; {WANTED}")
    if viewer:
        with bundled(path) as bundle:
            yield _space("viewer", bundle, name, "Publish the logs")
    elif (path / "index.html").is_file() and (path / "board.json").is_file():
        yield _space("site", path, name, "Publish the board")
    else:
        yield _submissions(_submission_folders(path))


def _space(kind: Kind, root: Path, name: str, title: str) -> Parcel:
    """A static Space: every file of a folder, and the README that says that it is one."""
    files = {path: ParcelFile.of(path, source) for path, source in _walk(root)}
    readme = files.get("README.md")
    if readme is None:
        text = _readme(kind, name)
        files["README.md"] = ParcelFile.of("README.md", text.encode())
    else:
        front = _FRONT.match((root / "README.md").read_text(encoding="utf-8", errors="replace"))
        if front is None or not re.search(r"^sdk:\s*static\s*$", front[1], re.MULTILINE):
            raise PanelistError(
                f"{root / 'README.md'}: its front matter has no `sdk: static`, without which a "
                "Space shows nothing; add it, or remove the file and one is written"
            )
    return Parcel(kind, title, tuple(files[path] for path in sorted(files)))


def _readme(kind: Kind, name: str) -> str:
    says = {
        "site": "A board made by panelist: the page is index.html, its numbers are board.json.",
        "viewer": "Inspect logs, with Inspect's viewer.",
    }[kind]
    front = f"title: {json.dumps(name)}\nsdk: static\napp_file: index.html\npinned: false"
    return f"---\n{front}\n---\n\n{says}\n"


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Paths in the repo and on the disk; neither hidden files nor half-written ones."""
    for source in sorted(root.rglob("*")):
        relative = source.relative_to(root)
        if any(part.startswith(".") for part in relative.parts) or source.suffix == ".part":
            continue
        if source.is_symlink():
            # It may lead to anything on this machine, and a page is public.
            raise PanelistError(f"{source}: a link; copy what it leads to in its place")
        if source.is_file():
            yield relative.as_posix(), source


def _submission_folders(path: Path) -> list[Path]:
    if (path / MANIFEST).is_file():
        return [path.resolve()]
    folders = [f for f in sorted(path.iterdir()) if f.is_dir() and not f.name.startswith(".")]
    if not any((folder / MANIFEST).is_file() for folder in folders):
        hint = "it holds Inspect logs: add --viewer" if logs_in(path) else WANTED
        raise PanelistError(f"{path}: nothing to publish there; {hint}")
    return folders


def _submissions(folders: list[Path]) -> Parcel:
    files = []
    for folder in folders:
        for name in FILES:
            if not (folder / name).is_file():
                raise PanelistError(f"{folder}: has no {name}; a submission has {', '.join(FILES)}")
        if not _FOLDER.fullmatch(folder.name):
            raise PanelistError(
                f"{folder}: a submission's folder is named NAME-<12 hex digits>, as "
                "`panelist submit` names it; rename it back"
            )
        place = f"submissions/{_benchmark(folder / MANIFEST)}/{folder.name}"
        extra = sorted(p.name for p in folder.iterdir() if p.name not in FILES)
        if extra:
            raise PanelistError(f"{folder / extra[0]}: no file of a submission; remove it")
        files += [ParcelFile.of(f"{place}/{name}", folder / name) for name in FILES]
    files.sort(key=lambda file: file.path)
    title = folders[0].name if len(folders) == 1 else f"{len(folders)} submissions"
    return Parcel("submissions", f"Submit {title}", tuple(files), tuple(folders))


def _benchmark(manifest: Path) -> str:
    """The benchmark's version, which becomes a folder: so nothing that leads out of one."""
    try:
        said: Any = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError as ex:
        raise PanelistError(f"{manifest}: not JSON ({ex}); make the submission again") from ex
    version = said.get("benchmark") if isinstance(said, dict) else None
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise PanelistError(
            f"{manifest}, benchmark: got {version!r}, expected a version such as '1.0'; "
            "make the submission again"
        )
    return version


def _pieces(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece
