"""An API on a free port with the rights it has in production, keys for it, and an agent to do the work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg

from api.__main__ import Server
from api.settings import ApiSettings
from queue_schema.calls import admin, agents
from queue_schema.shapes import (
    Artifact,
    Claimed,
    Completion,
    DeviceDeclared,
    DeviceSample,
    Failed,
    Join,
    LogChunk,
    Report,
    Sample,
    Session,
)
from queue_schema.signals import Signals
from queue_schema.states import Cause, Scope


class Api:
    """A running API."""

    def __init__(self, url: str, conn: psycopg.Connection[Any], blobs: Path, server: Server) -> None:
        self.url = url
        self.conn = conn
        self.blobs = blobs
        self.server = server
        self._clients: list[httpx.Client] = []

    def key(self, project: str = "acme", *scopes: Scope) -> str:
        """A new key; for all scopes if none is named."""
        return admin.create_key(self.conn, project, name="test", scopes=scopes or tuple(Scope)).key

    def client(self, project: str = "acme", *scopes: Scope) -> httpx.Client:
        """Plain HTTP with a key."""
        headers = {"Authorization": f"Bearer {self.key(project, *scopes)}"}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=20)
        self._clients.append(client)
        return client

    def stranger(self) -> httpx.Client:
        """Plain HTTP without a key."""
        client = httpx.Client(base_url=self.url, timeout=20)
        self._clients.append(client)
        return client

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients:
            client.close()

    def stored(self) -> list[str]:
        """The files that lie in the store, by path."""
        return sorted(str(path.relative_to(self.blobs)) for path in self.blobs.rglob("*") if path.is_file())


@contextmanager
def serving(
    database_url: str,
    conn: psycopg.Connection[Any],
    blobs: Path,
    *,
    signals: Signals | None = None,
    **settings: Any,
) -> Iterator[Api]:
    """Run an API, as the role it has in production, until the block ends."""
    separator = "&" if "?" in database_url else "?"
    url = f"{database_url}{separator}options=-c%20role%3Dfleet_api"
    quick = {"poll_s": 0.05, "keepalive_s": 0.5, "pool_timeout_s": 2.0, "stop_s": 2.0, "key_ttl_s": 0.3}
    quick |= {"requests_per_s": 0, "bad_keys_per_min": 0}
    server = Server(
        ApiSettings(**{"database_url": url, "blob_root": str(blobs), "port": 0, **quick, **settings}),
        signals=signals,
    )
    thread = threading.Thread(target=server.run, name="api")
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the API did not start"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        api = Api(f"http://127.0.0.1:{port}", conn, blobs, server)
        yield api
        api.close()
    finally:
        server.should_exit = True
        thread.join(15)
    assert not thread.is_alive()


class Agent:
    """One node that claims and settles as a real agent does, by the same calls."""

    def __init__(self, conn: psycopg.Connection[Any], node: str = "node-1") -> None:
        self.conn = conn
        self._seq = 0
        joined = agents.join(
            conn,
            Join(
                node=node,
                instance=uuid4().hex,
                boot="1",
                version="0.1.0",
                kinds=["noop", "command", "diffusion.generate", "diffusion.train_lora"],
                devices=[
                    DeviceDeclared(0, f"GPU-{node}", "gpu", "A100", 81920, 4096, True),
                    DeviceDeclared(-1, f"RAM-{node}", "ram", "host", 65536, 1024, False),
                ],
                cpu_milli=32000,
                disk_mib=500000,
                slots=16,
            ),
        )
        self.session = Session(joined.session_id, joined.secret)

    def claim(self, want: int = 1) -> list[Claimed]:
        """Take jobs; everything on the node is free."""
        self._seq += 1
        sample = Sample(self._seq, [DeviceSample(0, 80000), DeviceSample(-1, 60000)], 400000)
        return agents.claim(self.conn, self.session, request_id=uuid4(), sample=sample, want=want)

    def one(self) -> Claimed:
        """Take the one job there is."""
        [claimed] = self.claim()
        return claimed

    def report(self, job: Claimed, **news: Any) -> None:
        """Tell of progress or of log lines (`logs=["a", "b"]`)."""
        lines = [LogChunk("stdout", f"{line}\n") for line in news.pop("logs", [])]
        agents.report(self.conn, self.session, [Report(job.job_id, job.token, logs=lines, **news)])

    def complete(self, job: Claimed, artifacts: Sequence[Artifact] = (), **values: Any) -> None:
        """End it as a success."""
        done = Completion(job.job_id, job.token, artifacts=list(artifacts), values=values)
        agents.only(agents.complete(self.conn, self.session, [done]))

    def fail(self, job: Claimed, message: str = "boom", cause: Cause = Cause.USER_ERROR) -> None:
        """End it as a failure."""
        failed = Failed(job.job_id, job.token, cause, message, traceback="Traceback: boom")
        agents.only(agents.fail(self.conn, self.session, [failed]))

    def headers(self, job: Claimed, *, token: UUID | None = None) -> dict[str, str]:
        """What proves to the API that this agent holds the job's lease."""
        return {
            "Argosy-Session": str(self.session.session_id),
            "Argosy-Secret": self.session.secret,
            "Argosy-Job": str(job.job_id),
            "Argosy-Token": str(token or job.token),
        }
