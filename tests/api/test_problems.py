from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.api.serving import Api, serving

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "kind"),
        ({"kind": 7}, "kind"),
        ({"kind": "noop", "need": {"vram_mib": "8000"}}, "need.vram_mib"),
        ({"kind": "noop", "need": {"vram": 8000}}, "need.vram"),
        ({"kind": "noop", "nmae": "x"}, "nmae"),
        ({"kind": "noop", "priority": "highest"}, "priority"),
        ({"kind": "noop", "tags": {"a": 1}}, "tags[...]"),
        ({"kind": "noop", "params": {"a": ["x", "b\u0000c"]}}, "params.a[1]"),
        ({"kind": "noop", "name": "\u0000"}, "name"),
        ({"kind": "noop", "tags": {"\u0000": "x"}}, "tags"),
        ({"kind": "noop", "timeout_s": 10**30}, "timeout_s"),
        ({"kind": "noop", "timeout_s": 0}, "timeout_s"),
        ({"kind": "noop", "need": {"gpus": -(10**12)}}, "need.gpus"),
        ({"kind": "noop", "need": {"vram_mib": 8000}}, "need.vram_mib"),
        ({"kind": "noop", "need": {"gpus": 0, "vram_mib": 8000}}, "need.vram_mib"),
        ({"kind": "noop", "run_at": "2024-01-01T00:00:00"}, "run_at"),
        ({"kind": "noop", "run_at": "0001-01-01T00:00:00+23:59"}, "run_at"),
        ({"kind": "noop", "start_by": "9999-12-31T23:59:59-23:59"}, "start_by"),
        ({"kind": "noop", "run_at": "2100-01-01T00:00:00+16:00"}, "run_at"),
        ({"kind": "noop", "run_at": "soon"}, "run_at"),
        ({"kind": "noop", "webhook": "javascript:alert(1)"}, "webhook"),
        ({"kind": "noop", "webhook": "http://[::1"}, "webhook"),
        ({"kind": "nonsense"}, "kind"),
        ({"kind": "noop", "inputs": {"x": {"sha256": "0" * 64}}}, "inputs.x.sha256"),
        ({"kind": "noop", "inputs": {"": {"sha256": "0" * 64}}}, "inputs."),
        ({"kind": "noop", "inputs": {"a/../b": {"sha256": "0" * 64}}}, "inputs.a/../b"),
        ({"kind": "noop", "inputs": {"./a": {"sha256": "0" * 64}}}, "inputs../a"),
        ({"kind": "noop", "inputs": {"/a": {"sha256": "0" * 64}}}, "inputs./a"),
        ({"kind": "noop", "inputs": {"a\nb": {"sha256": "0" * 64}}}, "inputs.a\nb"),
        ({"kind": "noop", "inputs": {"é" * 130: {"sha256": "0" * 64}}}, "inputs." + "é" * 100),
        (
            {"kind": "noop", "inputs": {name: {"sha256": "0" * 64} for name in ("a", "a-b", "a/b")}},
            "inputs.a",
        ),
    ],
)
def test_a_mistake_is_named_with_its_field_and_fix(
    shared: httpx.Client, body: dict[str, Any], field: str
) -> None:
    """Each is application/problem+json with the path of the argument and what to do, never a 5xx."""
    answer = shared.post("/v1/jobs", json=body)
    problem = answer.json()

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code in (400, 404), answer.text
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:argosy:problem:{problem['code']}"
    assert problem["detail"]
    assert problem["field"] == field
    assert problem["fix"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"kind": "\xff"}',
        b'{"kind": "\\ud800"}',
        b'{"kind": "noop", "params": {"a": 1e999}}',
        b'{"kind": "noop", "params": {"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}}",
        b'{"kind": "noop", "params": {"a": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}}",
        b'{"kind": "noop", "params": {"a": 1' + b"0" * 400 + b"}}",
        b'{"kind": "noop", "params": {"a": -1' + b"0" * 20_000 + b"}}",
        b"NaN",
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/batch"])
def test_no_body_breaks_the_api(shared: httpx.Client, path: str, body: bytes) -> None:
    """Broken, deep, huge and wrongly encoded JSON is refused or taken, and the API lives on."""
    answer = shared.post(path, content=body, headers=JSON)

    assert answer.status_code < 500, answer.text
    assert shared.get("/v1/jobs").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("GET", "/v1/jobs?state=done", "state"),
        ("GET", "/v1/jobs?limit=x", "limit"),
        ("GET", "/v1/jobs?name=%00", "name"),
        ("GET", "/v1/jobs?tag=a:%00", "tag"),
        ("GET", "/v1/needs?kind=a&kind=%00", "kind"),
        ("GET", "/v1/schedules/%00", "name"),
        ("POST", "/v1/schedules/%00/pause", "name"),
        ("POST", "/v1/nodes/%00/drain", "node"),
    ],
)
def test_a_mistake_in_an_address_is_named_as_it_is_spelled(
    shared: httpx.Client, method: str, path: str, field: str
) -> None:
    """By the name in the address, whatever its handler calls it; a NUL, too."""
    answer = shared.request(method, path)
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text
    assert answer.json()["fix"]


@pytest.mark.parametrize(
    "path", ["/v1/jobs", "/v1/jobs/batch", "/v1/jobs/cancel", "/v1/fleet/halt", "/v1/pause"]
)
def test_a_missing_body_is_said_to_be_missing(shared: httpx.Client, path: str) -> None:
    """It is no field."""
    problem = shared.post(path).json()
    assert (problem["status"], problem["detail"], problem["field"]) == (400, "the JSON body is missing", None)
    assert problem["fix"]


