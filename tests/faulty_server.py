"""An OpenAI-compatible server on 127.0.0.1 that fails as it is told to."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

GOOD = "good"


@dataclass
class Server:
    """What the server was asked, and how it answers.

    `plan` maps the number of a request (from 0) to a fault: a status such as "429" or "500",
    "slow", "drop", "cut" (JSON ends in the middle), "html", "no_choices", "null", "length",
    "no_usage"; anything else is a good answer.
    """

    plan: Callable[[int], str]
    url: str = ""
    slow: float = 5.0
    answers: list[str] = field(default_factory=list)
    """The fault or `GOOD` of every request, in order."""
    marks: list[str] = field(default_factory=list)
    """A word in every good answer, so that it can be found in a log."""
    tokens: list[tuple[int, int]] = field(default_factory=list)
    """Input and output tokens that were said to be used."""
    at: list[float] = field(default_factory=list)
    now: int = 0
    most: int = 0
    """Requests at a time: now, and at most."""
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def faulty_server(plan: Callable[[int], str] = lambda number: GOOD) -> Iterator[Server]:
    """Serve chat completions until the block ends."""
    server = Server(plan)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with server.lock:
                number = len(server.answers)
                fault = server.plan(number)
                server.answers.append(fault)
                server.at.append(time.monotonic())
                server.now += 1
                server.most = max(server.most, server.now)
            try:
                self._answer(body, fault)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client gave up waiting
            finally:
                with server.lock:
                    server.now -= 1

        def _answer(self, body: dict[str, Any], fault: str) -> None:
            if fault.isdigit():
                self._send(int(fault), {"error": {"message": f"injected {fault}", "code": fault}})
                return
            if fault == "drop":
                self.close_connection = True
                self.connection.close()
                return
            if fault == "slow":
                time.sleep(server.slow)
            mark = uuid4().hex
            given = sum(len(m["content"].split()) for m in body["messages"])
            made = 12
            choice = {
                "index": 0,
                "finish_reason": "length" if fault == "length" else "stop",
                "message": {
                    "role": "assistant",
                    "content": None
                    if fault == "null"
                    else f"I think that it may be so, and the mark is {mark} here.",
                },
            }
            answer = {
                "id": mark,
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [] if fault == "no_choices" else [choice],
                "usage": {
                    "prompt_tokens": given,
                    "completion_tokens": made,
                    "total_tokens": given + made,
                },
            }
            if fault == "no_usage":
                del answer["usage"]
            with server.lock:
                server.tokens.append((given, made))
                if fault not in ("cut", "html", "no_choices", "null"):
                    server.marks.append(mark)
            if fault == "cut":
                self._send(200, json.dumps(answer)[: 60 + len(mark)])
            elif fault == "html":
                self._send(200, "<html>Bad gateway</html>", kind="text/html")
            else:
                time.sleep(0.02)
                self._send(200, answer)

        def _send(self, status: int, answer: Any, kind: str = "application/json") -> None:
            data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            if status == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_port}/v1"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
