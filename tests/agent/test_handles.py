"""An agent with more than a thousand handles open, as two hundred running jobs need, works as any other."""

from __future__ import annotations

import signal
import sys
from typing import Any

from agent.keeper import Keeper
from agent.leases import Leases
from agent.line import DatabaseAway
from agent.membership import Membership
from queue_schema.calls import clients
from tests.agent.daemons import Fleet, pid_of
from tests.support.waiting import alive, eventually

CROWDED = (sys.executable, "-m", "tests.support.crowded")


def test_a_crowded_agent_runs_and_ends_jobs(fleet: Fleet):
    """Work is sent, heard, resumed on a warm runner, and cancelled; and the agent leaves in good order."""
    fleet.terms(lease_s=60.0, heartbeat_s=20.0)
    daemon = fleet.agent(python=CROWDED)
    for _ in range(2):
        fleet.ends(fleet.submit("noop", {"values": {"a": 1}}), "succeeded")
    assert daemon.wait("runner.resumed")["ran"] == 1
    job = fleet.submit("command", {"argv": ["sleep", "600"]})
    daemon.wait("runner.started", times=2)
    clients.cancel(fleet.conn, fleet.project, [job])
    fleet.ends(job, "cancelled", within_s=5.0)

    assert not daemon.seen("runner.deaf")
    assert not daemon.seen("keeper.failed")
    resting = pid_of(daemon)
    assert daemon.end(signal.SIGTERM) == 0
    eventually(lambda: not alive(resting))


def test_a_keeper_outlives_whatever_fails_while_it_waits(membership: Membership):
    """It goes on to its next beat: a keeper that dies loses every job of the node."""

    class Sick:
        """A line that cannot even be waited on."""

        def __init__(self) -> None:
            self.asked = 0

        def do(self, _: Any) -> None:
            self.asked += 1
            raise DatabaseAway("it is away")

        def fileno(self) -> int:
            raise ValueError("filedescriptor out of range in select()")

        def close(self) -> None: ...

    line = Sick()
    keeper = Keeper(line, membership, Leases(), look=lambda: None)  # type: ignore[arg-type]
    keeper.start()
    eventually(lambda: line.asked > 1)

    assert keeper.is_alive()
    keeper.stop()
    keeper.join(5)
    assert not keeper.is_alive()
