"""Make a used test database look fresh: quicker by far than cloning one per test (0.7 s against 0.02 s)."""

from __future__ import annotations

from typing import Any

import psycopg

_KEPT = ("settings", "kinds", "retry_policies", "reaper", "rankings", "turns")
"""Rows the migration made."""

_PARTITIONS = """
select c.oid::regclass::text from pg_class as c
 where c.relnamespace = 'fleet'::regnamespace and c.relispartition and c.relkind = 'r'
"""

_RESET = """
do $$
declare
  v_table text;
begin
  perform pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and pid is distinct from %(spared)s;
  set local session_replication_role = replica;  -- no foreign keys meanwhile: any order will do
  for v_table in
    select format('%I.%I', n.nspname, c.relname)
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
     where n.nspname in ('fleet', 'chores') and c.relkind in ('r', 'p') and not c.relispartition
       and not (n.nspname = 'fleet' and c.relname = any(%(kept)s))
  loop
    execute 'delete from ' || v_table;
  end loop;
  drop table if exists fleet.test_clock;
end
$$;
"""


class Pristine:
    """What a database was like right after its migration, and the way back to it.

    It keeps one connection, since the first statements of a new one cost more than all of a reset.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn = psycopg.connect(url, autocommit=True)
        self._rows = {
            table: self._conn.execute(
                f"select coalesce(jsonb_agg(t), '[]')::text from fleet.{table} as t"
            ).fetchone()
            for table in _KEPT
        }
        self._partitions = {row[0] for row in self._conn.execute(_PARTITIONS)}
        row = self._conn.execute("select pg_get_functiondef('fleet.now()'::regprocedure)").fetchone()
        assert row is not None
        self._now = row[0]

    def restore(self, spared: psycopg.Connection[Any] | None = None) -> None:
        """Close other connections but the one that is spared, forget everything, put the clock and the settings right."""
        conn = self._connected()
        kept = "array[" + ", ".join(f"'{name}'" for name in _KEPT) + "]"
        pids = "null" if spared is None else str(spared.info.backend_pid)
        with conn.transaction():
            conn.execute(self._now)
            conn.execute(_RESET.replace("%(kept)s", kept).replace("%(spared)s", pids))
            there = {row[0] for row in conn.execute(_PARTITIONS)}
            for partition in there - self._partitions:
                conn.execute(f"drop table {partition}")
            if self._partitions - there:
                conn.execute("select fleet.make_partitions_v1(14)")
            conn.execute("set local session_replication_role = replica")
            for table, row in self._rows.items():
                assert row is not None
                conn.execute(f"delete from fleet.{table}")
                conn.execute(
                    f"insert into fleet.{table} select * from jsonb_populate_recordset(null::fleet.{table}, %s::jsonb)",
                    (row[0],),
                )

    def close(self) -> None:
        """Let go of the database."""
        self._conn.close()

    def _connected(self) -> psycopg.Connection[Any]:
        """The connection; a new one when a test has cut it."""
        try:
            self._conn.execute("select")
        except psycopg.OperationalError:
            self._conn.close()
            self._conn = psycopg.connect(self._url, autocommit=True)
        return self._conn
