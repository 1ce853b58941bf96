"""What is told of a submission: a span of the database call, a count, and a line in the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import structlog
from opentelemetry.trace import SpanKind

from api.observed import traceparent
from queue_schema.shapes import Principal, Submission, Submitted
from queue_schema.signals import Signals

log = structlog.get_logger(__name__)


class Submissions:
    """Tells of what comes in; when nobody traces, a trace that the client brought is passed on as it is."""

    def __init__(self, signals: Signals) -> None:
        self._tracer = signals.tracer
        self._tracing = signals.tracing
        self._counter = signals.meter.create_counter(
            "argosy.jobs.submitted", unit="{job}", description="Jobs submitted through this API process."
        )

    def told(
        self,
        who: Principal,
        jobs: Sequence[Submission],
        brought: str | None,
        submit: Callable[[str | None], list[Submitted]],
    ) -> list[Submitted]:
        """Submit, with the context of the trace that the jobs go on in."""
        if self._tracing:
            facts = {
                "db.system.name": "postgresql",
                "db.operation.name": "submit_v1",
                "argosy.project": who.project,
            }
            with self._tracer.start_as_current_span("submit", kind=SpanKind.CLIENT, attributes=facts) as span:
                answers = submit(traceparent())
                span.set_attribute("argosy.jobs", len(answers))
                if len(answers) == 1:
                    span.set_attribute("argosy.job.id", str(answers[0].job_id))
                self._count(who, jobs, answers)
        else:
            answers = submit(brought)
            self._count(who, jobs, answers)
        return answers

    def _count(self, who: Principal, jobs: Sequence[Submission], answers: Sequence[Submitted]) -> None:
        new = [
            (job.kind, str(job.priority)) for job, answer in zip(jobs, answers, strict=True) if answer.created
        ]
        for (kind, priority), count in Counter(new).items():
            self._counter.add(count, {"project": who.project, "kind": kind, "priority": priority})
        if new:
            log.info("job.submitted", project=who.project, jobs=len(new), job_id=str(answers[0].job_id))
