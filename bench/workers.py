"""Worker processes of any queue: started together, watched, stopped; and a drain timed with them."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Barrier

from bench.progress import Progress
from bench.queues.base import Queue
from bench.server import Server

_CONTEXT = multiprocessing.get_context("spawn")
_START_S = 60.0
_LOOK_S = 0.005


class WorkerDied(Exception):  # says what happened
    """A worker process ended before the work did; what it printed says why."""


@dataclass(frozen=True)
class Drained:
    """How one drain went."""

    rate: float
    """Jobs a second, from the first start to the last completion committed."""
    jobs: int
    seconds: float
    server_cpu_ms: float
    """Of the whole server, for each job."""
    capped: bool
    """It was stopped at the time limit; the rate is that of the jobs started until then."""


def drain(
    server: Server, queue: Queue, database: str, *, jobs: int, workers: int, limit_s: float = 60.0
) -> Drained:
    """Let worker processes run all jobs of a database, and time it.

    Raises:
        WorkerDied: One did, and jobs were left.
        AssertionError: More jobs were started than there were.
    """
    progress = Progress(_CONTEXT)
    url = server.url(database)
    with _processes(queue, url, workers, progress) as (processes, barrier), server.connect(database) as conn:
        cpu_before = server.cpu_s()
        barrier.wait(_START_S)
        end = time.monotonic() + limit_s
        busy = True
        while busy and (now := time.monotonic()) < end:
            if progress.jobs >= jobs:
                row = conn.execute(queue.busy_sql).fetchone()
                busy = row is None or bool(row[0])
                now = time.monotonic()
            elif not any(process.is_alive() for process in processes):
                ended = [process.exitcode for process in processes]
                raise WorkerDied(f"{queue.name}: {progress.jobs} of {jobs} jobs were started; exits {ended}")
            else:
                time.sleep(_LOOK_S)
        cpu = server.cpu_s() - cpu_before
    assert progress.jobs <= jobs, f"{queue.name}: {progress.jobs} starts of {jobs} jobs"
    seconds = now - progress.first_at
    return Drained(progress.jobs / seconds, progress.jobs, seconds, 1000 * cpu / progress.jobs, busy)


@contextmanager
def _processes(
    queue: Queue, url: str, workers: int, progress: Progress
) -> Iterator[tuple[list[SpawnProcess], Barrier]]:
    """Started, and waiting at the barrier for one more party."""
    barrier = _CONTEXT.Barrier(workers + 1)
    processes = [
        _CONTEXT.Process(target=_drain, args=(queue, url, number, progress, barrier), daemon=True)
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        yield processes, barrier
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.join()


def _drain(queue: Queue, url: str, number: int, progress: Progress, barrier: Barrier) -> None:
    barrier.wait(_START_S)
    queue.drain(url, number, progress)


@contextmanager
def serving(queue: Queue, url: str) -> Iterator[Connection]:
    """One worker process that waits for jobs; its end of the pipe sends the latency of each, in seconds.

    Raises:
        WorkerDied: It does not come up.
    """
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_serve, args=(queue, url, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(_START_S):
            raise WorkerDied(f"{queue.name} does not come up")
        ours.recv()
        yield ours
    finally:
        process.kill()
        process.join()
        ours.close()


def _serve(queue: Queue, url: str, out: Connection) -> None:
    queue.serve(url, lambda: out.send(0.0), lambda sent_at: out.send(time.monotonic() - sent_at))
