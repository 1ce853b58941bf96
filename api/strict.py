"""Read what clients send, strictly: the type it must have, and nothing that PostgreSQL could not hold.

Litestar would coerce ("5" to 5) and lose the path of a mistake; msgspec's own decoder does neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request

from queue_schema.calls.oncall import Selection
from queue_schema.errors import BadRequest
from queue_schema.shapes import Need, Submission

_AT = re.compile(r" - at `\$?\.?(.*)`$")
_UNKNOWN = re.compile(r"unknown field `(.*?)`")
_MISSING = re.compile(r"missing required field `(.*?)`")
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9990, 1, 1, tzinfo=UTC)
"""psycopg cannot read back a year before 1 or after 9999, in whatever time zone it is shown."""
_FURTHEST = timedelta(hours=15)
"""From UTC; PostgreSQL refuses 16 hours and more, and no place on Earth is at 15."""
_INT4 = 2**31 - 1
_LONGEST_S = 100 * 366 * 86400


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is decoded straight into the type its handler declares."""

    async def json(self) -> Any:
        """The body as the handler's `data`; Litestar finds a value that is already of its type and leaves it."""
        field = self.route_handler.parsed_data_field
        return decode(await self.body(), Any if field is None else field.annotation)


async def refuse_nul(request: Request[Any, Any, Any]) -> None:
    """What stands in the path and the query, before its handler sees it.

    Raises:
        BadRequest: PostgreSQL could not hold it; the field says what.
    """
    for name, value in (*request.path_params.items(), *request.query_params.multi_items()):
        if isinstance(value, str) and "\x00" in value:
            raise _nul(name)


def decode(body: bytes, shape: Any) -> Any:
    """*body* as *shape*.

    Raises:
        BadRequest: It is no JSON, or not of that shape; the field has its path.
    """
    try:
        value = msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as exc:
        raise _shaped_wrong(str(exc)) from exc
    except RecursionError as exc:
        raise BadRequest("the JSON is nested too deeply", fix="Nest less than 500 levels.") from exc
    except ValueError as exc:
        raise BadRequest(f"the body is no JSON: {exc}", fix="Send UTF-8 encoded JSON.") from exc
    # A raw NUL is no JSON at all; the escape is the one way in, and rare enough to look closer only then.
    if b"\\u0000" in body:
        _refuse_nuls(value)
    return value


def _shaped_wrong(text: str) -> BadRequest:
    at = _AT.search(text)
    path = at.group(1).lstrip(".") if at else ""
    detail = _AT.sub("", text)
    fix = "Correct this argument; /schema shows what it may be."
    for pattern, advice in ((_UNKNOWN, "Remove it, or correct its spelling."), (_MISSING, "Add it.")):
        if named := pattern.search(detail):
            path = f"{path}.{named.group(1)}" if path else named.group(1)
            fix = advice
    return BadRequest(detail, field=path or None, fix=fix)


def _refuse_nuls(value: Any) -> None:
    for path, text in _strings(msgspec.to_builtins(value), ""):
        if "\x00" in text:
            raise _nul(path)


def _nul(field: str) -> BadRequest:
    return BadRequest(
        "PostgreSQL cannot hold the character U+0000", field=field, fix="Leave it out, or send base64."
    )


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _strings(each, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield path or "body", key
            yield from _strings(each, f"{path}.{key}" if path else key)


def check(job: Submission, path: str) -> None:
    """Refuse what has the right type and yet no meaning to the database; *path* is `""` or `jobs[2].`.

    Raises:
        BadRequest: The field says what.
    """
    for name in ("run_at", "start_by"):
        check_time(getattr(job, name), f"{path}{name}")
    for name in ("timeout_s", "retries"):
        _check_int(getattr(job, name), f"{path}{name}")
    if job.need is not None:
        for field in msgspec.structs.fields(Need):
            value = getattr(job.need, field.name)
            if isinstance(value, int):
                _check_int(value, f"{path}need.{field.name}")
    if job.webhook is not None:
        _check_url(job.webhook, f"{path}webhook")


def check_selection(where: Selection) -> None:
    """The same for a filter of jobs.

    Raises:
        BadRequest: The field says what.
    """
    for name in ("ended_after", "ended_before"):
        check_time(getattr(where, name), f"where.{name}")
    if where.older_than_s is not None and not 0 <= where.older_than_s <= _LONGEST_S:
        raise BadRequest(
            "no such age", field="where.older_than_s", fix="Name a number of seconds, at most 100 years."
        )


def check_time(value: datetime | None, field: str) -> None:
    """Refuse a time without a zone, or one PostgreSQL or psycopg could not hold.

    Raises:
        BadRequest: It says which.
    """
    if value is None:
        return
    if value.tzinfo is None:
        raise BadRequest(
            f"{value.isoformat()} has no time zone", field=field, fix=f"Write {value.isoformat()}Z for UTC."
        )
    if abs(value.utcoffset() or timedelta()) >= _FURTHEST:
        raise BadRequest(f"{value.isoformat()} is in no time zone", field=field, fix="Write the time in UTC.")
    if not _EARLIEST <= value <= _LATEST:
        raise BadRequest(
            f"{value.isoformat()} is out of range", field=field, fix="Name a time between 1970 and 9990."
        )


def _check_int(value: int | None, field: str) -> None:
    if value is not None and not -_INT4 <= value <= _INT4:
        raise BadRequest(
            f"the number is out of range (at most {_INT4})", field=field, fix="Name a smaller one."
        )


def _check_url(value: str, field: str) -> None:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadRequest("not a URL that can be called", field=field, fix="Write https://host/path.")
