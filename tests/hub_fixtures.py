"""Fixtures of the tests that publish: a Hub, something to publish, and `publish`.

A module takes them with `pytest_plugins = ["hub_fixtures"]`.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hub_parcels import FOLDER, Told, make_submission
from hub_server import Hub
from huggingface_hub import close_session, constants
from huggingface_hub.utils import _http

from panelist.leaderboard import publish as publishing


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub, and nothing but it within reach."""
    looked_up = socket.getaddrinfo

    def local(host: Any, *rest: Any, **more: Any) -> Any:
        assert host in ("127.0.0.1", "localhost"), f"a test asked for {host}"
        return looked_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", local)
    # huggingface_hub reads most of its environment when it is imported, which has happened.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    for name in ("HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_owner")
    # Its own retries wait for seconds; ours have a `sleep` of their own.
    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setattr(publishing, "faults_of", lambda *_: [])
    with Hub() as server:
        yield server
    close_session()
    assert {request.host for request in server.requests} <= {"127.0.0.1", "localhost"}
    assert "unknown" not in {request.route for request in server.requests}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A page, its numbers, a table that becomes a large file, and a board of an older version."""
    root = tmp_path / "site"
    (root / "boards").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html><title>board</title>")
    (root / "board.json").write_text('{"rows": []}')
    (root / "board.parquet").write_bytes(b"PAR1" + bytes(range(256)))
    (root / "boards" / "0.9.html").write_text("<!doctype html><title>older</title>")
    (root / ".hidden").write_text("not to be published")
    return root


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    """A submission's three files."""
    return make_submission(tmp_path / "mine", FOLDER)


@pytest.fixture
def publish(hub: Hub) -> Told:
    return Told(hub)
