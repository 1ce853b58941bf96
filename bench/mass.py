"""Jobs in masses: by plain SQL, the rows the verbs would have written, as copies of those of one real job.

A copy differs in its id, its token, and in being older: `order_key` goes down by one microsecond each. Whatever tables
and columns the contract has, the real job's rows in them are copied, so this need not know them.
"""

from __future__ import annotations

from uuid import UUID

from psycopg import sql

from bench.server import Conn

_TABLES = """
select c.relname, array_agg(a.attname::text order by a.attnum)
  from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 where c.relnamespace = 'fleet'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
   and a.attgenerated = ''
 group by c.relname
having bool_or(a.attname = 'job_id') and not bool_or(a.attidentity <> '')
 order by c.relname
"""
_CHANGED = {
    "job_id": sql.SQL("m.job_id"),
    "token": sql.SQL("gen_random_uuid()"),
    "order_key": sql.SQL("t.order_key - m.number"),
}


def multiply(conn: Conn, job_id: UUID, copies: int) -> None:
    """Write so many copies of a job, wherever it is now: ready, waiting, or ended. Not timed, not checked by any verb."""
    with conn.transaction():
        conn.execute("create temporary table mass (number bigint, job_id uuid) on commit drop")
        conn.execute("insert into mass select n, fleet.new_id() from generate_series(1, %s) as n", (copies,))
        for table, columns in conn.execute(_TABLES).fetchall():
            conn.execute(
                sql.SQL(
                    "insert into fleet.{} ({}) select {} from fleet.{} as t cross join mass as m where t.job_id = {}"
                ).format(
                    sql.Identifier(table),
                    sql.SQL(", ").join(map(sql.Identifier, columns)),
                    sql.SQL(", ").join(_CHANGED.get(name, sql.Identifier("t", name)) for name in columns),
                    sql.Identifier(table),
                    sql.Literal(job_id),
                )
            )
