"""`argosy db login`: a host's own way into the database, and no more than its program may do."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from tests.sdk.conftest import Run

NAME = "argosy_agent_test"


@pytest.fixture
def owner(database_url: str, conn: psycopg.Connection[Any]) -> Iterator[str]:
    """Roles are the server's, not the database's: what a test makes goes with it."""
    yield database_url
    conn.execute(f"drop role if exists {NAME}")


def test_a_login_may_do_what_its_program_needs_and_no_more(
    run: Run, owner: str, conn: psycopg.Connection[Any]
):
    """Made with a password that is shown once; a second run gives it another."""
    first = run("db", "login", NAME, "--connections", "3", ARGOSY_DATABASE_URL=owner)
    second = run("db", "login", NAME, "--json", ARGOSY_DATABASE_URL=owner)
    facts = conn.execute(
        "select rolconnlimit, rolsuper, rolcreaterole, pg_has_role(rolname, 'fleet_agent', 'member'),"
        " pg_has_role(rolname, 'fleet_admin', 'member'), rolpassword ~ '^SCRAM-SHA-256'"
        " from pg_authid where rolname = %s",
        (NAME,),
    ).fetchone()

    assert (first.code, len(first.out.strip())) == (0, 43)
    assert (second.json["new"], second.json["role"]) == (False, "fleet_agent")
    assert second.json["password"] != first.out.strip()
    assert facts == (8, False, False, True, False, True)


def test_a_password_comes_by_stdin_and_is_told_to_nobody(
    run: Run, owner: str, conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
):
    """What it prints does not have it, and it opens the database where passwords are asked for."""
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret-of-the-host\n"))
    told = run("db", "login", NAME, "--password-stdin", "--json", ARGOSY_DATABASE_URL=owner)
    url = make_url(owner).set(username=NAME, password="s3cret-of-the-host")

    assert told.json == {"login": NAME, "role": "fleet_agent", "new": True}
    assert "s3cret" not in told.out + told.err
    with psycopg.connect(url.render_as_string(hide_password=False)) as own:
        assert own.execute("select session_user").fetchone() == (NAME,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            own.execute("select * from fleet.jobs")


def test_a_login_is_taken_away(run: Run, owner: str, conn: psycopg.Connection[Any]):
    """And is not found a second time."""
    run("db", "login", NAME, ARGOSY_DATABASE_URL=owner)
    dropped = run("db", "drop-login", NAME, ARGOSY_DATABASE_URL=owner)
    again = run("db", "drop-login", NAME, ARGOSY_DATABASE_URL=owner)

    assert (dropped.code, again.code) == (0, 3)
    assert conn.execute("select from pg_roles where rolname = %s", (NAME,)).fetchone() is None


@pytest.mark.parametrize("name", ["postgres", "fleet_owner", "fleet_agent"])
def test_a_role_of_somebody_else_is_left_alone(run: Run, owner: str, name: str):
    """Neither gets it a new password, nor is it dropped."""
    made = run("db", "login", name, ARGOSY_DATABASE_URL=owner)
    dropped = run("db", "drop-login", name, ARGOSY_DATABASE_URL=owner)

    assert (made.code, dropped.code) == (1, 1)
    assert "Take another name" in made.err
