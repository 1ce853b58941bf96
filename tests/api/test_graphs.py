from __future__ import annotations

import httpx

from tests.api.serving import Agent


def test_an_edge_says_when_it_is_satisfied(http: httpx.Client, agent: Agent) -> None:
    """`after` takes ids, refs, and objects with the end that is waited for (Q9)."""
    jobs = [
        {"ref": "train", "kind": "noop"},
        {"ref": "rescue", "kind": "noop", "after": [{"job": "train", "when": "failed"}]},
        {"kind": "noop", "after": ["train", {"job": "rescue", "when": "ended"}]},
    ]
    train, rescue, last = (
        each["job_id"] for each in http.post("/v1/jobs/batch", json={"jobs": jobs}).json()["jobs"]
    )
    agent.complete(agent.one())
    skipped = http.get(f"/v1/jobs/{rescue}").json()
    shown = http.get(f"/v1/jobs/{last}").json()

    assert (skipped["state"], skipped["cause"]) == ("cancelled", "dependency")
    assert skipped["error"]["message"] == f"not needed: job {train} succeeded"
    assert shown["state"] == "ready"
    assert shown["edges"] == [
        {"job": train, "when": "succeeded", "satisfied": True},
        {"job": rescue, "when": "ended", "satisfied": True},
    ]


def test_an_edge_that_means_nothing_is_refused_by_its_path(http: httpx.Client) -> None:
    """The problem names the edge and its field."""
    for edge, field in (
        ({"job": "a", "when": "never"}, "jobs[1].after[0].when"),
        ({"when": "failed"}, "jobs[1].after[0].job"),
        ({"job": "nobody", "when": "failed"}, "jobs[1].after[0]"),
        (7, "jobs[1].after[0]"),
    ):
        jobs = [{"ref": "a", "kind": "noop"}, {"kind": "noop", "after": [edge]}]
        answer = http.post("/v1/jobs/batch", json={"jobs": jobs})

        assert answer.status_code == 400
        assert answer.json()["field"] == field
