"""Run one SQL function and speak Python at both ends: JSON in, structs out, SQLSTATEs to exceptions.

The only place where psycopg's errors are translated.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, LiteralString, TypeVar
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql

from queue_schema import errors
from queue_schema.calls.asking import asking_key

T = TypeVar("T")
Connection = psycopg.Connection[Any]

_RETRIED = frozenset({"40P01", "40001"})
_TRIES = 4
_UNSTORABLE = frozenset({"22", "23", "54"})
"""Classes of SQLSTATE: bad data (a NUL, a number too large), a broken constraint, a limit of the server."""


class Json(msgspec.Struct, frozen=True):
    """An argument that travels as jsonb."""

    value: Any


Argument = str | int | float | bool | None | UUID | datetime | bytes | Json | Sequence[UUID] | Sequence[str]


def act(conn: Connection, function: LiteralString, returns: type[T], /, **arguments: Argument) -> T:
    """Call a verb of operators; as `call`, and the database hears whose key asks."""
    return call(conn, function, returns, _key=asking_key.get(), **arguments)


def call(
    conn: Connection,
    function: LiteralString,
    returns: type[T],
    /,
    _key: UUID | None = None,
    **arguments: Argument,
) -> T:
    """Call `fleet.<function>` with named arguments and decode the JSON it returns.

    Deadlocks and serialisation failures are tried again: every verb may be repeated.

    Raises:
        FleetError: The function refused; the class says why.
        psycopg.OperationalError: The database is not to be reached.
    """
    statement = _statement(
        function,
        tuple((name, isinstance(value, Json)) for name, value in arguments.items()),
        has_key=_key is not None,
    )
    values: dict[str, Any] = {} if _key is None else {"_key": str(_key)}
    values |= {
        name: msgspec.json.encode(value.value).decode() if isinstance(value, Json) else value
        for name, value in arguments.items()
    }
    row = _execute(conn, statement, values)
    if returns is type(None):
        return None
    answer: T = _decoder(returns).decode(row)  # type: ignore[arg-type]  # a type is hashable
    return answer


@cache
def _decoder(returns: Any) -> msgspec.json.Decoder[Any]:
    """For one type; made anew in each call it took longer than the decoding."""
    return msgspec.json.Decoder(returns)


@cache
def _statement(function: LiteralString, arguments: tuple[tuple[str, bool], ...], *, has_key: bool) -> bytes:
    """The text of a call, by the names of its arguments and whether they are jsonb; composed once.

    The key is set for this one statement and its transaction, before the function is called: no connection remembers it.
    """
    typed = [
        sql.SQL("{} => {}{}").format(
            sql.Identifier(name), sql.Placeholder(name), sql.SQL("::jsonb" if is_json else "")
        )
        for name, is_json in arguments
    ]
    return (
        sql.SQL(
            "with asking as materialized (select set_config('fleet.key', %(_key)s, true)) "
            "select fleet.{}({})::text from asking"
            if has_key
            else "select fleet.{}({})::text"
        )
        .format(sql.Identifier(function), sql.SQL(", ").join(typed))
        .as_bytes()
    )


def _execute(conn: Connection, statement: bytes, values: dict[str, Any]) -> str:
    for tried in range(1, _TRIES + 1):
        try:
            row = conn.execute(statement, values).fetchone()
        except psycopg.Error as exc:
            if exc.sqlstate in _RETRIED and tried < _TRIES and conn.autocommit:
                continue
            refused = errors.BY_SQLSTATE.get(exc.sqlstate or "")
            if refused is None and (exc.sqlstate or "")[:2] in _UNSTORABLE:
                # Said here once, so that no caller takes a value PostgreSQL cannot keep for a server that is away.
                raise errors.BadRequest(
                    exc.diag.message_primary, fix="Send a value that PostgreSQL can store."
                ) from exc
            if refused is None:
                raise
            raise refused(
                exc.diag.message_primary, field=exc.diag.column_name, fix=exc.diag.message_hint
            ) from exc
        return "" if row is None else row[0]
    raise AssertionError("unreachable: the loop returns or raises")
