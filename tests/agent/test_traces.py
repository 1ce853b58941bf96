"""What an agent tells of the attempts it runs: spans below the submission's, over real HTTP, or nothing."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agent.leases import Lease
from agent.tracing import Ids, Tracing
from queue_schema.calls import agents, clients
from queue_schema.shapes import Claimed, Grant, Submission
from queue_schema.signals import Signals
from tests.agent.conftest import Bench, Blobs
from tests.agent.daemons import Fleet
from tests.support.collector import Collector, Seen, collecting
from tests.support.waiting import eventually
from workloads.protocol import Span

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


def submit(fleet: Fleet, submission: Submission, trace: str | None) -> UUID:
    [answer] = clients.submit(fleet.conn, fleet.project, [submission], trace=trace)
    agents.wake(fleet.conn)
    return answer.job_id


def children(spans: list[Seen], of: Seen) -> list[str]:
    return [span.name for span in spans if span.parent_id == of.span_id]


def test_each_step_of_an_attempt_is_a_span_below_its_submission(
    fleet: Fleet, blobs: Blobs, collector: Collector
):
    """Claim, preparation, start, run and what the runner tells of it, upload, settle; times within times."""
    daemon = fleet.agent(environment=collector.environment)
    given = fleet.uploaded(blobs.add(b"hello"))
    argv = ["sh", "-c", "cat inputs/word > outputs/word; printf %s $TRACEPARENT > outputs/context"]
    job = submit(fleet, Submission("command", {"argv": argv}, inputs={"word": given}), SAMPLED)
    fleet.ends(job, "succeeded")
    [attempt] = eventually(lambda: collector.spans("attempt"))
    spans = collector.spans()
    by_name = {span.name: span for span in spans}

    assert {span.trace_id for span in spans} == {TRACE}
    assert attempt.parent_id == PARENT
    assert attempt.facts["argosy.job.id"] == str(job)
    assert attempt.facts["argosy.outcome"] == "completed"
    assert children(spans, attempt) == ["claim", "prepare", "start", "run", "upload", "upload", "settle"]
    assert children(spans, by_name["prepare"]) == ["fetch"]
    assert children(spans, by_name["run"]) == ["import", "work"]
    assert by_name["start"].facts["argosy.start"] == "cold"
    parents = {span.span_id: span for span in spans}
    for span in spans:
        if span is not attempt:
            above = parents[span.parent_id]
            assert above.began_ns <= span.began_ns <= span.ended_ns <= above.ended_ns, span
    [run] = collector.spans("run")
    assert not daemon.seen("signals.trouble")
    context = f"00-{TRACE}-{run.span_id}-01"
    assert hashlib.sha256(context.encode()).hexdigest() in blobs.files


def test_a_retry_points_at_the_attempt_before_it(fleet: Fleet, collector: Collector):
    """One trace, a link from the second to the first, and both say how they ended."""
    fleet.agent(environment=collector.environment)
    fleet.conn.execute("update fleet.retry_policies set base_s = 0, max_s = 0")
    job = submit(fleet, Submission("command", {"argv": ["false"]}, retries=1), SAMPLED)
    fleet.ends(job, "failed")
    first, second = eventually(lambda: len(found := collector.spans("attempt")) == 2 and found)

    assert (first.trace_id, second.trace_id) == (TRACE, TRACE)
    assert (first.parent_id, second.parent_id) == (PARENT, PARENT)
    assert (first.links, second.links) == ([], [first.span_id])
    assert (first.failed, second.failed) == (True, True)
    assert (first.facts["argosy.job.state"], second.facts["argosy.job.state"]) == ("ready", "failed")
    assert second.facts["argosy.cause"] == "user_error"


def test_a_job_without_a_trace_gets_one_over_all_its_attempts(fleet: Fleet, collector: Collector):
    """Submitted while nobody traced: the attempts find each other all the same."""
    fleet.agent(environment=collector.environment)
    fleet.conn.execute("update fleet.retry_policies set base_s = 0, max_s = 0")
    fleet.ends(submit(fleet, Submission("command", {"argv": ["false"]}, retries=1), None), "failed")
    first, second = eventually(lambda: len(found := collector.spans("attempt")) == 2 and found)

    assert first.trace_id == second.trace_id
    assert (first.parent_id, second.parent_id) == ("", "")
    assert second.links == [first.span_id]


def test_what_was_not_sampled_is_not_told(fleet: Fleet, collector: Collector):
    """Whoever submits decides; another job's spans come through."""
    fleet.agent(environment=collector.environment)
    fleet.ends(submit(fleet, Submission("noop", {}), f"00-{'7' * 32}-{PARENT}-00"), "succeeded")
    fleet.ends(submit(fleet, Submission("noop", {}), SAMPLED), "succeeded")
    eventually(lambda: collector.spans("attempt"))

    assert {span.trace_id for span in collector.spans()} == {TRACE}


