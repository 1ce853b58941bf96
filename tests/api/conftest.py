from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import make_url

from queue_schema import migrate
from tests.api.serving import Agent, Api, serving


@pytest.fixture
def api(database_url: str, conn: psycopg.Connection[Any], tmp_path: Path) -> Iterator[Api]:
    blobs = tmp_path / "blobs"
    with serving(database_url, conn, blobs, max_blob_bytes=6_000_000, metrics_age_s=0.0) as running:
        yield running


@pytest.fixture
def http(api: Api) -> httpx.Client:
    """A client with a key for everything."""
    return api.client()


@pytest.fixture
def agent(conn: psycopg.Connection[Any]) -> Agent:
    return Agent(conn)


@pytest.fixture(scope="session")
def shared(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of one API for all tests that only ask what is refused, and count nothing."""
    name = "argosy_test_shared_api"
    with psycopg.connect(postgres, autocommit=True) as conn:
        conn.execute(f"drop database if exists {name} with (force)")
        conn.execute(f"create database {name}")
        url = make_url(postgres).set(database=name).render_as_string(hide_password=False)
        migrate.upgrade(url)
        blobs = tmp_path_factory.mktemp("blobs")
        with psycopg.connect(url, autocommit=True) as inside, serving(url, inside, blobs) as running:
            yield running.client()
        conn.execute(f"drop database {name} with (force)")
