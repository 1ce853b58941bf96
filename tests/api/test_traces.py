"""Traces through the API: a span for each request, one for the call of the database, and the job goes on from there."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from queue_schema.signals import Signals, SignalsError, prepare, with_trace
from tests.api.serving import Api, serving
from tests.support.collector import collecting

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GIVEN = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traced(
    database_url: str, conn: psycopg.Connection[Any], tmp_path: Path, spans: InMemorySpanExporter
) -> Iterator[Api]:
    """An API whose spans a test can read."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    signals = prepare("api", "test", {}, prometheus=True).open()
    signals.tracer, signals.tracing = provider.get_tracer("test"), True
    with serving(database_url, conn, tmp_path / "blobs", signals=signals) as running:
        yield running


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    [found] = [span for span in spans.get_finished_spans() if span.name == name]
    return found


def trace_of(conn: psycopg.Connection[Any]) -> str | None:
    [trace] = conn.execute("select trace from fleet.jobs").fetchone()
    return trace


def as_header(span: ReadableSpan) -> str:
    context = span.context
    ids = f"{format_trace_id(context.trace_id)}-{format_span_id(context.span_id)}"
    return f"00-{ids}-{context.trace_flags:02x}"


def test_a_submission_goes_on_with_the_trace_it_brought(
    traced: Api, conn: psycopg.Connection[Any], spans: InMemorySpanExporter
) -> None:
    """Request below the client's span, the call below the request, and the job below the call."""
    answer = traced.client().post("/v1/jobs", json={"kind": "noop"}, headers={"traceparent": GIVEN})
    request, call = named(spans, "POST /v1/jobs"), named(spans, "submit")

    assert answer.status_code == 201
    assert format_trace_id(request.context.trace_id) == TRACE
    assert request.kind is SpanKind.SERVER
    assert format_span_id(request.parent.span_id) == "00f067aa0ba902b7"
    assert request.attributes["http.response.status_code"] == 201
    assert call.parent.span_id == request.context.span_id
    assert call.attributes["argosy.job.id"] == answer.json()["job_id"]
    assert trace_of(conn) == as_header(call)


@pytest.mark.parametrize("header", [{}, {"traceparent": "nonsense"}])
def test_a_submission_without_a_trace_gets_one(
    traced: Api, conn: psycopg.Connection[Any], spans: InMemorySpanExporter, header: dict[str, str]
) -> None:
    """Where somebody traces."""
    traced.client().post("/v1/jobs", json={"kind": "noop"}, headers=header)

    assert trace_of(conn) == as_header(named(spans, "submit"))
    assert named(spans, "POST /v1/jobs").parent is None


@pytest.mark.parametrize(("header", "kept"), [({"traceparent": GIVEN}, GIVEN), ({}, None)])
def test_without_tracing_what_was_brought_is_kept_and_nothing_is_made(
    api: Api, conn: psycopg.Connection[Any], http: httpx.Client, header: dict[str, str], kept: str | None
) -> None:
    """The agents may trace though this API does not."""
    http.post("/v1/jobs", json={"kind": "noop"}, headers=header)

    assert trace_of(conn) == kept


def test_what_machines_ask_every_second_is_not_traced(traced: Api, spans: InMemorySpanExporter) -> None:
    """Probes and scrapes would bury the rest."""
    for path in ("/healthz", "/readyz", "/metrics"):
        assert traced.client().get(path).status_code == 200

    assert spans.get_finished_spans() == ()


def test_a_failed_request_is_a_failed_span(traced: Api, spans: InMemorySpanExporter) -> None:
    """503 is; a client's mistake is not the server's failure."""
    client = traced.client()
    assert client.get("/v1/jobs/nonsense").status_code == 400
    traced.server.app.state.services.pool.close()
    assert client.get("/v1/jobs").status_code == 503

    assert named(spans, "GET /v1/jobs/{job_id}").status.status_code is StatusCode.UNSET
    assert named(spans, "GET /v1/jobs").status.status_code is StatusCode.ERROR


def test_a_line_of_the_log_names_the_current_span(spans: InMemorySpanExporter) -> None:
    """And leaves alone what the event says itself."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    out = StringIO()
    log: Any = structlog.wrap_logger(
        structlog.WriteLogger(out),
        processors=[with_trace, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    with tracer.start_as_current_span("here") as span:
        log.info("inside")
        log.info("told", trace_id="mine")
    log.info("outside")
    inside, told, outside = [json.loads(line) for line in out.getvalue().splitlines()]

    assert inside["trace_id"] == format_trace_id(span.get_span_context().trace_id)
    assert inside["span_id"] == format_span_id(span.get_span_context().span_id)
    assert told == {"event": "told", "trace_id": "mine"}
    assert outside == {"event": "outside"}


@pytest.mark.parametrize(
    ("environ", "traces", "metrics"),
    [
        ({}, False, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, True, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, True, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_METRICS_EXPORTER": "none"}, True, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False, False),
    ],
)
def test_the_usual_variables_decide_who_listens(
    environ: dict[str, str], *, traces: bool, metrics: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an address nobody does."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    prepared = prepare("api", "test", environ)

    assert (prepared.spans is not None, prepared.metrics is not None) == (traces, metrics)


@pytest.mark.parametrize(
    "wrong",
    [{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, {"OTEL_METRIC_EXPORT_INTERVAL": "soon"}],
)
def test_what_cannot_be_is_named(wrong: dict[str, str]) -> None:
    """The variable and its value."""
    [(name, value)] = wrong.items()
    with pytest.raises(SignalsError, match=f"{name}.*{value}"):
        prepare("api", "test", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", **wrong})


def test_signals_that_nobody_hears_do_nothing() -> None:
    """Spans without an id, and no thread."""
    signals = Signals()

    assert not signals.tracer.start_span("x").get_span_context().is_valid
    signals.close()


def test_the_sampler_of_the_environment_decides_for_the_job(
    database_url: str, conn: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the API does not sample, no agent will: the flag stands in the job."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        signals = prepare("api", "test", os.environ, prometheus=True).open()
        with serving(database_url, conn, tmp_path / "blobs", signals=signals) as running:
            client = running.client()
            client.post("/v1/jobs", json={"kind": "noop"})
            unsampled = trace_of(conn)
            conn.execute("delete from fleet.jobs")
            client.post("/v1/jobs", json={"kind": "noop"}, headers={"traceparent": GIVEN})
            asked_for = trace_of(conn)
        signals.close()
        told = {span.trace_id for span in collector.spans()}

    assert unsampled is not None
    assert int(unsampled[-2:], 16) & 1 == 0
    assert asked_for is not None
    assert (asked_for[3:35], int(asked_for[-2:], 16) & 1) == (TRACE, 1)
    assert told == {TRACE}
