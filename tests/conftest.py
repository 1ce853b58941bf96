"""Fixtures for all tests: `database_url` is a fresh migrated database, `conn` a superuser's connection to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import structlog
from sqlalchemy import make_url

from queue_schema import migrate
from tests.support import server
from tests.support.clock import Clock
from tests.support.reset import Pristine
from tests.support.verbs import Agent, Project

# Programs that run inside a test's process must not write into what the test captures; pytest shows this when one fails.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(),
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
)

LONG = ("acceptance", "ansible", "bench", "chaos", "drills", "model")
"""Folders with files that take minutes."""


def pytest_report_header() -> str:
    """Say which PostgreSQL the tests run on."""
    return f"PostgreSQL: {server.which()}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `make test`: two, each with a server of its own; on one server that was named they would share its roles."""
    return 0 if server.named() else 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """What two workers cannot do at the same time is done before they start."""
    server.prepare()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, else one worker begins one when the other has nothing left; the rest as shuffled."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A running server; the address of its `postgres` database."""
    with server.running() as url:
        yield url


@pytest.fixture(scope="session")
def migrated(postgres: str) -> Iterator[tuple[str, Pristine]]:
    """One migrated database for all tests, and the way to make it fresh again."""
    with psycopg.connect(postgres, autocommit=True) as conn:
        conn.execute("drop database if exists argosy_test with (force)")
        conn.execute("create database argosy_test")
    url = make_url(postgres).set(database="argosy_test").render_as_string(hide_password=False)
    migrate.upgrade(url)
    pristine = Pristine(url)
    yield url, pristine
    pristine.close()


@pytest.fixture
def database_url(migrated: tuple[str, Pristine]) -> str:
    """The address of a database that is as it was right after its migration."""
    url, pristine = migrated
    pristine.restore()
    return url


@pytest.fixture
def conn(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's autocommit connection to the test's database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def clock(conn: psycopg.Connection[Any]) -> Clock:
    """Time that moves when the test says so."""
    return Clock(conn)


@pytest.fixture
def project(conn: psycopg.Connection[Any]) -> Project:
    """A tenant that submits."""
    return Project(conn)


@pytest.fixture
def agent(conn: psycopg.Connection[Any]) -> Agent:
    """A node without a GPU, 64,000 MiB of memory, 64 slots."""
    return Agent(conn)
