from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import argosy
from tests.api.serving import Agent, Api, serving


@pytest.fixture
def api(database_url: str, conn: psycopg.Connection[Any], tmp_path: Path) -> Iterator[Api]:
    with serving(database_url, conn, tmp_path / "blobs") as running:
        yield running


@pytest.fixture
def client(api: Api) -> Iterator[argosy.Client]:
    with argosy.Client(api.url, api.key(), tries=3) as client:
        yield client


@pytest.fixture
def agent(conn: psycopg.Connection[Any]) -> Agent:
    return Agent(conn)


@pytest.fixture
def later() -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Do something beside the test; its exception, if any, is the test's."""
    threads: list[threading.Thread] = []
    raised: list[BaseException] = []

    def start(work: Callable[[], Any]) -> None:
        def run() -> None:
            try:
                work()
            except BaseException as exc:  # noqa: BLE001  # raised again below
                raised.append(exc)

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(20)
    if raised:
        raise raised[0]
