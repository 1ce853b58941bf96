"""The SDK goes on with the trace that its program is in."""

from __future__ import annotations

import pytest
from opentelemetry import trace as otel
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from argosy import trace

GIVEN = f"00-{'a' * 32}-{'b' * 16}-01"


def test_what_started_the_program_is_gone_on_with(monkeypatch: pytest.MonkeyPatch):
    """A job that submits jobs is seen above them."""
    monkeypatch.setenv("TRACEPARENT", GIVEN)

    assert trace.headers() == {"traceparent": GIVEN}


def test_the_current_span_is_nearer(monkeypatch: pytest.MonkeyPatch):
    """Of a program that traces itself."""
    monkeypatch.setenv("TRACEPARENT", GIVEN)
    span = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))
    with otel.use_span(span):
        assert trace.headers() == {"traceparent": f"00-{1:032x}-{2:016x}-01"}


@pytest.mark.parametrize("given", ["", "nonsense", "00-x\r\nHost: evil"])
def test_nonsense_is_not_sent(given: str, monkeypatch: pytest.MonkeyPatch):
    """Neither is nothing."""
    monkeypatch.setenv("TRACEPARENT", given)

    assert trace.headers() == {}
