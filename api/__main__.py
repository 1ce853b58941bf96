"""`python -m api`: the composition root. Reads the environment, serves until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys

import structlog
import uvicorn
from litestar import Litestar

from api.app import build
from api.settings import ApiSettings, from_environment

log = structlog.get_logger("api")


class Server(uvicorn.Server):
    """uvicorn, which would wait for watchers to go away by themselves: here their streams end first."""

    def __init__(self, settings: ApiSettings, app: Litestar | None = None) -> None:
        self.app = app or build(settings)
        super().__init__(
            uvicorn.Config(
                self.app,
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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, end the streams, let the rest finish."""
        log.info("api.stopping")
        if services := getattr(self.app.state, "services", None):
            services.feed.close()
        await super().shutdown(sockets)


def main(arguments: list[str] | None = None) -> int:
    """Serve. Exit code 2 for settings that make no sense, 1 when it could not start."""
    parser = argparse.ArgumentParser(prog="python -m api", description="The HTTP API of Argosy.")
    parser.add_argument("--database-url", help="PostgreSQL; else ARGOSY_API_DATABASE_URL")
    parser.add_argument("--blob-root", help="a folder or an obstore URL; else ARGOSY_API_BLOB_ROOT")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    said = vars(parser.parse_args(arguments))
    try:
        settings = from_environment(os.environ, **said)
    except ValueError as exc:
        sys.stderr.write(f"api: {exc}\n")
        return 2
    server = Server(settings)
    log.info("api.starting", host=settings.host, port=settings.port, blob_root=settings.blob_root)
    asyncio.run(server.serve())
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
