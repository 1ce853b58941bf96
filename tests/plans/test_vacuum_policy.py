"""What agents' statements name is vacuumed and analyzed by our own policy: each round makes all connections plan anew."""

from __future__ import annotations

import re
from typing import Any

import psycopg

SELDOM = {"api_keys", "kinds", "projects", "settings", "shapes", "blobs", "webhook_deliveries"}
"""Tables written when an admin, a file or a webhook comes, not with each job; shapes has a row for each kind of need."""
HOT = (
    "claim_v1",
    "_measure",
    "_cap",
    "_kept",
    "_take",
    "_lease",
    "complete_v1",
    "_succeed",
    "_unbook",
    "_publish",
    "heartbeat_v1",
)


def test_every_table_on_the_way_of_an_agent_has_a_policy(conn: psycopg.Connection[Any]) -> None:
    """I9: autovacuum's defaults, once a minute and table, took a third of the server of 10,000 nodes (ADR 10)."""
    bodies = conn.execute(
        "select string_agg(pg_get_functiondef(p.oid), '') from pg_proc as p"
        " where p.pronamespace = 'fleet'::regnamespace and p.proname = any(%s)",
        (list(HOT),),
    ).fetchone()
    assert bodies is not None
    named = set(re.findall(r"fleet\.(\w+)", bodies[0]))
    tables = conn.execute(
        "select c.relname, coalesce(c.reloptions::text, '') from pg_class as c"
        " where c.relnamespace = 'fleet'::regnamespace and c.relkind = 'r'"
    ).fetchall()
    looked_at = {name: options for name, options in tables if name in named - SELDOM}
    assert len(looked_at) > 12
    assert [
        name for name, options in looked_at.items() if "autovacuum_analyze_threshold" not in options
    ] == []
