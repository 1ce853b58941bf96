"""How reads work: SQLAlchemy Core over views, compiled here, run on a psycopg connection, filled into structs."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import psycopg
import sqlalchemy as sa
from psycopg.rows import dict_row
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import psycopg as sa_psycopg

T = TypeVar("T")
Connection = psycopg.Connection[Any]

_DIALECT = sa_psycopg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves dialect constructors untyped
_KEYS = {
    "job_id": sa.Uuid,
    "project_id": sa.Uuid,
    "erasure_id": sa.Uuid,
    "event_id": sa.BigInteger,
    "log_id": sa.BigInteger,
}


def view(name: str, shape: type[msgspec.Struct], *more: str) -> sa.TableClause:
    """The view, with the columns its shape is filled from; only keys and `tags` are compared, so only they are typed."""
    names = dict.fromkeys((*(field.name for field in msgspec.structs.fields(shape)), *more))
    typed = {**_KEYS, "tags": postgresql.JSONB}
    columns: list[sa.ColumnClause[Any]] = [sa.column(column, typed.get(column, sa.Text)) for column in names]
    return sa.table(name, *columns, schema="fleet")


def select(source: sa.TableClause, shape: type[msgspec.Struct]) -> sa.Select[Any]:
    """The columns of *shape* from a view."""
    return sa.select(*(source.c[field.name] for field in msgspec.structs.fields(shape)))


def rows(conn: Connection, statement: sa.Select[Any], shape: type[T]) -> list[T]:
    """Run it."""
    compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(str(compiled), compiled.params).fetchall()
    return msgspec.convert(found, list[shape])  # type: ignore[valid-type]  # mypy takes no variable for a type here
