"""The one PostgreSQL server everything is measured on: its settings, databases, and the CPU it used."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql

from argosy.embedded import EmbeddedServer

Conn = psycopg.Connection[Any]

SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "max_connections": "700",
}
"""The same for every side. The rest is as PostgreSQL ships it, autovacuum among it."""


class Server:
    """A running server; every measurement has databases of its own on it."""

    def __init__(self, embedded: EmbeddedServer) -> None:
        self._embedded = embedded

    def url(self, database: str) -> str:
        """The address of one database, as superuser over the UNIX socket."""
        return self._embedded.url(database)

    def connect(self, database: str) -> Conn:
        """An autocommit connection."""
        return psycopg.connect(self.url(database), autocommit=True)

    def make(self, database: str, install: Callable[[str], None], *, durable: bool = True) -> str:
        """A new database, prepared by `install(url)`, vacuumed and checkpointed; returns its address.

        Args:
            database: Its name; one of that name is dropped before.
            install: Puts the schema, and perhaps jobs, into it.
            durable: False sets synchronous_commit off for it.
        """
        self.drop(database)
        self._create(sql.SQL("create database {}").format(sql.Identifier(database)), database, durable)
        install(self.url(database))
        self.settle(database)
        return self.url(database)

    def clone(self, database: str, template: str, *, durable: bool = True) -> str:
        """A copy of another database: each round begins with the very same files."""
        self.drop(database)
        statement = sql.SQL("create database {} template {} strategy file_copy")
        self._create(statement.format(sql.Identifier(database), sql.Identifier(template)), database, durable)
        return self.url(database)

    def _create(self, statement: sql.Composed, database: str, durable: bool) -> None:  # noqa: FBT001  # as its callers
        with self.connect("postgres") as conn:
            conn.execute(statement)
            conn.execute(
                sql.SQL("alter database {} set synchronous_commit = {}").format(
                    sql.Identifier(database), sql.Literal("on" if durable else "off")
                )
            )

    def settle(self, database: str) -> None:
        """The same starting point for every timed section: fresh statistics, and nothing left to write."""
        with self.connect(database) as conn:
            conn.execute("vacuum (analyze)")
            conn.execute("checkpoint")

    def drop(self, database: str) -> None:
        """Drop a database if there is one of that name; connections to it are closed."""
        with self.connect("postgres") as conn:
            conn.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))

    def cpu_s(self) -> float:
        """CPU seconds the whole server has used so far, ended backends included."""
        with self.connect("postgres") as conn:
            row = conn.execute("select pg_read_file('postmaster.pid')").fetchone()
        assert row is not None
        postmaster = psutil.Process(int(row[0].split()[0]))
        times = postmaster.cpu_times()
        used = times.user + times.system + times.children_user + times.children_system
        for backend in postmaster.children():
            try:
                times = backend.cpu_times()
            except psutil.NoSuchProcess:
                continue
            used += times.user + times.system
        return float(used)

    def facts(self) -> dict[str, str]:
        """The version, and the settings as the server has them."""
        with self.connect("postgres") as conn:
            found = {}
            for name in (
                "server_version",
                "synchronous_commit",
                "autovacuum",
                "huge_pages_status",
                *SETTINGS,
            ):
                row = conn.execute("select current_setting(%s)", (name,)).fetchone()
                assert row is not None
                found[name] = str(row[0])
        return found


@contextmanager
def running(*, fsync: bool = True) -> Iterator[Server]:
    """Start a server in a folder of its own; it is gone when the block ends.

    Args:
        fsync: False where nothing is measured: most of a tiny run is databases that are made.
    """
    with tempfile.TemporaryDirectory(prefix="argosy-bench-") as folder:
        embedded = EmbeddedServer(Path(folder) / "pg", {**SETTINGS, "fsync": "on" if fsync else "off"})
        embedded.start()
        try:
            yield Server(embedded)
        finally:
            embedded.stop()
