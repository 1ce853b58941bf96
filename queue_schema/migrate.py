"""Bring a database to the newest contract: Alembic's migrations, then procrastinate's own schema for the chores."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from procrastinate.schema import SchemaManager
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from alembic import command

_HERE = Path(__file__).resolve().parent
CHORES_SCHEMA = "chores"
"""Where procrastinate's tables live: not in `fleet`, which is users' work."""
_LOCK_WAIT_S = 2
"""Far less than a lease: heartbeats wait behind a migration that waits."""
_PAUSE_S = 1.5


def engine(database_url: str) -> Engine:
    """The same database for SQLAlchemy: read by psycopg, whose addresses it would not all understand."""
    return create_engine("postgresql+psycopg://", connect_args=conninfo_to_dict(database_url))


@contextmanager
def _connecting(database_url: str) -> Iterator[Engine]:
    """Errors of the database are psycopg's, whoever asked it."""
    opened = engine(database_url)
    try:
        yield opened
    except DBAPIError as exc:
        if isinstance(exc.orig, psycopg.Error):
            raise exc.orig from exc
        raise
    finally:
        opened.dispose()


def _config() -> Config:
    packaged = _HERE / "_alembic"
    config = Config()
    config.set_main_option(
        "script_location", str(packaged if packaged.is_dir() else _HERE.parent / "alembic")
    )
    return config


class DatabaseBusy(Exception):
    """Something holds what the migration must change; nothing has been changed, so try again later."""


def upgrade(database_url: str, *, patience_s: float = 60.0) -> None:
    """Migrate to the newest version; does nothing when it is there already.

    A migration that waits for a table lets nobody else have it, heartbeats included. So it waits for two seconds at most,
    then lets everybody by and begins anew, until `patience_s` is over: amid a dump, for example, which reads every table.

    Raises:
        DatabaseBusy: It could not have what it must change.
        psycopg.OperationalError: The server is not to be reached.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            _to_head(database_url)
            break
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as exc:
            if time.monotonic() > until:
                raise DatabaseBusy(f"no lock within {patience_s:.0f} s: {exc.diag.context or exc}") from exc
            time.sleep(_PAUSE_S)  # for those who have waited behind it
    _close_database(database_url)
    _install_chores(database_url)


def _to_head(database_url: str) -> None:
    config = _config()
    with _connecting(database_url) as opened:
        event.listen(opened, "connect", _wait_but_shortly)
        with opened.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()


def _wait_but_shortly(connection: psycopg.Connection[Any], _: object) -> None:
    connection.execute(f"set lock_timeout = '{_LOCK_WAIT_S}s'".encode())
    connection.commit()


def versions(database_url: str) -> tuple[str | None, str]:
    """The version the database has (None before the first), and the newest there is.

    Raises:
        psycopg.OperationalError: The server is not to be reached.
    """
    with _connecting(database_url) as opened, opened.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "fleet_version"})
        current = context.get_current_revision()
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return current, newest


def _close_database(database_url: str) -> None:
    """Nobody needs temporary tables here, and whoever may make them can fill the disk.

    Each time, for it belongs to the database and not to what is in it: a dump does not bring it along.
    """
    with psycopg.connect(database_url) as conn:
        name = sql.Identifier(conn.info.dbname)
        conn.execute(sql.SQL("revoke temporary on database {} from public").format(name))


def _install_chores(database_url: str) -> None:
    """Make procrastinate's schema once; its tables belong to whoever migrates, the scheduler may use them."""
    with psycopg.connect(database_url) as conn:
        conn.execute("lock table fleet_version in exclusive mode")  # one at a time
        there = conn.execute("select to_regclass(%s)", (f"{CHORES_SCHEMA}.procrastinate_jobs",)).fetchone()
        if there is not None and there[0] is not None:
            return
        conn.execute(f"create schema if not exists {CHORES_SCHEMA}".encode())
        conn.execute(f"set local search_path = {CHORES_SCHEMA}".encode())
        conn.execute(SchemaManager.get_schema().encode())
        conn.execute(
            f"""
            comment on schema {CHORES_SCHEMA} is 'procrastinate runs our chores here; users'' work is in fleet.';
            grant usage on schema {CHORES_SCHEMA} to fleet_scheduler;
            grant all on all tables in schema {CHORES_SCHEMA} to fleet_scheduler;
            grant all on all sequences in schema {CHORES_SCHEMA} to fleet_scheduler;
            grant execute on all functions in schema {CHORES_SCHEMA} to fleet_scheduler;
            """.encode()
        )
