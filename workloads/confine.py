"""Make a process a runner: its own session, bound to its parent's life, within its memory, and measured.

Linux only. Knows nothing of jobs but the devices they booked.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from workloads.gpus import gpus
from workloads.protocol import Device

MIB = 1 << 20
PR_SET_PDEATHSIG = 1


def lead_own_session() -> None:
    """Become leader of a session and process group, so that one signal reaches all that is started here."""
    if os.getsid(0) != os.getpid():
        os.setsid()


def die_with_parent() -> None:
    """Be killed when the parent dies, also when it died just now.

    The parent of a runner is the forkserver, which ends when its agent does.
    """
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent == 1 or os.getppid() != parent:
        os._exit(1)


def redirect_output(log_fd: int) -> None:
    """Send stdout and stderr, of Python and of everything below it, to the log."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)


def status_kib(field: str, pid: int | str = "self") -> int | None:
    """A size from /proc/PID/status, in KiB; None where the kernel does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
    return None


class Bounds:
    """What this process may use, set anew for each piece of work, over what it had before the first.

    A model it keeps from the work before counts: it was booked then, and is booked now.
    """

    def __init__(self, *, for_good: bool = True) -> None:
        """Nothing is limited yet.

        Args:
            for_good: Nobody in this process may raise what was set; then it can be set once.
        """
        self._for_good = for_good
        self._base_kib: int | None = None
        self._contexts_mib: dict[int, int] = {}
        self._hwm_kib: int | None = None

    def hold(self, devices: Sequence[Device], ram_mib: int) -> PeakMeter:
        """Hold the process to what was booked, and measure from now on.

        GPUs first: their driver maps memory of the host, which is not the job's.
        """
        budget_mib = ram_mib + sum(d.memory_mib for d in devices if d.kind == "ram")
        for device in devices:
            if device.kind == "gpu":
                own = gpus()
                if device.index not in self._contexts_mib:
                    self._contexts_mib[device.index] = own.context_mib(device.index)
                context_mib = self._contexts_mib[device.index]
                own.limit(device.index, max(0, device.memory_mib - context_mib))
                budget_mib += device.memory_mib if own.in_host_memory else 0
        if self._base_kib is None:
            self._base_kib = status_kib("VmData") or 0
        if budget_mib > 0:
            self._limit_data(budget_mib)
        meter = PeakMeter(devices, self._contexts_mib, self._hwm_kib)
        self._hwm_kib = meter.baseline_kib
        return meter

    def _limit_data(self, budget_mib: int) -> None:
        """Beyond it, allocation fails and can be caught.

        RLIMIT_DATA, not RLIMIT_AS: mapped files and reserved address space are not memory used.
        """
        limit = (self._base_kib or 0) * 1024 + budget_mib * MIB
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit if self._for_good else hard))


def use_threads(cpu_milli: int) -> None:
    """Take as many threads as cores were booked, one at least."""
    threads = max(1, cpu_milli // 1000)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)


def give_back_memory() -> None:
    """What allocators keep for themselves goes back: a runner at rest holds its model, not what the last job was like.

    Or else a small job that goes on with it would seem to have outgrown its booking.
    """
    gc.collect()
    if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    with contextlib.suppress(AttributeError):  # only the C library of GNU has it
        ctypes.CDLL(None).malloc_trim(0)


class PeakMeter:
    """The most memory used on one of the booked devices since the meter was made, contexts included."""

    def __init__(
        self,
        devices: Sequence[Device],
        contexts_mib: Mapping[int, int] | None = None,
        baseline_kib: int | None = None,
    ) -> None:
        """Begin to measure.

        Args:
            devices: Booked.
            contexts_mib: What of each GPU its context takes.
            baseline_kib: The most this process had before its first piece of work; None: this is it.
        """
        self.gpus = [d.index for d in devices if d.kind == "gpu"]
        self.contexts_mib = contexts_mib or {}
        for index in self.gpus:
            gpus().restart_peak(index)
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        self.baseline_kib = status_kib("VmHWM") if baseline_kib is None else baseline_kib

    def read_mib(self) -> int | None:
        """None where it could not be measured; a GPU that says 0 was never asked to allocate."""
        if self.gpus:
            used = {index: gpus().peak_mib(index) for index in self.gpus}
            return max(
                (mib + self.contexts_mib.get(index, 0) for index, mib in used.items() if mib), default=None
            )
        now = status_kib("VmHWM")
        if now is None or self.baseline_kib is None or now <= self.baseline_kib:
            return None
        return -(-(now - self.baseline_kib) // 1024)
