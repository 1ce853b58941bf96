"""`argosy key`: API keys. Speaks to the database directly: whoever may do that needs no key."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import psycopg
import typer
from rich.console import Console
from rich.table import Table

from argosy.cli.db import DatabaseUrl, owner_url, unreachable
from argosy.errors import ArgosyError, NotFound
from queue_schema import errors
from queue_schema.calls import admin
from queue_schema.states import Priority, Scope

_DAY_S = 86_400
key = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def connected(database_url: str | None) -> Iterator[psycopg.Connection[Any]]:
    """The database, with its errors in the CLI's words."""
    try:
        with psycopg.connect(owner_url(database_url), autocommit=True) as conn:
            yield conn
    except psycopg.OperationalError as exc:
        raise unreachable(exc) from exc
    except errors.FleetError as exc:
        kind = NotFound if isinstance(exc, errors.NotFound) else ArgosyError
        raise kind(str(exc), code=exc.code, field=exc.field, fix=exc.fix) from exc


def print_json(value: object) -> None:
    """Write one JSON document to stdout."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


@key.command()
def create(
    *,
    project: Annotated[str, typer.Option(help="The project it speaks for; made when it is new.")] = "default",
    name: Annotated[str, typer.Option(help="For people.")] = "cli",
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it may do; repeat it. [default: submit and read]")
    ] = None,
    ceiling: Annotated[Priority, typer.Option(help="The highest class it may submit to.")] = Priority.HIGH,
    days: Annotated[
        float | None, typer.Option(help="How long it is good for. [default: until revoked]")
    ] = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown this once and stored only as a hash."""
    with connected(database_url) as conn:
        made = admin.create_key(
            conn,
            project,
            name=name,
            scopes=scope or [Scope.SUBMIT, Scope.READ],
            ceiling=ceiling,
            for_s=None if days is None else days * _DAY_S,
        )
    if as_json:
        print_json(made)
    else:
        sys.stdout.write(made.key + "\n")


@key.command("list")
def list_keys(
    *,
    project: Annotated[str | None, typer.Option(help="Only those of this project.")] = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """List keys, without their secrets."""
    with connected(database_url) as conn:
        keys = admin.list_keys(conn, project)
    if as_json:
        print_json(keys)
        return
    table = Table("prefix", "project", "name", "scopes", "up to", "made", "state")
    for one in keys:
        table.add_row(
            one.prefix,
            one.project,
            one.name,
            " ".join(one.scopes),
            one.ceiling,
            f"{one.created_at:%Y-%m-%d %H:%M}",
            _state(one),
        )
    Console().print(table)


def _state(one: admin.KeyInfo) -> str:
    if one.revoked_at is not None:
        return f"revoked {one.revoked_at:%Y-%m-%d %H:%M}"
    if one.expires_at is None:
        return "in force"
    over = one.expires_at <= datetime.now(UTC)
    return f"{'ended' if over else 'in force until'} {one.expires_at:%Y-%m-%d %H:%M}"


@key.command()
def rotate(
    prefix: Annotated[
        str,
        typer.Argument(help="The first part of the key, as `list` shows it, or argosy_ and 4 digits of it."),
    ],
    *,
    overlap_hours: Annotated[
        float, typer.Option(help="How long the old key goes on working; 0: not at all.")
    ] = 24.0,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Make a key like this one, and end this one after a while: nobody need stop to change. It is shown this once."""
    with connected(database_url) as conn:
        made = admin.rotate_key(conn, prefix, overlap_s=overlap_hours * 3600)
    if as_json:
        print_json(made)
    else:
        sys.stdout.write(made.key + "\n")


@key.command()
def revoke(
    prefix: Annotated[
        str,
        typer.Argument(help="The first part of the key, as `list` shows it, or argosy_ and 4 digits of it."),
    ],
    *,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Make a key useless from now on."""
    with connected(database_url) as conn:
        revoked = admin.revoke_key(conn, prefix)
    if as_json:
        print_json(revoked)
    else:
        Console().print(f"revoked {revoked.prefix} ({revoked.name}, project {revoked.project})")
