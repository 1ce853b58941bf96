"""One connection to the database that is opened again after it broke.

Turns "the database is not to be reached" into one exception; what the database refused keeps its own class.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psycopg
import structlog

from queue_schema.calls.connection import Connection, keepalive

__all__ = ["Connection", "DatabaseAway", "Line"]

T = TypeVar("T")

log = structlog.get_logger(__name__)


class DatabaseAway(Exception):
    """The database cannot be reached, or cannot answer; try again later."""


class Line:
    """A connection for one purpose, usable from several threads, one call at a time.

    No server-side prepared statements, so that a pooler may sit between; a peer that vanished without a
    word is noticed within `silence_s`, one that is there and does not answer within `answer_s`.
    """

    def __init__(self, url: str, purpose: str, *, silence_s: float = 10.0, answer_s: float = 60.0) -> None:
        self._url = url
        self._purpose = purpose
        self._silence_s = silence_s
        self.answer_s = answer_s
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._opened: list[Callable[[Connection], None]] = []

    def when_opened(self, act: Callable[[Connection], None]) -> None:
        """Run *act* on every connection this line opens, before anything else uses it (for LISTEN)."""
        self._opened.append(act)

    def do(self, verb: Callable[[Connection], T]) -> T:
        """Call *verb* with an open connection.

        Raises:
            DatabaseAway: The connection could not be made, or broke; it is closed, the next call opens another.
            FleetError: The database refused; the connection is fine.
        """
        with self._lock:
            try:
                connection = self._open()
                connection.patience_s = self.answer_s
                return verb(connection)
            except psycopg.Error as exc:
                self.close()
                text = str(exc).strip() or type(exc).__name__
                if not isinstance(exc, psycopg.OperationalError | psycopg.InterfaceError):
                    log.error("database.unexpected", purpose=self._purpose, sqlstate=exc.sqlstate, error=text)  # noqa: TRY400  # expected: the text says it all
                raise DatabaseAway(text) from exc

    def fileno(self) -> int | None:
        """The socket, to wait on; None while there is no connection."""
        connection = self._connection
        return None if connection is None or connection.closed else connection.fileno()

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(psycopg.Error):
                    connection.close()

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            opened = Connection.connect(
                self._url,
                autocommit=True,
                prepare_threshold=None,
                **keepalive(self._silence_s),
                application_name=f"argosy-agent-{self._purpose}",
            )
            opened.patience_s = self.answer_s
            self._connection = opened
            for act in self._opened:
                act(opened)
        return self._connection
