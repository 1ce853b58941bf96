"""Memory of the GPUs this process was given: what a context takes, how far it may go, and the most it had.

By torch; on a machine whose GPUs are stand-ins (`argosy up --mock`) by its host memory, told to the stand-in driver.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Protocol

MIB = 1 << 20
MOST_CONTEXT_MIB = 1024
"""No CUDA context takes more; what a neighbour allocated meanwhile is not ours."""
MOCK = "NVIDIA_MOCK_GPUS"
"""Set where the driver is the stand-in: the file that says what it shows."""
_MOCK_CONTEXT_MIB = 300
_TELL_S = 0.2


class Gpus(Protocol):
    """By index within CUDA_VISIBLE_DEVICES."""

    in_host_memory: bool
    """Whether what is taken on them is memory of the host."""

    def context_mib(self, index: int) -> int:
        """Make this process's context on a device; what it takes: no allocator counts it."""
        ...

    def limit(self, index: int, mib: int) -> None:
        """Let this process allocate no more there, its context left out."""
        ...

    def peak_mib(self, index: int) -> int:
        """The most it had allocated there, its context left out; 0: it was never asked to."""
        ...

    def restart_peak(self, index: int) -> None:
        """The most from now on: what is there still counts."""
        ...

    def hold(self, index: int, mib: int) -> object:
        """Allocate there; given back with the answer's last reference.

        Raises:
            RuntimeError: There is not so much, or not for us.
        """
        ...


def gpus() -> Gpus:
    """Those of this process."""
    global _stand_ins  # noqa: PLW0603  # one process is one user of its GPUs
    state = os.environ.get(MOCK)
    if not state:
        return Cuda()
    if _stand_ins is None:
        _stand_ins = StandIns(Path(state).parent / "procs", _names())
    return _stand_ins


class Cuda:
    """Through torch."""

    in_host_memory = False

    def context_mib(self, index: int) -> int:
        """By NVML; 0 where it cannot say."""
        import torch

        with contextlib.suppress(ImportError):
            import pynvml

            with contextlib.suppress(pynvml.NVMLError, IndexError):
                pynvml.nvmlInit()
                handle = pynvml.nvmlDeviceGetHandleByUUID(_names()[index])
                before = pynvml.nvmlDeviceGetMemoryInfo(handle).used
                torch.cuda.synchronize(index)
                took = int(pynvml.nvmlDeviceGetMemoryInfo(handle).used - before)
                return min(MOST_CONTEXT_MIB, max(0, -(-took // MIB)))
        return 0

    def limit(self, index: int, mib: int) -> None:
        """Beyond it, torch raises OutOfMemoryError."""
        import torch

        total = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, mib * MIB / total), index)

    def peak_mib(self, index: int) -> int:
        """Allocated, not reserved: the allocator's cache fills whatever it is given."""
        import torch

        return -(-int(torch.cuda.max_memory_allocated(index)) // MIB)

    def restart_peak(self, index: int) -> None:
        """From now on; a model that is still there counts."""
        import torch

        torch.cuda.reset_peak_memory_stats(index)

    def hold(self, index: int, mib: int) -> object:
        """A tensor of bytes."""
        import torch

        return torch.empty(mib * MIB, dtype=torch.uint8, device=f"cuda:{index}")


class StandIns:
    """What this process adds to its host memory counts as memory of its first GPU; what it holds is only told.

    Nothing stops it at a limit: as where the allocator is not torch's, the agent finds it out.
    """

    in_host_memory = True

    def __init__(self, folder: Path, names: list[str]) -> None:
        self._folder = folder
        self._names = names
        self._held: dict[int, int] = {}
        self._contexts: set[int] = set()
        self._peaks: dict[int, int] = {}
        self._told: dict[int, int] = {}
        self._lock = threading.Lock()
        self._base_mib = _resident_mib()
        self._started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]

    def context_mib(self, index: int) -> int:
        """As much as a small real one."""
        with self._lock:
            first = not self._contexts
            self._contexts.add(index)
        self._tell()
        if first:
            threading.Thread(target=self._go_on_telling, name="stand-in", daemon=True).start()
        return _MOCK_CONTEXT_MIB

    def limit(self, index: int, mib: int) -> None:
        """None."""

    def peak_mib(self, index: int) -> int:
        """As told."""
        self._tell()
        return self._peaks.get(index, 0)

    def restart_peak(self, index: int) -> None:
        """From now on."""
        self._peaks.pop(index, None)
        self._tell()

    def hold(self, index: int, mib: int) -> object:
        """Told, not allocated: a stand-in may be larger than this machine."""
        held = _Held(self, index, mib)
        self.change(index, mib)
        return held

    def change(self, index: int, mib: int) -> None:
        """Hold so much more."""
        with self._lock:
            self._held[index] = self._held.get(index, 0) + mib
        self._tell()

    def _go_on_telling(self) -> None:
        pause = threading.Event()
        while not pause.wait(_TELL_S):
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            grown = max(0, _resident_mib() - self._base_mib)
            for index in self._contexts:
                used = self._held.get(index, 0) + (grown if index == min(self._contexts) else 0)
                self._peaks[index] = max(self._peaks.get(index, 0), used)
                whole = used + _MOCK_CONTEXT_MIB
                if self._told.get(index) == whole:
                    continue
                path = self._folder / self._names[index] / str(os.getpid())
                part = path.with_suffix(".part")
                part.write_text(f"{whole * MIB} {self._started}\n")
                part.replace(path)
                self._told[index] = whole


class _Held:
    def __init__(self, owner: StandIns, index: int, mib: int) -> None:
        self._owner, self._index, self._mib = owner, index, mib

    def __del__(self) -> None:
        self._owner.change(self._index, -self._mib)


_stand_ins: StandIns | None = None


def _names() -> list[str]:
    return os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")


def _resident_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // MIB
