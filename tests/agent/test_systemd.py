"""What the service manager hears from the agent."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agent.keeper import Keeper
from agent.leases import Leases
from agent.systemd import Systemd
from tests.agent.daemons import Fleet
from tests.support.waiting import eventually


class Manager:
    """The other end: a socket such as systemd's."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(15)

    def hear(self) -> list[str]:
        """The lines of the next message."""
        return self._socket.recv(4096).decode().split("\n")

    def wait(self, line: str, times: int = 1) -> None:
        """Hear until a line has come so often."""
        while times:
            times -= line in self.hear()

    def close(self) -> None:
        """Be gone."""
        self._socket.close()


@pytest.fixture(params=["/socket", "@abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    where = f"{tmp_path}/socket" if request.param == "/socket" else f"@argosy-test-{os.getpid()}"
    found = Manager(where)
    yield found
    found.close()


def test_the_manager_hears_what_it_asked_for(manager: Manager):
    """Ready and stopping always, alive only where it set a watchdog for us."""
    said = Systemd.of(
        {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}
    )
    said.ready("takes work")
    said.alive()
    said.stopping("drains")
    heard = [manager.hear() for _ in range(3)]

    assert heard == [["READY=1", "STATUS=takes work"], ["WATCHDOG=1"], ["STOPPING=1", "STATUS=drains"]]
    assert (said.watchdog_s, said.every_s) == (2.0, 0.5)


@pytest.mark.parametrize(
    "environ",
    [
        {"WATCHDOG_USEC": "2000000"},
        {"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "/s", "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": "/s"},
        {},
    ],
)
def test_a_watchdog_of_somebody_else_is_not_ours(environ: dict[str, str]):
    """Our parent's variables come along; its watchdog does not."""
    assert Systemd.of(environ).watchdog_s is None


def test_without_a_manager_nothing_is_said_and_nothing_fails(tmp_path: Path):
    """By hand, and when its socket has gone."""
    Systemd().ready("takes work")
    Systemd(str(tmp_path / "gone")).ready("takes work")


def test_an_agent_is_alive_as_long_as_its_keeper_moves(fleet: Fleet, tmp_path: Path):
    """Ready after the join; alive through a database that does not answer; stopping before it drains."""
    manager = Manager(f"{tmp_path}/socket")
    daemon = fleet.agent(environment={"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "800000"})
    manager.wait("READY=1")
    manager.wait("WATCHDOG=1", 2)
    with psycopg.connect(fleet.url) as conn:
        conn.execute("lock table fleet.sessions in access exclusive mode")
        waiting = (
            "select count(*) from pg_stat_activity"
            " where application_name = 'argosy-agent-keeper' and wait_event_type = 'Lock'"
        )
        eventually(lambda: fleet.one(waiting) == 1)
        manager.wait("WATCHDOG=1", 20)  # five times as long as the watchdog waits
        # It gave up, and asked again: what it no longer waits for does not wait either.
        daemon.wait("database.away")
        eventually(lambda: fleet.one(waiting) == 1)
    daemon.process.send_signal(signal.SIGTERM)
    manager.wait("STOPPING=1")
    manager.close()

    assert daemon.process.wait(20) == 0


def test_a_keeper_that_stands_still_is_not_alive():
    """Held up by anything but the database's answer; and when its thread has ended."""
    held = threading.Event()

    class Holding:
        """A line whose calls never come back."""

        def do(self, _: Any) -> None:
            held.wait()

        def close(self) -> None: ...

    keeper = Keeper(Holding(), None, Leases(), look=lambda: None)
    keeper.start()
    assert keeper.moves(within_s=60.0)
    eventually(lambda: not keeper.moves(within_s=0.02))
    assert keeper.moves(within_s=None)
    keeper.stop()
    held.set()
    keeper.join(5)

    assert not keeper.moves(within_s=60.0)
