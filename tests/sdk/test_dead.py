from __future__ import annotations

import pytest

import argosy
from queue_schema.states import Cause
from tests.api.serving import Agent
from tests.sdk.conftest import Run


def test_the_dead_from_python(client: argosy.Client, agent: Agent) -> None:
    """Listed over pages, counted, run again; policies shown and changed (Q8)."""
    client.submit_many([argosy.JobSpec(kind="noop") for _ in range(12)])
    for claimed in agent.claim(12):
        agent.fail(claimed, cause=Cause.TIMEOUT)
    assert len(list(client.dead.list())) == 12
    assert len(list(client.dead.list(limit=5, cause="timeout"))) == 5
    assert client.dead.by_cause() == {"timeout": 12}
    assert client.where(state="failed", dead=True, cause="timeout").requeue() == argosy.Bulk(12, 12, 0)
    assert list(client.dead.list()) == []

    assert client.fleet.set_policy("timeout", base_s=3, retried=False).base_s == 3
    assert [each.retried for each in client.fleet.policies() if each.cause == "timeout"] == [False]
    with pytest.raises(argosy.BadRequest) as caught:
        client.fleet.set_policy("lost", charged="user")
    assert caught.value.field == "charged"


def test_the_dead_from_the_shell(run: Run, agent: Agent) -> None:
    """`dead list`, a dry run, the redrive; and `fleet policy`."""
    job = run("job", "submit", "noop").out.strip()
    assert run("dead", "list").out.strip() == "No dead jobs."
    agent.fail(agent.one(), "it broke")
    listed = run("dead", "list").out
    assert "it broke" in listed
    assert "in all: 1 user_error" in listed
    assert run("dead", "list", "--json").json["jobs"][0]["job_id"] == job
    assert run("dead", "list", "--until", "2020-01-01T00:00").out.strip() == "No dead jobs."
    words = ("dead", "redrive", "--cause", "user_error", "--since", "2020-01-01T00:00")
    assert run(*words, "--dry-run").out.strip() == "1 to requeue; nothing was done"
    assert run(*words).out.strip() == "1 requeued"
    assert run("dead", "redrive").code == 2

    assert "infrastructure" in run("fleet", "policy").out
    changed = run("fleet", "policy", "timeout", "--base-s", "9", "--not-retried", "--json").json
    assert (changed["base_s"], changed["retried"]) == (9, False)
    assert run("fleet", "policy", "lost", "--charged", "user").code == 1
