"""The trace of each attempt: a span for it below the job's submission, and one for each step.

Ids of attempts are made from the job and the number of the attempt, so that the next one, wherever it runs, can point at
the one before it, and a job that came without a trace has one all the same. Which part of the work was done when is told
by whoever did it; a runner tells its own parts over its channel, and needs no library for it.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from queue_schema.shapes import Claimed
from queue_schema.signals import Signals
from workloads.protocol import Span as Told

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.id_generator import IdGenerator as _IdGenerator
else:
    _IdGenerator = object  # the SDK is imported only where somebody listens

_PROPAGATOR = TraceContextTextMapPropagator()
_MOST_TOLD = 256
"""Spans of one attempt that its runner may add: it may be a stranger's code."""
_MOST_NAME = 100


class Ids(_IdGenerator):
    """Random ids, but for spans whose ids others must know."""

    def __init__(self) -> None:
        self._next = threading.local()

    @contextmanager
    def planned(self, trace_id: int, span_id: int) -> Iterator[None]:
        """What this thread starts within has these."""
        self._next.ids = (trace_id, span_id)
        try:
            yield
        finally:
            self._next.ids = None

    def generate_trace_id(self) -> int:
        """For the SDK."""
        ids: tuple[int, int] | None = getattr(self._next, "ids", None)
        return ids[0] if ids else _random(16)

    def generate_span_id(self) -> int:
        """For the SDK."""
        ids: tuple[int, int] | None = getattr(self._next, "ids", None)
        return ids[1] if ids else _random(8)

    def is_trace_id_random(self) -> bool:
        """For the SDK: not all of them are."""
        return False


class Tracing:
    """Begins the trails of attempts."""

    def __init__(self, signals: Signals | None = None, node: str = "") -> None:
        """Build it.

        Args:
            signals: Its spans have the ids of `Ids`; None: nobody traces.
            node: Where this is.
        """
        signals = signals or Signals()
        self._tracer = signals.tracer
        self._ids = signals.ids if isinstance(signals.ids, Ids) else Ids()
        self._on = signals.tracing and self._ids is signals.ids
        self._node = node

    def attempt(self, claimed: Claimed, sent_ns: int) -> Trail:
        """A claim gave us this job.

        Args:
            claimed: Its trace, where it has one, is gone on with; sampled if its submission was.
            sent_ns: When the claim was sent, on the wall clock.
        """
        if not self._on:
            return SILENT
        parent = _PROPAGATOR.extract({"traceparent": claimed.trace} if claimed.trace else {})
        above = trace.get_current_span(parent).get_span_context()
        trace_id = above.trace_id if above.is_valid else _trace_of(claimed.job_id)
        links = []
        if claimed.attempt > 1:
            before = SpanContext(
                trace_id,
                span_of(claimed.job_id, claimed.attempt - 1),
                is_remote=True,
                trace_flags=above.trace_flags if above.is_valid else TraceFlags(TraceFlags.SAMPLED),
            )
            links.append(Link(before, {"argosy.link": "former attempt"}))
        with self._ids.planned(trace_id, span_of(claimed.job_id, claimed.attempt)):
            span = self._tracer.start_span(
                "attempt",
                parent,
                SpanKind.CONSUMER,
                {
                    "argosy.job.id": str(claimed.job_id),
                    "argosy.job.kind": claimed.kind,
                    "argosy.attempt": claimed.attempt,
                    "argosy.node": self._node,
                    "argosy.devices": claimed.grant.devices,
                },
                links,
                sent_ns,
            )
        trail = Trail(self._tracer, self._ids, span, claimed.token)
        trail.note("claim", sent_ns, time.time_ns(), database("claim_v1"))
        return trail


