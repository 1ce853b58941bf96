"""Schedulers as processes, and something for them to call."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

HERE = {"ARGOSY_SCHEDULER_WEBHOOK_NETWORKS": "127.0.0.0/8"}


class Receiver:
    """An HTTP server that keeps what is posted to it and answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("content-length", "0")
                self.send_header("location", receiver.url)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Something to call."""
    one = Receiver()
    yield one
    one.close()


@pytest.fixture
def start(database_url: str, tmp_path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start schedulers; they are stopped after the test."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(more: dict[str, str] | None = HERE) -> subprocess.Popen[bytes]:
        with (tmp_path / f"scheduler-{len(running)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "scheduler"],
                env={**os.environ, "ARGOSY_DATABASE_URL": database_url, **(more or {})},
                stdout=log,
                stderr=log,
            )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.terminate()
    for number, process in enumerate(running):
        code, said = process.wait(30), (tmp_path / f"scheduler-{number}.log").read_text()
        # One that is told to stop while it still imports has nothing to tidy up.
        allowed = {0, -signal.SIGKILL} | (set() if "scheduler.started" in said else {-signal.SIGTERM})
        assert code in allowed, said
