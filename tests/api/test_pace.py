"""No key and no stranger can keep the API from the others; and every answer tells browsers to keep their hands off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from argosy import Client
from queue_schema.calls import admin
from queue_schema.states import Scope
from tests.api.serving import Agent, Api, serving


@pytest.fixture
def slow(database_url: str, conn: psycopg.Connection[Any], tmp_path: Path) -> Iterator[Api]:
    """An API for five requests a second of a key, and three unknown keys a minute from an address."""
    with serving(
        database_url, conn, tmp_path / "blobs", requests_per_s=5, bad_keys_per_min=3, key_ttl_s=60
    ) as api:
        yield api
        api.close()


def test_a_key_that_asks_too_often_is_told_when_to_come_back(slow: Api):
    """Others go on meanwhile, health too; the SDK waits and does not fail."""
    hasty, other = slow.client(), slow.client("other")
    assert other.get("/v1/jobs").status_code == 200
    until = time.monotonic() + 10
    while (answer := hasty.get("/v1/jobs")).status_code == 200:
        assert time.monotonic() < until
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert answer.headers["retry-after"] == "1"
    assert "Retry-After" in answer.json()["fix"]
    assert other.get("/v1/jobs").status_code == 200
    assert hasty.get("/healthz").status_code == 200

    with Client(slow.url, slow.key("third", Scope.READ)) as sdk:
        for _ in range(12):
            sdk.jobs()


def test_an_address_that_guesses_keys_is_not_looked_up_for_any_more(slow: Api):
    """Known keys go on; a key from there that is new must wait as well, and hears for how long."""
    known = slow.client()
    assert known.get("/v1/jobs").status_code == 200
    stranger = slow.stranger()
    codes = [guess(stranger, number).status_code for number in range(5)]
    assert codes == [401, 401, 401, 429, 429]
    assert 1 <= int(guess(stranger, 9).headers["retry-after"]) <= 60
    assert slow.client("new").get("/v1/jobs").status_code == 429
    assert known.get("/v1/jobs").status_code == 200


def test_strangers_slow_nobody_whose_key_was_good(
    database_url: str, conn: psycopg.Connection[Any], tmp_path: Path
):
    """Even when it is to be looked up again; once it is revoked it is a stranger's."""
    with serving(database_url, conn, tmp_path / "blobs", bad_keys_per_min=3, key_ttl_s=0.0) as api:
        known = api.client()
        assert known.get("/v1/jobs").status_code == 200
        stranger = api.stranger()
        assert [guess(stranger, number).status_code for number in range(4)] == [401, 401, 401, 429]
        assert [known.get("/v1/jobs").status_code for _ in range(3)] == [200] * 3

        admin.revoke_key(conn, admin.list_keys(conn)[0].prefix)
        assert [known.get("/v1/jobs").status_code for _ in range(2)] == [401, 429]
        api.close()


def test_invented_sessions_are_strangers(slow: Api, agent: Agent):
    """They cost the database as much as unknown keys; the session of an agent that works there goes on."""
    made = slow.client("acme", Scope.SUBMIT).post("/v1/blobs", content=b"x").json()["sha256"]
    submitted = slow.client("acme", Scope.SUBMIT).post(
        "/v1/jobs", json={"kind": "noop", "inputs": {"x": {"sha256": made}}}
    )
    assert submitted.status_code == 201, submitted.text
    headers = agent.headers(agent.one())
    stranger = slow.stranger()

    def ask(**changed: str) -> int:
        names = {name.replace("_", "-"): value for name, value in changed.items()}
        return stranger.get(f"/v1/agent/blobs/{made}", headers={**headers, **names}).status_code

    assert ask() == 200
    assert [ask(Argosy_Session=str(uuid4())) for _ in range(5)] == [401, 401, 401, 429, 429]
    assert ask(Argosy_Secret="guessed") == 429
    assert (
        stranger.put(
            f"/v1/agent/blobs/{made}", content=b"x", headers={**headers, "Argosy-Secret": "y"}
        ).status_code
        == 429
    )
    assert ask() == 200


def guess(stranger: httpx.Client, number: int) -> httpx.Response:
    """Try a key that nobody has."""
    return stranger.get("/v1/jobs", headers={"Authorization": f"Bearer argosy_guess_{number}"})


def test_every_answer_has_its_headers(slow: Api):
    """Data, errors and files are no pages; the documentation has scripts, and may not be framed either."""
    stranger = slow.stranger()
    for answer in (
        slow.client().get("/v1/jobs"),
        stranger.get("/v1/jobs"),
        stranger.get("/nowhere"),
        stranger.get("/healthz"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-frame-options"] == "DENY"
        assert "server" not in answer.headers
    page = stranger.get("/schema/swagger")
    assert page.status_code == 200
    assert page.headers["x-frame-options"] == "DENY"
    assert "content-security-policy" not in page.headers
