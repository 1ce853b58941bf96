"""`argosy db`: make, migrate and look at the database."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console

from argosy import config, logins
from argosy.errors import ArgosyError
from argosy.logins import Program
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
        ArgosyError: Neither is there, or what was said is no address.
    """
    if said:
        try:
            conninfo_to_dict(said)
        except psycopg.ProgrammingError as exc:
            raise ArgosyError(  # what was said may hold a password
                "this is no address of a PostgreSQL database",
                code="bad_database_url",
                field="database_url",
                fix="Write postgresql://USER@HOST/DATABASE.",
            ) from exc
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


def unreachable(exc: psycopg.OperationalError) -> ArgosyError:
    """The server does not answer, or does not let us in."""
    return ArgosyError(
        f"cannot reach the database: {' '.join(str(exc).split())}",
        code="no_database",
        fix="Check the address and the server.",
    )


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as exc:
        raise unreachable(exc) from exc
    except migrate.DatabaseBusy as exc:
        raise ArgosyError(
            str(exc),
            code="database_busy",
            fix="A dump or an old transaction is in the way (see `argosy doctor`). Nothing has changed: try again later.",
        ) from exc
    except psycopg.errors.InsufficientPrivilege as exc:
        raise ArgosyError(
            f"the database refuses: {exc}",
            code="not_allowed",
            fix="Do it as the owner, or as who may create roles.",
        ) from exc


@db.command()
def upgrade(
    *,
    database_url: DatabaseUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Bring the database to the newest version; safe to run again."""
    url = owner_url(database_url)
    with _reached():
        before, _ = migrate.versions(url)
        migrate.upgrade(url)
        after, _ = migrate.versions(url)
    if as_json:
        sys.stdout.write(json.dumps({"before": before, "after": after}) + "\n")
    else:
        Console().print(f"version {before or 'none'} → {after}")


@db.command()
def login(
    name: Annotated[str, typer.Argument(help="Of the login; one for each host, say argosy_agent_gpu7.")],
    *,
    program: Annotated[
        Program, typer.Option(help="Who logs in: it may do what this program needs.")
    ] = Program.AGENT,
    connections: Annotated[int, typer.Option(min=1, help="Most at once.")] = 8,
    password_stdin: Annotated[
        bool,
        typer.Option(
            "--password-stdin", help="Read its password from stdin. [default: a new one is printed]"
        ),
    ] = False,
    database_url: DatabaseUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a login of PostgreSQL for a host, or give it a new password; safe to run again."""
    password = sys.stdin.readline().strip() if password_stdin else secrets.token_urlsafe(32)
    if not password:
        raise ArgosyError("there is no password on stdin", code="no_password", field="password")
    with _reached(), psycopg.connect(owner_url(database_url), autocommit=True) as conn:
        new = logins.make(conn, name, program, password=password, connections=connections)
    if as_json:
        told: dict[str, Any] = {"login": name, "role": program.role, "new": new}
        sys.stdout.write(json.dumps(told if password_stdin else told | {"password": password}) + "\n")
    elif password_stdin:
        sys.stdout.write(f"{name} {'made' if new else 'has this password now'}\n")
    else:
        sys.stdout.write(password + "\n")


@db.command("drop-login")
def drop_login(
    name: Annotated[str, typer.Argument(help="Of the login.")], *, database_url: DatabaseUrl = None
) -> None:
    """Take a host's login away; who is logged in stays until it leaves."""
    with _reached(), psycopg.connect(owner_url(database_url), autocommit=True) as conn:
        logins.drop(conn, name)
    sys.stdout.write(f"{name} dropped\n")


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
