"""One piece of work of one runner: for one attempt, or for several of one model that are done as one."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import structlog

from agent.devices.host import RAM_IDX
from agent.files.transfer import TransferAborted
from agent.leases import Lease
from agent.runners.forkserver import kept_kinds
from agent.runners.home import Home
from agent.runners.reading import Reading, Stream
from agent.runners.runner import RunnerGone
from agent.sampling import booked_mib, realised, shortfall
from agent.workshop import Workshop
from workloads.protocol import Batch, OfJob, Spec

log = structlog.get_logger(__name__)


class NoRoom(Exception):
    """What was free at the claim is not free any more."""


class Job(Protocol):
    """One attempt; all but `moved` and `spec` are called on the reading thread, and must not wait."""

    @property
    def lease(self) -> Lease:
        """What it was given."""
        ...

    def moved(self, home: Path) -> None:
        """Its folder goes into this home now."""
        ...

    def spec(self) -> Spec:
        """What to do, there."""
        ...

    def environment(self) -> dict[str, str]:
        """For a runner of its own."""
        ...

    def said(self, message: OfJob) -> None:
        """A message about it."""
        ...

    def printed(self, stream: Stream, lines: list[str]) -> None:
        """Lines of one stream."""
        ...

    def broke_protocol(self, why: str) -> None:
        """The runner sent a line that is no message."""
        ...

    def succeeded(self) -> bool:
        """Whether a result of it was heard, and nothing that is no message."""
        ...

    def grace_s(self) -> float:
        """The runner has ended: how long what it started may go on."""
        ...

    def heard(self) -> None:
        """That was all."""
        ...


class Work:
    """Hears a runner as `reading.Listener`. One of the jobs begins and finishes it, for all of them."""

    def __init__(self, shop: Workshop, jobs: Sequence[Job]) -> None:
        self._shop = shop
        self._first = jobs[0]
        self._jobs = list(jobs)
        self._leases = [job.lease for job in jobs]
        self.shared = len(jobs) > 1
        """Whether it is for more than one job."""
        self.home: Home | None = None
        """Where it is done, once it has begun."""
        self._reading: Reading | None = None
        self._kernel_kills = kernel_kills()
        self.over = threading.Event()
        """What stands below is known."""
        self.exit_code: int | None = 0
        self.kernel_killed = False
        self.failed: Exception | None = None
        """Why it never began."""
        self.start = "cold"
        """`warm`: on a runner that rested."""

    @property
    def size(self) -> int:
        """How many jobs are done as one."""
        return len(self._jobs)

    def begun_by(self, job: Job) -> bool:
        """Whether it is this job that begins and finishes it."""
        return self._first is job

    def has(self, job: Job) -> bool:
        """Whether it was begun with this one; those that were to end by then were left out."""
        return job in self._jobs

    def begin(self) -> None:
        """Find a runner or start one, and give it the work.

        Raises:
            NoRoom: Somebody took the memory meanwhile.
            TransferAborted: All of them are to end before they began.
            OSError: The machine will not give us a process.
            EOFError: The forkserver died of the attempt.
        """
        began = time.monotonic()
        home = self.home = self._housed()
        self._shop.measures.began(
            home.kind, time.monotonic() - began, jobs=len(self._jobs), warm=self.start == "warm"
        )
        try:
            self._reading = Reading(home.runner, self)
            for job in self._jobs:
                home.enter(job.lease.token)
                job.moved(home.folder)
                self._shop.isolation.admit(self._shop.folder(job.lease), home.plan)
            specs = [job.spec() for job in self._jobs]
            grants = [lease.claimed.grant for lease in self._leases if lease.claimed is not None]
            self._shop.isolation.limit_memory(home.plan, sum(booked_mib(each, RAM_IDX) for each in grants))
            self._reading.start()
        except BaseException:
            self._end(home)
            raise
        try:
            home.runner.send(specs[0] if len(specs) == 1 else Batch(specs))
        except RunnerGone as exc:
            log.warning("runner.deaf", pid=home.runner.pid, error=str(exc))
            home.runner.kill()

    def give_up(self) -> None:
        """Whoever listens for all of them cannot go on."""
        if self.home is not None:
            self.home.runner.kill()

    def finish(self) -> None:
        """Everything was heard: let the runner rest, or end it."""
        home, reading = self.home, self._reading
        assert home is not None
        assert reading is not None
        reading.join()
        rests = False
        try:
            home.ran += 1
            try:
                rests = reading.idle and self._rests(home)
            finally:
                if not rests:
                    self._end(home, gone=reading.gone)
            log.info(
                "runner.rests" if rests else "runner.ended",
                pid=home.runner.pid,
                exit_code=self.exit_code,
                peak_ram_mib=max(lease.peak_ram_mib for lease in self._leases),
            )
        finally:
            self.kernel_killed = kernel_kills() > self._kernel_kills
            self.over.set()

    def fail(self, why: Exception) -> None:
        """It never began."""
        self.failed = why
        self.over.set()
        for job in self._jobs:
            job.heard()

    def _rests(self, home: Home) -> bool:
        """Only our own code, which did well, and left nothing behind: a runner itself may say anything."""
        if home.kind not in kept_kinds() or not all(job.succeeded() for job in self._jobs):
            return False
        try:
            if not home.alone():
                return False
            home.tidy()
        except OSError as exc:
            log.warning("runner.untidy", pid=home.runner.pid, error=str(exc))
            return False
        return self._shop.warm.rest(home, self._leases)

    def _end(self, home: Home, *, gone: bool = False) -> None:
        """End the runner; while it holds anything, that must be seen to be its leases'."""
        gone = gone or home.runner.kill()
        for lease in self._leases:
            lease.runner = None
        self.exit_code = home.end(gone=gone)
        self._shop.warm.left(home)

    def _housed(self) -> Home:
        """Look again, make room, and start; or take one that rests."""
        shop = self._shop
        with shop.starting:
            self._leave_out()
            home = shop.warm.take(self._leases)
            if home is not None:
                log.info("runner.resumed", pid=home.runner.pid, jobs=len(self._jobs), ran=home.ran)
            try:
                if home is not None and self._outgrown():
                    self._end(home)
                    home = None
                self._make_room()
                self.start = "cold" if home is None else "warm"
                return home or self._launched()
            except BaseException:
                if home is not None and not shop.warm.rest(home, self._leases):
                    self._end(home)
                raise

    def _leave_out(self) -> None:
        """Who is to end by now does not begin."""
        ending = [job for job in self._jobs if job.lease.ending is not None]
        if len(ending) == len(self._jobs):
            raise TransferAborted("to end before it began")
        for job in ending:
            self._jobs.remove(job)
            self._leases.remove(job.lease)
            job.heard()

    def _outgrown(self) -> bool:
        """Whether the runner that was taken holds so much more than what is booked now that the job would end for it."""
        settings = self._shop.settings
        sample = self._shop.sampler.look(rest_is_free=False)
        grants = {lease.token: lease.claimed.grant for lease in self._leases if lease.claimed is not None}
        return any(
            sum(realised(device, token) for token in grants)
            > sum(booked_mib(grant, device.idx) for grant in grants.values())
            + (settings.ram_allowance_mib if device.idx == RAM_IDX else settings.gpu_allowance_mib)
            for device in sample.devices
        )

    def _make_room(self) -> None:
        shop = self._shop
        grants = {
            each.token: each.claimed.grant for each in shop.leases.all() if each.claimed and each.runner
        }
        while True:
            lacking = shortfall(shop.sampler.look(rest_is_free=False), self._leases, grants)
            if lacking is None:
                return
            if not shop.warm.evict(lacking[0]):
                raise NoRoom(f"device {lacking[0]} full: {lacking[1]} MiB are missing since the claim")

    def _launched(self) -> Home:
        shop, first = self._shop, self._jobs[0]
        claimed = first.lease.claimed
        assert claimed is not None
        began = time.monotonic()
        with ExitStack() as walls:
            plan = walls.enter_context(shop.isolation.around(claimed, shop.home(first.lease)))
            runner = shop.forkserver.launch(first.lease.token, first.environment(), plan=plan)
            try:
                shop.records.put(runner)
                for lease in self._leases:
                    shop.leases.watch(lease, runner)
            except BaseException:
                runner.kill()
                runner.close()
                raise
            home = Home(runner, plan, walls.pop_all(), shop.records, claimed)
        log.info(
            "runner.started",
            pid=runner.pid,
            jobs=len(self._jobs),
            took_s=round(time.monotonic() - began, 3),
        )
        return home

    # What the runner says, on the reading thread.

    def said(self, message: OfJob) -> None:
        """To whom it is about."""
        if 0 <= message.at < len(self._jobs):
            self._jobs[message.at].said(message)
        else:
            self.broke_protocol(f"it speaks of job {message.at} of {len(self._jobs)}")

    def printed(self, stream: Stream, lines: list[str]) -> None:
        """Nobody can say of which job a line is: each gets all of them."""
        for job in self._jobs:
            job.printed(stream, lines)

    def broke_protocol(self, why: str) -> None:
        """Whatever it meant, no word of it can be trusted."""
        for job in self._jobs:
            job.broke_protocol(why)

    def grace_s(self) -> float:
        """The longest of any."""
        return max(job.grace_s() for job in self._jobs)

    def ended(self) -> None:
        """For all of them."""
        for job in self._jobs:
            job.heard()


def kernel_kills() -> int:
    """How often this host's kernel has killed for want of memory since it booted."""
    try:
        with open("/proc/vmstat") as lines:  # noqa: PTH123  # a pseudo file
            return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
    except OSError:
        return 0
