from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import NUMBERS
from queue_schema.calls import admin, chores
from queue_schema.states import Cause, Scope
from tests.api.serving import Agent, Api, serving
from tests.plans.plans import _walk
from tests.support.verbs import Project

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def scraped(http: httpx.Client) -> Samples:
    """Every sample, by name and labels."""
    answer = http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in found.setdefault(sample.name, {})
            found[sample.name][labels] = sample.value
    return found


def only(samples: Samples, name: str, **labels: str) -> float:
    """The one sample with these labels, and perhaps others."""
    [value] = [value for of, value in samples[name].items() if labels.items() <= dict(of).items()]
    return value


@pytest.fixture
def fresh(api: Api) -> httpx.Client:
    """A scraper; the tests' API looks at the database for each metric anew."""
    return api.client("monitoring", Scope.METRICS)


def test_the_queue_and_the_devices_are_told_by_project_kind_and_class(
    api: Api, http: httpx.Client, agent: Agent, fresh: httpx.Client
) -> None:
    """Depth and age of what is ready, what runs, and the memory of each device."""
    http.post("/v1/jobs", json={"kind": "noop"})
    http.post("/v1/jobs", json={"kind": "noop"})
    http.post("/v1/jobs", json={"kind": "diffusion.generate", "priority": "high"})
    assert agent.one().kind == "diffusion.generate"
    samples = scraped(fresh)

    ready = {"project": "acme", "kind": "noop", "priority": "normal", "held": "no"}
    assert only(samples, "argosy_queue_depth", **ready) == 2
    assert 0 <= only(samples, "argosy_queue_oldest_age_seconds", **ready) < 60
    assert only(samples, "argosy_jobs_running", kind="diffusion.generate", priority="high") == 1
    assert only(samples, "argosy_nodes", state="live") == 1
    assert only(samples, "argosy_device_memory_limit_bytes", node="node-1", device="0") == 81920 * 2**20
    assert only(samples, "argosy_device_memory_free_bytes", node="node-1", device="0") == 80000 * 2**20
    assert only(samples, "argosy_device_memory_booked_bytes", node="node-1", device="0") == 1536 * 2**20
    assert only(samples, "argosy_database_up") == 1
    assert only(samples, "argosy_partitions_ahead_days", table="attempts") == 14
    assert only(samples, "argosy_jobs_submitted_total", kind="noop", project="acme") == 2


def test_attempts_are_counted_once_and_for_ever(
    api: Api, conn: psycopg.Connection[Any], http: httpx.Client, agent: Agent, fresh: httpx.Client
) -> None:
    """By how they ended and why, from 0 on; retention does not take them back."""
    http.post("/v1/jobs/batch", json={"jobs": [{"kind": "noop"}] * 3})
    succeeds, fails, runs_out = agent.claim(3)
    agent.complete(succeeds)
    agent.fail(fails)
    agent.fail(runs_out, cause=Cause.OUT_OF_MEMORY)
    chores.learn(conn)
    chores.learn(conn)
    before = scraped(fresh)["argosy_attempts_total"]
    conn.execute("truncate fleet.attempts")
    again = agent.claim(1)
    for each in again:
        agent.complete(each)
    chores.learn(conn)
    after = scraped(fresh)["argosy_attempts_total"]

    assert {(dict(of)["outcome"], dict(of)["cause"]): value for of, value in before.items()} == {
        ("succeeded", ""): 1,
        ("released", ""): 0,
        ("failed", "user_error"): 1,
        ("failed", "out_of_memory"): 1,
        ("failed", "timeout"): 0,
        ("failed", "infrastructure"): 0,
        ("failed", "lost"): 0,
    }
    assert sum(after.values()) == sum(before.values()) + len(again)
    assert all(after[of] >= value for of, value in before.items())


def test_every_number_has_its_rows_and_every_row_its_number(
    conn: psycopg.Connection[Any], agent: Agent
) -> None:
    """The view and the list of metrics are the same."""
    [definition] = conn.execute("select pg_get_viewdef('fleet.v_metrics'::regclass)").fetchone()
    inside = {number.name for number in NUMBERS if number.name != "database.up"}

    assert {name for name in inside if f"'{name}'::text" not in definition} == set()
    assert {row[0] for row in conn.execute("select metric from fleet.v_metrics")} <= inside


