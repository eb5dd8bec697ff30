"""A local OpenAI-compatible server that misbehaves on request, and writes down what it was asked.

    with Server(faults=["429", "500"]) as server:          # the first two requests, then all good
        get_model("openai-api/local/some-model", base_url=server.url, api_key="x")

Its tokens are words. What it generated it bills, also when the client never saw the answer: that is
what the money of a real run depends on.
"""

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

from panelist.panels.rehearsal import REPLIES

Fault = Literal[
    "429", "500", "503", "drop", "slow", "length", "no_choices", "cut", "not_json", "no_usage",
    "null",
]  # fmt: skip

REFUSED: dict[str, int] = {"429": 429, "500": 500, "503": 503}
"""Faults that are an HTTP status: nothing is generated, nothing billed."""

GOOD = ("good", "length", "no_choices", "no_usage", "null")
"""Outcomes that a client takes for an answer."""


@dataclass(frozen=True)
class Request:
    """One request, as the server saw it.

    Attributes:
        model: asked for.
        messages: of the request.
        at: seconds since the server started.
        outcome: "good" or the fault; "crowded" where too many came at once.
        input_tokens, output_tokens: billed; 0 for a request that was refused.
        at_once: requests in flight, this one included.
    """

    model: str
    messages: tuple[tuple[str, str], ...]
    at: float
    outcome: str
    input_tokens: int
    output_tokens: int
    at_once: int


@dataclass
class Server:
    """The server; a context manager that stops it.

    Attributes:
        faults: of the requests in the order they come, None for a good answer, and good answers
            after the last; or probabilities, drawn for each request by what it says and how often
            it was said before, so that the order of arrival does not matter.
        seed: of the draws.
        most: requests answered at once; more get a 429. None is no limit.
        delay: seconds that a good answer takes.
        slow: seconds that a slow one takes.
        retry_after: what a 429 says to wait.
    """

    faults: Sequence[Fault | None] | Mapping[Fault, float] = ()
    seed: int = 0
    most: int | None = None
    delay: float = 0.0
    slow: float = 9.0
    retry_after: float = 0.05
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = 0
        self._said: Counter[str] = Counter()
        self._start = time.monotonic()
        self._http = _Http(("127.0.0.1", 0), _handler(self))

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The base URL, as OpenAI clients want it."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def outcomes(self) -> Counter[str]:
        """How often each outcome was met."""
        return Counter(request.outcome for request in self.requests)

    @property
    def answered(self) -> list[Request]:
        """Requests whose answer a client can use."""
        return [request for request in self.requests if request.outcome in GOOD]

    def billed(self, input_price: float, output_price: float) -> float:
        """Dollars, at prices per million tokens, for everything that was generated.

        A millionth of a cent less: a ceiling adds the same requests in the order of their answers,
        and a sum of floats depends on its order.
        """
        spent = sum(
            r.input_tokens * input_price + r.output_tokens * output_price for r in self.requests
        )
        return spent / 1e6 - 1e-8

    def heal(self) -> None:
        """From now on every answer is good, and the record is empty."""
        with self._lock:
            self.faults, self.most = (), None
            self.requests = []

    def _fault(self, key: str) -> Fault | None:
        """The fault of the next request; called with the lock held."""
        nth = self._said[key]
        self._said[key] += 1
        if not isinstance(self.faults, Mapping):
            return self.faults[n] if (n := len(self.requests)) < len(self.faults) else None
        draw = random.Random(f"{self.seed} {key} {nth}").random()
        for fault, probability in self.faults.items():
            if (draw := draw - probability) < 0:
                return fault
        return None

    def _answer(self, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Outcome and answer of a request, written down."""
        messages = tuple((m["role"], str(m["content"])) for m in body["messages"])
        key = json.dumps(messages)
        with self._lock:
            self._in_flight += 1
            at_once = self._in_flight
            crowded = self.most is not None and at_once > self.most
            outcome = "crowded" if crowded else (self._fault(key) or "good")
            text = random.Random(f"{self.seed} {key} {len(self.requests)}").choice(REPLIES)
            if outcome == "length":
                text = " ".join(text.split()[:6])
            generated = outcome != "crowded" and outcome not in REFUSED
            asked = sum(len(content.split()) for _, content in messages) if generated else 0
            said = len(text.split()) if generated else 0
            at = time.monotonic() - self._start
            self.requests.append(
                Request(body["model"], messages, at, outcome, asked, said, at_once)
            )
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": None if outcome == "null" else text},
            "finish_reason": "length" if outcome == "length" else "stop",
        }
        answer: dict[str, Any] = {
            "id": f"chatcmpl-{len(self.requests)}",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [] if outcome == "no_choices" else [choice],
            "usage": {
                "prompt_tokens": asked,
                "completion_tokens": said,
                "total_tokens": asked + said,
            },
        }
        if outcome == "no_usage":
            del answer["usage"]
        return outcome, answer

    def _done(self) -> None:
        with self._lock:
            self._in_flight -= 1


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client keeps its connections open: do not wait for it
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            outcome, answer = server._answer(body)
            if outcome in ("slow", "good"):
                time.sleep(server.slow if outcome == "slow" else server.delay)
            # Before the answer: with it in hand, the client may ask again at once.
            server._done()
            self._send(outcome, answer)

        def _send(self, outcome: str, answer: dict[str, Any]) -> None:
            if outcome == "drop":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if outcome == "crowded" or outcome in REFUSED:
                status = REFUSED.get(outcome, 429)
                error = {"message": f"injected {outcome}", "type": outcome, "code": None}
                after = {"Retry-After": str(server.retry_after)} if status == 429 else {}
                self._write(status, json.dumps({"error": error}).encode(), after)
                return
            text = json.dumps(answer)
            if outcome == "cut":
                text = text[: len(text) // 2]
            if outcome == "not_json":
                text = "<html><body>injected: this is no JSON</body></html>"
            self._write(200, text.encode())

        def _write(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler
