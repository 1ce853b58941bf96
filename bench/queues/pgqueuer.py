"""PgQueuer over asyncpg, with uvloop as its own command has it: the fastest queue on PostgreSQL in Python we found."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, LiteralString, TypeVar

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from bench.progress import Progress
from bench.queues.base import Queue, Submit, paces, payload

T = TypeVar("T")
_DEFAULT_BATCH = 10


@dataclass(frozen=True)
class Pgqueuer(Queue):
    """asyncpg rather than psycopg: the latter waits for the connection that LISTEN holds, several times slower."""

    batch: int = 500
    """Jobs in one dequeue while it drains; found by trying 10 to 2,000. The idle worker has the default, 10."""
    workers: int = 1
    """Idle ones while latency is measured, each with a connection of its own, in one process."""
    name: str = "pgqueuer"

    package: ClassVar[str] = "pgqueuer"
    busy_sql: ClassVar[LiteralString] = "select exists (select from pgqueuer)"

    @property
    def settings(self) -> str:
        """How its workers are set, in words."""
        return f"asyncpg, uvloop, batch_size {self.batch}, no limit of concurrency, durable tables"

    def install(self, url: str) -> None:
        """Its tables, functions and triggers."""

        async def install() -> None:
            await Queries(await _driver(url)).install()

        _run(install())

    @contextmanager
    def submitting(self, url: str) -> Iterator[Submit]:
        """An enqueue with one job, or with lists of them."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            conn = runner.run(asyncpg.connect(url))
            queries = Queries(AsyncpgDriver(conn))

            async def submit(jobs: int, a_call: int) -> None:
                for done in range(0, jobs, a_call):
                    size = min(a_call, jobs - done)
                    if a_call == 1:
                        await queries.enqueue("noop", _encoded())
                    else:
                        await queries.enqueue(["noop"] * size, [_encoded() for _ in range(size)], [0] * size)

            yield lambda jobs, a_call: runner.run(submit(jobs, a_call))
            runner.run(conn.close())

    def drain(self, url: str, worker: int, progress: Progress) -> None:  # noqa: ARG002  # workers are alike
        """For ever."""

        async def drain() -> None:
            queue = PgQueuer(await _driver(url))

            @queue.entrypoint("noop")
            async def noop(job: Job) -> None:
                json.loads(job.payload or b"{}")
                progress.started()

            await queue.run(batch_size=self.batch)

        _run(drain())

    def serve(self, url: str, ready: Callable[[], None], started: Callable[[float], None]) -> None:
        """Workers that learn of jobs by NOTIFY; one job first, to see that they listen."""

        async def noop(job: Job) -> None:
            started(json.loads(job.payload or b"{}")["sent_at"])

        async def hello(_: Job) -> None:
            ready()

        async def work() -> None:
            queue = PgQueuer(await _driver(url))
            queue.entrypoint("hello")(hello)
            queue.entrypoint("noop")(noop)
            await queue.run(batch_size=_DEFAULT_BATCH)

        async def serve() -> None:
            await Queries(await _driver(url)).enqueue("hello", None)
            await asyncio.gather(*(work() for _ in range(self.workers)))

        _run(serve())

    def trickle(self, url: str, jobs: int, every_s: float) -> None:
        """One enqueue each."""

        async def trickle() -> None:
            queries = Queries(await _driver(url))
            for pause_s in paces(jobs, every_s):
                time.sleep(pause_s)  # noqa: ASYNC251  # nothing else runs in this loop
                await queries.enqueue("noop", _encoded(time.monotonic()))

        _run(trickle())


def _encoded(sent_at: float = 0.0) -> bytes:
    return json.dumps(payload(sent_at)).encode()


async def _driver(url: str) -> AsyncpgDriver:
    return AsyncpgDriver(await asyncpg.connect(url))


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    return uvloop.run(coroutine)
