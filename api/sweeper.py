"""Takes files out of the store: what was erased or is kept for nobody, and what broken uploads left."""

from __future__ import annotations

import asyncio
import time

import psycopg
import structlog
from anyio.to_thread import run_sync
from psycopg_pool import PoolTimeout

from api.problems import StoreAway
from api.services import Services
from queue_schema.calls import erasures
from queue_schema.calls.erasures import Blob

log = structlog.get_logger(__name__)

_UPLOADS_S = 3600.0
_HELD_S = 300.0
"""Files are ours to remove for ten minutes; after half of that nobody begins."""


async def sweep_for_ever(services: Services) -> None:
    """Look every few seconds, until cancelled; several APIs share the work."""
    swept_at: float | None = None
    while True:
        try:
            if swept_at is None or time.monotonic() > swept_at + _UPLOADS_S:
                swept_at = time.monotonic()
                await _sweep_uploads(services)
            while await remove_some(services):
                pass
        except (StoreAway, psycopg.OperationalError, PoolTimeout) as exc:
            log.warning("sweep.waits", error=str(exc))
        except Exception:
            log.exception("sweep.failed")
        await asyncio.sleep(services.settings.sweep_s)


async def remove_some(services: Services) -> int:
    """Remove some files whose time has come. Returns how many; what could not be removed is tried again later.

    Raises:
        StoreAway: As it says.
    """

    def take() -> list[Blob]:
        with services.pool.connection() as conn:
            return erasures.remove_blobs(conn)

    until = time.monotonic() + _HELD_S
    removed_now: list[Blob] = []
    for blob in await run_sync(take):
        if time.monotonic() > until:
            break
        await services.store.remove(blob.project_id, blob.sha256)
        removed_now.append(blob)

    def removed() -> int:
        with services.pool.connection() as conn:
            return erasures.blobs_removed(conn, removed_now)

    if removed_now:
        log.info("store.removed", files=await run_sync(removed))
    return len(removed_now)


async def _sweep_uploads(services: Services) -> None:
    removed = await services.store.sweep()
    if removed:
        log.info("store.swept", removed=removed)
