"""Who asks, and what their key allows.

A checked key is believed for a few seconds, so that a client with a thousand requests costs one look-up; keys are
held as hashes only.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import anyio.to_thread
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from psycopg_pool import ConnectionPool

from api.pace import Pace
from queue_schema.calls import clients
from queue_schema.calls.asking import asking_key
from queue_schema.errors import NotAllowed
from queue_schema.shapes import Principal
from queue_schema.states import Scope

_MOST = 4096
_KEY = re.compile(r"[!-~]{8,256}")


class KeyRing:
    """API keys that were checked a moment ago."""

    def __init__(self, pool: ConnectionPool[Any], pace: Pace, *, ttl_s: float) -> None:
        self._pool = pool
        self._pace = pace
        self._ttl_s = ttl_s
        self._known: dict[bytes, tuple[float, Principal]] = {}
        self._lock = Lock()

    async def principal(self, key: str, address: str) -> Principal | None:
        """Whose key this is; None when it is no key of ours.

        Raises:
            TooManyRequestsException: Too many from that address were none.
        """
        if not _KEY.fullmatch(key):
            return None
        digest = hashlib.sha256(key.encode()).digest()
        until, principal = self._known.get(digest, (0.0, None))
        if principal is not None and until > time.monotonic():
            return principal
        self._pace.let_try(address, digest)
        principal = await anyio.to_thread.run_sync(self._look_up, key, digest)
        self._pace.looked_up(address, digest, ours=principal is not None)
        return principal

    def _look_up(self, key: str, digest: bytes) -> Principal | None:
        with self._pool.connection() as conn:
            principal = clients.authenticate(conn, key)
        with self._lock:
            if principal is None:
                # Not remembered: a stranger could fill the ring, and a key made this second must work.
                self._known.pop(digest, None)
            else:
                if len(self._known) >= _MOST:
                    self._known.clear()
                self._known[digest] = (time.monotonic() + self._ttl_s, principal)
        return principal


def address_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Where a request comes from."""
    return connection.client.host if connection.client else ""


class KeyMiddleware(AbstractAuthenticationMiddleware):
    """Puts the `Principal` of the bearer key into `request.user`; routes with opt `open` are left alone."""

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        """Read the header.

        Raises:
            NotAuthorizedException: There is no key, or it is not valid.
            TooManyRequestsException: Its key, or its address, asks too often.
        """
        scheme, _, key = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise NotAuthorizedException("this needs an API key")
        services = connection.app.state.services
        ring: KeyRing = services.keys
        pace: Pace = services.pace
        principal = await ring.principal(key.strip(), address_of(connection))
        if principal is None:
            raise NotAuthorizedException("the API key is unknown or revoked")
        pace.count(principal.key_id)
        asking_key.set(principal.key_id)
        return AuthenticationResult(user=principal, auth=None)


def needs(scope: Scope) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    """A guard: the key must have *scope*; `admin` has them all."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        principal: Principal = connection.user
        if scope not in principal.scopes and Scope.ADMIN not in principal.scopes:
            raise NotAllowed(
                f"the key of project {principal.project} lacks the scope {scope}",
                fix=f"Use a key with the scope {scope}.",
            )

    return guard