@pytest.mark.parametrize("limit", [0, -99_999_999_999, 1001, 2**31, 10**30, 1.5])
@pytest.mark.parametrize("verb", ["cancel", "requeue"])
def test_a_batch_that_cannot_be_is_refused(shared: httpx.Client, verb: str, limit: float) -> None:
    """Before the database sees it, to whom a number too large is another function's."""
    answer = shared.post(f"/v1/jobs/{verb}", json={"where": {"states": ["running"]}, "limit": limit})
    assert (answer.status_code, answer.json()["field"]) == (400, "limit"), answer.text
    assert answer.json()["fix"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/jobs?limit=0", 400),
        ("/v1/jobs?limit=501", 400),
        ("/v1/jobs?limit=99999999999999999999999", 400),
        ("/v1/jobs?limit=x", 400),
        ("/v1/jobs?state=done", 400),
        ("/v1/jobs?cursor=%00", 400),
        ("/v1/jobs?tag=x", 400),
        ("/v1/jobs?name=%00", 400),
        ("/v1/jobs?name=%ff%fe", 200),
        ("/v1/jobs?kind=%ED%A0%80", 200),
        ("/v1/jobs/%00", 400),
        ("/v1/jobs/%ff", 400),
        ("/v1/jobs/" + "0" * 32, 404),
        ("/v1/jobs/" + "f" * 500, 400),
        ("/v1/jobs/" + "0" * 32 + "/logs?after=-1", 400),
        ("/v1/jobs/" + "0" * 32 + "/logs?after=9223372036854775808", 400),
        ("/v1/jobs/" + "0" * 32 + "/outputs/%00", 400),
        ("/v1/nowhere", 404),
        ("/v1/blobs/" + "A" * 64, 400),
        ("/v1/blobs/" + "0" * 64, 404),
    ],
)
def test_odd_paths_and_queries_are_answered(shared: httpx.Client, path: str, status: int) -> None:
    """A problem that says what was wrong, for whatever stands in a path or a query."""
    answer = shared.get(path)

    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": "x" * 201},
        {"Idempotency-Key": "a b"},
        {"Idempotency-Key": b"\xff\xfe"},
        {"traceparent": b"\xff"},
        {"Accept": "nonsense"},
        {"Content-Type": "nonsense"},
        {"Content-Type": "multipart/form-data"},
        {"Content-Type": "application/json; charset=utf-99"},
        {"Content-Type": b"\xff/\xfe"},
        {"Cookie": b"\xff=\xfe; ;;=" + b"x" * 2000},
        {"Content-Encoding": "br"},
    ],
)
def test_odd_headers_are_answered(shared: httpx.Client, headers: dict[str, Any]) -> None:
    """No header a client sends makes a 5xx."""
    answer = shared.request("POST", "/v1/jobs", content=b'{"kind":"noop"}', headers={**JSON, **headers})

    assert answer.status_code < 500, answer.text
    if "Idempotency-Key" in headers:
        assert (answer.status_code, answer.json()["field"]) == (400, "Idempotency-Key")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "QUERY"])
def test_wrong_methods_are_refused(shared: httpx.Client, method: str) -> None:
    """405 with the methods that are right, or 400/501-free anyway."""
    answer = shared.request(method, "/v1/jobs")

    assert answer.status_code == 405, answer.text


def test_json_larger_than_the_limit_is_refused(shared: httpx.Client) -> None:
    """8 MiB, counted whether or not the client says how long its body is."""
    huge = b'{"kind":"noop","name":"huge","params":{"a":"' + b"x" * (8 * 1024 * 1024) + b'"}}'
    stated = shared.post("/v1/jobs", content=huge, headers=JSON)

    def chunks() -> Any:
        for start in range(0, len(huge), 65536):
            yield huge[start : start + 65536]

    assert (stated.status_code, stated.json()["code"]) == (413, "too_large")
    # A connection that is closed on us while we are still sending is as good an answer.
    with suppress(httpx.TransportError):
        assert shared.post("/v1/jobs", content=chunks(), headers=JSON).status_code == 413
    assert shared.get("/v1/jobs?name=huge").json()["jobs"] == []


def test_the_database_away_is_503_with_retry_after(tmp_path: Path, conn: psycopg.Connection[Any]) -> None:
    """The API starts and answers without its database; clients are told to come back."""
    nowhere = "postgresql://nobody@127.0.0.1:9/none"
    with serving(nowhere, conn, tmp_path, pool_timeout_s=0.2) as api:
        client = httpx.Client(base_url=api.url, headers={"Authorization": "Bearer argosy_0123456789"})
        with client:
            answer = client.post("/v1/jobs", json={"kind": "noop"})
            ready, alive = client.get("/readyz"), client.get("/healthz")

    assert (answer.status_code, answer.json()["code"]) == (503, "database_away")
    assert int(answer.headers["retry-after"]) > 0
    assert ready.status_code == 503
    assert alive.status_code == 200


def test_the_api_comes_back_with_its_database(api: Api, http: httpx.Client) -> None:
    """Connections that the server cut are replaced without a client seeing it (Q14)."""
    assert http.get("/v1/jobs").status_code == 200
    api.conn.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'argosy-api'"
    )

    assert http.post("/v1/jobs", json={"kind": "noop"}).status_code == 201


def test_no_migrations_is_503_and_says_so(
    postgres: str, tmp_path: Path, conn: psycopg.Connection[Any]
) -> None:
    """A database without the schema is not ready, and the problem names the command."""
    with serving(postgres, conn, tmp_path) as api, httpx.Client(base_url=api.url) as client:
        answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["code"]) == (503, "schema_missing")
    assert "argosy db upgrade" in answer.json()["detail"]
