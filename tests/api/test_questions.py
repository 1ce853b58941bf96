from __future__ import annotations

import httpx

from queue_schema.states import Scope
from tests.api.serving import Agent, Api


def test_why_and_its_change(http: httpx.Client, agent: Agent) -> None:
    """The answer names a change; sent as it is, it starts the job (Q10)."""
    job = http.post("/v1/jobs", json={"kind": "noop", "need": {"ram_mib": 16_000_000}}).json()["job_id"]
    assert agent.claim(1) == []

    told = http.get(f"/v1/jobs/{job}/why").json()

    assert (told["proved"], [cause["cause"] for cause in told["causes"]]) == (True, ["too_big"])
    change = told["causes"][0]["change"]
    assert change["verb"] == "amend"
    assert http.patch(f"/v1/jobs/{job}", json=change["fields"]).json() == {"job_id": job, "state": "ready"}
    assert str(agent.one().job_id) == job
    assert http.get(f"/v1/jobs/{job}/why").json()["causes"] == []
    assert http.patch(f"/v1/jobs/{job}", json={"priority": "low"}).status_code == 409


def test_eta_of_a_job(http: httpx.Client, agent: Agent) -> None:
    """Bounds of start and finish; of an ended job, when it ended (Q11)."""
    job = http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]

    told = http.get(f"/v1/jobs/{job}/eta").json()

    assert told["basis"] == "simulated"
    assert told["start"]["p50"] <= told["start"]["p90"] <= told["finish"]["p90"]
    agent.complete(agent.one())
    assert http.get(f"/v1/jobs/{job}/eta").json()["basis"] == "ended"


def test_fit_answers_each_job(http: httpx.Client, agent: Agent) -> None:
    """In order, and nothing is submitted."""
    jobs = [{"kind": "noop"}, {"kind": "noop", "need": {"labels": {"zone": "moon"}}}]

    told = http.post("/v1/fit", json={"jobs": jobs}).json()["jobs"]

    assert [each["starts"] for each in told] == ["now", "never"]
    assert [cause["cause"] for cause in told[1]["causes"]] == ["label"]
    assert http.get("/v1/jobs").json()["jobs"] == []


def test_questions_that_mean_nothing_are_refused(api: Api, http: httpx.Client) -> None:
    """By their field; and a key that may only read changes nothing."""
    job = http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]
    reader = api.client("acme", Scope.READ)
    assert reader.patch(f"/v1/jobs/{job}", json={"priority": "low"}).status_code == 403
    assert reader.get(f"/v1/jobs/{job}/why").status_code == 200
    for method, path, body, status, field in (
        ("PATCH", f"/v1/jobs/{job}", {}, 400, None),
        ("PATCH", f"/v1/jobs/{job}", {"kind": "command"}, 400, "kind"),
        ("PATCH", f"/v1/jobs/{job}", {"need": {"vram_mib": -1}}, 400, "need.vram_mib"),
        ("PATCH", f"/v1/jobs/{job}", {"run_at": "2030-01-01T00:00:00"}, 400, "run_at"),
        ("PATCH", f"/v1/jobs/{job}", {"priority": "urgent"}, 400, "priority"),
        ("POST", "/v1/fit", {"jobs": []}, 400, "jobs"),
        ("POST", "/v1/fit", {"jobs": [{"kind": "nonsense"}]}, 400, "jobs[0].kind"),
        ("GET", "/v1/jobs/00000000000000/why", None, 404, "job_id"),
        ("GET", "/v1/jobs/00000000000000/eta", None, 404, "job_id"),
    ):
        answer = http.request(method, path, json=body)

        assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text
