from __future__ import annotations

import json
from pathlib import Path

import pytest

import argosy
from argosy import JobSpec
from tests.sdk.conftest import Run


def test_a_schedule_from_python(client: argosy.Client) -> None:
    """A small graph of specs, by the clock (Q9)."""
    first = JobSpec(kind="noop", inputs={"notes.txt": b"some bytes"})
    second = JobSpec(kind="noop", after=[first])
    made = client.schedules.create("nightly", "@daily", [first, second], timezone="Asia/Kolkata")

    assert made.next_tick is not None
    assert (made.next_tick.hour, made.next_tick.minute) == (18, 30)
    assert [each.name for each in client.schedules.list()] == ["nightly"]
    assert (client.schedules.pause("nightly"), client.schedules.pause("nightly")) == (True, False)
    assert client.schedules.get("nightly").next_tick is None
    assert client.schedules.resume("nightly") is True
    client.schedules.delete("nightly")
    with pytest.raises(argosy.NotFound):
        client.schedules.get("nightly")
    with pytest.raises(argosy.BadRequest) as caught:
        client.schedules.create("s", "never", [first])
    assert caught.value.field == "cron"


def test_a_schedule_from_the_shell(run: Run, tmp_path: Path) -> None:
    """One job by its words, or a file of them."""
    told = run("schedule", "create", "hourly", "noop", "--cron", "0 * * * *", "-p", "seconds=1", "--paused")
    assert (told.code, told.out.strip()) == (0, "hourly: paused")
    file = tmp_path / "jobs.json"
    file.write_text(json.dumps([{"ref": "a", "kind": "noop"}, {"kind": "noop", "after": ["a"]}]))
    words = ("--cron", "0 3 * * mon-fri", "--timezone", "Europe/Berlin", "--missed", "skip")
    made = run("schedule", "create", "nightly", "--file", str(file), *words, "--json").json
    assert (made["missed"], len(made["jobs"])) == ("skip", 2)

    listed = run("schedule", "list").out
    assert "Europe/Berlin" in listed
    assert "paused" in listed
    assert run("schedule", "resume", "hourly").out.strip() == "hourly resumed"
    assert run("schedule", "resume", "hourly").out.strip() == "hourly resumed (as before)"
    assert "cron: 0 * * * *" in run("schedule", "show", "hourly").out
    assert run("schedule", "delete", "hourly", "--json").json["outcome"] == "deleted"
    assert run("schedule", "show", "hourly").code == 3
    assert run("schedule", "create", "x", "--cron", "@daily").code == 2
