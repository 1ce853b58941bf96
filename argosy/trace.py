"""The trace that a submission goes on with: its jobs are then seen below whatever asked for them."""

from __future__ import annotations

import os
import re
import sys

_MODULE = "opentelemetry.trace.propagation.tracecontext"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def headers() -> dict[str, str]:
    """Of the span that is current here, where this program uses OpenTelemetry; else of what started it (TRACEPARENT).

    A job that submits others finds that variable in its environment. The library is not needed, and is not imported.
    """
    found: dict[str, str] = {}
    if (loaded := sys.modules.get(_MODULE)) is not None:
        loaded.TraceContextTextMapPropagator().inject(found)
    given = found.get("traceparent") or os.environ.get("TRACEPARENT", "")
    return {"traceparent": given} if _TRACEPARENT.fullmatch(given) else {}
