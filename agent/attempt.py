"""One attempt from its claim to the moment its outcome is written down: prepare, start, listen, judge, upload.

A thread per attempt. It may wait for files and for the runner, never for the database: what it must tell
goes to the reporter and the settler.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import structlog

from agent import verdict
from agent.checkpoints import Checkpoints
from agent.devices.host import RAM_IDX
from agent.files.cache import Cache
from agent.files.own import NotOwn, opened
from agent.files.transfer import FileMissing, Transfer, TransferAborted, TransferError
from agent.isolation import Isolation, clear
from agent.leases import Ending, Lease, Leases
from agent.reporter import Reporter
from agent.runners.forkserver import Forkserver
from agent.runners.reading import Reading, Stream
from agent.runners.records import Records
from agent.runners.runner import Runner, RunnerGone
from agent.runners.walls import Plan
from agent.sampling import Sampler, booked_mib, shortfall, squeeze
from agent.settings import AgentSettings
from agent.settler import Settler
from agent.spool import Settlement
from queue_schema.shapes import Artifact, Claimed, Failed, Released
from queue_schema.states import Cause
from workloads.protocol import (
    Checkpoint,
    Device,
    Failure,
    FromRunner,
    Metrics,
    Progress,
    Result,
    Spec,
    Stopped,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every attempt of this agent works with."""

    settings: AgentSettings
    leases: Leases
    sampler: Sampler
    forkserver: Forkserver
    records: Records
    cache: Cache
    transfer: Transfer
    checkpoints: Checkpoints
    reporter: Reporter
    settler: Settler
    isolation: Isolation
    starting: threading.Lock
    """One second look and start at a time, so that two do not both see the same free memory."""

    def folder(self, lease: Lease) -> Path:
        """The private folder of one attempt: `job` in it is the job's, the rest was put there by the agent."""
        return self.settings.state_dir / "work" / str(lease.token)


class UserMistake(Exception):
    """The job cannot run as its owner wrote it."""


class NoRoom(Exception):
    """What was free at the claim is not free any more."""


