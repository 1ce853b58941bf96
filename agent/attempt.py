"""One attempt from its claim to the moment its outcome is written down: prepare, start, listen, judge, upload.

A thread per attempt. It may wait for files and for the runner, never for the database: what it must tell
goes to the reporter and the settler.
"""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path, PurePosixPath

import structlog

from agent import verdict
from agent.checkpoints import Newest
from agent.devices.host import RAM_IDX
from agent.files.own import NotOwn, opened
from agent.files.transfer import FileDamaged, FileMissing, FileTooLarge, TransferAborted, TransferError
from agent.isolation import clear
from agent.leases import Ending, Lease
from agent.runners.reading import Stream
from agent.sampling import booked_mib, squeeze
from agent.spool import Settlement
from agent.together import Together
from agent.work import Job, NoRoom, Work
from agent.workshop import Workshop
from queue_schema.shapes import Artifact, CheckpointRef, Claimed, Failed, Released
from queue_schema.states import Cause
from workloads.protocol import (
    Checkpoint,
    Device,
    Failure,
    Metrics,
    OfJob,
    Progress,
    Result,
    Span,
    Spec,
    Stopped,
)

log = structlog.get_logger(__name__)


class UserMistake(Exception):
    """The job cannot run as its owner wrote it."""


class Attempt(threading.Thread):
    """Runs one claimed job, as a `work.Job`."""

    def __init__(self, shop: Workshop, lease: Lease, together: Together[Job, Work], place: int) -> None:
        """Build it.

        Args:
            shop: What it works with.
            lease: What was claimed.
            together: With whom it is one piece of work.
            place: Its own among these.
        """
        super().__init__(name=f"attempt-{lease.token}", daemon=True)
        assert lease.claimed is not None
        self._shop = shop
        self._lease = lease
        self._claimed: Claimed = lease.claimed
        self._together = together
        self._place = place
        self._home = shop.home(lease)
        self._inputs: list[PurePosixPath] = []
        self._work: Work | None = None
        self._resumes = self._claimed.checkpoint is not None
        self._checkpoints = Newest()
        self._last: Result | Failure | Stopped | None = None
        self._broken: str | None = None
        self._log = log.bind(job_id=str(lease.job_id), token=str(lease.token), attempt=self._claimed.attempt)
        self._log = self._log.bind(**lease.trail.ids)

    def run(self) -> None:
        """From preparation to the settlement; never raises."""
        try:
            settlement = self._outcome()
        except Exception as exc:  # noqa: BLE001  # a thread's edge: whatever it was, the job must be settled
            self._log.exception("attempt.failed")
            settlement = self._failed(Cause.INFRASTRUCTURE, f"the agent failed: {type(exc).__name__}: {exc}")
        if settlement is None or self._lease.ending is Ending.LOST:
            self._log.warning("attempt.dropped")
            self._lease.trail.end("dropped", well=False)
            self._shop.reporter.forget([self._lease.token])
            self._shop.leases.remove(self._lease.token)
        else:
            self._shop.settler.settle(settlement)
        home = self._work.home if self._work is not None else None
        if home is not None:
            home.leave(self._lease.token)
        if home is None or home.folder != self._home:
            clear(self._home)

    @property
    def lease(self) -> Lease:
        """What it was given."""
        return self._lease

    @property
    def _folder(self) -> Path:
        return self._shop.folder(self._lease)

    @property
    def _work_dir(self) -> Path:
        return self._folder / "job"

    # What the runner says, on the reading thread.

    def said(self, message: OfJob) -> None:
        """Pass news on, and keep what decides."""
        if isinstance(message, Progress | Metrics):
            self._shop.reporter.tell(self._lease.job_id, self._lease.token, message)
        elif isinstance(message, Checkpoint):
            self._checkpoints.put(message, within=self._work_dir)
        elif isinstance(message, Span):
            self._lease.trail.told(message)
        else:
            if isinstance(message, Failure) and message.cause == "out_of_memory" and self._last is None:
                try:
                    self._look_who_has_it()
                except Exception:  # noqa: BLE001  # whatever it is, the runner must be heard to its end
                    self._log.exception("attempt.not_looked")
            self._last = message
            if isinstance(message, Result):
                self._checkpoints.drop()

    def printed(self, stream: Stream, lines: list[str]) -> None:
        """Pass log lines on."""
        self._shop.reporter.tell_lines(self._lease.job_id, self._lease.token, stream, lines)

    def broke_protocol(self, why: str) -> None:
        """Remember the first line that was no message."""
        self._log.warning("runner.broke_protocol", why=why)
        self._broken = self._broken or why

    def succeeded(self) -> bool:
        """Whether a result was heard, and nothing that is no message."""
        return isinstance(self._last, Result) and self._broken is None

    def grace_s(self) -> float:
        """Somebody who was asked to end gets the rest of the grace, though the runner itself is gone."""
        if self._lease.ending not in (Ending.CANCEL, Ending.TIMEOUT):
            return 0.0
        return max(0.0, self._lease.ending_at + self._shop.settings.grace_s - time.monotonic())

    def heard(self) -> None:
        """Everything the runner had to say was heard."""
        self._checkpoints.end()

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
            nothing = verdict.Facts(
                ending=self._lease.ending, last=None, exit_code=0, shared=self._shares_runner()
            )
            judged = verdict.judge(self._claimed, nothing)
            assert not isinstance(judged, Result)
            return judged
        except (TransferError, EOFError, OSError) as exc:
            self._log.warning("attempt.infrastructure", error=f"{type(exc).__name__}: {exc}")
            return self._failed(Cause.INFRASTRUCTURE, f"{type(exc).__name__}: {exc}")

    def _perform(self) -> Failed | Released | Result | None:
        try:
            with self._lease.trail.step("prepare"):
                self._prepare()
        except BaseException:
            self._together.leave()
            raise
        return self._judged(self._together.join(self._place, self))

    def _prepare(self) -> None:
        self._home.parent.mkdir(mode=0o711, exist_ok=True)
        for private in (self._home, self._folder):
            private.mkdir(mode=0o700)
        for own in (self._home / "tmp", self._work_dir):
            own.mkdir()
        for each in self._claimed.inputs:
            with self._lease.trail.step("fetch", {"argosy.input": each.name}):
                self._fetch(each.name, each.sha256, each.source)
        if self._claimed.checkpoint is not None:
            with self._lease.trail.step("fetch", {"argosy.checkpoint": self._claimed.checkpoint.step}):
                self._fetch_checkpoint(self._claimed.checkpoint)
        self._go_on()

    def _judged(self, work: Work) -> Failed | Released | Result | None:
        """Do it, or have it done by one of those it is done with; and say how it went."""
        self._work = work
        begins = work.begun_by(self)
        if begins:
            try:
                with self._lease.trail.step("start") as span:
                    work.begin()
                    span.set_attributes({"argosy.start": work.start, "argosy.jobs": work.size})
            except Exception as exc:
                work.fail(exc)
                raise
        try:
            while (message := self._checkpoints.take()) is not None:
                with self._lease.trail.step("checkpoint", {"argosy.checkpoint": message.step}):
                    self._shop.checkpoints.keep(
                        self._lease, message, within=self._work_dir, needed=lambda: not self.succeeded()
                    )
        except BaseException:
            if begins:
                work.give_up()
            raise
        finally:
            self._lease.trail.ran()
            if begins:
                work.finish()
        if not work.has(self):
            raise TransferAborted("to end before it began")
        work.over.wait()
        if work.failed is not None:
            raise work.failed
        facts = verdict.Facts(
            ending=self._lease.ending,
            last=self._last,
            exit_code=verdict.FORKSERVER_DIED if work.exit_code is None else work.exit_code,
            broke_protocol=self._broken,
            peak_mib=self._peak_mib(),
            booked_mib=booked_mib(self._claimed.grant, RAM_IDX),
            overuse=self._lease.overuse,
            fault=self._lease.fault,
            squeezed_mib=self._lease.squeezed_mib,
            shared=work.shared,
            kernel_killed=work.kernel_killed,
        )
        return verdict.judge(self._claimed, facts)

    # Asked by the work.

    def moved(self, home: Path) -> None:
        """Its folder goes into this home now."""
        folder = home / str(self._lease.token)
        if home != self._home:
            self._folder.rename(folder)
            clear(self._home)
        self._lease.folder = folder

    def environment(self) -> dict[str, str]:
        """For a runner of its own."""
        grant = self._claimed.grant
        return {
            "CUDA_VISIBLE_DEVICES": self._shop.sampler.visible(grant.devices),
            "OMP_NUM_THREADS": str(max(1, grant.cpu_milli // 1000)),
            "TMPDIR": str(self._home / "tmp"),
            **self._shop.isolation.environment(self._claimed, self._home),
        }

    def spec(self) -> Spec:
        """What to do, in the folder where it is now."""
        claimed, grant = self._claimed, self._claimed.grant
        return Spec(
            job_id=str(claimed.job_id),
            attempt=claimed.attempt,
            kind=claimed.kind,
            params=claimed.params,
            inputs={str(name): str(self._folder / "inputs" / name) for name in self._inputs},
            work_dir=str(self._work_dir),
            devices=[
                Device("ram" if idx == RAM_IDX else "gpu", at, grant.vram_mib)
                for at, idx in enumerate(grant.devices)
            ],
            ram_mib=grant.ram_mib,
            cpu_milli=grant.cpu_milli,
            checkpoint=str(self._folder / "checkpoint") if self._resumes else None,
            checkpoint_step=claimed.checkpoint.step if claimed.checkpoint and self._resumes else 0,
            trace=self._lease.trail.run(),
        )

    # From here on, on this thread again.

    def _fetch(self, name: str, sha256: str | None, source: str) -> None:
        if sha256 is None:
            raise UserMistake(f"input {name!r} is not there: {source} has no such output")
        relative = _relative(name, "input")
        path = _place(name, self._folder / "inputs" / relative)
        try:
            self._shop.cache.provide(
                self._claimed.project_id, sha256, path, lambda to: self._download(sha256, to)
            )
        except FileMissing as exc:
            raise UserMistake(f"input {name!r} from {source} cannot be had: {exc}") from exc
        self._inputs.append(relative)

    def _fetch_checkpoint(self, reference: CheckpointRef) -> None:
        try:
            self._download(reference.sha256, self._folder / "checkpoint")
        except (FileMissing, FileDamaged) as exc:
            # It would not be there the next time either. What it saved is lost; the job need not be.
            self._resumes = False
            self._log.warning("checkpoint.unusable", step=reference.step, error=str(exc))
            self.printed(
                "agent", [f"starts from the beginning: the checkpoint of step {reference.step} is gone"]
            )

    def _download(self, sha256: str, to: Path) -> int:
        return self._shop.transfer.download(
            sha256, to, job_id=self._lease.job_id, token=self._lease.token, wanted=self._may_go_on
        )

    def _stored(self, result: Result) -> Settlement:
        """Upload the outputs of a result, and make it a completion."""
        artifacts = []
        for output in result.outputs:
            try:
                with (
                    self._lease.trail.step("upload", {"argosy.output": output.name}),
                    opened(Path(output.path), self._work_dir) as file,
                ):
                    sha256, size = self._shop.transfer.upload(
                        file,
                        media_type=output.media_type,
                        job_id=self._lease.job_id,
                        token=self._lease.token,
                        wanted=self._may_store,
                    )
            except NotOwn as exc:
                raise UserMistake(f"output {output.name!r} is not a file of this job: {exc}") from exc
            except FileTooLarge as exc:
                raise UserMistake(f"output {output.name!r} is larger than the store takes: {exc}") from exc
            artifacts.append(Artifact(str(_relative(output.name, "output")), sha256, size, output.media_type))
        return verdict.completion(self._claimed, result, artifacts, self._peak_mib())

    def _peak_mib(self) -> int | None:
        """What we saw of host memory; says nothing of a job that was booked on GPUs, or shared its runner."""
        if self._shares_runner():
            return None
        devices = self._claimed.grant.devices
        return self._lease.peak_ram_mib or None if not devices or RAM_IDX in devices else None

    def _shares_runner(self) -> bool:
        return self._work is not None and self._work.shared

    def _in_time(self) -> bool:
        if time.monotonic() - self._lease.claimed_at <= self._claimed.timeout_s:
            return True
        self._lease.end(Ending.TIMEOUT)
        return False

    def _may_go_on(self) -> bool:
        return self._in_time() and self._lease.ending is None

    def _may_store(self) -> bool:
        """The work is done: who only wants its place back gets it with the result."""
        return self._in_time() and self._lease.ending not in (Ending.CANCEL, Ending.LOST)

    def _go_on(self) -> None:
        if not self._may_go_on():
            raise TransferAborted("the attempt is to end before it began")

    def _failed(self, cause: Cause, message: str) -> Failed:
        return Failed(self._lease.job_id, self._lease.token, cause, message)


def _place(name: str, path: Path) -> Path:
    """Where an input goes, with the folders above it; what is in the way is another input."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.lstat()
    except FileNotFoundError:
        return path
    except OSError as exc:
        if exc.errno == errno.ENAMETOOLONG:
            raise UserMistake(f"input name {name!r} is too long: a part of it may have 255 bytes") from exc
        if exc.errno not in (errno.EEXIST, errno.ENOTDIR):
            raise
    raise UserMistake(
        f"input {name!r} cannot be a file: another input has its name, or that of a folder above it"
    )


def _relative(name: str, what: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or str(path) == ".":
        raise UserMistake(f"{what} name {name!r} must be relative, without '..'")
    return path
