"""The database's clock, moved by hand (I4): replaces `fleet.now()` in one test database."""

from __future__ import annotations

from typing import Any

import psycopg


class Clock:
    """Real time plus what the test added."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn
        conn.execute(
            """
            create table fleet.test_clock (ahead interval not null);
            insert into fleet.test_clock values ('0');
            grant select on fleet.test_clock to public;
            create or replace function fleet.now() returns timestamptz language sql volatile
              set search_path = pg_catalog, pg_temp
              as 'select clock_timestamp() + t.ahead from fleet.test_clock as t';
            """
        )

    def advance(self, seconds: float) -> None:
        """Move time forward at once."""
        self._conn.execute(
            "update fleet.test_clock set ahead = ahead + make_interval(secs => %s)", (seconds,)
        )
