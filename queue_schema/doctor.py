"""Look a fleet over: what is wrong with its server, its roles, its chores and its nodes, and what to do about it.

Every check reads the catalogue or the views and changes nothing. What its login may not see it says, instead of "well".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import psycopg
from psycopg.rows import dict_row

Conn = psycopg.Connection[Any]
State = Literal["ok", "warn", "bad", "unknown"]

OLDEST_SERVER = 150_000
CLOCK_WARN_S, CLOCK_BAD_S = 2.0, 30.0
SNAPSHOT_WARN_S, SNAPSHOT_BAD_S = 600.0, 3600.0
REAPER_BAD_S = 60.0
XID_WARN, XID_BAD = 500_000_000, 1_500_000_000
CONNECTIONS_WARN = 0.8
PARTITIONS_DAYS = 3


class Finding(msgspec.Struct, frozen=True):
    """What one check saw."""

    check: str
    state: State
    found: str
    fix: str | None = None


def examine(conn: Conn, *, newest: str) -> list[Finding]:
    """Every check, in the order in which their findings are to be mended.

    Args:
        conn: To the fleet's database, as a login that may read its views; its owner, or who has pg_monitor, sees more.
        newest: The newest version of the contract that this program knows.
    """
    found = [*_server(conn)]
    version = _version(conn, newest)
    found.append(version)
    if version.state == "bad":
        return found  # the rest reads what is not there
    for check in (
        _snapshots,
        _connections,
        _roles,
        _partitions,
        _chores,
        _brakes,
        _nodes,
        _devices,
        _webhooks,
        _erasures,
    ):
        try:
            found += check(conn)
        except psycopg.errors.InsufficientPrivilege as exc:
            name = check.__name__.strip("_")
            found.append(
                Finding(
                    name,
                    "unknown",
                    f"this login may not see it: {exc.diag.message_primary}",
                    "Ask as the owner.",
                )
            )
    return found


def _rows(conn: Conn, query: str, *values: Any) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()


def _server(conn: Conn) -> Iterator[Finding]:
    number = conn.info.server_version
    text = f"PostgreSQL {number // 10_000}.{number % 10_000}"
    old = number < OLDEST_SERVER
    yield Finding("server", "bad" if old else "ok", text, "Argosy needs 15 or newer." if old else None)
    [row] = _rows(conn, "select clock_timestamp() as now, current_setting('autovacuum') as vacuum")
    off_s = abs((row["now"] - datetime.now(UTC)).total_seconds())
    state: State = "bad" if off_s > CLOCK_BAD_S else "warn" if off_s > CLOCK_WARN_S else "ok"
    fix = (
        None
        if state == "ok"
        else "Run an NTP client on both. The queue goes by the server's clock alone; logs do not."
    )
    yield Finding("clock", state, f"{off_s:.1f} s between this machine and the server", fix)
    if row["vacuum"] != "on":
        yield Finding(
            "autovacuum", "bad", "off", "alter system set autovacuum = on; select pg_reload_conf();"
        )


def _version(conn: Conn, newest: str) -> Finding:
    [there] = _rows(conn, "select to_regclass('fleet_version') is not null as yes")
    try:
        current = _rows(conn, "select version_num from fleet_version") if there["yes"] else []
    except psycopg.errors.InsufficientPrivilege:
        return Finding("contract", "unknown", "this login may not see its version", "Ask as the owner.")
    version = current[0]["version_num"] if current else None
    if version == newest:
        return Finding("contract", "ok", f"version {version}")
    return Finding(
        "contract", "bad", f"version {version or 'none'}, this program knows {newest}", "argosy db upgrade"
    )


def _snapshots(conn: Conn) -> Iterator[Finding]:
    """Whatever keeps dead rows from being removed slows a queue down."""
    sees_all = _rows(
        conn, "select pg_has_role(current_user, 'pg_read_all_stats', 'usage') or rolsuper as yes from pg_roles"
        " where rolname = current_user"
    )[0]["yes"]  # fmt: skip
    if not sees_all:
        yield Finding(
            "old snapshots",
            "unknown",
            "this login does not see others' transactions",
            "grant pg_monitor to it.",
        )
    else:
        open_now = _rows(
            conn,
            """
            select pid, usename, application_name, state, extract(epoch from clock_timestamp() - xact_start) as age_s
              from pg_stat_activity
             where (backend_xmin is not null or backend_xid is not null) and pid <> pg_backend_pid()
               and backend_type = 'client backend' and xact_start < clock_timestamp() - make_interval(secs => %s)
             order by xact_start limit 1
            """,
            SNAPSHOT_WARN_S,
        )
        for one in open_now:
            state: State = "bad" if one["age_s"] > SNAPSHOT_BAD_S else "warn"
            text = f"{one['usename']} ({one['application_name']}) has a transaction open for {one['age_s']:.0f} s"
            yield Finding("old snapshots", state, text, f"select pg_terminate_backend({one['pid']});")
        if not open_now:
            yield Finding("old snapshots", "ok", f"none is older than {SNAPSHOT_WARN_S:.0f} s")
    for one in _rows(
        conn, "select gid, prepared from pg_prepared_xacts where prepared < now() - interval '10 minutes'"
    ):
        yield Finding(
            "prepared transactions",
            "bad",
            f"{one['gid']} since {one['prepared']:%F %T}",
            f"rollback prepared '{one['gid']}';",
        )
    for one in _rows(
        conn,
        "select slot_name from pg_replication_slots where not active and (xmin is not null or catalog_xmin is not null)",
    ):
        fix = f"Start its standby, or select pg_drop_replication_slot('{one['slot_name']}');"
        yield Finding(
            "replication slots", "warn", f"{one['slot_name']} holds rows for a standby that is away", fix
        )
    [age] = _rows(
        conn, "select age(datfrozenxid) as xids from pg_database where datname = current_database()"
    )
    state = "bad" if age["xids"] > XID_BAD else "warn" if age["xids"] > XID_WARN else "ok"
    cure = None if state == "ok" else "Find what holds vacuum up (above), then: vacuum (freeze, verbose);"
    yield Finding("transaction ids", state, f"{age['xids']:,} since the oldest frozen row", cure)


def _connections(conn: Conn) -> Iterator[Finding]:
    [row] = _rows(
        conn,
        """
        select (select count(*) from pg_stat_activity where backend_type = 'client backend') as used,
               current_setting('max_connections')::integer as most
        """,
    )
    tight = row["used"] > CONNECTIONS_WARN * row["most"]
    fix = "Raise max_connections, or put PgBouncer before it (docs/security.md)." if tight else None
    yield Finding("connections", "warn" if tight else "ok", f"{row['used']} of {row['most']}", fix)


def _roles(conn: Conn) -> Iterator[Finding]:
    wrong = False
    for one in _rows(
        conn,
        """
        select m.rolname as login, g.rolname as role, m.rolsuper, m.rolconnlimit
          from pg_auth_members as a join pg_roles as m on m.oid = a.member join pg_roles as g on g.oid = a.roleid
         where g.rolname in ('fleet_agent', 'fleet_api', 'fleet_scheduler') and m.rolcanlogin
         order by m.rolname
        """,
    ):
        if one["rolsuper"]:
            wrong = True
            yield Finding(
                "roles",
                "bad",
                f"{one['login']} is a superuser and runs as {one['role']}",
                f'alter role "{one["login"]}" nosuperuser;',
            )
        elif one["role"] == "fleet_agent" and one["rolconnlimit"] < 0:
            wrong = True
            yield Finding(
                "roles",
                "warn",
                f"{one['login']}, an agent's, may take every connection",
                f'alter role "{one["login"]}" connection limit 8;',
            )
    [may] = _rows(
        conn, "select has_database_privilege('fleet_agent', current_database(), 'temporary') as temp"
    )
    if may["temp"]:
        wrong = True
        yield Finding(
            "roles",
            "warn",
            "agents may make temporary tables, and fill the disk",
            "revoke temporary on database ... from public;",
        )
    if not wrong:
        yield Finding("roles", "ok", "no login has more than it needs")


def _partitions(conn: Conn) -> Iterator[Finding]:
    missing = _rows(
        conn,
        """
        select t.name || to_char(d.day, '_YYYYMMDD') as name
          from unnest(array['attempts', 'job_events', 'logs']) as t (name)
         cross join generate_series((fleet.now() at time zone 'UTC')::date + 1,
                                    (fleet.now() at time zone 'UTC')::date + %s, interval '1 day') as d (day)
         where to_regclass('fleet.' || t.name || to_char(d.day, '_YYYYMMDD')) is null
        """,
        PARTITIONS_DAYS,
    )
    if missing:
        yield Finding(
            "partitions",
            "bad",
            f"{missing[0]['name']} is not there",
            "Start a scheduler: it makes them for 14 days ahead.",
        )
    else:
        yield Finding("partitions", "ok", f"made for {PARTITIONS_DAYS} days and more")


def _chores(conn: Conn) -> Iterator[Finding]:
    [row] = _rows(
        conn,
        """
        select extract(epoch from fleet.now() - ran_at) as since_s, alarm, grace_until > fleet.now() as grace
          from fleet.v_reaper
        """,
    )
    if row["since_s"] is None or row["since_s"] > REAPER_BAD_S:
        since = "never" if row["since_s"] is None else f"{row['since_s']:.0f} s ago"
        yield Finding(
            "scheduler",
            "bad",
            f"last reaped {since}: nobody does the chores",
            "Start one: python -m scheduler",
        )
    elif row["alarm"] is not None:
        yield Finding(
            "scheduler",
            "bad",
            f"the reaper holds back: {row['alarm']}",
            "Look at the network between nodes and server (docs/flow.md).",
        )
    else:
        yield Finding(
            "scheduler",
            "ok",
            f"last reaped {row['since_s']:.0f} s ago"
            + (", in its grace after a pause" if row["grace"] else ""),
        )


def _brakes(conn: Conn) -> Iterator[Finding]:
    [row] = _rows(conn, "select halted, halt_reason, quarantined, paused_lanes from fleet.v_fleet")
    if row["halted"]:
        yield Finding(
            "brakes",
            "warn",
            f"the fleet is halted: {row['halt_reason'] or 'no reason given'}",
            "argosy fleet go",
        )
    for kind in row["quarantined"]:
        yield Finding("brakes", "warn", f"{kind} is quarantined", f"argosy kind release {kind}")
    if row["paused_lanes"]:
        yield Finding(
            "brakes",
            "warn",
            f"{row['paused_lanes']} lanes with work are paused",
            "table fleet.v_queue; argosy fleet resume",
        )
    if not row["halted"] and not row["quarantined"] and not row["paused_lanes"]:
        yield Finding("brakes", "ok", "none holds")


def _nodes(conn: Conn) -> Iterator[Finding]:
    by_state = {row["state"]: row["nodes"] for row in _rows(
        conn, "select state, array_agg(node order by node) as nodes from fleet.v_nodes group by state")}  # fmt: skip
    live = by_state.get("live", [])
    yield Finding(
        "nodes",
        "ok" if live else "bad",
        ", ".join(f"{len(nodes)} {state}" for state, nodes in sorted(by_state.items()))
        or "none has ever joined",
        None if live else "Start an agent; its log says why it does not join.",
    )
    for node in by_state.get("silent", []):
        yield Finding(
            "nodes",
            "warn",
            f"{node} does not say anything, and has not been taken off yet",
            "Look at the agent and its network.",
        )


def _devices(conn: Conn) -> Iterator[Finding]:
    sick = _rows(
        conn,
        """
        select d.node, d.idx, d.fault, extract(epoch from fleet.now() - d.fault_since) as since_s
          from fleet.v_devices as d join fleet.v_nodes as n on n.node = d.node and n.state <> 'gone'
         where d.fault is not null order by d.node, d.idx
        """,
    )
    for one in sick:
        where = f"{one['node']}, " + ("host memory" if one["idx"] < 0 else f"GPU {one['idx']}")
        yield Finding(
            "devices",
            "warn",
            f"{where}: {one['fault']}, for {one['since_s'] or 0:.0f} s",
            "docs/faults.md says how it comes back.",
        )
    if not sick:
        yield Finding("devices", "ok", "none of a node that is there has a fault")


def _webhooks(conn: Conn) -> Iterator[Finding]:
    if not _rows(conn, "select has_table_privilege('fleet.webhook_deliveries', 'select') as yes")[0]["yes"]:
        yield Finding("webhooks", "unknown", "this login may not see them", "Ask as the owner.")
        return
    [row] = _rows(
        conn,
        """
        select count(*) filter (where state = 'dead') as dead,
               count(*) filter (where state = 'pending' and tries > 0) as trying,
               max(detail) filter (where state <> 'delivered') as detail
          from fleet.webhook_deliveries where created_at > fleet.now() - interval '1 day'
        """,
    )
    if row["dead"] or row["trying"]:
        text = f"{row['dead']} given up and {row['trying']} tried again since yesterday; the last: {row['detail']}"
        yield Finding(
            "webhooks",
            "warn",
            text,
            "Look at the receiver; select * from fleet.webhook_deliveries where state <> 'delivered';",
        )
    else:
        yield Finding("webhooks", "ok", "all of a day were delivered")


def _erasures(conn: Conn) -> Iterator[Finding]:
    late = _rows(
        conn,
        """
        select erasure_id, state, extract(epoch from fleet.now() - asked_at) / 3600 as hours,
               (select string_agg(n ->> 'node', ', ') from jsonb_array_elements(nodes) as n
                 where n ->> 'confirmed_at' is null) as waits_for
          from fleet.v_erasures where state <> 'done' and asked_at < fleet.now() - interval '1 day' order by asked_at
        """,
    )
    for one in late:
        yield Finding(
            "erasures",
            "warn",
            f"{one['erasure_id']} is {one['state']} after {one['hours']:.0f} h,"
            f" and waits for {one['waits_for'] or 'the fleet'}",
            "docs/runbook.md, ArgosyErasureWaits, says how it goes on.",
        )
    if not late:
        yield Finding("erasures", "ok", "none has been under way for more than a day")
