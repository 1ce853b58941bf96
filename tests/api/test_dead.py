from __future__ import annotations

import httpx

from queue_schema.states import Cause, Scope
from tests.api.serving import Agent, Api


def test_dead_jobs_are_listed_by_page_and_run_again(http: httpx.Client, agent: Agent) -> None:
    """Newest first with counts by cause; a redrive is a requeue of the dead (Q8)."""
    for number in range(5):
        http.post("/v1/jobs", json={"kind": "noop"})
        agent.fail(agent.one(), cause=Cause.TIMEOUT if number == 0 else Cause.USER_ERROR)
    seen, cursor = [], None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = http.get("/v1/dead", params=query).json()
        assert page["causes"] == {"timeout": 1, "user_error": 4}
        seen += [job["job_id"] for job in page["jobs"]]
        cursor = page["next"]
        if cursor is None:
            break
    listed = [job["job_id"] for job in http.get("/v1/jobs").json()["jobs"]]
    assert seen == listed
    narrowed = http.get("/v1/dead", params={"cause": "timeout", "ended_after": "2020-01-01T00:00:00Z"}).json()
    assert [job["job_id"] for job in narrowed["jobs"]] == listed[-1:]

    where = {"states": ["failed"], "dead": True, "cause": "user_error"}
    counted = http.post("/v1/jobs/requeue", json={"where": where, "dry_run": True}).json()
    driven = http.post("/v1/jobs/requeue", json={"where": where}).json()
    assert (counted["matched"], driven["changed"]) == (4, 4)
    assert http.get("/v1/dead").json()["causes"] == {"timeout": 1}


def test_a_list_of_the_dead_that_means_nothing_is_refused(shared: httpx.Client) -> None:
    """By its argument."""
    for query, field in (
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "2026-01-01T00:00:00_00000000000000000000000000000000"}, "cursor"),
        ({"ended_after": "2026-01-01T00:00:00"}, "ended_after"),
        ({"cause": "bad luck"}, "cause"),
    ):
        answer = shared.get("/v1/dead", params=query)

        assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text


def test_a_retry_policy_is_changed_by_an_admin(api: Api) -> None:
    """Others may look; a policy that breaks a promise is refused by its field."""
    admin, reader = api.client("acme"), api.client("acme", Scope.READ)
    changed = admin.post("/v1/policies/infrastructure", json={"base_s": 5})
    assert changed.status_code == 200
    assert changed.json() in reader.get("/v1/policies").json()["policies"]
    assert reader.post("/v1/policies/infrastructure", json={"base_s": 1}).status_code == 403
    for cause, change, field in (
        ("infrastructure", {"charged": "user"}, "charged"),
        ("expired", {"retried": True}, "cause"),
        ("nonsense", {}, "cause"),
        ("timeout", {"pause": 1}, "pause"),
    ):
        answer = admin.post(f"/v1/policies/{cause}", json=change)
        assert (answer.status_code, answer.json()["field"]) == (400, field)
