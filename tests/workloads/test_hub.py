"""A model hub that is away, over real HTTP: whose fault is it that a model cannot be had?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

STATUS = {"busy": 503, "limited": 429, "missing": 404, "closed": 401}
ASK = """
import json, socket, sys
from workloads import failures
from workloads.diffusion import pipelines

if sys.argv[1] == "alone":
    socket.if_nameindex = lambda: [(1, "lo")]
found = {}
for name in sys.argv[2:]:
    try:
        pipelines.load(f"org/{name}")
    except Exception as exc:
        failure, _ = failures.describe(exc, None)
        found[name] = [failure.cause, failure.message]
json.dump(found, sys.stdout)
"""


class _Hub(BaseHTTPRequestHandler):
    """Answers by the name of the model that is asked for."""

    def do_GET(self) -> None:
        name = self.path.split("/org/")[1].split("/")[0]
        if name == "rude":
            return  # the line is closed without a word
        self.send_response(STATUS[name])
        if name == "missing":
            self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815  # the name http.server asks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def asked(
    hub: str, home: object, *names: str, offline: bool = False, alone: bool = False
) -> dict[str, list[str]]:
    """How a job that wants these models fails."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": str(int(offline)),
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK, "alone" if alone else "among others", *names],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_a_hub_that_is_away_is_nobodys_mistake(hub: str, tmp_path):
    """It is asked again; what it does not have, or does not give, is its owner's."""
    found = asked(hub, tmp_path, "busy", "limited", "rude", "missing", "closed")
    away = asked("http://127.0.0.1:1", tmp_path, "any")

    causes = {name: cause for name, (cause, _) in {**found, **away}.items()}
    assert causes == {
        "busy": "infrastructure",
        "limited": "infrastructure",
        "rude": "infrastructure",
        "missing": "user_error",
        "closed": "user_error",
        "any": "infrastructure",
    }
    assert "`params.base_model` 'org/any' cannot be loaded" in away["any"][1]


def test_who_may_not_ask_a_hub_is_told_so(tmp_path):
    """Without a network, or where the host is kept offline, it would never answer."""
    [cause, message] = asked("http://127.0.0.1:1", tmp_path, "any", alone=True)["any"]
    offline = asked("http://127.0.0.1:1", tmp_path, "any", offline=True)["any"]

    assert (cause, offline[0]) == ("user_error", "user_error")
    assert "jobs of this kind have no network here" in message