class Trail:
    """The spans of one attempt. Without a span of its own it does nothing."""

    def __init__(
        self,
        tracer: Tracer | None = None,
        ids: Ids | None = None,
        span: Span = trace.INVALID_SPAN,
        token: UUID | None = None,
    ) -> None:
        self._tracer = tracer
        self._ids = ids
        self._span = span
        self._token = token
        self._run: Span | None = None
        self._run_ns = 0
        self._told = 0

    @property
    def ids(self) -> dict[str, str]:
        """For lines of the log."""
        context = self._span.get_span_context()
        if not context.is_valid:
            return {}
        return {
            "trace_id": trace.format_trace_id(context.trace_id),
            "span_id": trace.format_span_id(context.span_id),
        }

    @contextmanager
    def step(self, name: str, facts: Mapping[str, AttributeValue] | None = None) -> Iterator[Span]:
        """What this thread does within is a step of it, or a part of the step it is at."""
        if self._tracer is None:
            yield trace.INVALID_SPAN
            return
        here = trace.get_current_span().get_span_context()
        inside = here.is_valid and here.trace_id == self._span.get_span_context().trace_id
        parent = None if inside else trace.set_span_in_context(self._span, Context())
        with self._tracer.start_as_current_span(name, parent, attributes=facts) as span:
            yield span

    def note(
        self, name: str, began_ns: int, ended_ns: int, facts: Mapping[str, AttributeValue] | None = None
    ) -> None:
        """A call of the database on its behalf, and perhaps that of others."""
        if self._tracer is not None:
            above = trace.set_span_in_context(self._span, Context())
            span = self._tracer.start_span(name, above, SpanKind.CLIENT, facts, start_time=began_ns)
            span.end(ended_ns)

    def run(self) -> str | None:
        """The runner is given the work: the context it goes on in; None: nobody traces."""
        if self._tracer is None:
            return None
        above = trace.set_span_in_context(self._span, Context())
        self._run_ns = time.time_ns()
        self._run = self._tracer.start_span("run", above, start_time=self._run_ns)
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(self._run, Context()))
        return carrier.get("traceparent")

    def ran(self) -> None:
        """Everything the runner had to say was heard."""
        if self._run is not None and self._run.is_recording():
            self._run.end()

    def told(self, message: Told) -> None:
        """The runner timed a part of its work; it cannot have been before we gave it the work, or in the future."""
        if self._tracer is None or self._ids is None or self._run is None or self._told >= _MOST_TOLD:
            return
        self._told += 1
        run = self._run.get_span_context()
        above = self._run if message.within is None else self._part(run, message.within)
        ended_ns = min(max(self._run_ns, message.ended_ns), time.time_ns())
        with self._ids.planned(run.trace_id, self._part_id(message.number)):
            span = self._tracer.start_span(
                message.name[:_MOST_NAME],
                trace.set_span_in_context(above, Context()),
                start_time=min(max(self._run_ns, message.began_ns), ended_ns),
            )
        if not message.well:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended_ns)

    def end(self, outcome: str, *, well: bool, facts: Mapping[str, AttributeValue] | None = None) -> None:
        """That was the attempt; who says so first is heard."""
        if self._tracer is None or not self._span.is_recording():
            return
        self.ran()
        self._span.set_attributes({"argosy.outcome": outcome, **(facts or {})})
        if not well:
            self._span.set_status(Status(StatusCode.ERROR, outcome))
        self._span.end()

    def _part(self, run: SpanContext, number: int) -> Span:
        context = SpanContext(
            run.trace_id, self._part_id(number), is_remote=True, trace_flags=run.trace_flags
        )
        return trace.NonRecordingSpan(context)

    def _part_id(self, number: int) -> int:
        return _digest(8, f"{self._token} part {number}")


SILENT = Trail()


def span_of(job_id: UUID, attempt: int) -> int:
    """The span of an attempt, as everybody can know it."""
    return _digest(8, f"{job_id} attempt {attempt}")


def _trace_of(job_id: UUID) -> int:
    # Not the id itself: samplers take the lower half for random.
    return _digest(16, str(job_id))


def _digest(size: int, text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size]) or 1


def _random(size: int) -> int:
    return int.from_bytes(os.urandom(size)) or 1


def database(verb: str) -> dict[str, AttributeValue]:
    """What the span of a call of the database says."""
    return {"db.system.name": "postgresql", "db.operation.name": verb}
