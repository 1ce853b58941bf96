"""Make a used test database look fresh: quicker by far than cloning one per test (0.7 s against 0.02 s)."""

from __future__ import annotations

import psycopg

_KEPT = ("settings", "kinds", "retry_policies", "reaper", "rankings")
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
    where datname = current_database() and pid <> pg_backend_pid();
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
    """What a database was like right after its migration, and the way back to it."""

    def __init__(self, url: str) -> None:
        self._url = url
        with psycopg.connect(url, autocommit=True) as conn:
            self._rows = {
                table: conn.execute(
                    f"select coalesce(jsonb_agg(t), '[]')::text from fleet.{table} as t"
                ).fetchone()
                for table in _KEPT
            }
            self._partitions = {row[0] for row in conn.execute(_PARTITIONS)}
            row = conn.execute("select pg_get_functiondef('fleet.now()'::regprocedure)").fetchone()
            assert row is not None
            self._now = row[0]

    def restore(self) -> None:
        """Close other connections, forget everything, and put the clock and the settings right."""
        kept = "array[" + ", ".join(f"'{name}'" for name in _KEPT) + "]"
        with psycopg.connect(self._url) as conn:
            conn.execute(self._now)
            conn.execute(_RESET.replace("%(kept)s", kept))
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