def test_lines_of_the_log_name_the_trace(fleet: Fleet, collector: Collector):
    """From a line to the trace, and back."""
    daemon = fleet.agent(environment=collector.environment)
    fleet.ends(submit(fleet, Submission("noop", {}), SAMPLED), "succeeded")
    [attempt] = eventually(lambda: collector.spans("attempt"))
    ids = {"trace_id": TRACE, "span_id": attempt.span_id}

    assert daemon.wait("job.claimed", **ids)["job_id"] == attempt.facts["argosy.job.id"]
    assert daemon.wait("job.completed", **ids)["node"] == "host-a"


def test_work_inside_the_agent_is_traced_too(fleet: Fleet, collector: Collector):
    """It has no runner, so no run; claim and settle all the same."""
    fleet.agent("--in-process", "noop", environment=collector.environment)
    fleet.ends(submit(fleet, Submission("noop", {}), SAMPLED), "succeeded")
    [attempt] = eventually(lambda: collector.spans("attempt"))

    assert children(collector.spans(), attempt) == ["claim", "settle"]


def test_without_an_address_nothing_is_sent_or_even_loaded(fleet: Fleet):
    """Neither the SDK nor protobuf is in the agent's memory, and the job sees no trace."""
    daemon = fleet.agent()
    job = submit(fleet, Submission("command", {"argv": ["sh", "-c", 'test -z "$TRACEPARENT"']}), SAMPLED)
    fleet.ends(job, "succeeded")

    assert "google/_upb" not in Path(f"/proc/{daemon.process.pid}/maps").read_text()


def test_a_collector_that_is_away_holds_nothing_up(fleet: Fleet):
    """Jobs end as ever, the log says so, and so does the agent when it is told to."""
    nowhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    daemon = fleet.agent(environment=nowhere)
    fleet.ends(submit(fleet, Submission("noop", {}), SAMPLED), "succeeded")
    began = time.monotonic()

    assert daemon.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 12
    assert daemon.seen("signals.trouble")


def test_the_collectors_password_is_not_the_jobs_business(fleet: Fleet, collector: Collector):
    """It goes to the collector, and not into the environment of a runner."""
    secret = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=hunter2", **collector.environment}
    fleet.agent(environment=secret)
    job = submit(
        fleet, Submission("command", {"argv": ["sh", "-c", "! env | grep -q -e OTEL -e hunter2"]}), SAMPLED
    )
    fleet.ends(job, "succeeded")
    eventually(lambda: collector.spans("attempt"))

    assert {headers.get("authorization", headers.get("Authorization")) for headers in collector.headers} == {
        "hunter2"
    }


def test_an_address_that_cannot_work_ends_the_agent_at_once(fleet: Fleet):
    """GRPC is spoken nowhere here; the text says what to change."""
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    daemon = fleet.agent(ready=False, environment=settings)

    assert daemon.process.wait(15) == 2
    assert "http/protobuf" in eventually(lambda: daemon.seen("stderr"))[0]["text"]


def test_a_runner_can_neither_flood_a_trace_nor_move_time():
    """It may be anybody's code: its parts are few, short of name, and lie within its run."""
    exporter, signals = listening()
    claimed = Claimed(uuid4(), uuid4(), 1, uuid4(), "command", {}, [], Grant([], 0, 0, 0, 0), 60, False)
    trail = Tracing(signals, "n").attempt(claimed, time.time_ns())
    trail.run()
    for number in range(1000):
        trail.told(Span("x" * 1000, -5, 2**63 - 1, number))
    trail.end("completed", well=True)
    told = [span for span in exporter.get_finished_spans() if span.name.startswith("x")]
    [run] = [span for span in exporter.get_finished_spans() if span.name == "run"]

    assert len(told) == 256
    assert {len(span.name) for span in told} == {100}
    assert all(run.start_time <= span.start_time <= span.end_time <= time.time_ns() for span in told)


def test_jobs_that_are_done_as_one_are_each_traced(bench: Bench):
    """Each has its own run, and the runner's parts in it; the start is that of the first."""
    exporter, signals = listening()
    tracing = Tracing(signals, "n")
    leases = []
    for _ in range(2):
        claimed = bench.claimed("noop", {}, trace=SAMPLED)
        leases.append(Lease(claimed.job_id, claimed.token, claimed, time.monotonic()))
        leases[-1].trail = tracing.attempt(claimed, time.time_ns())
    bench.begin(*leases)
    for lease in leases:
        bench.outcome(lease)
        lease.trail.end("completed", well=True)
    spans = exporter.get_finished_spans()
    runs = {span.context.span_id: span.parent.span_id for span in spans if span.name == "run"}
    attempts = {span.context.span_id for span in spans if span.name == "attempt"}

    assert set(runs.values()) == attempts
    assert len(attempts) == 2
    assert {span.parent.span_id for span in spans if span.name == "work"} == set(runs)
    assert [span.attributes["argosy.jobs"] for span in spans if span.name == "start"] == [2]


def listening() -> tuple[InMemorySpanExporter, Signals]:
    """Signals that a test can read at once."""
    exporter, ids, signals = InMemorySpanExporter(), Ids(), Signals()
    provider = TracerProvider(id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    signals.tracer, signals.tracing, signals.ids = provider.get_tracer("test"), True, ids
    return exporter, signals
