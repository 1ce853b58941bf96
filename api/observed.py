"""Around the whole application: a span and a measurement of each request, whatever answered it."""

from __future__ import annotations

import time
from typing import Any

from litestar import Litestar
from litestar.types import Message, Receive, Send
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from queue_schema.signals import Signals

_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines: their spans would bury all others."""
_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Those of the semantic conventions for HTTP."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_PROPAGATOR = TraceContextTextMapPropagator()


class Observed:
    """An ASGI application around another, after the semantic conventions of OpenTelemetry for HTTP servers.

    Outside of Litestar's own middleware, where what a handler raises has become an answer.
    """

    def __init__(self, app: Litestar, signals: Signals) -> None:
        self._app = app
        self._tracer = signals.tracer
        self._tracing = signals.tracing
        self._durations = signals.meter.create_histogram(
            "http.server.request.duration",
            unit="s",
            description="Duration of HTTP server requests; streams of events are left out.",
            explicit_bucket_boundaries_advisory=_BOUNDS_S,
        )

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = _Answered(send)
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        began = time.perf_counter()
        if self._tracing and scope["path"] not in _UNTRACED:
            await self._traced(scope, receive, answered, method)
        else:
            await self._app(scope, receive, answered)
        if not answered.streams:
            facts = {"http.request.method": method, "http.response.status_code": answered.status}
            if route := _route(scope):
                facts["http.route"] = route
            self._durations.record(time.perf_counter() - began, facts)

    async def _traced(self, scope: Any, receive: Receive, answered: _Answered, method: str) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        span = self._tracer.start_span(
            method,
            context=_PROPAGATOR.extract(headers),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "url.path": scope["path"],
                "url.scheme": scope["scheme"],
            },
        )
        token = context.attach(trace.set_span_in_context(span))
        try:
            await self._app(scope, receive, answered)
        finally:
            context.detach(token)
            if route := _route(scope):
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)
            span.set_attribute("http.response.status_code", answered.status)
            if answered.status >= 500:
                span.set_status(Status(StatusCode.ERROR))
            span.end()


class _Answered:
    """Passes an answer on, and remembers its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500
        """Until there is an answer: whoever asked gets none."""
        self.streams = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.streams = any(
                name.lower() == b"content-type" and value.startswith(b"text/event-stream")
                for name, value in message["headers"]
            )
        await self._send(message)


def _route(scope: Any) -> str | None:
    """As its handler has it, ids left out; None where there is none: a stranger's path is no label."""
    template: str | None = scope.get("path_template")
    return template


def traceparent() -> str | None:
    """Of the span that is current here, for whoever goes on from it; None: nobody traces."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")
