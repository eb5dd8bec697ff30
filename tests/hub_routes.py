"""What a route of the test Hub is: what it is asked, what it answers, and how it is found.

The routes are in `hub_reads` and `hub_writes`. They are written from what huggingface_hub sends and
reads, not from the real server, whose other checks they do not know.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from hub_state import Commit, Repo

if TYPE_CHECKING:
    from hub_server import Hub


@dataclass
class Asked:
    """A request.

    Attributes:
        hub: that was asked.
        path: as it was asked for.
        pieces: of its path: type, id, rev, path and so on, unquoted.
        query, body, headers: of it.
        user: of its token; None without a good one.
        spaces: namespaces that they may write to.
        token: whether it had a token at all.
    """

    hub: "Hub"
    path: str
    pieces: dict[str, str]
    query: dict[str, list[str]]
    body: bytes
    headers: dict[str, str]
    user: str | None
    spaces: tuple[str, ...]
    token: bool

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def repo(self, write: bool = False) -> Repo:
        """The repo that is meant; a private one shows itself to its owners only."""
        type = self.pieces.get("type", "models").removesuffix("s")
        found = self.hub.repos.get((type, self.pieces["id"]))
        owner = self.pieces["id"].split("/")[0] in self.spaces
        if found is None or (found.private and not owner):
            raise Refused(404 if self.user else 401, "RepoNotFound", "Repository not found")
        if write and not owner:
            raise Refused(403 if self.user else 401, "", "You may not write here")
        return found

    def commit(self) -> Commit:
        """The commit that is meant."""
        found = self.repo().at(self.pieces["rev"])
        if found is None:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {self.pieces['rev']}")
        return found


@dataclass
class Answer:
    """What is sent back: JSON, or bytes as they are."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """An error, as the Hub words it."""

    def __init__(self, status: int, code: str, message: str, **body: Any) -> None:
        self.status, self.code, self.message, self.body = status, code, message, body

    def answer(self) -> Answer:
        headers = {"X-Error-Code": self.code, "X-Error-Message": self.message}
        headers = {name: value for name, value in headers.items() if value}
        return Answer(self.status, {"error": self.message, **self.body}, headers)


Route = Callable[[Asked], Answer]

ROUTES: list[tuple[str, str, re.Pattern[str], Route]] = []
"""(name, method, path, function)."""


def route(name: str, method: str, path: str) -> Callable[[Route], Route]:
    """Enter a function for a path, in which {x} is one piece, {id} two and {type} a type."""
    special = {"id": r"[^/]+/[^/]+", "type": "models|datasets|spaces"}
    pattern = re.sub(r"{(\w+)}", lambda m: f"(?P<{m[1]}>{special.get(m[1], '[^/]+')})", path)

    def enter(function: Route) -> Route:
        ROUTES.append((name, method, re.compile(pattern), function))
        return function

    return enter


def route_of(method: str, path: str) -> tuple[str, Route, dict[str, str]]:
    """Name, function and pieces for a path."""
    for name, verb, pattern, function in ROUTES:
        if verb == method and (found := pattern.fullmatch(path)):
            pieces = {k: unquote(v) for k, v in found.groupdict().items() if v is not None}
            return name, function, pieces
    return "unknown", _unknown, {"path": f"{method} {path}"}


def answer(function: Route, asked: Asked) -> Answer:
    """What a route answers."""
    try:
        if asked.token and asked.user is None:
            raise Refused(401, "", "Invalid credentials in Authorization header")
        return function(asked)
    except Refused as refused:
        return refused.answer()


def _unknown(asked: Asked) -> Answer:
    raise Refused(404, "", f"the test Hub has no route for {asked.pieces['path']}")
