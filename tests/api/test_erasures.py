"""P8 over HTTP: hidden at once, gone from the store, and a receipt for it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from queue_schema.calls import erasures
from queue_schema.shapes import Artifact
from queue_schema.states import Scope
from tests.api.serving import Agent, Api
from tests.support.waiting import eventually

FACE = b"a face that nobody else has"
SHA = hashlib.sha256(FACE).hexdigest()


@pytest.fixture
def removed(api: Api) -> Callable[[str], dict[str, Any]]:
    """What the scheduler and a node do, until an erasure is done; its receipt. Fresh files need not wait."""

    def wait(erasure: str) -> dict[str, Any]:
        http = api.client()

        def done() -> dict[str, Any] | None:
            api.conn.execute("update fleet.blobs set leaving_at = now() where isfinite(leaving_at)")
            erasures.erase_on(api.conn)
            api.conn.execute("update fleet.erasure_nodes set confirmed_at = now()")
            found: dict[str, Any] = http.get(f"/v1/erasures/{erasure}").json()
            return found if found["state"] == "done" else None

        answer = eventually(done)
        assert answer is not None
        return answer

    return wait


def test_a_customer_goes(api: Api, http: httpx.Client, removed: Callable[[str], dict[str, Any]]) -> None:
    """Her photo, the picture that was made of it, and every word; from the answer on nobody reads any of it."""
    http.post("/v1/blobs", content=FACE)
    job = http.post(
        "/v1/jobs",
        json={
            "kind": "noop",
            "inputs": {"face": {"sha256": SHA}},
            "tags": {"customer": "4711"},
            "name": "Ada",
        },
    ).json()["job_id"]
    agent = Agent(api.conn)
    claimed = agent.one()
    picture = b"a picture of her"
    stored = hashlib.sha256(picture).hexdigest()
    api.stranger().put(f"/v1/agent/blobs/{stored}", content=picture, headers=agent.headers(claimed))
    agent.complete(claimed, [Artifact("out.png", stored, len(picture), "image/png")])
    assert len(api.stored()) == 2

    asked = http.post("/v1/erasures", json={"tags": {"customer": "4711"}})

    assert asked.status_code == 202
    assert http.get(f"/v1/blobs/{SHA}").status_code == 404
    assert http.get(f"/v1/jobs/{job}/outputs/out.png").status_code == 404
    found = removed(asked.json()["erasure_id"])
    assert (found["jobs"], found["files"], found["nodes"][0]["node"]) == (1, 2, "node-1")
    assert api.stored() == []
    assert http.get(f"/v1/jobs/{job}").json()["name"] is None
    assert http.get("/v1/erasures").json()["erasures"] == [found]


def test_the_same_file_may_come_again(
    api: Api, http: httpx.Client, removed: Callable[[str], dict[str, Any]]
) -> None:
    """While it is being removed the upload waits; then it is there, whole."""
    http.post("/v1/blobs", content=FACE)
    erasure = http.post("/v1/erasures", json={"files": [SHA]}).json()["erasure_id"]
    assert http.post("/v1/erasures", json={"files": [SHA]}).json()["erasure_id"] == erasure
    api.conn.execute("update fleet.blobs set removing_until = now() + interval '1 hour'")
    answers: list[int] = []
    upload = threading.Thread(target=lambda: answers.append(http.post("/v1/blobs", content=FACE).status_code))
    upload.start()
    eventually(
        lambda: (
            api.conn.execute(
                "select from pg_stat_activity where query like '%reserve_blob_v1%' and application_name = 'argosy-api'"
            ).fetchone()
            is not None
        )
    )
    assert answers == []
    api.conn.execute("delete from fleet.blobs where sha256 = %s", (SHA,))
    upload.join()

    assert answers == [201]
    assert removed(erasure)["files"] == 0
    assert http.get(f"/v1/blobs/{SHA}").content == FACE


def test_an_upload_that_waits_too_long_is_told_to_come_again(
    api: Api, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, as for everything that only needs time."""
    monkeypatch.setattr("api.blobs._REMOVAL_S", 0.3)
    http.post("/v1/blobs", content=FACE)
    api.conn.execute("update fleet.blobs set removing_until = now() + interval '1 hour', visible = false")

    answer = http.post("/v1/blobs", content=FACE)

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


def test_who_may_ask(api: Api) -> None:
    """It needs its own scope; other projects' receipts are not to be seen; only an admin gives up on a node."""
    writer, eraser = api.client("acme", Scope.SUBMIT, Scope.READ), api.client("acme", Scope.ERASE, Scope.READ)
    other = api.client("other", Scope.ERASE, Scope.READ)
    writer.post("/v1/blobs", content=FACE)
    assert writer.post("/v1/erasures", json={"files": [SHA]}).status_code == 403
    assert other.post("/v1/erasures", json={"files": [SHA]}).status_code == 404

    erasure = eraser.post("/v1/erasures", json={"files": [SHA]}).json()["erasure_id"]

    assert other.get(f"/v1/erasures/{erasure}").status_code == 404
    assert other.get("/v1/erasures").json() == {"erasures": []}
    waiver = {"node": "node-1", "reason": "its disk was shredded"}
    assert eraser.post(f"/v1/erasures/{erasure}/waive", json=waiver).status_code == 403
    admin = api.client("ops", Scope.ADMIN)
    assert admin.post(f"/v1/erasures/{erasure}/waive", json=waiver).status_code == 404
    api.conn.execute("insert into fleet.nodes (node) values ('node-1')")
    api.conn.execute(
        "insert into fleet.erasure_nodes (erasure_id, node_id) select %s, node_id from fleet.nodes",
        (UUID(erasure),),
    )
    assert (
        admin.post(f"/v1/erasures/{erasure}/waive", json=waiver).json()["nodes"][0]["waived"]
        == waiver["reason"]
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, None),
        ({"files": ["x"]}, "sha256"),
        ({"tags": {}}, "tags"),
        ({"files": [], "tags": {"a": "b"}}, None),
    ],
)
def test_bad_requests_name_the_field(http: httpx.Client, body: dict[str, Any], field: str | None) -> None:
    """As everywhere."""
    answer = http.post("/v1/erasures", json=body)

    assert (answer.status_code, answer.json().get("field")) == (400, field)
