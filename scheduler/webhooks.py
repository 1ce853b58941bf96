"""Deliver what `fleet.webhook_deliveries` holds: signed after the Standard Webhooks specification, retried by the table.

The network is never waited for inside a transaction (I5): a delivery is taken, sent, and then recorded. A scheduler
killed between the two sends it again a minute later, under the same `webhook-id`. The time it is signed with is the
database's: receivers refuse what is minutes off, and this machine's clock may be (I4).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import psycopg
import structlog
from psycopg_pool import ConnectionPool
from standardwebhooks import Webhook as Signer

from queue_schema.calls import chores
from queue_schema.shapes import Webhook

log = structlog.get_logger()


def deliver_due(pool: ConnectionPool[Any], client: httpx.Client) -> int:
    """Send every delivery that is due now, one after the other.

    Returns:
        How many were delivered.
    """
    delivered = 0
    while True:
        with pool.connection() as conn:
            due = chores.due_webhooks(conn)
            if not due:
                return delivered
            ahead = _ahead(conn)
        for webhook in due:
            ok, detail = _send(client, webhook, datetime.now(UTC) - ahead)
            with pool.connection() as conn:
                chores.webhook_done(conn, webhook.delivery_id, delivered=ok, detail=detail)
            delivered += ok


def _ahead(conn: psycopg.Connection[Any]) -> timedelta:
    """By how much the clock of this machine is ahead of the database's."""
    row = conn.execute("select clock_timestamp()").fetchone()
    assert row is not None
    there: datetime = row[0]
    return datetime.now(UTC) - there


def _send(client: httpx.Client, webhook: Webhook, now: datetime) -> tuple[bool, str]:
    body = msgspec.json.encode(webhook.body).decode()
    message_id = f"delivery_{webhook.delivery_id}"
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(webhook.secret).sign(message_id, now, body),
    }
    try:
        answer = client.post(webhook.url, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as exc:
        detail = f"{type(exc).__name__}: {exc}"
        log.warning("webhook.failed", delivery_id=webhook.delivery_id, attempt=webhook.attempt, detail=detail)
        return False, detail
    detail = f"HTTP {answer.status_code}"
    if not answer.is_success:
        log.warning(
            "webhook.refused", delivery_id=webhook.delivery_id, attempt=webhook.attempt, detail=detail
        )
    return answer.is_success, detail
