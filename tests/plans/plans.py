"""What a verb really did: every plan it ran, nested ones too, by way of auto_explain."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

Node = dict[str, Any]


@dataclass(frozen=True)
class Ran:
    """The plans of one call."""

    nodes: list[Node]
    buffers: int
    """Touched by the whole call: 8 KiB pages, however often."""

    def read_whole(self, *tables: str) -> list[str]:
        """Those of these tables (and their partitions) that were read from end to end, be it along an index."""
        return sorted({
            node["Relation Name"]
            for node in self.nodes
            if (node["Node Type"] == "Seq Scan" or (node["Node Type"].startswith("Index") and "Index Cond" not in node))
            and node["Actual Loops"] > 0
            and node["Relation Name"].startswith(tables)
        })  # fmt: skip

    def by_table(self) -> dict[str, int]:
        """Where its scans touched buffers: for a message that says what to look at."""
        found: dict[str, int] = {}
        for node in self.nodes:
            if "Relation Name" in node and "Scan" in node["Node Type"]:
                touched = node["Shared Hit Blocks"] + node["Shared Read Blocks"]
                found[node["Relation Name"]] = found.get(node["Relation Name"], 0) + touched
        return found

    def rows_read(self, table: str) -> float:
        """Rows its scans gave or threw away."""
        return sum(
            _rows(node)
            for node in self.nodes
            if node.get("Relation Name") == table and "Scan" in node["Node Type"]
        )

    def rows(self) -> float:
        """Rows that any step gave or threw away: how much work it was, be it in memory."""
        return sum(_rows(node) for node in self.nodes)


def watch(conn: psycopg.Connection[Any], call: Callable[[], object]) -> Ran:
    """Call, and say what was run. `conn` is a superuser's, and the one the call uses."""
    said: list[str] = []

    def hear(diagnostic: psycopg.errors.Diagnostic) -> None:
        said.append(diagnostic.message_primary or "")

    conn.execute("load 'auto_explain'")
    conn.execute("set auto_explain.log_format = 'json'")
    for switch in ("log_analyze", "log_buffers", "log_nested_statements"):
        conn.execute(f"set auto_explain.{switch} = on".encode())
    conn.execute("set auto_explain.log_timing = off")
    conn.execute("set client_min_messages = log")
    conn.add_notice_handler(hear)
    try:
        conn.execute("set auto_explain.log_min_duration = 0")
        call()
    finally:
        conn.execute("set auto_explain.log_min_duration = -1")
        conn.execute("set client_min_messages = notice")
        conn.remove_notice_handler(hear)
    plans = [json.loads(text[text.index("{") :]) for text in said if "plan:" in text]
    top = [plan for plan in plans if '"p_' in plan["Query Text"] or '_v1"()' in plan["Query Text"]]
    assert top, "the call ran no verb"
    return Ran(
        [node for plan in plans for node in _walk(plan["Plan"])],
        sum(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] for plan in top),
    )


def _rows(node: Node) -> float:
    return float(node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)))


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("Plans", []):
        yield from _walk(child)