class Attempt(threading.Thread):
    """Runs one claimed job; hears its runner as `reading.Listener`."""

    def __init__(self, shop: Workshop, lease: Lease) -> None:
        super().__init__(name=f"attempt-{lease.token}", daemon=True)
        assert lease.claimed is not None
        self._shop = shop
        self._lease = lease
        self._claimed: Claimed = lease.claimed
        self._folder = shop.folder(lease)
        self._work_dir = self._folder / "job"
        self._events: queue.SimpleQueue[Checkpoint | None] = queue.SimpleQueue()
        self._last: Result | Failure | Stopped | None = None
        self._broken: str | None = None
        self._log = log.bind(job_id=str(lease.job_id), token=str(lease.token), attempt=self._claimed.attempt)

    def run(self) -> None:
        """From preparation to the settlement; never raises."""
        try:
            settlement = self._outcome()
        except Exception as exc:  # noqa: BLE001  # a thread's edge: whatever it was, the job must be settled
            self._log.exception("attempt.failed")
            settlement = self._failed(Cause.INFRASTRUCTURE, f"the agent failed: {type(exc).__name__}: {exc}")
        if settlement is None or self._lease.ending is Ending.LOST:
            self._log.warning("attempt.dropped")
            self._shop.reporter.forget([self._lease.token])
            self._shop.leases.remove(self._lease.token)
        else:
            self._shop.settler.settle(settlement)
        clear(self._folder)

    # What the runner says, on the reading thread.

    def said(self, message: FromRunner) -> None:
        """Pass news on, and keep what decides."""
        if isinstance(message, Progress | Metrics):
            self._shop.reporter.tell(self._lease.job_id, self._lease.token, message)
        elif isinstance(message, Checkpoint):
            self._events.put(message)
        else:
            if isinstance(message, Failure) and message.cause == "out_of_memory" and self._last is None:
                try:
                    self._look_who_has_it()
                except Exception:  # noqa: BLE001  # whatever it is, the runner must be heard to its end
                    self._log.exception("attempt.not_looked")
            self._last = message

    def printed(self, stream: Stream, lines: list[str]) -> None:
        """Pass log lines on."""
        self._shop.reporter.tell_lines(self._lease.job_id, self._lease.token, stream, lines)

    def broke_protocol(self, why: str) -> None:
        """Remember the first line that was no message."""
        self._log.warning("runner.broke_protocol", why=why)
        self._broken = self._broken or why

    def grace_s(self) -> float:
        """Somebody who was asked to end gets the rest of the grace, though the runner itself is gone."""
        if self._lease.ending not in (Ending.CANCEL, Ending.TIMEOUT):
            return 0.0
        return max(0.0, self._lease.ending_at + self._shop.settings.grace_s - time.monotonic())

    def ended(self) -> None:
        """Everything the runner had to say was heard."""
        self._events.put(None)

    def _look_who_has_it(self) -> None:
        """While the runner still shows what it holds: afterwards its memory would look like a stranger's."""
        for device in self._shop.sampler.look().devices:
            if any(held.token == self._lease.token for held in device.leases):
                squeeze(device, self._shop.leases.all())

    # From here on, on this thread.

    def _outcome(self) -> Settlement | None:
        try:
            judged = self._perform()
            return self._stored(judged) if isinstance(judged, Result) else judged
        except UserMistake as exc:
            return self._failed(Cause.USER_ERROR, str(exc))
        except NoRoom as exc:
            return Released(self._lease.job_id, self._lease.token, str(exc), started=False)
        except TransferAborted:
            nothing = verdict.Facts(ending=self._lease.ending, last=None, exit_code=0)
            judged = verdict.judge(self._claimed, nothing)
            assert not isinstance(judged, Result)
            return judged
        except (TransferError, EOFError, OSError) as exc:
            self._log.warning("attempt.infrastructure", error=f"{type(exc).__name__}: {exc}")
            return self._failed(Cause.INFRASTRUCTURE, f"{type(exc).__name__}: {exc}")

    def _perform(self) -> Failed | Released | Result | None:
        self._folder.parent.mkdir(mode=0o711, exist_ok=True)
        self._folder.mkdir(mode=0o700)
        for own in (self._work_dir, self._folder / "tmp"):
            own.mkdir()
        inputs = {
            each.name: str(self._fetched(each.name, each.sha256, each.source))
            for each in self._claimed.inputs
        }
        checkpoint = self._fetched_checkpoint()
        with self._shop.isolation.around(self._claimed, self._folder) as plan:
            return self._run(plan, self._spec(inputs, checkpoint))

    def _run(self, plan: Plan, spec: Spec) -> Failed | Released | Result | None:
        """Start a runner, listen until it and all it started are gone, and judge."""
        kernel_kills = _kernel_kills()
        runner = self._launched(plan)
        reading = Reading(runner, self)
        try:
            reading.start()
            try:
                runner.send(spec)
            except RunnerGone as exc:
                self._log.warning("runner.deaf", error=str(exc))
                runner.kill()
            while (message := self._events.get()) is not None:
                self._shop.checkpoints.keep(self._lease, message, within=self._work_dir)
            reading.join()
            exit_code = runner.exit_code()
        finally:
            if not reading.gone and not runner.kill():
                self._log.error("runner.stays", pid=runner.pid)
            self._lease.runner = None
            self._shop.records.remove(self._lease.token)
            runner.close()
        self._log.info(
            "runner.ended", pid=runner.pid, exit_code=exit_code, peak_ram_mib=self._lease.peak_ram_mib
        )
        facts = verdict.Facts(
            ending=self._lease.ending,
            last=self._last,
            exit_code=verdict.FORKSERVER_DIED if exit_code is None else exit_code,
            broke_protocol=self._broken,
            peak_mib=self._peak_mib(),
            booked_mib=booked_mib(self._claimed.grant, RAM_IDX),
            overuse=self._lease.overuse,
            fault=self._lease.fault,
            squeezed_mib=self._lease.squeezed_mib,
            kernel_killed=_kernel_kills() > kernel_kills,
        )
        return verdict.judge(self._claimed, facts)

    def _launched(self, plan: Plan) -> Runner:
        """Look again, and start.

        Raises:
            NoRoom: Somebody took the memory meanwhile.
            TransferAborted: The attempt is to end before it began.
        """
        shop, lease = self._shop, self._lease
        with shop.starting:
            self._go_on()
            grants = {
                each.token: each.claimed.grant for each in shop.leases.all() if each.claimed and each.runner
            }
            lacking = shortfall(shop.sampler.look(), lease, grants)
            if lacking is not None:
                raise NoRoom(f"device {lacking[0]} full: {lacking[1]} MiB are missing since the claim")
            began = time.monotonic()
            runner = shop.forkserver.launch(lease.token, self._environment(), plan=plan)
            try:
                shop.records.put(runner)
                shop.leases.watch(lease, runner)
            except BaseException:
                runner.kill()
                runner.close()
                raise
        self._log.info("runner.started", pid=runner.pid, took_s=round(time.monotonic() - began, 3))
        return runner

    def _environment(self) -> dict[str, str]:
        grant = self._claimed.grant
        return {
            "CUDA_VISIBLE_DEVICES": self._shop.sampler.visible(grant.devices),
            "OMP_NUM_THREADS": str(max(1, grant.cpu_milli // 1000)),
            "TMPDIR": str(self._folder / "tmp"),
            "ARGOSY_JOB_ID": str(self._lease.job_id),
            "ARGOSY_ATTEMPT": str(self._claimed.attempt),
            **self._shop.isolation.environment(self._claimed, self._folder),
        }

    def _spec(self, inputs: dict[str, str], checkpoint: Path | None) -> Spec:
        claimed, grant = self._claimed, self._claimed.grant
        return Spec(
            job_id=str(claimed.job_id),
            attempt=claimed.attempt,
            kind=claimed.kind,
            params=claimed.params,
            inputs=inputs,
            work_dir=str(self._work_dir),
            devices=[
                Device("ram" if idx == RAM_IDX else "gpu", at, grant.vram_mib)
                for at, idx in enumerate(grant.devices)
            ],
            ram_mib=grant.ram_mib,
            cpu_milli=grant.cpu_milli,
            checkpoint=None if checkpoint is None else str(checkpoint),
            checkpoint_step=claimed.checkpoint.step if claimed.checkpoint else 0,
        )

    def _fetched(self, name: str, sha256: str | None, source: str) -> Path:
        if sha256 is None:
            raise UserMistake(f"input {name!r} is not there: {source} has no such output")
        path = self._folder / "inputs" / _relative(name, "input")
        try:
            self._shop.cache.provide(
                self._claimed.project_id, sha256, path, lambda to: self._download(sha256, to)
            )
        except FileMissing as exc:
            raise UserMistake(f"input {name!r} from {source} cannot be had: {exc}") from exc
        return path

    def _fetched_checkpoint(self) -> Path | None:
        reference = self._claimed.checkpoint
        if reference is None:
            return None
        path = self._folder / "checkpoint"
        try:
            self._download(reference.sha256, path)
        except FileMissing as exc:
            raise TransferError(f"the checkpoint of step {reference.step} is gone: {exc}") from exc
        return path

    def _download(self, sha256: str, to: Path) -> int:
        return self._shop.transfer.download(
            sha256, to, job_id=self._lease.job_id, token=self._lease.token, wanted=self._may_go_on
        )

    def _stored(self, result: Result) -> Settlement:
        """Upload the outputs of a result, and make it a completion."""
        artifacts = []
        for output in result.outputs:
            try:
                with opened(Path(output.path), self._work_dir) as file:
                    sha256, size = self._shop.transfer.upload(
                        file,
                        media_type=output.media_type,
                        job_id=self._lease.job_id,
                        token=self._lease.token,
                        wanted=lambda: self._lease.ending is not Ending.LOST,
                    )
            except NotOwn as exc:
                raise UserMistake(f"output {output.name!r} is not a file of this job: {exc}") from exc
            artifacts.append(Artifact(str(_relative(output.name, "output")), sha256, size, output.media_type))
        return verdict.completion(self._claimed, result, artifacts, self._peak_mib())

    def _peak_mib(self) -> int | None:
        """What we saw of host memory; says nothing of a job that was booked on GPUs."""
        devices = self._claimed.grant.devices
        return self._lease.peak_ram_mib or None if not devices or RAM_IDX in devices else None

    def _may_go_on(self) -> bool:
        if time.monotonic() - self._lease.claimed_at > self._claimed.timeout_s:
            self._lease.end(Ending.TIMEOUT)
        return self._lease.ending is None

    def _go_on(self) -> None:
        if not self._may_go_on():
            raise TransferAborted("the attempt is to end before it began")

    def _failed(self, cause: Cause, message: str) -> Failed:
        return Failed(self._lease.job_id, self._lease.token, cause, message)


def _relative(name: str, what: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or str(path) == ".":
        raise UserMistake(f"{what} name {name!r} must be relative, without '..'")
    return path


def _kernel_kills() -> int:
    """How often this host's kernel has killed for want of memory since it booted."""
    try:
        with open("/proc/vmstat") as lines:  # noqa: PTH123  # a pseudo file
            return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
    except OSError:
        return 0
