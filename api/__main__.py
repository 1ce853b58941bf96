"""`python -m api`: the composition root. Reads the environment, serves until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from litestar import Litestar

from api.app import build
from api.observed import Observed
from api.settings import ApiSettings, from_environment
from queue_schema.knobs import variables
from queue_schema.signals import Signals, prepare, with_trace

log = structlog.get_logger("api")


class Server(uvicorn.Server):
    """uvicorn, which would wait for watchers to go away by themselves: here their streams end first."""

    def __init__(
        self, settings: ApiSettings, app: Litestar | None = None, signals: Signals | None = None
    ) -> None:
        told = signals or prepare("api", "api", {}, prometheus=True).open()
        self.app = app or build(settings, told)
        super().__init__(
            uvicorn.Config(
                Observed(self.app, told),
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_keep_alive=30,
                timeout_graceful_shutdown=int(settings.stop_s),
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn raises the signal again when it is done; a stop that was asked for is no failure."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, end the streams, let the rest finish."""
        log.info("api.stopping")
        if services := getattr(self.app.state, "services", None):
            services.feed.close()
        await super().shutdown(sockets)


def main(arguments: list[str] | None = None) -> int:
    """Serve. Exit code 2 for settings that make no sense, 1 when it could not start."""
    parser = argparse.ArgumentParser(
        prog="python -m api",
        description="The HTTP API of Argosy.",
        epilog=variables(ApiSettings, "ARGOSY_API_"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--database-url", help="PostgreSQL; else ARGOSY_API_DATABASE_URL")
    parser.add_argument("--blob-root", help="a folder or an obstore URL; else ARGOSY_API_BLOB_ROOT")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    said = vars(parser.parse_args(arguments))
    try:
        settings = from_environment(os.environ, **said)
        instance = f"{socket.gethostname()}:{settings.port}"
        prepared = prepare("api", instance, os.environ, prometheus=True)
    except ValueError as exc:
        sys.stderr.write(f"api: {exc}\n")
        return 2
    _log_to_stderr()
    signals = prepared.open()
    server = Server(settings, signals=signals)
    log.info("api.starting", host=settings.host, port=settings.port, blob_root=settings.blob_root)
    try:
        asyncio.run(server.serve())
    finally:
        signals.close()
    return 0 if server.started else 1


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            with_trace,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    # Of others' loggers only what matters; the pool says more than anybody wants while the database is away.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
