"""Run trivial kinds inside the agent, all on one thread, so that a job costs no process: to measure what the rest costs.

Only kinds whose own code says that it is safe here (`workloads.steps.Stepwise`), and only jobs that need nothing of
a runner. All else about them is as always: their lease, its renewal, cancel, time limit, spool and settle.
"""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import structlog

from agent import verdict
from agent.devices.host import RAM_IDX
from agent.leases import Ending, Lease, Leases
from agent.reporter import Reporter
from agent.runners.forkserver import REGISTRY
from agent.settings import SettingsError
from agent.settler import Settler
from agent.spool import Settlement
from queue_schema.shapes import Claimed, Failed
from queue_schema.states import Cause
from workloads.protocol import Failure, Metrics, Progress, Result, Spec, Stopped

log = structlog.get_logger(__name__)

STEPS = "workloads.steps"
"""By name, as the registry: the agent knows the protocol of workloads, and none of their code."""
_LONGEST_S = 3600.0
"""Between two looks; what is due later is looked at in vain."""


class Steps(Protocol):
    """A job under way, as `workloads.steps.Steps`."""

    def go_on(self, *, stop: bool = False) -> float | Result | Failure | Stopped:
        """Work up to the next wait, and say how long it is, or how the work ended."""
        ...


class Job:
    """One job of this process."""

    def __init__(self, lease: Lease, claimed: Claimed, steps: Steps) -> None:
        self.lease = lease
        self.claimed = claimed
        self.steps = steps
        self.due_at = 0.0
        """When it wants to go on, on the monotonic clock."""
        self.late_at = lease.claimed_at + claimed.timeout_s
        """When its time is over."""
        self.outcome: Settlement | None = None
        """How it ended, once it has; None also when nobody is to be told."""

    def go_on(self) -> bool:
        """Take one step; says whether it was the last."""
        lease = self.lease
        if time.monotonic() >= self.late_at:
            lease.end(Ending.TIMEOUT)
        said = self.steps.go_on(stop=lease.ending is not None)
        if isinstance(said, float):
            self.due_at = min(time.monotonic() + said, self.late_at)
            return False
        judged = verdict.judge(self.claimed, verdict.Facts(ending=lease.ending, last=said, exit_code=0))
        self.outcome = (
            verdict.completion(self.claimed, judged, [], None) if isinstance(judged, Result) else judged
        )
        return True


class InProcess(threading.Thread):
    """One thread for all jobs of this process; sleeps until one is due, comes, or is to end."""

    def __init__(
        self, kinds: Sequence[str], *, work_dir: Path, leases: Leases, reporter: Reporter, settler: Settler
    ) -> None:
        """Build it; `start` after the first join.

        Args:
            kinds: As the setting has them.
            work_dir: Named to the jobs; nothing is made in it.
            leases: One that is lost is removed from here.
            reporter: Told of progress.
            settler: Told how jobs ended, of all that ended together in one call.

        Raises:
            SettingsError: A kind does not say of itself that it may run here.
        """
        super().__init__(name="in-process", daemon=True)
        self._kinds = _checked(kinds)
        self._work_dir = work_dir
        self._leases = leases
        self._reporter = reporter
        self._settler = settler
        self._make: Callable[..., Steps] | None = import_module(STEPS).Steps if kinds else None
        self._inbox: queue.SimpleQueue[Sequence[Lease] | UUID | None] = queue.SimpleQueue()
        """New jobs, a token of one that is to end, or None to stop."""
        self._jobs: dict[UUID, Job] = {}
        self._due: list[tuple[float, UUID]] = []
        """A heap. What has ended since is skipped when its time comes."""
        self._stopping = False

    def takes(self, claimed: Claimed) -> bool:
        """Whether a job is run here.

        One that brings files or was given a GPU needs what only a runner has; an exclusive one must be known to be
        dead before its lease ends, which can be said of a process alone.
        """
        return (
            claimed.kind in self._kinds
            and not claimed.inputs
            and claimed.checkpoint is None
            and not claimed.exclusive
            and not set(claimed.grant.devices) - {RAM_IDX}
        )

    def begin(self, leases: Sequence[Lease]) -> None:
        """Run these, as soon as what runs here waits."""
        self._inbox.put(leases)

    def stop(self) -> None:
        """End the thread; jobs that still run are left to the next life."""
        self._inbox.put(None)

    def run(self) -> None:
        """Go from job to job until stopped."""
        while not self._stopping:
            ended = [job for token in self._wait() if (job := self._step(token)) is not None]
            settlements = [job.outcome for job in ended if job.outcome is not None]
            if settlements:
                self._settler.settle(*settlements)

    def _wait(self) -> list[UUID]:
        """Sleep until there is something to do; whose turn it is."""
        turn: list[UUID] = []
        while not self._stopping:
            try:
                news = self._inbox.get(timeout=0 if turn else self._pause_s())
            except queue.Empty:
                break
            if news is None:
                self._stopping = True
            elif isinstance(news, UUID):
                turn.append(news)
            else:
                for lease in news:
                    self._take_in(lease)
                    turn.append(lease.token)
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            at, token = heapq.heappop(self._due)
            if token in self._jobs and self._jobs[token].due_at == at:
                turn.append(token)
        return turn

    def _pause_s(self) -> float:
        if not self._due:
            return _LONGEST_S
        return min(_LONGEST_S, max(0.0, self._due[0][0] - time.monotonic()))

    def _take_in(self, lease: Lease) -> None:
        claimed = lease.claimed
        assert claimed is not None
        assert self._make is not None
        spec = Spec(
            job_id=str(claimed.job_id),
            attempt=claimed.attempt,
            kind=claimed.kind,
            params=claimed.params,
            inputs={},
            work_dir=str(self._work_dir / str(lease.token)),
            devices=[],
            ram_mib=claimed.grant.ram_mib,
            cpu_milli=claimed.grant.cpu_milli,
        )
        self._jobs[lease.token] = Job(lease, claimed, self._make(spec, partial(self._said, lease)))
        # An end that was asked for before this is seen by the first step.
        lease.when_ended = partial(self._inbox.put, lease.token)

    def _said(self, lease: Lease, message: Any) -> None:
        assert isinstance(message, Progress | Metrics), f"{message} is not for work in steps"
        self._reporter.tell(lease.job_id, lease.token, message)

    def _step(self, token: UUID) -> Job | None:
        """Let a job go on; the job, if that was its end."""
        job = self._jobs.get(token)
        if job is None:
            return None
        try:
            if not job.go_on():
                heapq.heappush(self._due, (job.due_at, token))
                return None
        except Exception as exc:
            log.exception("attempt.failed", token=str(token))  # a thread's edge: the job must be settled
            message = f"the agent failed: {type(exc).__name__}: {exc}"
            job.outcome = Failed(job.lease.job_id, token, Cause.INFRASTRUCTURE, message)
        del self._jobs[token]
        if job.outcome is None:
            log.warning("attempt.dropped", job_id=str(job.lease.job_id), token=str(token))
            job.lease.trail.end("dropped", well=False)
            self._reporter.forget([token])
            self._leases.remove(token)
        return job


def _checked(kinds: Sequence[str]) -> frozenset[str]:
    able: tuple[str, ...] = import_module(REGISTRY).IN_PROCESS
    for kind in kinds:
        if kind not in able:
            raise SettingsError(
                f"in_process: kind {kind!r} needs a runner process; only {', '.join(able)} may run inside the agent."
                f" Leave {kind!r} out of in_process, and it is run as usual"
            )
    return frozenset(kinds)
