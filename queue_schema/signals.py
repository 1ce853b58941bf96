"""What a program tells of itself: traces and metrics by OpenTelemetry, and the ids of traces on its log lines.

Programs speak to the OpenTelemetry API alone, which does nothing until somebody listens. Who listens is decided here,
by the usual variables of the environment (OTEL_*): without OTEL_EXPORTER_OTLP_ENDPOINT nothing is sent, no thread is
started, and the SDK is not even imported. No provider is global, so that one process may hold several programs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from opentelemetry import trace
from opentelemetry.metrics import Meter, NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider, Tracer

if TYPE_CHECKING:  # tens of modules that a silent program never needs
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from prometheus_client import CollectorRegistry

log = structlog.get_logger(__name__)

SCOPE = "argosy"
_MOST_POINTS = 100_000
"""Of one metric: a fleet has thousands of devices, and the SDK would fold all beyond 2000 into one."""
_EXPORT_S = 60.0
"""Between two exports of metrics, unless OTEL_METRIC_EXPORT_INTERVAL says otherwise."""
_DELAY_S = 5.0
"""How long spans wait for others, unless OTEL_BSP_SCHEDULE_DELAY says otherwise."""
_CLOSE_S = 5.0


class SignalsError(ValueError):
    """A setting of OTEL_* is not usable."""


class Signals:
    """Where a program's spans and measurements go; by itself, nowhere."""

    def __init__(self) -> None:
        self.tracer: Tracer = NoOpTracerProvider().get_tracer(SCOPE)
        self.meter: Meter = NoOpMeterProvider().get_meter(SCOPE)
        self.tracing = False
        """Whether spans go anywhere."""
        self.metering = False
        """Whether measurements do."""
        self.traces: TracerProvider | None = None
        self.metrics: MeterProvider | None = None
        self.registry: CollectorRegistry | None = None
        self.ids: IdGenerator | None = None
        self._server: Any = None

    def exposition(self) -> tuple[bytes, str]:
        """Every metric in the text format of Prometheus, and its media type. Takes as long as what it observes."""
        from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

        assert self.registry is not None, "prepare it with prometheus=True"
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4

    def serve(self, host: str, port: int) -> int:
        """Answer scrapes on a thread; says on which port, for 0 is any free one.

        Raises:
            OSError: It cannot listen there.
        """
        from prometheus_client import start_http_server

        assert self.registry is not None, "prepare it with prometheus=True"
        self._server, _ = start_http_server(port, host, self.registry)
        bound: int = self._server.server_port
        return bound

    def close(self) -> None:
        """Send what is left, for a few seconds at most: a collector that is away must not hold up an orderly end."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        last = threading.Thread(target=self._send_the_rest, name="signals", daemon=True)
        last.start()
        last.join(_CLOSE_S)

    def _send_the_rest(self) -> None:
        try:
            if self.traces is not None:
                self.traces.shutdown()
            if self.metrics is not None:
                self.metrics.shutdown(timeout_millis=_CLOSE_S * 1000)
        except Exception as exc:  # noqa: BLE001  # whatever it is, the program has done its work
            log.warning("signals.trouble", error=f"{type(exc).__name__}: {exc}")


@dataclass(kw_only=True)
class Prepared:
    """All that is read from the environment, before a program cuts it; there is no thread yet."""

    resource: Any = None
    traces: TracerProvider | None = None
    spans: SpanExporter | None = None
    metrics: MetricExporter | None = None
    export_s: float = _EXPORT_S
    delay_s: float = _DELAY_S
    prometheus: bool = False
    ids: IdGenerator | None = None

    def open(self) -> Signals:
        """Begin to send; from here on there may be threads."""
        signals = Signals()
        if self.traces is not None and self.spans is not None:
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            delay_ms = self.delay_s * 1000
            self.traces.add_span_processor(BatchSpanProcessor(self.spans, schedule_delay_millis=delay_ms))
            signals.traces = self.traces
            signals.tracer = self.traces.get_tracer(SCOPE)
            signals.tracing = True
            signals.ids = self.ids
        if self.metrics is not None or self.prometheus:
            self._open_metrics(signals)
        return signals

    def _open_metrics(self, signals: Signals) -> None:
        from opentelemetry.sdk.metrics import MeterProvider, ObservableCounter, ObservableGauge
        from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader

        limits: Any = {ObservableGauge: _MOST_POINTS, ObservableCounter: _MOST_POINTS}
        readers: list[MetricReader] = []
        if self.metrics is not None:
            every_ms = self.export_s * 1000
            readers.append(PeriodicExportingMetricReader(self.metrics, every_ms, cardinality_limits=limits))
        if self.prometheus:
            from opentelemetry.exporter.prometheus import PrometheusMetricReader
            from prometheus_client import CollectorRegistry

            signals.registry = CollectorRegistry(auto_describe=False)
            readers.append(
                PrometheusMetricReader(
                    scope_info_enabled=False, registry=signals.registry, cardinality_limits=limits
                )
            )
        signals.metrics = MeterProvider(readers, self.resource, shutdown_on_exit=False)
        signals.meter = signals.metrics.get_meter(SCOPE)
        signals.metering = True


def prepare(
    program: str,
    instance: str,
    environ: Mapping[str, str],
    *,
    prometheus: bool = False,
    ids: IdGenerator | None = None,
) -> Prepared:
    """Read who listens.

    Args:
        program: `agent`, `api`; the service is `argosy-<program>` unless OTEL_SERVICE_NAME says otherwise.
        instance: Tells it from others of its kind.
        environ: The process's own: the SDK reads headers, certificates, timeouts and the sampler from there itself.
        prometheus: Whether it also answers scrapes.
        ids: Gives the ids of spans; None: they are random.

    Raises:
        SignalsError: It asks for what there is not; the text says what to change.
    """
    wants_traces = _wants(environ, "TRACES")
    wants_metrics = _wants(environ, "METRICS")
    if not (wants_traces or wants_metrics or prometheus):
        return Prepared()
    from opentelemetry.sdk.resources import Resource

    named = {} if "OTEL_SERVICE_NAME" in environ else {"service.name": f"argosy-{program}"}
    resource = Resource.create({**named, "service.instance.id": instance})
    prepared = Prepared(resource=resource, prometheus=prometheus, ids=ids)
    prepared.export_s = _seconds(environ, "OTEL_METRIC_EXPORT_INTERVAL", _EXPORT_S)
    prepared.delay_s = _seconds(environ, "OTEL_BSP_SCHEDULE_DELAY", _DELAY_S)
    if wants_traces or wants_metrics:
        theirs = logging.getLogger("opentelemetry")
        if not any(isinstance(handler, _ToStructlog) for handler in theirs.handlers):
            theirs.addHandler(_ToStructlog())
            theirs.propagate = False
    if wants_traces:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider

        prepared.spans = OTLPSpanExporter()
        prepared.traces = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=ids)
    if wants_metrics:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        prepared.metrics = OTLPMetricExporter()
    return prepared


def _wants(environ: Mapping[str, str], what: str) -> bool:
    """Whether there is an address for it, and nothing says to leave it."""
    address = environ.get(f"OTEL_EXPORTER_OTLP_{what}_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if not address or off or environ.get(f"OTEL_{what}_EXPORTER", "otlp") == "none":
        return False
    protocol = environ.get(f"OTEL_EXPORTER_OTLP_{what}_PROTOCOL") or environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL"
    )
    if protocol not in (None, "http/protobuf"):
        raise SignalsError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, got {protocol!r}: send to the collector's HTTP port"
        )
    return True


def _seconds(environ: Mapping[str, str], name: str, usual_s: float) -> float:
    """A time that OpenTelemetry has in milliseconds."""
    said = environ.get(name, "")
    if not said:
        return usual_s
    if not said.isdecimal() or int(said) < 1:
        raise SignalsError(f"{name} must be milliseconds, from 1 on, got {said!r}")
    return int(said) / 1000


class _ToStructlog(logging.Handler):
    """The SDK speaks to `logging`; what it has to say stands in the program's own log, as a line like the others."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        log.warning("signals.trouble", logger=record.name, error=record.getMessage())


def with_trace(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor of structlog: the ids of the span that is current here, where the event names none itself."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid and "trace_id" not in event:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
