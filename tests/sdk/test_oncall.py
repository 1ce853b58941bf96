from __future__ import annotations

import pytest

import argosy
from queue_schema.calls import chores
from queue_schema.states import Cause
from tests.api.serving import Agent
from tests.sdk.conftest import Run


def test_the_brakes_from_python(client: argosy.Client, agent: Agent) -> None:
    """Stop, go, quarantine, release, pause a kind (Q12, Q16)."""
    assert (client.fleet.stop("why"), client.fleet.stop(), client.fleet.info().halted) == (True, False, True)
    job = client.submit("noop")
    assert job.refresh().held == "halted"
    assert (client.fleet.go(), client.fleet.info().halted) == (True, False)
    assert client.fleet.quarantine("noop", reason="x") is True
    assert job.refresh().held == "quarantined"
    assert [kind.kind for kind in client.fleet.kinds() if kind.quarantined] == ["noop"]
    assert client.fleet.quarantine("noop", on=False) is True
    assert client.pause(kind="noop") == 1
    assert job.refresh().held == "paused"
    assert client.pause(paused=False, kind="noop") == 1
    assert len(agent.claim()) == 1
    with pytest.raises(argosy.NotFound):
        client.fleet.quarantine("nonsense")


def test_many_jobs_from_python(client: argosy.Client, agent: Agent) -> None:
    """Counted, cancelled, requeued, through as many batches as it takes."""
    client.submit_many([argosy.JobSpec(kind="noop", tags={"x": "1"}) for _ in range(601)])
    client.submit("noop")
    some = client.where(kind="noop", tags={"x": "1"})
    assert some.count() == 601
    assert some.cancel() == argosy.Bulk(601, 601, 0)
    assert client.where(state="cancelled").requeue().changed == 601
    [claimed] = agent.claim()
    assert client.where(state="running", node="node-1").requeue().changed == 1
    agent.fail(claimed, cause=Cause.USER_ERROR)
    assert client.where(state="failed", cause="user_error").count("requeue") == 1


def test_the_brakes_from_the_shell(run: Run) -> None:
    """What is typed at three in the morning."""
    assert run("fleet", "stop", "--reason", "bad driver").out.strip() == "fleet stopped"
    assert "stopped: bad driver" in run("fleet", "show").out
    assert run("fleet", "stop").out.strip() == "fleet stopped (as before)"
    job = run("job", "submit", "noop").out.strip()
    assert "(halted)" in run("job", "list").out
    assert run("fleet", "go", "--json").json == {"fleet": "goes", "changed": True}
    assert run("fleet", "show").out.startswith("going")
    assert run("kind", "quarantine", "noop", "--reason", "x").out.strip() == "noop quarantined"
    assert "quarantined: x" in run("kind", "list").out
    assert "quarantined kinds: noop" in run("fleet", "show").out
    assert run("kind", "release", "noop").out.strip() == "noop released"
    assert run("fleet", "pause", "--kind", "noop").out.strip() == "1 lanes paused"
    assert run("job", "show", job, "--json").json["job"]["held"] == "paused"
    assert run("fleet", "resume", "--kind", "noop", "--json").json == {"paused": False, "lanes": 1}
    assert run("kind", "quarantine", "nonsense").code == 3


def test_many_jobs_from_the_shell(run: Run, agent: Agent) -> None:
    """By filter, with a dry run; by ids as ever; both at once, or neither, is wrong usage."""
    ids = [run("job", "submit", "noop").out.strip() for _ in range(3)]
    words = ("--kind", "noop", "--state", "ready", "--older-than", "0s")
    assert run("job", "cancel", *words, "--dry-run").out.strip() == "3 to cancel; nothing was done"
    assert run("job", "cancel", ids[0]).out.strip() == f"{ids[0]} cancelled"
    assert run("job", "cancel", *words).out.strip() == "2 cancelled"
    assert run("job", "requeue", ids[0], ids[1]).out.strip() == "2 requeued"
    agent.claim(2)
    assert run("job", "requeue", "--state", "running", "--node", "node-1", "--dry-run", "--json").json == {
        "matched": 2,
        "dry_run": True,
    }
    assert run("job", "requeue", "--state", "running").out.strip() == "2 requeued"
    assert run("job", "requeue", "--state", "running").out.strip() == "0 requeued, 2 left as they are"
    assert run("job", "cancel", "--all").out.strip() == "2 cancelled"
    for wrong in (
        ["cancel"],
        ["cancel", ids[0], "--kind", "noop"],
        ["requeue", "--kind", "noop"],
        ["cancel", "--older-than", "soon"],
    ):
        assert run("job", *wrong).code == 2


def test_what_was_learned_of_jobs(client: argosy.Client, run: Run, agent: Agent) -> None:
    """Runs, and how long they took, by kind, model and size: from Python and from the shell."""
    for _ in range(5):
        client.submit("noop")
        agent.complete(agent.one())
    chores.learn(agent.conn)

    [need] = client.fleet.needs("noop")

    assert (need.kind, need.runs, need.memory, need.declared_mib) == ("noop", 5, "ram", 64)
    assert need.run_p90_s is not None
    assert client.fleet.needs("command") == []
    assert "noop" in run("kind", "needs").out
    assert run("kind", "needs", "noop", "--json").json[0]["runs"] == 5
