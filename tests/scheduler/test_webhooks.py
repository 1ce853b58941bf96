"""Receivers that do not answer, take their time, or say too much: they cost others nothing."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from scheduler.webhooks import PLACES, Deliveries, client_for
from tests.scheduler.conftest import Receiver
from tests.support.verbs import Agent, Project
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(120)
MANY = PLACES + 20
"""More than there are places."""


class Odd:
    """A listener that does as told with each connection, until it is closed."""

    def __init__(self, do: Callable[[socket.socket], None]) -> None:
        self.accepted: list[socket.socket] = []
        self._do = do
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=200)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/hook"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                one, _ = self._socket.accept()
                self.accepted.append(one)
                with suppress(OSError):
                    self._do(one)

    def close(self) -> None:
        """Hang up."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for one in self.accepted:
            one.close()


@contextmanager
def listening(do: Callable[[socket.socket], None]) -> Iterator[Odd]:
    """Such a listener."""
    odd = Odd(do)
    try:
        yield odd
    finally:
        odd.close()


def silent(_: socket.socket) -> None:
    """Accept, and never answer."""


def copied(conn: psycopg.Connection[Any], url: str, times: int) -> None:
    """The delivery there is, to *url*, that many times; due before all others."""
    conn.execute(
        "insert into fleet.webhook_deliveries (project_id, job_id, url, body, due_at, created_at)"
        " select project_id, job_id, %s, body, due_at - interval '1 hour', created_at"
        " from fleet.webhook_deliveries, generate_series(1, %s)",
        (url, times),
    )


def ended(project: Project, agent: Agent, url: str) -> None:
    """A job with a webhook has ended."""
    project.submit(webhook=url)
    agent.complete(agent.claim_one())


def deliver(database_url: str, until: Callable[[], Any], *, timeout_s: float) -> float:
    """Deliver what is due until something is so; how long that took."""

    async def run(pool: ConnectionPool[Any]) -> None:
        stop = asyncio.Event()
        async with client_for([ipaddress.ip_network("127.0.0.0/8")]) as client:
            loop = asyncio.create_task(Deliveries(pool, client, timeout_s=timeout_s).run(stop))
            await asyncio.to_thread(eventually, until, 20.0)
            stop.set()
            await loop

    began = time.monotonic()
    with ConnectionPool(
        database_url, min_size=1, max_size=2, kwargs={"autocommit": True}, open=False
    ) as pool:
        asyncio.run(run(pool))
    return time.monotonic() - began


def outcomes(conn: psycopg.Connection[Any]) -> Any:
    """What is recorded of the deliveries that were tried."""
    return conn.execute(
        "select state, detail from fleet.webhook_deliveries where detail is not null"
    ).fetchall()


def test_a_receiver_that_does_not_answer_delays_no_chore_and_no_other_receiver(
    conn, project: Project, agent: Agent, receiver: Receiver, start
):
    """It has more deliveries due than a scheduler sends at a time, before all others."""
    reaped = "select ran_at > %s from fleet.v_reaper"
    ended(project, agent, receiver.url)
    with listening(silent) as tarpit:
        copied(conn, tarpit.url, MANY)
        start()
        eventually(lambda: len(tarpit.accepted) >= 4, 40)
        for _ in range(3):
            before = conn.execute("select clock_timestamp()").fetchone()
            eventually(lambda now=before: conn.execute(reaped, now).fetchone()[0], 12)
        eventually(lambda: len(receiver.got) == 1, 20)


def test_only_what_is_sent_at_once_is_taken(conn, database_url: str, project: Project, agent: Agent):
    """Else it would outlast its hold here, and be taken again: a try that nobody made."""
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    tried = "select sum(tries) from fleet.webhook_deliveries"
    with listening(silent) as late:
        ended(project, agent, late.url)
        copied(conn, late.url, MANY - 1)

        def all_delivered() -> bool:
            eventually(lambda: len(late.accepted) == PLACES)
            assert conn.execute(tried).fetchone() == (PLACES,)
            for one in late.accepted[:PLACES]:
                one.sendall(answer)
            eventually(lambda: len(late.accepted) == MANY)
            for one in late.accepted[PLACES:]:
                one.sendall(answer)
            eventually(lambda: outcomes(conn) == [("delivered", "HTTP 204")] * MANY)
            return True

        deliver(database_url, all_delivered, timeout_s=10.0)
        assert conn.execute(tried).fetchone() == (MANY,)


def test_a_byte_now_and_then_is_no_answer(conn, database_url: str, project: Project, agent: Agent):
    """The limit is for the whole call, not for each read."""

    def drip(one: socket.socket) -> None:
        one.sendall(b"HTTP/1.1 200 OK\r\nx-long: ")
        while True:
            one.sendall(b"x")
            time.sleep(0.1)  # the trick itself: well within a limit for each read

    with listening(drip) as dripping:
        ended(project, agent, dripping.url)
        took_s = deliver(database_url, lambda: outcomes(conn), timeout_s=1.0)

    assert outcomes(conn) == [("pending", "no answer within 1 s")]
    assert took_s < 10


def test_the_body_of_an_answer_is_not_read(conn, database_url: str, project: Project, agent: Agent):
    """However much there is of it, and whatever it would unpack to."""
    sent = 0
    bomb = gzip.compress(bytes(64 << 20))

    def explode(one: socket.socket) -> None:
        nonlocal sent
        one.sendall(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 400000000\r\n\r\n")
        while sent < 400_000_000:
            sent += one.send(bomb)

    with listening(explode) as bombing:
        ended(project, agent, bombing.url)
        deliver(database_url, lambda: outcomes(conn), timeout_s=10.0)

    assert outcomes(conn) == [("delivered", "HTTP 200")]
    assert sent < 16 << 20  # what the kernel holds for a connection
