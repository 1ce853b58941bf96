"""The agent's disk: nobody writes more than he may, and a full one is a state, not a crash.

A thread of its own: a tree of a million files takes a while to count, and must hold up neither a cancel nor a beat.
"""

from __future__ import annotations

import os
import stat
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import psutil  # type: ignore[import-untyped]
import structlog

from agent.devices.health import Fault, Then
from agent.files.cache import Cache
from agent.files.models import Models
from agent.leases import Ending, Leases

log = structlog.get_logger(__name__)

_EVERY_S = 1.0
_MODELS_S = 60.0
"""Between two looks at the models: they are counted file by file."""
_FEW_INODES = 2000
"""With fewer left a disk is as good as full."""
_MANY_FILES = 50_000
"""What a job may make when there are few left."""
_BALLAST_MIB = 16
_MIB = 2**20


class Ballast:
    """Disk that is taken while there is some, and given up so that results can be written when there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> None:
        """Take it, if it is not taken and there is room."""
        if self._path.exists():
            return
        part = self._path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, _BALLAST_MIB * _MIB)
            part.replace(self._path)
        except OSError as exc:
            part.unlink(missing_ok=True)
            log.debug("ballast.no_room", error=str(exc))

    def drop(self) -> bool:
        """Give it up; says whether there was any."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        log.warning("ballast.dropped", mib=_BALLAST_MIB)
        return True


class Disk(threading.Thread):
    """Looks every second at what is free, and at what each running attempt has written."""

    def __init__(
        self,
        folder: Path,
        leases: Leases,
        cache: Cache,
        models: Models,
        ballast: Ballast,
        *,
        floor_mib: int,
        allowance_mib: int,
        unused_s: float,
    ) -> None:
        """Build it.

        Args:
            folder: On the disk that is watched.
            leases: Whose holders may be ended.
            cache: Gives way when there is little left.
            models: So do they.
            ballast: Taken again when there is enough.
            floor_mib: With less free than this, the node takes nothing new.
            allowance_mib: What a job may write beyond its booking.
            unused_s: Cached files and models that were not used for so long go.
        """
        super().__init__(name="disk", daemon=True)
        self._folder = folder
        self._leases = leases
        self._cache = cache
        self._models = models
        self._next_models = 0.0
        self._ballast = ballast
        self._floor_mib = floor_mib
        self._allowance_mib = allowance_mib
        self._unused_s = unused_s
        self._full: str | None = None
        self._few_inodes = False
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()

    def faults(self, devices: Sequence[int]) -> dict[int, Fault]:
        """All of these devices while the disk is full: what cannot write its files need not begin."""
        return {} if self._full is None else dict.fromkeys(devices, Fault(self._full, Then.GOES_ON))

    def run(self) -> None:
        """Look until stopped."""
        while not self._stopping.wait(_EVERY_S):
            try:
                self._look_at_free()
                self._look_at_jobs()
                if time.monotonic() >= self._next_models:
                    unused_since = time.time() - self._unused_s
                    self._cache.drop_unused(since=unused_since)
                    self._models.keep_budget(self._running(), unused_since=unused_since)
                    self._next_models = time.monotonic() + _MODELS_S
            except OSError as exc:
                log.warning("disk.not_measured", folder=str(self._folder), error=str(exc))

    def _look_at_free(self) -> None:
        free_mib = psutil.disk_usage(str(self._folder)).free // _MIB
        if free_mib < self._floor_mib:
            self._cache.shrink(self._floor_mib - free_mib)
            free_mib = psutil.disk_usage(str(self._folder)).free // _MIB
            if free_mib < self._floor_mib:
                self._models.shrink(self._floor_mib - free_mib, self._running())
                free_mib = psutil.disk_usage(str(self._folder)).free // _MIB
        facts = os.statvfs(self._folder)
        self._few_inodes = facts.f_files > 0 and facts.f_favail < _FEW_INODES  # some file systems count none
        full = None
        if free_mib < self._floor_mib:
            full = f"disk full: {free_mib} MiB free, {self._floor_mib} are needed"
        elif self._few_inodes:
            full = f"disk full: {facts.f_favail} inodes free, {_FEW_INODES} are needed"
        if full is not None:
            if self._full is None:
                log.error("disk.full", folder=str(self._folder), why=full)
            self._full = full
            return
        self._ballast.take()
        if self._full is not None:
            log.info("disk.has_room", free_mib=free_mib)
            self._full = None

    def _running(self) -> set[UUID]:
        """Projects that run something here: what they fetched is in use."""
        return {lease.claimed.project_id for lease in self._leases.all() if lease.claimed is not None}

    def _look_at_jobs(self) -> None:
        for runner, sharing in self._leases.by_runner().items():
            going = [lease for lease in sharing if lease.ending is None]
            if not going:
                continue
            # What is in the home of a runner is that of all who share it.
            booked = sum(each.claimed.grant.disk_mib for each in sharing if each.claimed is not None)
            try:
                # Others may have left files in its home that are still on their way to the store. Inputs and a checkpoint
                # are beside the job's own folder: it was given them, and mostly they are links to the cache.
                own = [Path(runner.folder) / "tmp", *(each.folder / "job" for each in sharing if each.folder)]
                held = used_mib(own, [each.pid for each in runner.family_now()])
                files = count_files(own) if self._few_inodes else 0
            except OSError as exc:
                if any(
                    lease.runner is not None for lease in going
                ):  # else it has just ended, and its folder with it
                    log.warning("disk.not_counted", pid=runner.pid, error=str(exc))
                continue
            if held > booked + self._allowance_mib:
                text = f"wrote {held} MiB, booked were {booked} MiB of scratch space (need.disk_mib)"
            elif files > _MANY_FILES:
                text = f"made {files} files, and the disk has few inodes left"
            else:
                continue
            if told := [str(lease.token) for lease in going if lease.end(Ending.OUT_OF_DISK, text)]:
                log.warning("runner.filled_disk", tokens=told, held_mib=held, booked_mib=booked)


def count_files(folders: Sequence[Path]) -> int:
    """How many files and folders there are.

    Raises:
        OSError: They could not be counted.
    """
    return _counted(["du", "-sc", "--inodes"], folders)


def used_mib(folders: Sequence[Path], pids: Iterable[int]) -> int:
    """What a job holds of the disk: what is in its folders, and what it has open though its name is gone.

    Counted by du, which walks trees that are deeper than a path may be long.

    Raises:
        OSError: It could not be counted.
    """
    named_kib = _counted(["du", "-skc"], folders)
    unnamed: dict[tuple[int, int], int] = {}
    for pid in pids:
        with suppress(OSError):  # it has ended
            for handle in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    facts = os.stat(handle.path)  # noqa: PTH116  # the file it leads to, which has no name
                    if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                        unnamed[facts.st_dev, facts.st_ino] = facts.st_blocks * 512
    return named_kib // 1024 + sum(unnamed.values()) // _MIB


def _counted(command: Sequence[str], folders: Sequence[Path]) -> int:
    """The total that du says."""
    done = subprocess.run([*command, "--", *folders], capture_output=True, text=True, check=False)
    if len(done.stdout.splitlines()) <= len(folders):
        raise OSError(f"du on {folders}: {done.stderr.strip()[:200]}")
    return int(done.stdout.splitlines()[-1].split()[0])
