"""`argosy db`: make, migrate and look at the database."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.console import Console

from argosy import config
from argosy.errors import ArgosyError
from queue_schema import migrate

db = typer.Typer(help="Make, migrate and inspect the database.", no_args_is_help=True)

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        envvar="ARGOSY_DATABASE_URL", help="PostgreSQL, as the owner. [default: the one of `argosy up`]"
    ),
]


def owner_url(said: str | None) -> str:
    """The database to administer: what was said, else the running embedded one of ARGOSY_HOME.

    Raises:
        ArgosyError: Neither is there.
    """
    if said:
        return said
    folder = config.home() / "postgres"
    postmaster = folder / "postmaster.pid"
    if not postmaster.exists():
        raise ArgosyError(
            "no database to talk to",
            code="no_database",
            field="database_url",
            fix="Give --database-url, set ARGOSY_DATABASE_URL, or start `argosy up`.",
        )
    socket = postmaster.read_text().splitlines()[4]
    return f"postgresql://postgres@/argosy?host={socket}"


@db.command()
def upgrade(
    *,
    database_url: DatabaseUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring the database to the newest version; safe to run again."""
    url = owner_url(database_url)
    try:
        before, _ = migrate.versions(url)
        migrate.upgrade(url)
        after, _ = migrate.versions(url)
    except psycopg.OperationalError as exc:
        raise ArgosyError(
            f"cannot reach the database: {exc}", code="no_database", fix="Check the address and the server."
        ) from exc
    if as_json:
        sys.stdout.write(json.dumps({"before": before, "after": after}) + "\n")
    else:
        Console().print(f"version {before or 'none'} → {after}")


@db.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, database_url: DatabaseUrl = None) -> None:
    """Open psql on the fleet's database; further arguments are psql's own, for example -c 'table fleet.v_queue'."""
    url = owner_url(database_url)
    program = shutil.which("psql")
    if program is None:
        from argosy.embedded import BIN

        program = str(Path(BIN) / "psql")
    os.execv(  # noqa: S606  # psql takes over this process and its terminal
        program, [program, url, *context.args]
    )
