from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import httpx
import pytest

from queue_schema.shapes import Artifact
from tests.api.serving import Agent, Api


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_goes_in_and_comes_out(api: Api, http: httpx.Client) -> None:
    """POST hashes it, PUT by its hash knows it, GET and HEAD give it back as it was."""
    data = bytes(range(256)) * 4000
    posted = http.post("/v1/blobs", content=data, headers={"Content-Type": "image/png"})
    put = http.put(f"/v1/blobs/{_sha(data)}", content=data)
    got, head = http.get(f"/v1/blobs/{_sha(data)}"), http.head(f"/v1/blobs/{_sha(data)}")

    assert posted.status_code == 201
    assert posted.json() == {
        "sha256": _sha(data),
        "size": len(data),
        "media_type": "image/png",
        "created": True,
    }
    assert put.json()["created"] is False
    assert got.content == data
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"] == "attachment"
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(data)), b"")
    assert len(api.stored()) == 1


def test_a_json_file_is_only_bytes(http: httpx.Client) -> None:
    """HEAD of a file whose type is JSON says its size, and the connection can be used again."""
    sha256 = http.post("/v1/blobs", content=b'{"a": 1}', headers={"Content-Type": "application/json"}).json()[
        "sha256"
    ]
    head = http.head(f"/v1/blobs/{sha256}")

    assert (head.headers["content-length"], head.headers["content-type"]) == ("8", "application/json")
    assert http.get(f"/v1/blobs/{sha256}").content == b'{"a": 1}'
    assert http.get(f"/v1/blobs/{sha256}", headers={"If-None-Match": f'"{sha256}"'}).status_code == 304


def test_a_large_file_and_an_empty_one(http: httpx.Client) -> None:
    """Larger than one write of the store, sent without saying how long; and of no bytes at all."""
    data = b"argosy" * 900_000

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(data), 50_000):
            yield data[start : start + 50_000]

    assert http.post("/v1/blobs", content=chunks()).json()["sha256"] == _sha(data)
    assert http.get(f"/v1/blobs/{_sha(data)}").content == data
    assert http.post("/v1/blobs", content=b"").json()["size"] == 0
    assert http.get(f"/v1/blobs/{_sha(b'')}").content == b""


def test_parts_of_a_file_can_be_asked_for(http: httpx.Client) -> None:
    """Simple ranges, the last bytes, and 416 for what is not there; anything odd gets the whole file."""
    sha256 = http.post("/v1/blobs", content=b"0123456789").json()["sha256"]

    def get(wanted: str) -> tuple[int, bytes, str | None]:
        answer = http.get(f"/v1/blobs/{sha256}", headers={"Range": wanted})
        return answer.status_code, answer.content, answer.headers.get("content-range")

    assert get("bytes=2-4") == (206, b"234", "bytes 2-4/10")
    assert get("bytes=7-") == (206, b"789", "bytes 7-9/10")
    assert get("bytes=-3") == (206, b"789", "bytes 7-9/10")
    assert get("bytes=0-99") == (206, b"0123456789", "bytes 0-9/10")
    assert get("bytes=10-")[0] == 416
    assert get("bytes=5-2")[0] == 416
    assert get("bytes=0-1,4-5") == (200, b"0123456789", None)
    assert get("lines=1-2") == (200, b"0123456789", None)
    assert http.get(f"/v1/blobs/{sha256}", headers={"If-None-Match": f'"{sha256}"'}).status_code == 304


@pytest.mark.parametrize(
    ("tag", "status"),
    [('"{}"', 206), ('W/"{}"', 200), ('"' + "0" * 64 + '"', 200), ("Fri, 27 Nov 2026", 200)],
)
def test_a_download_goes_on_only_with_the_same_file(http: httpx.Client, tag: str, status: int) -> None:
    """RFC 9110, 13.1.5: whoever has the beginning of another file gets this one from its start."""
    sha256 = http.post("/v1/blobs", content=b"0123456789").json()["sha256"]
    headers = {"Range": "bytes=7-", "If-Range": tag.format(sha256)}
    answer = http.get(f"/v1/blobs/{sha256}", headers=headers)

    assert (answer.status_code, answer.content) == (status, b"789" if status == 206 else b"0123456789")


