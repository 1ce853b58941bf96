"""Turn everything that can go wrong into `application/problem+json`, in one place.

A client's mistake is a 4xx that names the field and the fix. The only 5xx on purpose is 503: the database or the
file store is away, try again.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import psycopg
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    NotAuthorizedException,
    ValidationException,
)
from litestar.openapi.datastructures import ResponseSpec
from obstore.exceptions import BaseError as StoreError
from psycopg_pool import PoolTimeout

from queue_schema import errors

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2


class Problem(msgspec.Struct, frozen=True):
    """What went wrong (RFC 9457), and what to do about it."""

    type: str
    title: str
    status: int
    code: str
    """Stable; switch on this."""
    detail: str
    field: str | None = None
    """The argument that was wrong, as it was spelled: `jobs[2].need.vram_mib`, `limit`, `Argosy-Job`."""
    fix: str | None = None


class StoreAway(Exception):
    """The file store is not to be reached."""


class HashDiffers(errors.FleetError):
    """The body is not the file that its address names."""

    code = "hash_differs"


STATUS: dict[type[errors.FleetError], int] = {
    errors.BadRequest: 400,
    errors.SessionLost: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.LeaseLost: 409,
    errors.NodeNameTaken: 409,
    errors.Conflict: 409,
    HashDiffers: 422,
}

_TITLES = {
    400: "The request is not usable",
    401: "Who is asking?",
    403: "Not allowed",
    404: "No such thing",
    405: "Not this method",
    406: "Not in that form",
    409: "It contradicts what is there",
    413: "Too large",
    415: "Not in this form",
    416: "No such part",
    422: "The content is not what it says",
    429: "Too many requests",
    500: "Our mistake",
    503: "Away for the moment",
}
_CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    429: "too_many_requests",
}

_BODY = "data"
"""Litestar's name for it. What is wrong inside of one is found by `strict`."""
_TROUBLES = {
    "53100": ("database_full", "the database has no room left on its disk; nothing was changed"),
    "53300": ("database_busy", "the database has no connection left"),
    "57014": ("database_slow", "the database took too long to answer"),
}
"""What a database that is there says of itself, by SQLSTATE."""


def responses(*statuses: int) -> dict[int, ResponseSpec]:
    """The problem answers of a route, for OpenAPI; 401, 403, 429 and 503 always belong to it."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            description=_TITLES[status],
            media_type=MEDIA_TYPE,
            generate_examples=False,
        )
        for status in sorted({*statuses, 400, 401, 403, 429, 503})
    }


def answer(
    status: int,
    *,
    code: str,
    detail: str,
    field: str | None = None,
    fix: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    """One problem as a response. Encoded here, so that no route's own encoders or media type touch it."""
    problem = Problem(
        type=f"urn:argosy:problem:{code}",
        title=_TITLES.get(status, "The request failed"),
        status=status,
        code=code,
        # A path or header may hold what UTF-8 cannot: it must not break the answer about itself.
        detail=detail.encode("utf-8", "replace").decode(),
        field=field,
        fix=fix,
    )
    return Response(
        msgspec.json.encode(problem), status_code=status, media_type=MEDIA_TYPE, headers=headers or {}
    )


def _fleet(_: Request[Any, Any, Any], exc: errors.FleetError) -> Response[bytes]:
    status = next((STATUS[cls] for cls in type(exc).__mro__ if cls in STATUS), 400)
    return answer(status, code=exc.code, detail=str(exc), field=exc.field, fix=exc.fix)


def _away(code: str, detail: str) -> Response[bytes]:
    return answer(
        503, code=code, detail=detail, fix="Try again.", headers={"Retry-After": str(RETRY_AFTER_S)}
    )


def _database(_: Request[Any, Any, Any], exc: psycopg.Error) -> Response[bytes]:
    """An error that no verb foresaw: data PostgreSQL cannot hold is the client's, the rest means it is away."""
    state = exc.sqlstate or ""
    if isinstance(exc, psycopg.DataError) or state.startswith(("22", "54")):
        # No field: the database saw a value, not the argument it came from.
        return answer(400, code="bad_request", detail=f"a value cannot be stored: {_first_line(exc)}")
    if state.startswith(("3F", "42")):
        log.error("database.schema_missing", sqlstate=state, error=_first_line(exc))
        return _away(
            "schema_missing", "the database has no (or an older) Argosy schema; run `argosy db upgrade`"
        )
    if isinstance(exc, psycopg.OperationalError | psycopg.InterfaceError):
        log.warning("database.away", sqlstate=state, error=_first_line(exc))
        return _away(*_TROUBLES.get(state, ("database_away", "the database is not to be reached")))
    log.error("database.unforeseen", sqlstate=state, error=_first_line(exc), exc_info=exc)
    return answer(500, code="internal", detail="the request failed inside; the server's log has the reason")


def _store(_: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    log.error("store.away", error=_first_line(exc))
    return _away("store_away", "the file store is not to be reached")


def _http(request: Request[Any, Any, Any], exc: HTTPException) -> Response[bytes]:
    if isinstance(exc, InternalServerException) and "disconnected" in exc.detail:
        return answer(400, code="disconnected", detail="the client went away before its request was whole")
    if exc.status_code >= 500:
        return _unforeseen(request, exc)
    status, field, detail, fix = exc.status_code, None, exc.detail or "the request failed", None
    if isinstance(exc, ValidationException) and isinstance(exc.extra, list) and exc.extra:
        first = exc.extra[0]
        field, detail = _as_spelled(request, first.get("key")), str(first.get("message") or detail)
        fix = "Correct this argument; /schema shows what it may be."
        if field == _BODY:
            field, detail = None, "the JSON body is missing"
            fix = "Send one, if only {}; /schema shows what it may be."
    headers = dict(exc.headers or {})
    if isinstance(exc, NotAuthorizedException):
        headers["WWW-Authenticate"] = "Bearer"
        fix = "Send `Authorization: Bearer <key>`; `argosy key create` makes one."
    if status == 413:
        fix = "Send less in one request."
    if status == 429:
        fix = "Ask again after `Retry-After` seconds; send many jobs in one request."
    return answer(
        status, code=_CODES.get(status, "bad_request"), detail=detail, field=field, fix=fix, headers=headers
    )


def _as_spelled(request: Request[Any, Any, Any], argument: str | None) -> str | None:
    """By the name that clients use, where the handler's own is another."""
    handler = request.scope.get("route_handler")
    if handler is None or argument not in handler.parsed_fn_signature.parameters:
        return argument
    alias: str | None = getattr(
        handler.parsed_fn_signature.parameters[argument].kwarg_definition, "name", None
    )
    return alias or argument


def _unforeseen(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    log.error("request.failed", method=request.method, path=request.url.path, exc_info=exc)
    return answer(500, code="internal", detail="the request failed inside; the server's log has the reason")


def _first_line(exc: Exception) -> str:
    return re.split(r"[\r\n]", str(exc), maxsplit=1)[0][:300]


HANDLERS: dict[int | type[Exception], Any] = {
    errors.FleetError: _fleet,
    psycopg.Error: _database,
    PoolTimeout: _database,
    StoreError: _store,
    StoreAway: _store,
    HTTPException: _http,
    Exception: _unforeseen,
}
