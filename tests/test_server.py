"""Which PostgreSQL the tests get, and that a container of theirs never outlives them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import container
from tests.support.waiting import eventually

WAITING = """
import sys
from tests.support import container
with container.running(sys.argv[1], {"fsync": "off"}) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def image() -> str:
    """One that runs here."""
    found, why = container.find()
    if found is None:
        pytest.skip(why)
    return found


def ours(*filters: str) -> set[str]:
    """Names of the tests' containers, stopped ones too."""
    words = [word for one in (f"label={container._LABEL}", *filters) for word in ("--filter", one)]
    return set(container._docker("ps", "--all", "--format", "{{.Names}}", *words).stdout.split())


def test_an_engine_that_hangs_does_not_hang_the_tests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """They say so, and run on the embedded server."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexec sleep 600\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(container, "_ASK_S", 0.5)

    assert container.find() == (None, "`docker info` does not answer within 0.5 s")


def test_a_machine_without_docker_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The reason is a phrase for the report."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert container.find() == (None, "no docker command")


def test_a_container_goes_with_its_process(image: str):
    """However that ends: by SIGKILL, too, when nothing of Python runs any more."""
    owner = subprocess.Popen(
        [sys.executable, "-c", WAITING, image], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert owner.stdout is not None
        assert owner.stdin is not None
        assert owner.stdout.readline().startswith(b"postgresql://")
        label = f"label={container._LABEL}={container._owner(owner.pid)}"
        [name] = ours(label)
        owner.send_signal(signal.SIGKILL)
        owner.wait(10)
        eventually(lambda: name not in ours(), 30)
    finally:
        owner.kill()
        owner.wait(10)
        owner.stdin.close()
        owner.stdout.close()


def test_what_was_left_behind_goes_when_tests_start(image: str):
    """If its process is gone; what belongs to one that lives, or to another machine, stays."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    owners = {
        "left": container._owner(os.getpid()).rsplit("/", 1)[0] + "/1",
        "gone": container._owner(os.getpid()).split("/")[0] + f"/{gone.pid}/1",
        "used": container._owner(os.getpid()),
        "away": "elsewhere/1/1",
    }
    names = {what: f"argosy-test-{os.getpid()}-{what}" for what in owners}
    try:
        for what, owner in owners.items():
            made = container._docker(
                "create", "--name", names[what], "--label", f"{container._LABEL}={owner}", image
            )
            assert made.returncode == 0, made.stderr
        assert container.find()[0] == image

        assert ours() & set(names.values()) == {names["used"], names["away"]}
    finally:
        container._docker("rm", "--force", *names.values())
