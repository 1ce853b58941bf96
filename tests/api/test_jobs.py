from __future__ import annotations

import httpx
import pytest

from tests.api.serving import Agent, Api


def test_a_submitted_job_is_there_at_once(http: httpx.Client) -> None:
    """The answer to a submission is an id that can be asked for, with everything as it was stated (Q1)."""
    stated = {
        "kind": "noop",
        "name": "first",
        "params": {"seconds": 0, "deep": {"list": [1, 2.5, "ü", None, True]}},
        "priority": "high",
        "need": {"gpus": 1, "vram_mib": 100, "labels": {"zone": "eu"}},
        "tags": {"customer": "42"},
        "timeout_s": 60,
    }
    answer = http.post("/v1/jobs", json=stated)
    job = http.get(f"/v1/jobs/{answer.json()['job_id']}").json()

    assert answer.status_code == 201
    assert answer.json()["state"] == "ready"
    assert {
        key: job[key] for key in ("kind", "name", "params", "priority", "tags", "timeout_s", "project")
    } == {
        **{key: stated[key] for key in ("kind", "name", "params", "priority", "tags", "timeout_s")},
        "project": "acme",
    }
    assert {key: job["need"][key] for key in ("gpus", "vram_mib", "labels")} == stated["need"]
    assert job["created_at"].endswith("Z")


def test_the_same_idempotency_key_gets_the_first_answer(http: httpx.Client) -> None:
    """A repeated submission makes no second job; the same key for another one is a conflict."""
    headers = {"Idempotency-Key": "order-7"}
    first = http.post("/v1/jobs", json={"kind": "noop"}, headers=headers)
    again = http.post("/v1/jobs", json={"kind": "noop"}, headers=headers)
    other = http.post("/v1/jobs", json={"kind": "noop", "name": "x"}, headers=headers)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {**first.json(), "created": False}
    assert other.status_code == 409
    assert other.json()["field"] == "Idempotency-Key"
    assert len(http.get("/v1/jobs").json()["jobs"]) == 1


def test_jobs_of_one_batch_point_at_each_other(http: httpx.Client, agent: Agent) -> None:
    """A workflow goes in as one request; the second job waits for the first (Q9)."""
    jobs = [
        {"ref": "train", "kind": "noop"},
        {
            "kind": "noop",
            "after": ["train"],
            "inputs": {"lora": {"job": "train", "output": "lora.safetensors"}},
        },
    ]
    train, paint = http.post("/v1/jobs/batch", json={"jobs": jobs}).json()["jobs"]
    shown = http.get(f"/v1/jobs/{paint['job_id']}").json()

    assert (train["state"], train["ref"]) == ("ready", "train")
    assert paint["state"] == "waiting"
    assert shown["after"] == [train["job_id"]]
    assert shown["waits_for"] == 1

    agent.complete(agent.one())

    assert http.get(f"/v1/jobs/{paint['job_id']}").json()["state"] == "ready"


def test_a_batch_with_one_bad_job_adds_none(http: httpx.Client) -> None:
    """All or none; the problem names the job and its field."""
    bad = http.post(
        "/v1/jobs/batch", json={"jobs": [{"kind": "noop"}, {"kind": "noop", "after": ["nobody"]}]}
    )
    unknown = http.post("/v1/jobs/batch", json={"jobs": [{"kind": "noop"}, {"kind": "nonsense"}]})

    assert bad.status_code in (400, 404)
    assert bad.json()["field"] == "jobs[1].after[0]"
    assert unknown.status_code == 400
    assert unknown.json()["field"] == "jobs[1].kind"
    assert "noop" in unknown.json()["fix"]
    assert http.get("/v1/jobs").json()["jobs"] == []


