from __future__ import annotations

import time
from typing import Any

import pytest

from queue_schema.calls import admin
from queue_schema.states import Scope
from tests.api.serving import Api


def test_a_request_without_a_key_is_refused(api: Api) -> None:
    """No key, an unknown one and one of strange bytes all get 401 with the way out."""
    stranger = api.stranger()
    tried: tuple[Any, ...] = (
        None,
        "Basic abc",
        "Bearer",
        "Bearer nonsense-nonsense",
        b"Bearer \xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8",
    )
    for header in tried:
        answer = stranger.get("/v1/jobs", headers={} if header is None else {"Authorization": header})

        assert answer.status_code == 401
        assert answer.json()["code"] == "not_authenticated"
        assert "Bearer" in answer.json()["fix"]
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [(Scope.READ, {"read"}), (Scope.SUBMIT, {"submit"}), (Scope.ADMIN, {"read", "submit", "admin"})],
)
def test_a_key_does_what_its_scope_says_and_no_more(api: Api, scope: Scope, allowed: set[str]) -> None:
    """A key without the scope gets 403 naming it; admin implies the others."""
    client = api.client("acme", scope)
    answers = {
        "read": client.get("/v1/jobs"),
        "submit": client.post("/v1/jobs", json={"kind": "noop"}),
        "admin": client.post("/v1/pause", json={"paused": True}),
    }

    for needed, answer in answers.items():
        assert (answer.status_code < 300) == (needed in allowed), (needed, answer.text)
        if needed not in allowed:
            assert answer.status_code == 403
            assert answer.json()["code"] == "not_allowed"
            assert needed in answer.json()["fix"]


def test_a_revoked_key_stops_working(api: Api) -> None:
    """A checked key is believed for a moment, and no longer."""
    key = api.key()
    client = api.stranger()
    client.headers["Authorization"] = f"Bearer {key}"
    assert client.get("/v1/jobs").status_code == 200

    admin.revoke_key(api.conn, admin.list_keys(api.conn)[0].prefix)
    time.sleep(0.35)  # the time to live of a checked key, in these tests

    assert client.get("/v1/jobs").status_code == 401


def test_health_and_schema_need_no_key(api: Api) -> None:
    """A load balancer and a reader of the docs have no key."""
    stranger = api.stranger()

    assert stranger.get("/healthz").json() == {"status": "ok"}
    assert stranger.get("/readyz").json() == {"status": "ok"}
    assert stranger.get("/schema/openapi.json").json()["info"]["title"] == "Argosy"
    assert stranger.get("/schema").status_code == 200
