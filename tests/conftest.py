"""Fixtures for all tests: `database_url` is a fresh migrated database, `conn` a superuser's connection to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from queue_schema import migrate
from tests.support import server
from tests.support.clock import Clock

_numbers = itertools.count()
_TEMPLATE = "argosy_template"


def pytest_report_header() -> str:
    """Say which PostgreSQL the tests run on."""
    return f"PostgreSQL: {server.which()}"


def _with_database(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A running server with one migrated template database; the address of its `postgres` database."""
    with server.running() as url:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(_TEMPLATE)))
            conn.execute(sql.SQL("create database {}").format(sql.Identifier(_TEMPLATE)))
        migrate.upgrade(_with_database(url, _TEMPLATE))
        yield url


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """The address of a fresh migrated database, dropped after the test."""
    name = f"argosy_test_{next(_numbers)}"
    with psycopg.connect(postgres, autocommit=True) as conn:
        conn.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(_TEMPLATE)
            )
        )
    yield _with_database(postgres, name)
    with psycopg.connect(postgres, autocommit=True) as conn:
        conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def conn(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's autocommit connection to the test's database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def clock(conn: psycopg.Connection[Any]) -> Clock:
    """Time that moves when the test says so."""
    return Clock(conn)
