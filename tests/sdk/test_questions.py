from __future__ import annotations

import json
from pathlib import Path

import pytest

import argosy
from tests.api.serving import Agent
from tests.sdk.conftest import Run


def test_questions_from_python(client: argosy.Client, agent: Agent) -> None:
    """Why, eta, fit and change, typed."""
    job = client.submit("noop", need={"labels": {"zone": "moon"}})
    told = job.why()
    assert [(cause.cause, cause.command is not None) for cause in told.causes] == [("label", True)]
    assert told.proved
    assert job.eta().basis == "unknown"

    assert job.change(need={"labels": {}}) == "ready"
    assert job.why().causes == []
    eta = job.eta()
    assert eta.start is not None
    assert eta.start.p50 <= eta.start.p90
    fits = client.fit([argosy.JobSpec(kind="noop", inputs={"a": b"not sent"}), {"kind": "noop"}])
    assert [fit.starts for fit in fits] == ["now", "now"]
    agent.complete(agent.one())
    assert job.why().state == "succeeded"
    with pytest.raises(argosy.Conflict):
        job.change(priority="low")


def test_questions_from_the_shell(run: Run, agent: Agent, tmp_path: Path) -> None:
    """What `why` proposes can be typed as it stands."""
    assert agent.claim(1) == []  # now the database knows what is free there
    job = run("job", "submit", "noop", "--need", "ram_mib=16000000", "--run-at", "2100-01-01").out.strip()
    said = run("job", "why", job).out
    assert "future: it may not start before 2100" in said
    assert "too_big" in said
    assert "tried on a copy of the queue" in said
    commands = [line.split()[1:] for line in said.splitlines() if line.strip().startswith("argosy ")]
    assert len(commands) == 2
    for command in commands:
        assert run(*command).code == 0

    assert run("job", "why", job).out.strip() == "ready; nothing keeps it from starting"
    assert "starts" in run("job", "eta", job).out
    assert run("job", "eta", job, "--json").json["basis"] == "simulated"
    agent.complete(agent.one())
    assert run("job", "eta", job).out.startswith("succeeded")
    assert run("job", "change", job).code == 2
    assert run("job", "change", job, "--now", "--run-at", "2100-01-01").code == 2

    assert run("fit", "noop").out.startswith("noop: starts now on")
    file = tmp_path / "jobs.json"
    file.write_text(json.dumps([{"kind": "noop", "ref": "a", "need": {"labels": {"zone": "moon"}}}]))
    assert "a: never, as things are" in run("fit", "--file", str(file)).out
    assert run("fit").code == 2
    assert run("fit", "nonsense").code == 1
