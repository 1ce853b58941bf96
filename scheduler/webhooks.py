"""Deliver what `fleet.webhook_deliveries` holds: signed after the Standard Webhooks specification, retried by the table.

A loop beside the chores, not one of them: who waits for strangers must not hold what takes nodes' leases back. Each
delivery has a place and a deadline of its own, so that a receiver that does not answer delays its own deliveries.

The network is never waited for inside a transaction (I5): a delivery is taken, sent, and then recorded. A scheduler
killed between the two sends it again a minute later, under the same `webhook-id`. The time it is signed with is the
database's: receivers refuse what is minutes off, and this machine's clock may be (I4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import httpx
import msgspec
import psycopg
import structlog
from psycopg_pool import ConnectionPool
from standardwebhooks import Webhook as Signer

from queue_schema.calls import chores
from queue_schema.shapes import Webhook
from scheduler.outside import Network, Outside

log = structlog.get_logger()
T = TypeVar("T")

PLACES = 64
"""Deliveries under way at a time; what is due beyond them waits, for as long as a call may take, for one to end."""
_LOOK_EVERY_S = 2.0
_RECORDED_WITHIN_S = 50.0
"""The longest wait for a connection of the pool, and the longest that a chore may take there."""
_GRACE_S = 5.0
"""For what is under way when the scheduler is told to stop."""


def client_for(networks: Sequence[Network]) -> httpx.AsyncClient:
    """Goes to the internet and to these *networks*, and nowhere else; it has no time limits of its own."""
    return httpx.AsyncClient(
        timeout=None,  # noqa: S113  # `Deliveries` has one for the whole call
        follow_redirects=False,
        trust_env=False,  # a proxy of the environment would resolve names by itself
        transport=Outside(
            # What is not read to its end cannot be used again.
            httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0)),
            networks,
        ),
    )


class Deliveries:
    """Sends every delivery that is due, many at a time."""

    def __init__(self, pool: ConnectionPool[Any], client: httpx.AsyncClient, *, timeout_s: float) -> None:
        """Build it.

        Args:
            pool: Autocommit connections; one is used at a time.
            client: Goes only where webhooks may go.
            timeout_s: For one call, from the look-up of the name to the head of the answer.
        """
        self._pool = pool
        self._client = client
        self._timeout_s = timeout_s
        self._hold_s = timeout_s + _RECORDED_WITHIN_S
        self._one = anyio.CapacityLimiter(1)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until *stop*; what is under way then has a few seconds to end, else it is sent again later."""
        asked = asyncio.create_task(stop.wait())
        while not stop.is_set():
            free = PLACES - len(self._tasks)
            # Never more than there are places: what waits for one here would outlast its hold, and count as a try.
            if await self._take(free) < free:
                await asyncio.wait({asked}, timeout=_LOOK_EVERY_S)
            elif len(self._tasks) >= PLACES:
                await asyncio.wait({asked, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_GRACE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _take(self, most: int) -> int:
        try:
            due, ahead = await self._ask(partial(_due, most, self._hold_s))
        except psycopg.Error as exc:
            log.warning("webhooks.not_taken", error=str(exc).strip())
            return 0
        for webhook in due:
            task = asyncio.create_task(self._deliver(webhook, ahead))
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        return len(due)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("webhook.unforeseen", exc_info=exc)  # due again when its hold is over

    async def _deliver(self, webhook: Webhook, ahead: timedelta) -> None:
        delivered, detail = await self._send(webhook, datetime.now(UTC) - ahead)
        try:
            await self._ask(
                partial(
                    chores.webhook_done, delivery_id=webhook.delivery_id, delivered=delivered, detail=detail
                )
            )
        except psycopg.Error as exc:
            log.warning("webhook.not_recorded", delivery_id=webhook.delivery_id, error=str(exc).strip())

    async def _ask(self, verb: Callable[[psycopg.Connection[Any]], T]) -> T:
        """The database, in a thread that is none of those in which chores run."""

        def ask() -> T:
            with self._pool.connection() as conn:
                return verb(conn)

        return await anyio.to_thread.run_sync(ask, limiter=self._one)

    async def _send(self, webhook: Webhook, now: datetime) -> tuple[bool, str]:
        body = msgspec.json.encode(webhook.body).decode()
        message_id = f"delivery_{webhook.delivery_id}"
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Signer(webhook.secret).sign(message_id, now, body),
        }
        call = self._client.stream("POST", webhook.url, content=body, headers=headers)
        try:
            # httpx's own limits are for each read: a byte now and then would renew them for ever. The body may be of any
            # size, and is not read.
            async with asyncio.timeout(self._timeout_s), call as answer:
                status, ok = answer.status_code, answer.is_success
        except TimeoutError:
            ok, detail = False, f"no answer within {self._timeout_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as exc:
            ok, detail = False, f"{type(exc).__name__}: {exc}"
        else:
            detail = f"HTTP {status}"
        if not ok:
            log.warning(
                "webhook.failed", delivery_id=webhook.delivery_id, attempt=webhook.attempt, detail=detail
            )
        return ok, detail


def _due(most: int, hold_s: float, conn: psycopg.Connection[Any]) -> tuple[list[Webhook], timedelta]:
    """What is due, and by how much the clock of this machine is ahead of the database's."""
    due = chores.due_webhooks(conn, limit=most, hold_s=hold_s)
    if not due:
        return [], timedelta()
    row = conn.execute("select clock_timestamp()").fetchone()
    assert row is not None
    there: datetime = row[0]
    return due, datetime.now(UTC) - there
