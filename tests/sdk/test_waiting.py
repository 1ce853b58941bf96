"""Who waits for a job waits out an absence of the API, and of its database, too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

import argosy
from argosy import _patience
from argosy.job import Job
from tests.agent.proxy import Proxy
from tests.api.serving import Agent, serving
from tests.support.ports import free_port
from tests.support.waiting import eventually

WAYS: dict[str, Callable[[Job], Any]] = {
    "wait": lambda job: job.wait(),
    "wait_until": lambda job: job.wait(timeout=60),
    "events": lambda job: [event.name for event in job.events()][-2:],
    "logs": lambda job: [chunk.text for chunk in job.logs(follow=True)],
}


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(len(WAYS)) as pool:
        yield pool


def _who_found_nobody(client: argosy.Client, monkeypatch: pytest.MonkeyPatch, verb: str) -> set[int]:
    """The threads that were told so, by the method of its transport that says it."""
    found: set[int] = set()
    said = getattr(client.http, verb)

    def say(*args: Any) -> Any:
        found.add(threading.get_ident())
        return said(*args)

    monkeypatch.setattr(client.http, verb, say)
    return found


def test_an_api_that_is_stopped_and_comes_back_is_waited_for(
    database_url: str,
    conn: psycopg.Connection[Any],
    agent: Agent,
    pool: ThreadPoolExecutor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """Each way of waiting goes on where it was, and hears what came to pass meanwhile."""
    port = free_port()
    with serving(database_url, conn, tmp_path, port=port) as api:
        client = argosy.Client(api.url, api.key(), tries=1)
        nobody = _who_found_nobody(client, monkeypatch, "_unreachable")
        job = client.submit("noop")
        claimed = agent.one()
        agent.report(claimed, logs=["one"])
        going = {name: pool.submit(way, job) for name, way in WAYS.items()}
    eventually(lambda: len(nobody) == len(WAYS))
    agent.report(claimed, logs=["two"])
    agent.complete(claimed)
    with serving(database_url, conn, tmp_path, port=port):
        heard = {name: one.result(timeout=30) for name, one in going.items()}
    client.close()

    assert job.state == "succeeded"
    assert heard["events"] == ["succeeded", "end"]
    assert heard["logs"] == ["one\n", "two\n"]


def test_a_database_that_is_away_is_waited_for(
    database_url: str,
    conn: psycopg.Connection[Any],
    agent: Agent,
    pool: ThreadPoolExecutor,
    tmp_path: Path,
):
    """The API answers 503 meanwhile: that is no answer about the job."""
    proxy = Proxy(database_url)
    with (
        serving(proxy.url, conn, tmp_path, pool_timeout_s=0.3) as api,
        argosy.Client(api.url, api.key(), tries=1) as client,
    ):
        job = client.submit("noop")
        claimed = agent.one()
        proxy.cut()
        with pytest.raises(argosy.Away):
            job.refresh()
        going = [pool.submit(way, job) for way in WAYS.values()]
        with pytest.raises(argosy.WaitTimeout, match="nobody can say whether") as caught:
            job.wait(timeout=1.0)
        assert isinstance(caught.value.__cause__, argosy.Away)
        agent.complete(claimed)
        proxy.heal()
        for one in going:
            one.result(timeout=30)
    proxy.close()

    assert job.state == "succeeded"


def test_the_deadline_holds_while_nobody_answers(
    database_url: str, conn: psycopg.Connection[Any], tmp_path: Path
):
    """However often the client would try; without one, there is an end to patience."""
    with serving(database_url, conn, tmp_path) as api:
        client = argosy.Client(api.url, api.key(), tries=100)
        job = client.submit("noop")
    began = time.monotonic()
    with client, pytest.raises(argosy.WaitTimeout, match="nobody can say whether"):
        job.wait(timeout=1.0)

    assert 0.9 < time.monotonic() - began < 3.0


@pytest.mark.parametrize("way", ["wait", "events", "logs"])
def test_without_a_deadline_patience_has_an_end(
    database_url: str,
    conn: psycopg.Connection[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
):
    """A fleet that is gone for good is not waited for for ever."""
    monkeypatch.setattr(_patience, "PATIENCE_S", 0.5)
    with serving(database_url, conn, tmp_path) as api:
        client = argosy.Client(api.url, api.key(), tries=1)
        job = client.submit("noop")
    began = time.monotonic()
    with client, pytest.raises(argosy.Unreachable):
        WAYS[way](job)

    assert 0.5 < time.monotonic() - began < 3.0
