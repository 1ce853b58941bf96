from __future__ import annotations

import argosy
from argosy import After, JobSpec
from tests.api.serving import Agent
from tests.sdk.conftest import Run


def test_a_branch_for_a_failure(client: argosy.Client, agent: Agent) -> None:
    """From Python: `After` says which end is waited for, of a job of the same submission or an older one (Q9)."""
    train = JobSpec(kind="noop")
    rescue = JobSpec(kind="noop", after=[After(train, "failed")])
    first, second = client.submit_many([train, rescue])
    third = client.submit("noop", after=[After(second, "ended"), first])
    [edge] = second.info.edges
    assert (edge.job, edge.when, edge.satisfied) == (first.id, "failed", False)

    agent.complete(agent.one())
    assert second.refresh().state == "cancelled"
    assert third.refresh().state == "ready"


def test_a_branch_from_the_shell(client: argosy.Client, agent: Agent, run: Run) -> None:
    """`--after ID:failed`; another word is refused."""
    first = client.submit("noop")
    told = run("job", "submit", "noop", "--after", f"{first.id[:13]}:failed", "--after", first.id)
    assert told.code == 1
    assert "two ways" in told.err

    branch = run("job", "submit", "noop", "--after", f"{first.id}:failed").out.strip()
    assert client.job(branch).info.edges[0].when == "failed"
    assert run("job", "submit", "noop", "--after", f"{first.id}:never").code == 2