def test_a_body_with_another_hash_is_not_kept(api: Api, http: httpx.Client) -> None:
    """422, and neither the store nor the database knows of it."""
    answer = http.put(f"/v1/blobs/{_sha(b'right')}", content=b"wrong")

    assert (answer.status_code, answer.json()["code"]) == (422, "hash_differs")
    assert answer.json()["field"] == "sha256"
    assert api.stored() == []
    for data in (b"right", b"wrong"):
        assert http.head(f"/v1/blobs/{_sha(data)}").status_code == 404


def test_a_file_over_the_limit_is_not_kept(api: Api, http: httpx.Client) -> None:
    """413 by what it says, and by what it really sends; nothing is left in the store."""
    data = b"x" * 6_000_001

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(data), 65536):
            yield data[start : start + 65536]

    assert http.post("/v1/blobs", content=data).status_code == 413
    # A connection that is closed on us while we are still sending is as good an answer.
    with suppress(httpx.TransportError):
        assert http.post("/v1/blobs", content=chunks()).status_code == 413
    assert http.get("/healthz").status_code == 200
    assert api.stored() == []


def test_an_upload_that_breaks_off_leaves_nothing(api: Api, http: httpx.Client) -> None:
    """Half a file is no file."""

    def broken() -> Iterator[bytes]:
        yield b"x" * 5_000_000
        raise ConnectionResetError

    with suppress(ConnectionResetError):
        http.post("/v1/blobs", content=broken())
    for _ in range(100):
        if api.stored() == []:
            break
        http.get("/healthz")

    assert api.stored() == []


def test_projects_do_not_see_each_others_files_i15(api: Api, agent: Agent) -> None:
    """The same bytes are two files for two projects; one's hash opens nothing for the other (I15)."""
    mine, theirs = api.client("acme"), api.client("globex")
    sha256 = mine.post("/v1/blobs", content=b"a face").json()["sha256"]

    assert theirs.get(f"/v1/blobs/{sha256}").status_code == 404
    assert theirs.head(f"/v1/blobs/{sha256}").status_code == 404
    steal = {"kind": "noop", "inputs": {"x": {"sha256": sha256}}}
    assert theirs.post("/v1/jobs", json=steal).status_code == 404

    assert theirs.post("/v1/blobs", content=b"a face").json()["created"] is True
    assert len(api.stored()) == 2


def test_outputs_are_there_with_the_success_and_not_before_i7(
    api: Api, http: httpx.Client, agent: Agent
) -> None:
    """A file an agent stored is nobody's until its job completes; then it is downloaded under its name (I7)."""
    job_id = http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]
    job = agent.one()
    picture = b"\x89PNG not really"
    put = api.stranger().put(
        f"/v1/agent/blobs/{_sha(picture)}",
        content=picture,
        headers={**agent.headers(job), "Content-Type": "image/png"},
    )

    assert put.status_code == 200, put.text
    assert http.get(f"/v1/blobs/{_sha(picture)}").status_code == 404
    assert http.get(f"/v1/jobs/{job_id}/outputs").json() == {"outputs": []}
    assert http.get(f"/v1/jobs/{job_id}/outputs/a/portrait 1.png").status_code == 404
    steal = {"kind": "noop", "inputs": {"x": {"sha256": _sha(picture)}}}
    assert http.post("/v1/jobs", json=steal).status_code == 404

    agent.complete(job, [Artifact("a/portrait 1.png", _sha(picture), len(picture), "image/png")], score=0.5)
    got = http.get(f"/v1/jobs/{job_id}/outputs/a/portrait 1.png")

    assert got.content == picture
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''portrait%201.png"
    assert http.get(f"/v1/jobs/{job_id}/outputs/a%2Fportrait%201.png").content == picture
    assert http.get(f"/v1/jobs/{job_id}").json()["result"] == {"score": 0.5}
    assert http.get(f"/v1/blobs/{_sha(picture)}").content == picture


