"""`argosy node ...`: the hosts of the fleet."""

from __future__ import annotations

from typing import Annotated

import typer

from argosy.cli import output
from argosy.cli.output import AsJson, connect, emit, say

app = typer.Typer(help="See and drain the hosts.", no_args_is_help=True)


@app.command("list")
def list_nodes(
    *,
    every: Annotated[bool, typer.Option("-a", "--all", help="Those that are gone, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the nodes and what is free on them."""
    with connect() as client:
        nodes = [node for node in client.nodes() if every or node.state != "gone"]
    if as_json:
        emit(nodes)
    elif nodes:
        output.console().print(output.node_table(nodes))
    else:
        say("No nodes. A machine joins by starting an agent.")


@app.command()
def drain(
    *,
    node: Annotated[str, typer.Argument(help="Its name.")],
    off: Annotated[bool, typer.Option("--off", help="Let it take work again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a node finish what it runs and take nothing new."""
    with connect() as client:
        changed = client.drain(node, on=not off)
    if as_json:
        emit({"node": node, "draining": not off, "changed": changed})
    else:
        say(f"{node} {'takes work again' if off else 'drains'}{'' if changed else ' (as before)'}")