@pytest.mark.parametrize(
    "fault", ["XID 79: fell off the bus", "disk full: 3 MiB free, 512 are needed", "its owner has it"]
)
def test_a_device_that_takes_no_work_says_why(
    conn: psycopg.Connection[Any], agent: Agent, fresh: httpx.Client, fault: str
) -> None:
    """A broken one must wake somebody, one whose owner plays a game must not."""
    reason = {"X": "sick", "d": "disk_full", "i": "owner"}[fault[0]]
    conn.execute(
        "update fleet.devices set fault = %s, fault_since = fleet.now() - interval '1 hour' where idx = 0",
        (fault,),
    )

    assert only(scraped(fresh), "argosy_device_fault_age_seconds", device="0", reason=reason) >= 3600


def test_an_old_snapshot_shows(conn: psycopg.Connection[Any], database_url: str, fresh: httpx.Client) -> None:
    """How many transactions ago somebody's snapshot was taken; what an API's rights let it see."""
    with psycopg.connect(database_url) as old:
        old.execute("set transaction isolation level repeatable read")
        old.execute("select 1 from fleet.settings")
        for _ in range(50):
            conn.execute("select pg_current_xact_id()")
        age = only(scraped(fresh), "argosy_database_snapshot_age", holder="session")

    assert age >= 50


def test_scrapers_need_the_scope_and_get_nothing_else(api: Api) -> None:
    """A key for metrics reads no job; a key for jobs reads no metrics."""
    metrics, reader = api.client("acme", Scope.METRICS), api.client("acme", Scope.READ, Scope.SUBMIT)

    assert api.stranger().get("/metrics").status_code == 401
    assert reader.get("/metrics").status_code == 403
    assert metrics.get("/v1/jobs").status_code == 403
    assert metrics.get("/metrics").status_code == 200


def test_requests_are_measured_by_route_and_status(api: Api, http: httpx.Client, fresh: httpx.Client) -> None:
    """Under the names of the semantic conventions; ids and strangers' paths are no labels."""
    http.get("/v1/jobs/0190a1b2-0000-7000-8000-000000000000")
    http.get("/no/such/thing/at/all")
    api.stranger().get("/v1/jobs")
    counts = scraped(fresh)["http_server_request_duration_seconds_count"]
    seen = {
        (dict(of).get("http_route") or None, dict(of)["http_response_status_code"]): value
        for of, value in counts.items()
    }

    assert seen["/v1/jobs/{job_id}", "404"] == 1
    assert seen[None, "404"] == 1
    assert seen["/v1/jobs", "401"] == 1


def test_without_a_database_it_still_says_that(
    database_url: str, conn: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """A key that was checked a moment ago is believed, and the answer says that the numbers are missing."""
    with serving(database_url, conn, tmp_path / "blobs", metrics_age_s=0.0, key_ttl_s=60.0) as running:
        scraper = running.client("monitoring", Scope.METRICS)
        scraper.get("/metrics")
        running.server.app.state.services.pool.close()
        samples = scraped(scraper)

    assert only(samples, "argosy_database_up") == 0
    assert "argosy_queue_depth" not in samples
    assert "http_server_request_duration_seconds_count" in samples


def test_scrapes_share_one_look(
    database_url: str, conn: psycopg.Connection[Any], project: Project, tmp_path: Path
) -> None:
    """However many ask, the database is asked once in a while."""
    with serving(database_url, conn, tmp_path / "blobs") as running:
        scraper = running.client("monitoring", Scope.METRICS)
        before = scraped(scraper)
        project.submit()
        after = scraped(scraper)

    assert "argosy_queue_depth" not in {**before, **after}


def test_a_scrape_reads_nothing_that_grows(
    conn: psycopg.Connection[Any], agent: Agent, http: httpx.Client
) -> None:
    """Neither the jobs nor the history, with any plan: jobs are looked up by key."""
    http.post("/v1/jobs", json={"kind": "noop"})
    agent.one()
    [[plan]] = conn.execute("explain (format json) select * from fleet.v_metrics").fetchone()
    jobs = [node for node in _walk(plan["Plan"]) if node.get("Relation Name") == "jobs"]
    tables = {node.get("Relation Name") for node in _walk(plan["Plan"])}

    assert not {table for table in tables if table and table.startswith(("attempts", "job_events", "logs"))}
    assert all(node.get("Index Name") == "jobs_pkey" for node in jobs)


def test_the_key_is_made_by_its_scope(conn: psycopg.Connection[Any]) -> None:
    """`argosy key create --scope metrics`."""
    made = admin.create_key(conn, "monitoring", name="prometheus", scopes=[Scope.METRICS])

    assert admin.list_keys(conn)[0].scopes == [Scope.METRICS]
    assert made.key.startswith("argosy_")
