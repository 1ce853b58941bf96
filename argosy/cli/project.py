"""`argosy project`: what a project may have. Speaks to the database directly, like `argosy key`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from argosy.cli.db import DatabaseUrl
from argosy.cli.key import Json, connected, print_json
from queue_schema.calls import admin

project = typer.Typer(help="Shares and caps of projects.", no_args_is_help=True)
NONE = "none"


@project.command("set")
def set_limits(
    name: Annotated[str, typer.Argument(help="The project.")],
    *,
    weight: Annotated[
        float | None, typer.Option(help="Its share of the fleet, relative to the others.")
    ] = None,
    max_running: Annotated[
        str | None, typer.Option(help="Most jobs at once; 'none' takes the cap away.")
    ] = None,
    max_vram_mib: Annotated[
        str | None, typer.Option(help="Most booked VRAM over all devices, in MiB; 'none' takes the cap away.")
    ] = None,
    pool: Annotated[
        list[str] | None,
        typer.Option(help="Trust only nodes of this pool with its data; repeat it; 'none': any node."),
    ] = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Change what a project may have; what is queued follows at once."""
    fields: dict[str, float | list[str] | None] = {}
    if weight is not None:
        fields["weight"] = weight
    for field, text in (("max_running", max_running), ("max_vram_mib", max_vram_mib)):
        if text is not None:
            fields[field] = None if text == NONE else _number(field, text)
    if pool is not None:
        fields["trusted_pools"] = None if pool == [NONE] else pool
    with connected(database_url) as conn:
        _show(admin.set_project(conn, name, **fields), as_json=as_json)


@project.command()
def show(
    name: Annotated[str, typer.Argument(help="The project.")],
    *,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """What a project may have, and what it has now."""
    with connected(database_url) as conn:
        _show(admin.set_project(conn, name), as_json=as_json)


def _number(field: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor {NONE!r}", param_hint=field) from None


def _show(limits: admin.ProjectLimits, *, as_json: bool) -> None:
    if as_json:
        print_json(limits)
        return
    table = Table(show_header=False)
    table.add_row("project", limits.project)
    table.add_row("weight", f"{limits.weight:g}")
    running = "any number" if limits.max_running is None else limits.max_running
    vram = "any amount" if limits.max_vram_mib is None else f"{limits.max_vram_mib} MiB"
    table.add_row("running", f"{limits.running} of {running}")
    table.add_row("booked VRAM", f"{limits.vram_mib} MiB of {vram}")
    table.add_row("trusted pools", " ".join(limits.trusted_pools) if limits.trusted_pools else "any")
    Console().print(table)
