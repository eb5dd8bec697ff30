"""A Hugging Face Hub on 127.0.0.1, in memory, for the real huggingface_hub client.

    with Hub() as hub:
        repo = hub.add("space", "org/board")
        hub.faults += [Fault("commit", drop=True, acts=True)]    # the answer to a commit gets lost
        publish(site, "org/board", endpoint=hub.url)
    assert len(repo.history()) == 2

It speaks what `hub_reads` and `hub_writes` list, and writes down what it was asked.
"""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

import hub_reads
import hub_writes
from hub_routes import Answer, Asked, Refused, answer, route_of
from hub_state import Repo

assert hub_reads and hub_writes  # imported for the routes that they enter

TOKENS = {"hf_owner": ("owner", ("owner", "org")), "hf_guest": ("guest", ("guest",))}
"""Token → its user, and the namespaces that they may write to."""


@dataclass
class Fault:
    """Something that goes wrong once.

    Attributes:
        route: of `hub_routes.ROUTES`, such as commit.
        status: answered in place of the right one; 0 for the right one.
        drop: close the connection instead of answering.
        acts: do what is asked first.
        retry_after: what the answer says to wait.
        body: of the answer; an error as JSON by default.
        before: called before anything else, for what others do meanwhile.
    """

    route: str
    status: int = 0
    drop: bool = False
    acts: bool = False
    retry_after: float | None = None
    body: bytes | None = None
    before: Callable[[], object] | None = None


@dataclass(frozen=True)
class Request:
    """One request, as the server saw it."""

    method: str
    path: str
    route: str
    user: str | None
    host: str
    outcome: str


@dataclass
class Hub:
    """The server; a context manager that stops it.

    Attributes:
        faults: those to come; each is met by the next request of its route, and gone.
        large: bytes from which a file is kept as a large one; *.parquet always is.
        page: entries of a listing on one page.
    """

    faults: list[Fault] = field(default_factory=list)
    large: int = 10_000
    page: int = 4
    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self._http = _Http(("127.0.0.1", 0), _handler(self))

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def add(self, type: str, id: str, private: bool = False, sdk: str | None = "static") -> Repo:
        """Make a repo behind the client's back."""
        self.repos[type, id] = Repo(type, id, private, sdk if type == "space" else None)
        return self.repos[type, id]

    def count(self, route: str) -> int:
        """Requests of a route."""
        return sum(request.route == route for request in self.requests)

    def _meet(self, route: str) -> Fault:
        """The fault of the next request of a route; one without effect if there is none."""
        for fault in self.faults:
            if fault.route == route:
                self.faults.remove(fault)
                return fault
        return Fault(route)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client keeps its connections open: do not wait for it

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; a mistake in a route is answered with a 500."""


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            # Split before it is unquoted: a revision such as refs%2Fpr%2F1 is one piece.
            path, _, query = self.path.partition("?")
            name, function, pieces = route_of(self.command, path)
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            user, spaces = TOKENS.get(token, (None, ()))
            asked = Asked(
                hub,
                path,
                pieces,
                parse_qs(query),
                body,
                dict(self.headers),
                user,
                spaces,
                bool(token),
            )
            with hub.lock:
                fault = hub._meet(name)
                if fault.before is not None:
                    fault.before()
                made = Answer(fault.status)
                if fault.acts or not (fault.drop or fault.status):
                    made = answer(function, asked)
                outcome = "drop" if fault.drop else str(fault.status or made.status)
                host = self.headers.get("Host", "").partition(":")[0]
                hub.requests.append(Request(self.command, path, name, user, host, outcome))
            if fault.drop:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if fault.status:
                made = Refused(fault.status, "Injected", f"injected {fault.status}").answer()
                made.body = made.body if fault.body is None else fault.body
            if fault.retry_after is not None:
                made.headers["Retry-After"] = f"{fault.retry_after:g}"
            self._write(made)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _any

        def _write(self, made: Answer) -> None:
            raw = isinstance(made.body, bytes)
            body = made.body if raw else json.dumps(made.body).encode()
            self.send_response(made.status)
            self.send_header("Content-Type", "text/plain" if raw else "application/json")
            for name, value in {"Content-Length": str(len(body)), **made.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
