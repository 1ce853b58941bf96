from __future__ import annotations

from typing import Any

import httpx
import psycopg
import pytest

from queue_schema.states import Cause, Command, Scope
from tests.api.serving import Agent, Api


def submit(http: httpx.Client, **job: object) -> str:
    """One job's id."""
    return str(http.post("/v1/jobs", json={"kind": "noop", **job}).json()["job_id"])


def test_the_fleet_is_stopped_and_goes_again(http: httpx.Client, agent: Agent) -> None:
    """Nothing is claimed meanwhile, and every job says why (Q16)."""
    stopped = http.post("/v1/fleet/halt", json={"reason": "bad driver"}).json()
    answer = http.post("/v1/jobs", json={"kind": "noop"}).json()
    assert (stopped["changed"], stopped["fleet"]["halted"]) == (True, True)
    assert http.get("/v1/fleet").json()["halt_reason"] == "bad driver"
    assert (answer["state"], answer["held"]) == ("ready", "halted")
    assert http.get("/v1/jobs").json()["jobs"][0]["held"] == "halted"
    assert agent.claim() == []

    going = http.post("/v1/fleet/halt", json={"on": False}).json()
    assert (going["changed"], going["fleet"]["halted"], going["fleet"]["halt_reason"]) == (True, False, None)
    assert len(agent.claim()) == 1


def test_a_kind_is_kept_back_and_let_go(http: httpx.Client, agent: Agent) -> None:
    """Its jobs are taken with a clear state; others run."""
    answer = http.post("/v1/kinds/command/quarantine", json={"reason": "fills disks"}).json()
    held = submit(http, kind="command", params={"argv": ["true"]})
    assert (answer["changed"], answer["kind"]["quarantined"]) == (True, True)
    assert http.get(f"/v1/jobs/{held}").json()["held"] == "quarantined"
    [kind] = [each for each in http.get("/v1/kinds").json()["kinds"] if each["kind"] == "command"]
    assert (kind["ready"], kind["quarantine_reason"]) == (1, "fills disks")
    assert agent.claim() == []

    assert http.post("/v1/kinds/command/quarantine", json={"on": False}).json()["changed"] is True
    assert len(agent.claim()) == 1
    assert http.post("/v1/kinds/nonsense/quarantine", json={}).status_code == 404


def test_a_pause_is_narrowed_to_a_kind(http: httpx.Client, agent: Agent) -> None:
    """The other kinds of the project go on (Q12)."""
    submit(http, kind="command", params={"argv": ["true"]})
    free = submit(http)
    assert http.post("/v1/pause", json={"paused": True, "kind": "command"}).json()["lanes"] == 1
    assert [str(job.job_id) for job in agent.claim(9)] == [free]
    assert http.post("/v1/pause", json={"paused": True, "kind": "nonsense"}).status_code == 404


def test_cancel_in_bulk_counts_first(http: httpx.Client) -> None:
    """A dry run says how many; then batches until there is no next (Q16)."""
    for number in range(5):
        submit(http, tags={"order": str(number % 2)})
    where = {"kind": "noop", "tags": {"order": "0"}}
    counted = http.post("/v1/jobs/cancel", json={"where": where, "dry_run": True}).json()
    assert (counted["matched"], counted["changed"]) == (3, 0)

    first = http.post("/v1/jobs/cancel", json={"where": where, "limit": 2}).json()
    second = http.post("/v1/jobs/cancel", json={"where": where, "limit": 2, "after": first["next"]}).json()
    assert (first["changed"], second["changed"], second["next"]) == (2, 1, None)
    assert len(http.get("/v1/jobs", params={"state": "ready"}).json()["jobs"]) == 2


def test_requeue_in_bulk_tells_agents_and_retries_what_ended(http: httpx.Client, agent: Agent) -> None:
    """Running work by a command as for a preemption, failed work by a retry."""
    submit(http)
    submit(http)
    failed, running = agent.claim(2)
    agent.fail(failed, cause=Cause.INFRASTRUCTURE)
    agent.conn.execute("update fleet.settings set max_infra_retries = 0")
    told = http.post("/v1/jobs/requeue", json={"where": {"states": ["running"], "node": "node-1"}}).json()

    assert told["changed"] == 1
    command = agent.conn.execute("select command::text from fleet.leases").fetchone()
    assert command == (str(Command.PREEMPT),)
    assert running.job_id != failed.job_id
    refused = http.post("/v1/jobs/requeue", json={"where": {}})
    assert (refused.status_code, refused.json()["field"]) == (400, "where.states")


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ({"states": ["nowhere"]}, "where.states[0]"),
        ({"states": ["failed"]}, "where.states"),
        ({"older_than_s": -1}, "where.older_than_s"),
        ({"ended_after": "2026-01-01T00:00:00"}, "where.ended_after"),
        ({"colour": "red"}, "where.colour"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(
    shared: httpx.Client, where: dict[str, object], field: str
) -> None:
    """By its path."""
    answer = shared.post("/v1/jobs/cancel", json={"where": where})

    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_the_brakes_need_the_scope_admin(api: Api) -> None:
    """So does reaching into another project; a submitter may still cancel its own in bulk."""
    mine, theirs = api.client("acme", Scope.SUBMIT, Scope.READ), api.client("other")
    submit(mine)
    submit(theirs)
    for path in ("/v1/fleet/halt", "/v1/kinds/noop/quarantine"):
        assert mine.post(path, json={}).status_code == 403
    for project in ("other", "*"):
        refused = mine.post("/v1/jobs/cancel", json={"where": {}, "project": project})
        assert (refused.status_code, refused.json()["field"]) == (403, "project")
    assert mine.post("/v1/jobs/cancel", json={"where": {}, "project": "acme"}).json()["changed"] == 1

    assert theirs.post("/v1/jobs/cancel", json={"where": {}, "project": "nobody"}).status_code == 404
    submit(mine)
    assert theirs.post("/v1/jobs/cancel", json={"where": {}, "project": "*"}).json()["changed"] == 2


def test_what_is_done_through_the_api_is_written_down_with_the_key(api: Api, conn: psycopg.Connection[Any]):
    """The database's login is the API's; whose key it was stands beside it, for that act alone."""
    first, second = api.client("acme"), api.client("other")
    assert first.post("/v1/fleet/halt", json={"on": True, "reason": "x"}).status_code == 200
    assert second.post("/v1/fleet/halt", json={"on": False}).status_code == 200
    acts = conn.execute(
        "select project, act, said ->> 'on' from fleet.v_audit where act = 'halt' order by 1"
    ).fetchall()
    assert acts == [("acme", "halt", "true"), ("other", "halt", "false")]
