"""A node that is only its protocol: it claims, beats, settles, and suffers what its seed says.

No runner and no device: what a schedule is after is the meeting of verbs, on leases of a second. Real agents are killed
by `make bench PARTS=soak`, and in `tests/acceptance`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg

from bench.chaos.checker import Journal
from queue_schema.calls import agents
from queue_schema.errors import FleetError, NodeNameTaken, SessionLost
from queue_schema.shapes import Artifact, Claimed, Completion, Failed, Released
from queue_schema.states import Cause
from tests.support.verbs import Agent

T = TypeVar("T")
RAM_MIB = 2000
BEAT_S = 0.25
FROZEN_S = (1.05, 1.6)
"""Longer than a lease."""
TWIN_S = 0.05
"""Between two tries to join under a name that another machine has."""
FAULTS = ("freeze", "freeze", "die", "cut", "repeat", "overlap", "leave")
TWIN_FAULTS = (*FAULTS, "leave", "leave", "leave", "leave")


class Node(threading.Thread):
    """One host. Its own thread works; a second one beats."""

    def __init__(
        self,
        url: str,
        name: str,
        chance: random.Random,
        journal: Journal,
        *,
        machine: str,
        has_twin: bool = False,
    ) -> None:
        """Join.

        Args:
            url: Of the database, as superuser.
            name: Of the node; another machine may use it, too.
            chance: Decides what it does and suffers.
            journal: Told what it was answered.
            machine: Which one it is: whoever has the name keeps it from the others, as long as it is heard of.
            has_twin: Another one uses this name, so it leaves and falls silent more often.
        """
        super().__init__(name=name, daemon=True)
        self._url = url
        self._machine = machine
        self._has_twin = has_twin
        self._chance = chance
        self._journal = journal
        self._running: dict[UUID, Claimed] = {}
        self._frozen = threading.Event()
        self.calm = threading.Event()
        """From now on nothing goes wrong any more."""
        self.over = threading.Event()
        """It may end."""
        self.failed: BaseException | None = None
        self._conn = self._connect()
        self._agent = self._joined()

    def run(self) -> None:
        """Work until it is over; what should never be raised ends the schedule."""
        beats = threading.Thread(target=self._beat, daemon=True)
        beats.start()
        try:
            while not self.over.is_set():
                self._step()
        except BaseException as exc:  # noqa: BLE001  # whatever it is, the schedule must fail with it
            self.failed = exc
        finally:
            self.over.set()
            beats.join()
            self._conn.close()

    def _step(self) -> None:
        fault = None
        if not self.calm.is_set() and self._chance.random() < 0.5:
            fault = self._chance.choice(TWIN_FAULTS if self._has_twin else FAULTS)
        try:
            claimed = self._claim(twice=fault == "repeat")
            if fault == "overlap":
                claimed += self._claim()
            if not claimed:
                time.sleep(0.03)
            time.sleep(self._chance.random() * 0.5)
            if fault == "freeze":
                self._frozen.set()
                time.sleep(self._chance.uniform(*FROZEN_S))
                self._frozen.clear()
            elif fault == "die":
                self._die(claimed)
            elif fault == "leave":
                self._leave()
            for one in claimed:
                self._settle(one, cut=fault == "cut", twice=fault == "repeat")
        except SessionLost:
            self._join_again()

    def _claim(self, *, twice: bool = False) -> list[Claimed]:
        """Claim up to three; with *twice* as if the answer had been lost: the same request must get the same."""
        request, sample = uuid4(), self._agent.sample()
        want = self._chance.randint(1, 3)

        def claim() -> list[Claimed]:
            return agents.claim(self._conn, self._agent.session, request_id=request, sample=sample, want=want)

        claimed = self._again(claim)
        if twice:
            again = self._again(claim)
            if not {one.token for one in again} <= {one.token for one in claimed}:
                self._journal.seen.append("a claim that was repeated was answered with other leases")
        self._journal.claims((one.job_id, one.token) for one in claimed)
        self._running |= {one.token: one for one in claimed}
        return claimed

    def _settle(self, one: Claimed, *, cut: bool = False, twice: bool = False) -> None:
        """Say how it went: mostly well."""
        said = self._chance.choices(("complete", "fail", "release"), (8, 1, 1))[0]
        if cut:
            with psycopg.connect(self._url, autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s)", (self._conn.info.backend_pid,))
        for _ in range(1 + twice):
            try:
                outcome = self._again(lambda: self._say(one, said))
            except SessionLost:
                # As after an outage: with a new session it says what it did under the old one.
                self._join_again()
                outcome = self._again(lambda: self._say(one, said))
            self._journal.answered(one.token, said, outcome)
        self._running.pop(one.token, None)

    def _say(self, one: Claimed, said: str) -> str:
        conn, session, ids = self._conn, self._agent.session, (one.job_id, one.token)
        if said == "complete":
            # Each attempt makes its own output, with its token for a name.
            output = Artifact(str(one.token), "0" * 64, 1, "text/plain")
            [settled] = agents.complete(
                conn, session, [Completion(*ids, [output], {"token": str(one.token)})]
            )
        elif said == "fail":
            [settled] = agents.fail(
                conn, session, [Failed(*ids, Cause.INFRASTRUCTURE, "the schedule says so")]
            )
        else:
            [settled] = agents.release(conn, session, [Released(*ids, "the schedule says so")])
        return str(settled.outcome)

    def _die(self, claimed: list[Claimed]) -> None:
        """Killed, and started again at once: what it finds of its last life it hands back, or settles from its spool."""
        self._conn.close()
        self._running.clear()
        self._conn = self._connect()
        self._join_again()
        if self._chance.random() < 0.5:
            claimed.clear()

    def _leave(self) -> None:
        agents.leave(self._conn, self._agent.session)
        self._running.clear()
        if self._has_twin:
            time.sleep(2 * TWIN_S)
        self._join_again()

    def _join_again(self) -> None:
        self._agent.conn = self._conn
        # What came along and is not known is not named in beats, and so goes back after two of them (I14).
        self._until_free(lambda: self._again(self._agent.join))

    def _joined(self) -> Agent:
        joined = self._until_free(
            lambda: Agent(self._conn, self.name, ram_mib=RAM_MIB, slots=8, instance=self._machine)
        )
        assert joined is not None
        return joined

    def _until_free(self, join: Callable[[], T]) -> T | None:
        """Join, as often as it takes for a twin to fall silent or leave; None: it is over, and we never did."""
        while not self.over.is_set():
            try:
                return join()
            except NodeNameTaken:
                time.sleep(TWIN_S)
        return None

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._url, autocommit=True)

    def _again(self, verb: Callable[[], T]) -> T:
        """A verb whose connection broke is said again over another: nobody knows whether it was heard."""
        while True:
            try:
                return verb()
            except (psycopg.OperationalError, psycopg.InterfaceError):
                self._conn = self._connect()
                self._agent.conn = self._conn

    def _beat(self) -> None:
        """Name what it holds; what is lost is ended."""
        with self._connect() as conn:
            while not self.over.wait(BEAT_S):
                if self._frozen.is_set():
                    continue
                tokens = list(self._running)
                try:
                    beat = agents.heartbeat(conn, self._agent.session, tokens=tokens)
                except (SessionLost, NodeNameTaken):
                    continue
                except FleetError as exc:
                    self.failed = exc
                    return
                for token in beat.lost:
                    self._running.pop(token, None)
