"""Put the program together: settings in, a Litestar application out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import ScalarRenderPlugin, SwaggerRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme, Tag
from psycopg_pool import ConnectionPool

from api import blobs, dead, erasures, fleet, jobs, metrics, oncall, questions, results, schedules
from api.auth import KeyMiddleware, KeyRing
from api.feed import Feed
from api.headers import harden
from api.pace import Pace
from api.problems import HANDLERS
from api.services import Services, principal_of, services_of
from api.settings import ApiSettings
from api.store import BlobStore
from api.strict import StrictRequest, refuse_nul
from api.submissions import Submissions
from api.sweeper import sweep_for_ever
from queue_schema.calls.connection import Connection, keepalive
from queue_schema.signals import Signals, prepare

log = structlog.get_logger(__name__)

_SILENCE_S = 5.0
"""How long the database's host may be silent; and how much longer than PostgreSQL's own limit an answer may take."""
_LOOK_S = 2.0
"""How long a look at a connection may take, before a request gets it."""

_INTRODUCTION = """\
Submit jobs to the fleet, watch them, fetch what they made.

Send `Authorization: Bearer <key>`. Errors are `application/problem+json` (RFC 9457) and name the `field` that was
wrong and the `fix`. Submissions may carry an `Idempotency-Key` and are then safe to repeat. 503 means: the database
or the file store is away, 429: this key asks too often; try again after `Retry-After` seconds.
"""


def build(settings: ApiSettings, signals: Signals | None = None) -> Litestar:
    """The application. It connects when it starts, and starts (answering 503) when the database is away, too.

    Args:
        settings: How it behaves.
        signals: Where its traces and metrics go; None: it answers scrapes, and sends nothing.
    """
    told = signals or prepare("api", "api", {}, prometheus=True).open()

    @asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        services = _services(settings, told)
        app.state.services = services
        services.pool.open(wait=False)
        poller = asyncio.create_task(services.feed.run(), name="feed")
        sweeper = asyncio.create_task(sweep_for_ever(services), name="sweep")
        try:
            yield
        finally:
            services.feed.close()
            sweeper.cancel()
            await asyncio.gather(poller, sweeper, return_exceptions=True)
            await asyncio.to_thread(services.pool.close)

    limit = settings.max_blob_bytes
    small = Router(
        "/v1",
        route_handlers=[
            *jobs.HANDLERS,
            *results.HANDLERS,
            *schedules.HANDLERS,
            *fleet.V1_HANDLERS,
            *oncall.HANDLERS,
            *dead.HANDLERS,
            *questions.HANDLERS,
            *erasures.HANDLERS,
        ],
        tags=[],
    )
    large = Router(
        "/v1",
        route_handlers=blobs.HANDLERS,
        dependencies={"lease": Provide(blobs.lease_of, sync_to_thread=False)},
        request_max_body_size=limit,
    )
    return Litestar(
        route_handlers=[small, large, *fleet.ROOT_HANDLERS, *metrics.HANDLERS],
        lifespan=[running],
        request_class=StrictRequest,
        request_max_body_size=settings.max_json_bytes,
        dependencies={
            "services": Provide(services_of, sync_to_thread=False),
            "who": Provide(principal_of, sync_to_thread=False),
        },
        middleware=[DefineMiddleware(KeyMiddleware, exclude="^/schema", exclude_from_auth_key="open")],
        before_request=refuse_nul,
        before_send=[harden],
        exception_handlers=HANDLERS,
        openapi_config=_openapi(),
        logging_config=None,
        debug=False,
    )


def _services(settings: ApiSettings, signals: Signals) -> Services:
    def configure(conn: Connection) -> None:
        conn.patience_s = _SILENCE_S
        conn.execute("set timezone = 'UTC'")
        conn.execute(
            "select pg_catalog.set_config('statement_timeout', %s, false)",
            (f"{settings.statement_timeout_s * 1000:.0f}",),
        )

    def check(conn: Connection) -> None:
        conn.patience_s = min(_LOOK_S, settings.pool_timeout_s)
        ConnectionPool.check_connection(conn)
        conn.patience_s = settings.statement_timeout_s + _SILENCE_S

    pool: ConnectionPool[Any] = ConnectionPool(
        settings.database_url,
        connection_class=Connection,
        kwargs={"autocommit": True, "application_name": "argosy-api", **keepalive(_SILENCE_S)},
        configure=configure,
        # A connection that died with the database must not cost a client its request.
        check=check,
        # The pool doubles its pauses while a try to connect fails; who asks after it gave up makes it begin anew.
        reconnect_timeout=_SILENCE_S,
        min_size=1,
        max_size=settings.pool_size,
        timeout=settings.pool_timeout_s,
        open=False,
        name="api",
    )
    pace = Pace(requests_per_s=settings.requests_per_s, bad_keys_per_min=settings.bad_keys_per_min)
    metrics.FleetNumbers(pool, age_s=settings.metrics_age_s).observe(signals.meter)
    return Services(
        settings=settings,
        pool=pool,
        store=BlobStore(settings.blob_root),
        pace=pace,
        keys=KeyRing(pool, pace, ttl_s=settings.key_ttl_s),
        feed=Feed(pool, poll_s=settings.poll_s, keepalive_s=settings.keepalive_s),
        signals=signals,
        submissions=Submissions(signals),
    )


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Argosy",
        version="1",
        description=_INTRODUCTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=[SwaggerRenderPlugin(), ScalarRenderPlugin()],
        components=Components(
            security_schemes={
                "key": SecurityScheme(
                    type="http", scheme="bearer", description="`argosy key create` makes one."
                ),
                "lease": SecurityScheme(
                    type="apiKey",
                    security_scheme_in="header",
                    name="Argosy-Secret",
                    description="An agent's session, with Argosy-Session, Argosy-Job and Argosy-Token.",
                ),
            }
        ),
        security=[{"key": []}],
        tags=[
            Tag(name="jobs", description="Work to do, and what became of it."),
            Tag(name="schedules", description="Work that comes by the clock."),
            Tag(name="files", description="What jobs read and make, by sha256."),
            Tag(name="erasures", description="Have files gone for good, and see that they are."),
            Tag(name="fleet", description="Nodes, and the brake."),
            Tag(name="agents", description="For the node daemon, not for people."),
            Tag(name="health", description="For load balancers."),
        ],
    )
