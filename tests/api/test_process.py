from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from api.settings import ApiSettings, from_environment


def test_the_process_starts_serves_and_stops(database_url: str, tmp_path: Path) -> None:
    """`python -m api` takes its settings from the environment, logs JSON, and leaves on SIGTERM with 0."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {
        **os.environ,
        "ARGOSY_API_DATABASE_URL": database_url,
        "ARGOSY_API_BLOB_ROOT": str(tmp_path / "blobs"),
        "ARGOSY_API_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "api"], env=environ, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                ready = httpx.get(f"http://127.0.0.1:{port}/readyz")
                break
            except httpx.ConnectError:
                assert process.poll() is None
                time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=10)
    finally:
        process.kill()

    assert ready.status_code == 200
    assert process.returncode == 0
    assert [json.loads(line)["event"] for line in said.splitlines()] == ["api.starting", "api.stopping"]
    assert database_url not in said


def test_settings_that_make_no_sense_are_named() -> None:
    """Each error has the variable or the value in it; a password is in no repr."""
    with pytest.raises(ValueError, match="ARGOSY_API_DATABASE_URL"):
        from_environment({})
    with pytest.raises(ValueError, match="ARGOSY_API_PORT must be a whole number, got 'x'"):
        from_environment({"ARGOSY_API_PORT": "x"})
    with pytest.raises(ValueError, match="pool_size must be more than 0, got 0"):
        ApiSettings(database_url="postgresql://", blob_root="/tmp", pool_size=0)
    settings = from_environment(
        {"ARGOSY_API_DATABASE_URL": "postgresql://u:secret@h/d", "ARGOSY_API_POLL_S": "0.5"},
        blob_root="/b",
        port=0,
    )

    assert (settings.poll_s, settings.blob_root, settings.port) == (0.5, "/b", 0)
    assert "secret" not in repr(settings)
