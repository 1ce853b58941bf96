"""How the agent writes its log: one JSON line per event on stderr."""

from __future__ import annotations

import logging
import sys

import structlog

from queue_schema.signals import with_trace


def configure(level: str, **bound: object) -> None:
    """Send every event of *level* (`debug`, `info`, ...) and above to stderr as JSON, with *bound* facts on each."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _with(bound),
            with_trace,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper(), logging.INFO)),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _with(bound: dict[str, object]) -> structlog.typing.Processor:
    def add(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        for key, value in bound.items():
            event.setdefault(key, value)
        return event

    return add
