"""A collector of OpenTelemetry as far as tests need one: takes OTLP over HTTP, and shows what came."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """One span that came."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began_ns: int
    ended_ns: int
    facts: dict[str, Any]
    links: list[str]
    """Ids of the spans it points at."""
    failed: bool


class Collector(ThreadingHTTPServer):
    """Keeps all of it in memory."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._spans: list[Seen] = []
        self.metrics: dict[str, set[str]] = {}
        """Names of metrics by service."""
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """Makes a program tell us at once."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
        }

    def spans(self, name: str | None = None, **facts: Any) -> list[Seen]:
        """Those of that name with these attributes (`_` for `.`), oldest first."""
        wanted = {key.replace("_", "."): value for key, value in facts.items()}
        with self._lock:
            found = [
                span
                for span in self._spans
                if (name is None or span.name == name) and wanted.items() <= span.facts.items()
            ]
        return sorted(found, key=lambda span: span.began_ns)

    def take(self, path: str, body: bytes) -> None:
        """One request."""
        if path == "/v1/traces":
            asked = ExportTraceServiceRequest.FromString(body)
            with self._lock:
                self._spans += [span for each in asked.resource_spans for span in _seen(each)]
        else:
            told = ExportMetricsServiceRequest.FromString(body)
            for each in told.resource_metrics:
                names = {metric.name for scope in each.scope_metrics for metric in scope.metrics}
                self.metrics.setdefault(_facts(each.resource)["service.name"], set()).update(names)


def _seen(each: Any) -> Iterator[Seen]:
    service = _facts(each.resource)["service.name"]
    for scope in each.scope_spans:
        for span in scope.spans:
            yield Seen(
                service=service,
                name=span.name,
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                began_ns=span.start_time_unix_nano,
                ended_ns=span.end_time_unix_nano,
                facts=_facts(span),
                links=[link.span_id.hex() for link in span.links],
                failed=span.status.code == 2,
            )


def _facts(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.headers.append(dict(self.headers))
        self.server.take(self.path, body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector, until the block ends."""
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
