"""`argosy label`: the labels and pools of a node. By way of the database: no agent and no API key may."""

from __future__ import annotations

from typing import Annotated

import typer

from argosy.cli import values
from argosy.cli.db import DatabaseUrl
from argosy.cli.key import connected
from argosy.cli.output import say
from argosy.cli.project import NONE
from queue_schema import reads
from queue_schema.calls import admin, agents


def label(
    node: Annotated[str, typer.Argument(help="Its name.")],
    labels: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="All its labels; none takes all away.")
    ] = None,
    *,
    pool: Annotated[
        list[str] | None,
        typer.Option(help="All its pools; repeat it; 'none' takes all away. [default: as they are]"),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Set the labels and pools of a node; they stay when its agent restarts."""
    found = dict(values.pair(each, "KEY=VALUE") for each in labels or [])
    with connected(database_url) as conn:
        if pool is None:
            pools = next((each.pools for each in reads.nodes(conn) if each.node == node), [])
        else:
            pools = [] if pool == [NONE] else pool
        admin.label_node(conn, node, labels=found, pools=pools)
        agents.wake(conn)
    say(f"{node}: {' '.join(labels or []) or 'no labels'}; pools: {' '.join(pools) or NONE}")