def test_a_job_is_found_by_a_unique_beginning_of_its_id(http: httpx.Client) -> None:
    """Eight digits or more are enough if no other job begins so; else the problem says to give more."""
    ids = [http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"] for _ in range(2)]
    length = next(n for n in range(8, 37) if ids[0][:n] != ids[1][:n])

    assert http.get(f"/v1/jobs/{ids[0].upper()}").json()["job_id"] == ids[0]
    assert http.get(f"/v1/jobs/{ids[1][: max(length, 9)]}").json()["job_id"] == ids[1]
    if length > 9:
        several = http.get(f"/v1/jobs/{ids[0][:8]}")
        assert (several.status_code, several.json()["code"]) == (409, "conflict")
    assert http.get("/v1/jobs/00000000").status_code == 404
    assert http.get("/v1/jobs/zzz").json()["field"] == "job_id"


def test_pages_hold_still_while_jobs_come_in(http: httpx.Client) -> None:
    """A job submitted between two pages is on neither, and none is left out or shown twice."""
    before = [http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"] for _ in range(7)]
    seen, cursor = [], None
    while True:
        page = http.get("/v1/jobs", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [job["job_id"] for job in page["jobs"]]
        http.post("/v1/jobs", json={"kind": "noop"})
        cursor = page["next"]
        if cursor is None:
            break

    assert seen == before[::-1]


def test_lists_can_be_narrowed(http: httpx.Client, agent: Agent) -> None:
    """By state, kind, priority, name and tags; several states are joined, several tags must all match."""
    http.post("/v1/jobs", json={"kind": "noop", "name": "a", "tags": {"x": "1", "y": "2"}})
    http.post("/v1/jobs", json={"kind": "noop", "name": "b", "priority": "high", "tags": {"x": "1"}})
    http.post("/v1/jobs", json={"kind": "command", "name": "c", "run_at": "2100-01-01T00:00:00Z"})
    agent.claim()  # the one of the higher class

    def names(query: str) -> list[str]:
        return [job["name"] for job in http.get(f"/v1/jobs?{query}").json()["jobs"]]

    assert names("state=running") == ["b"]
    assert names("state=ready&state=waiting") == ["c", "a"]
    assert names("kind=command") == ["c"]
    assert names("priority=high") == ["b"]
    assert names("name=a") == ["a"]
    assert names("tag=x:1") == ["b", "a"]
    assert names("tag=x:1&tag=y:2") == ["a"]


def test_a_job_is_cancelled_and_retried(http: httpx.Client, agent: Agent) -> None:
    """Cancel ends what waits at once and tells what runs; retry runs an ended job again (Q12)."""
    ready = http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]

    assert http.post(f"/v1/jobs/{ready}/retry").json()["outcome"] == "not_ended"
    assert http.post(f"/v1/jobs/{ready}/cancel").json()["outcome"] == "cancelled"
    assert http.post(f"/v1/jobs/{ready}/cancel").json()["outcome"] == "already_ended"
    assert http.post(f"/v1/jobs/{ready}/retry").json() == {
        "job_id": ready,
        "outcome": "retried",
        "state": "ready",
    }

    agent.one()

    assert http.post(f"/v1/jobs/{ready}/cancel").json()["outcome"] == "cancelling"
    assert http.get(f"/v1/jobs/{ready}").json()["cancel_requested"] is True


def test_a_failure_shows_its_cause_and_traceback(http: httpx.Client, agent: Agent) -> None:
    """The user's own bug is reported with its traceback, and each run is listed (Q8)."""
    job_id = http.post("/v1/jobs", json={"kind": "noop", "retries": 0}).json()["job_id"]
    agent.fail(agent.one(), "ZeroDivisionError")
    job = http.get(f"/v1/jobs/{job_id}").json()
    [attempt] = http.get(f"/v1/jobs/{job_id}/attempts").json()["attempts"]

    assert (job["state"], job["cause"]) == ("failed", "user_error")
    assert job["error"] == {"message": "ZeroDivisionError", "traceback": "Traceback: boom"}
    assert (attempt["outcome"], attempt["node"], attempt["cause"]) == ("failed", "node-1", "user_error")


def test_projects_do_not_see_each_other(api: Api) -> None:
    """A job of another project is as if it were not there, in every route."""
    mine, theirs = api.client("acme"), api.client("globex")
    job_id = mine.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]

    assert theirs.get("/v1/jobs").json()["jobs"] == []
    for leaf in ("", "/attempts", "/logs", "/logs?follow=true", "/events", "/outputs", "/outputs/x"):
        assert theirs.get(f"/v1/jobs/{job_id}{leaf}").status_code == 404, leaf
    for verb in ("cancel", "retry"):
        assert theirs.post(f"/v1/jobs/{job_id}/{verb}").status_code == 404
    assert theirs.post("/v1/jobs", json={"kind": "noop", "after": [job_id]}).status_code == 404
    assert mine.get(f"/v1/jobs/{job_id}").json()["state"] == "ready"


def test_nodes_are_listed_and_drained(http: httpx.Client, agent: Agent) -> None:
    """A drained node takes nothing new until that is ended; an unknown one is not found."""
    [node] = http.get("/v1/nodes").json()["nodes"]
    http.post("/v1/jobs", json={"kind": "noop"})

    assert (node["node"], node["state"]) == ("node-1", "live")
    assert [device["total_mib"] for device in node["devices"]] == [81920, 65536]
    assert http.post("/v1/nodes/node-1/drain", json={"on": True}).json()["changed"] is True
    assert http.post("/v1/nodes/node-1/drain", json={}).json()["changed"] is False
    assert agent.claim() == []
    assert http.post("/v1/nodes/node-1/drain", json={"on": False}).json()["draining"] is False
    assert len(agent.claim()) == 1
    assert http.post("/v1/nodes/nowhere/drain", json={"on": True}).status_code == 404


def test_a_paused_project_starts_nothing(http: httpx.Client, agent: Agent) -> None:
    """Nothing of it is claimed until the pause ends."""
    http.post("/v1/jobs", json={"kind": "noop"})

    assert http.post("/v1/pause", json={"paused": True}).json()["lanes"] == 1
    assert agent.claim() == []
    assert http.post("/v1/pause", json={"paused": False, "priority": "normal"}).json()["paused"] is False
    assert len(agent.claim()) == 1


@pytest.mark.parametrize("body", [[], [{"kind": "noop"}] * 5001])
def test_a_batch_has_a_sensible_size(http: httpx.Client, body: list[dict[str, str]]) -> None:
    """Neither none nor more than the limit."""
    answer = http.post("/v1/jobs/batch", json={"jobs": body})

    assert (answer.status_code, answer.json()["field"]) == (400, "jobs")


def test_the_examples_of_the_documentation_work(http: httpx.Client) -> None:
    """Every example in the OpenAPI document is a submission that is taken, its files once they are there."""
    document = http.get("/schema/openapi.json").json()
    photos = http.post("/v1/blobs", content=b"photos").json()["sha256"]
    for path in ("/v1/jobs", "/v1/jobs/batch"):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        examples = content["schema"]["examples"]
        assert examples
        for example in examples:
            for job in example.get("jobs", [example]):
                for each in job.get("inputs", {}).values():
                    if "sha256" in each:
                        each["sha256"] = photos
            answer = http.post(path, json=example)
            assert answer.status_code == 201, answer.text


def test_every_route_is_documented(http: httpx.Client) -> None:
    """Each has a summary, a description and the problems it may answer; uploads say that they take bytes."""
    paths = http.get("/schema/openapi.json").json()["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            if path.startswith("/v1"):
                refused = operation["responses"]["400"]["content"]
                assert list(refused) == ["application/problem+json"], (method, path)
    for path, method in (
        ("/v1/blobs", "post"),
        ("/v1/blobs/{sha256}", "put"),
        ("/v1/agent/blobs/{sha256}", "put"),
    ):
        assert list(paths[path][method]["requestBody"]["content"]) == ["application/octet-stream"]
    for path in ("/v1/blobs/{sha256}", "/v1/jobs/{job_id}/outputs/{name}", "/v1/agent/blobs/{sha256}"):
        assert list(paths[path]["get"]["responses"]["200"]["content"]) == ["application/octet-stream"]
