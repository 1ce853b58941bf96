"""procrastinate, which also runs our chores: the widely used one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, LiteralString

import procrastinate
from procrastinate.tasks import Task
from procrastinate.types import JSONDict

from bench.progress import Progress
from bench.queues.base import Queue, Submit, paces, payload


@dataclass(frozen=True)
class Procrastinate(Queue):
    """Asynchronous tasks; finished jobs are kept, as by default."""

    concurrency: int = 20
    name: str = "procrastinate"

    package: ClassVar[str] = "procrastinate"
    busy_sql: ClassVar[LiteralString] = (
        "select exists (select from procrastinate_jobs where status in ('todo', 'doing'))"
    )

    @property
    def settings(self) -> str:
        """How its workers are set, in words."""
        return f"psycopg, concurrency {self.concurrency}, as many connections, finished jobs kept"

    def install(self, url: str) -> None:
        """Its tables, functions and triggers."""

        async def install() -> None:
            app, _ = _app(url, 1, _nothing)
            async with app.open_async():
                await app.schema_manager.apply_schema_async()

        asyncio.run(install())

    @contextmanager
    def submitting(self, url: str) -> Iterator[Submit]:
        """A defer of one job, or of a batch."""
        app, noop = _app(url, 1, _nothing)
        with asyncio.Runner() as runner:
            runner.run(app.connector.open_async())

            async def submit(jobs: int, a_call: int) -> None:
                for done in range(0, jobs, a_call):
                    if a_call == 1:
                        await noop.defer_async(payload=payload())
                    else:
                        batch: list[JSONDict] = [
                            {"payload": payload()} for _ in range(min(a_call, jobs - done))
                        ]
                        await noop.batch_defer_async(*batch)

            yield lambda jobs, a_call: runner.run(submit(jobs, a_call))
            runner.run(app.close_async())

    def drain(self, url: str, worker: int, progress: Progress) -> None:  # noqa: ARG002  # workers are alike
        """For ever."""
        _work(url, self.concurrency, lambda _: progress.started())

    def serve(self, url: str, ready: Callable[[], None], started: Callable[[float], None]) -> None:
        """One worker, which learns of jobs by NOTIFY."""
        ready()
        _work(url, self.concurrency, lambda sent: started(sent["sent_at"]))

    def trickle(self, url: str, jobs: int, every_s: float) -> None:
        """One defer each."""

        async def trickle() -> None:
            app, noop = _app(url, 1, _nothing)
            async with app.open_async():
                for pause_s in paces(jobs, every_s):
                    await asyncio.sleep(pause_s)
                    await noop.defer_async(payload=payload(time.monotonic()))

        asyncio.run(trickle())


def _nothing(sent: dict[str, Any]) -> None:
    """What a side that only submits does with a job."""


def _work(url: str, concurrency: int, started: Callable[[dict[str, Any]], None]) -> None:
    async def work() -> None:
        app, _ = _app(url, concurrency, started)
        async with app.open_async():
            await app.run_worker_async(concurrency=concurrency, install_signal_handlers=False)

    asyncio.run(work())


def _app(
    url: str, pool: int, started: Callable[[dict[str, Any]], None]
) -> tuple[procrastinate.App, Task[Any, Any, Any]]:
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=url, min_size=pool, max_size=pool)
    )

    @app.task(name="noop")
    async def noop(payload: dict[str, Any]) -> None:
        started(payload)

    return app, noop
