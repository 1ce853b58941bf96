"""One job from its submission to its settle, over all programs, as a collector and a scraper see it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from queue_schema.calls import admin
from queue_schema.states import Scope
from tests.acceptance.conftest import Fleet
from tests.support.collector import Collector, Seen, collecting

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """All programs that start from here on tell it."""
    with collecting() as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


def path(spans: list[Seen], span: Seen) -> list[str]:
    """From the root to a span, by service and name."""
    by_id = {each.span_id: each for each in spans}
    found = [f"{span.service}: {span.name}"]
    while span.parent_id in by_id:
        span = by_id[span.parent_id]
        found.insert(0, f"{span.service}: {span.name}")
    assert span.parent_id == ""
    return found


def test_a_job_is_one_trace_over_api_database_agent_and_runner(collector: Collector, fleet: Fleet):
    """Its retry is in it, and points at the attempt before; nothing else is."""
    fleet.agent("node-1")
    fleet.conn.execute("update fleet.retry_policies set base_s = 0, max_s = 0")
    job = fleet.client.submit("command", {"argv": ["false"]}, retries=1)
    other = fleet.client.submit("noop")
    fleet.until(fleet.all_ended)
    fleet.until(lambda: len(collector.spans("attempt")) == 3)
    first, second = collector.spans("attempt", argosy_job_id=job.id)
    spans = [span for span in collector.spans() if span.trace_id == first.trace_id]
    [submitted] = [span for span in spans if span.name == "submit"]
    works = [span for span in spans if span.name == "work"]

    assert second.trace_id == first.trace_id
    assert second.links == [first.span_id]
    assert submitted.facts["argosy.job.id"] == job.id
    above = ["argosy-api: POST /v1/jobs", "argosy-api: submit", "argosy-agent: attempt", "argosy-agent: run"]
    assert [path(spans, work) for work in works] == [[*above, "argosy-agent: work"]] * 2
    assert other.id not in {span.facts.get("argosy.job.id") for span in spans}
    log = fleet.local.home / "logs" / "agent-node-1.log"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = {line["event"] for line in lines if line.get("trace_id") == first.trace_id}
    assert {"job.claimed", "job.failed"} <= told


def test_a_scraper_and_a_collector_see_the_same_fleet(collector: Collector, fleet: Fleet):
    """What ended is in the API's counters a few seconds later, by whatever way they go out."""
    fleet.agent("node-1")
    fleet.client.submit("noop")
    fleet.until(fleet.all_ended)
    key = admin.create_key(fleet.conn, "monitoring", name="prometheus", scopes=[Scope.METRICS]).key

    def ended() -> float:
        answer = httpx.get(f"{fleet.local.url}/metrics", headers={"Authorization": f"Bearer {key}"})
        samples = [s for family in text_string_to_metric_families(answer.text) for s in family.samples]
        return sum(s.value for s in samples if s.name == "argosy_attempts_total")

    fleet.until(lambda: ended() == 1)
    fleet.until(lambda: "argosy.attempts" in collector.metrics.get("argosy-api", ()))
    fleet.until(lambda: "argosy.agent.attempts" in collector.metrics.get("argosy-agent", ()))
