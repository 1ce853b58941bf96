"""Two transactions, interleaved by hand: one is held open, the other is seen to wait in pg_stat_activity. No sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import psycopg

T = TypeVar("T")
_PATIENCE_S = 20.0


class Background(Generic[T]):
    """A call in a thread of its own, on a connection of its own."""

    def __init__(self, url: str, call: Callable[[psycopg.Connection[Any]], T]) -> None:
        self._conn = psycopg.connect(url, autocommit=True)
        self._answer: list[T] = []
        self._error: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Callable[[psycopg.Connection[Any]], T]) -> None:
        try:
            self._answer.append(call(self._conn))
        except BaseException as exc:  # noqa: BLE001  # it is raised again in `result`
            self._error.append(exc)

    def wait_until_blocked(self, conn: psycopg.Connection[Any]) -> None:
        """Return once the server says that this call waits for a lock."""
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            row = conn.execute(
                "select wait_event_type from pg_stat_activity where pid = %s", (self._conn.info.backend_pid,)
            ).fetchone()
            if row is not None and row[0] == "Lock":
                return
            assert self._thread.is_alive(), f"it did not wait: {self._answer or self._error}"
        raise AssertionError("it neither waits nor ends")

    def result(self) -> T:
        """Its answer, or its error."""
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive(), "it still waits"
        self._conn.close()
        if self._error:
            raise self._error[0]
        return self._answer[0]


@contextmanager
def held_open(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection in a transaction; what it did commits when the block ends."""
    with psycopg.connect(url) as conn:
        yield conn


@contextmanager
def impatient(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection for which waiting for any lock at all is an error."""
    with psycopg.connect(url, autocommit=True, options="-c lock_timeout=1") as conn:
        yield conn