def test_an_agent_reads_the_inputs_of_its_job_only_i15(api: Api, http: httpx.Client, agent: Agent) -> None:
    """A lease opens its own job's inputs, and no other file of the project (I15)."""
    mine = http.post("/v1/blobs", content=b"mine").json()["sha256"]
    other = http.post("/v1/blobs", content=b"other").json()["sha256"]
    http.post("/v1/jobs", json={"kind": "noop", "inputs": {"photo": {"sha256": mine}}})
    job = agent.one()
    door, headers = api.stranger(), agent.headers(job)

    assert door.get(f"/v1/agent/blobs/{mine}", headers=headers).content == b"mine"
    assert door.get(f"/v1/agent/blobs/{mine}", headers={**headers, "Range": "bytes=1-2"}).content == b"in"
    assert door.get(f"/v1/agent/blobs/{other}", headers=headers).status_code == 403
    assert door.get(f"/v1/agent/blobs/{'0' * 64}", headers=headers).status_code == 403


def test_a_stale_lease_opens_nothing(api: Api, http: httpx.Client, agent: Agent) -> None:
    """A wrong token, secret or session is refused before the body is taken; so is an ended lease."""
    http.post("/v1/jobs", json={"kind": "noop"})
    job = agent.one()
    door, data = api.stranger(), b"late"
    path, good = f"/v1/agent/blobs/{_sha(data)}", agent.headers(job)
    refused: list[tuple[dict[str, Any], int]] = [
        ({"Argosy-Token": str(uuid4())}, 409),
        ({"Argosy-Job": str(uuid4())}, 409),
        ({"Argosy-Secret": "guess"}, 401),
        ({"Argosy-Secret": b"\xff\xfe"}, 401),
        ({"Argosy-Session": str(uuid4())}, 401),
        ({"Argosy-Session": "nonsense"}, 400),
    ]
    for change, status in refused:
        for method in ("GET", "PUT"):
            answer = door.request(
                method, path, headers={**good, **change}, content=data if method == "PUT" else None
            )
            assert answer.status_code == status, (change, method, answer.text)
    assert door.put(path, content=data).status_code == 401
    agent.complete(job)

    late = door.put(path, content=data, headers=good)

    assert (late.status_code, late.json()["code"]) == (409, "lease_lost")
    assert api.stored() == []


def test_an_agents_file_with_another_hash_is_not_recorded(api: Api, http: httpx.Client, agent: Agent) -> None:
    """Nothing is kept and nothing is recorded; the right bytes are taken afterwards."""
    http.post("/v1/jobs", json={"kind": "noop"})
    job = agent.one()
    door, path = api.stranger(), f"/v1/agent/blobs/{_sha(b'right')}"
    wrong = door.put(path, content=b"wrong", headers=agent.headers(job))
    recorded = api.conn.execute("select count(*) from fleet.blobs").fetchone()

    assert (wrong.status_code, wrong.json()["code"]) == (422, "hash_differs")
    assert api.stored() == []
    assert recorded == (0,)
    assert door.put(path, content=b"right", headers=agent.headers(job)).status_code == 200


def test_a_file_gone_from_the_store_is_not_found(api: Api, http: httpx.Client) -> None:
    """A record without its file is told as what it is, not as a broken download."""
    sha256 = http.post("/v1/blobs", content=b"lost").json()["sha256"]
    (api.blobs / api.stored()[0]).unlink()
    answer = http.get(f"/v1/blobs/{sha256}")

    assert answer.status_code == 404
    assert "not in the store" in answer.json()["detail"]
