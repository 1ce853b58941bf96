"""`argosy audit`: what operators did. By way of the database, as `argosy key`: it tells of all projects."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from argosy.cli.db import DatabaseUrl
from argosy.cli.key import Json, connected, print_json
from queue_schema import desk


def audit(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """What operators did (keys, shares, labels, settings, brakes, drains, bulk acts), and by whose login or key."""
    with connected(database_url) as conn:
        acts = desk.audit(conn, limit=limit)
    if as_json:
        print_json(acts)
        return
    table = Table("at", "login", "key", "act", "said", box=None, pad_edge=False, header_style="bold")
    for one in acts:
        key = "-" if one.key is None else f"{one.key} ({one.project})"
        table.add_row(
            f"{one.at:%Y-%m-%d %H:%M:%S}", one.login, key, one.act, msgspec.json.encode(one.said).decode()
        )
    Console().print(table)
