"""Logins of PostgreSQL for the programs of a fleet: one for each host, with no more rights than its program needs."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import psycopg
from psycopg import sql

from argosy.errors import ArgosyError, NotFound

Connection = psycopg.Connection[Any]


class Program(StrEnum):
    """Who logs in."""

    AGENT = "agent"
    API = "api"
    SCHEDULER = "scheduler"

    @property
    def role(self) -> str:
        """The capability a login is a member of."""
        return f"fleet_{self.value}"


def make(conn: Connection, name: str, program: Program, *, password: str, connections: int) -> bool:
    """Make a login, or bring one of ours to what is said; answers whether it is new.

    Raises:
        ArgosyError: The name is somebody else's, or the fleet's schema is not there.
    """
    if not _exists(conn, program.role):
        raise ArgosyError(
            f"this server knows no role {program.role}",
            code="not_migrated",
            fix="Run `argosy db upgrade` first.",
        )
    new = not _exists(conn, name)
    if not new:
        _check_ours(conn, name, program)
    # The verifier is made here: a statement with the password itself would stand in the server's log.
    verifier = conn.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    verb = "create role {} login in role {}" if new else "alter role {} login"
    parts = [sql.Identifier(name), sql.Identifier(program.role)][: verb.count("{}")]
    conn.execute(
        sql.SQL(verb).format(*parts)
        + sql.SQL(" connection limit {} password {}").format(sql.Literal(connections), sql.Literal(verifier))
    )
    return new


def drop(conn: Connection, name: str) -> None:
    """Take a login of ours away.

    Raises:
        NotFound: There is none of that name.
        ArgosyError: It is somebody else's.
    """
    if not _exists(conn, name):
        raise NotFound(f"this server knows no login {name}", code="not_found", field="name")
    _check_ours(conn, name)
    conn.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def _exists(conn: Connection, role: str) -> bool:
    return conn.execute("select from pg_roles where rolname = %s", (role,)).fetchone() is not None


def _check_ours(conn: Connection, name: str, program: Program | None = None) -> None:
    """A plain login that is a member of one of our capabilities and of nothing else."""
    row = conn.execute(
        """
        select r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls,
               array(select g.rolname::text from pg_auth_members as m join pg_roles as g on g.oid = m.roleid
                      where m.member = r.oid)
          from pg_roles as r
         where r.rolname = %s
        """,
        (name,),
    ).fetchone()
    assert row is not None
    powerful, groups = row
    allowed = [one.role for one in Program if program in (None, one)]
    if powerful or len(groups) != 1 or groups[0] not in allowed:
        raise ArgosyError(
            f"{name} is a role of this server, and no login of {' or '.join(allowed)} alone",
            code="name_taken",
            field="name",
            fix="Take another name.",
        )
