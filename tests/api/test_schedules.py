from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx

from queue_schema.states import Scope
from tests.api.serving import Api

NIGHTLY: dict[str, Any] = {
    "name": "nightly",
    "cron": "0 3 * * *",
    "timezone": "Europe/Berlin",
    "jobs": [{"ref": "a", "kind": "noop", "tags": {"team": "x"}}, {"kind": "noop", "after": ["a"]}],
}


def test_a_schedule_from_making_to_deleting(http: httpx.Client) -> None:
    """Made, listed, shown, paused, resumed, deleted; each answer has its next tick, in UTC (Q9)."""
    made = http.post("/v1/schedules", json=NIGHTLY)
    again = http.post("/v1/schedules", json=NIGHTLY)
    shown = http.get("/v1/schedules/nightly").json()
    next_tick = datetime.fromisoformat(shown["next_tick"])

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json() == again.json() == shown
    assert (shown["missed"], shown["enabled"], shown["last_tick"]) == ("run_once", True, None)
    assert (next_tick.hour, next_tick.minute) in ((1, 0), (2, 0))
    assert next_tick > datetime.now(UTC)
    assert [each["name"] for each in http.get("/v1/schedules").json()["schedules"]] == ["nightly"]
    assert http.get("/v1/jobs").json()["jobs"] == []

    paused = http.post("/v1/schedules/nightly/pause").json()
    assert (paused["changed"], paused["schedule"]["enabled"], paused["schedule"]["next_tick"]) == (
        True,
        False,
        None,
    )
    assert http.post("/v1/schedules/nightly/resume").json()["schedule"] == shown
    assert http.delete("/v1/schedules/nightly").status_code == 204
    assert http.delete("/v1/schedules/nightly").status_code == 404
    assert http.get("/v1/schedules/nightly").status_code == 404


def test_a_bad_schedule_is_refused_by_field(http: httpx.Client) -> None:
    """The expression, the zone, the policy, and each of its jobs."""
    for change, field in (
        ({"cron": "nightly"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"timezone": "Berlin"}, "timezone"),
        ({"missed": "never"}, "missed"),
        ({"name": "a b"}, "name"),
        ({"jobs": [{"kind": "nonsense"}]}, "jobs[0].kind"),
        ({"jobs": [{"kind": "noop", "start_by": "2100-01-01T00:00:00Z"}]}, "jobs[0].start_by"),
        ({"every": "day"}, "every"),
    ):
        answer = http.post("/v1/schedules", json={**NIGHTLY, **change})

        assert answer.status_code == 400, change
        assert answer.json()["field"] == field
        assert answer.json()["fix"]
    assert http.get("/v1/schedules").json() == {"schedules": []}


def test_another_schedule_under_a_name_is_a_conflict(http: httpx.Client) -> None:
    """Nothing is replaced by mistake."""
    http.post("/v1/schedules", json=NIGHTLY)
    other = http.post("/v1/schedules", json={**NIGHTLY, "cron": "0 4 * * *"})

    assert (other.status_code, other.json()["field"]) == (409, "name")


def test_a_key_that_may_only_read_makes_none(api: Api) -> None:
    """Schedules submit, so making one needs the scope for it; other projects do not see it."""
    reader = api.client("acme", Scope.READ)
    api.client("acme").post("/v1/schedules", json=NIGHTLY)

    assert reader.post("/v1/schedules", json=NIGHTLY).status_code == 403
    assert reader.post("/v1/schedules/nightly/pause").status_code == 403
    assert reader.delete("/v1/schedules/nightly").status_code == 403
    assert reader.get("/v1/schedules/nightly").status_code == 200
    assert api.client("other").get("/v1/schedules/nightly").status_code == 404
