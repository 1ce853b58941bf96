"""GPUs and MIG slices through NVML.

Holds no CUDA context: NVML only reads. A box with unified memory answers NOT_SUPPORTED to the question for
GPU memory; there the GPU's memory is the host's, and the caller says how much of it is for the GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pynvml
import structlog

from agent.devices import Groups, headroom_mib
from agent.devices.foreign import Foreign
from agent.devices.host import available_mib
from queue_schema.shapes import DeviceDeclared, DeviceSample, LeaseSample

T = TypeVar("T")

log = structlog.get_logger(__name__)

_LEAST_HEADROOM_MIB = 512
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class _Gpu:
    idx: int
    uuid: str
    name: str
    handle: Any
    total_mib: int
    unified: bool
    foreign: Foreign


class NvmlDevices:
    """The GPUs NVML shows, each MIG slice as a device of its own.

    A GPU has its NVML index; slice s of GPU g has (g + 1) * 100 + s, so that no two meet, and a GPU cut into
    slices is not declared itself.
    """

    def __init__(self, *, unified_mib: int, cool_s: float = 5.0) -> None:
        """Open NVML.

        Args:
            unified_mib: What a GPU without memory of its own may use of the host's.
            cool_s: How long memory that a stranger gave back is kept back.

        Raises:
            pynvml.NVMLError: There is no driver, or it does not answer.
        """
        self._unified_mib = unified_mib
        self._cool_s = cool_s
        pynvml.nvmlInit()
        try:
            self._driver = _text(pynvml.nvmlSystemGetDriverVersion())
            self._gpus = [gpu for index in range(pynvml.nvmlDeviceGetCount()) for gpu in self._found(index)]
        except pynvml.NVMLError:
            pynvml.nvmlShutdown()
            raise

    @property
    def unified(self) -> bool:
        """Whether some GPU here lives in host memory."""
        return any(gpu.unified for gpu in self._gpus)

    def declare(self) -> list[DeviceDeclared]:
        """What was there when NVML was opened."""
        return [
            DeviceDeclared(
                idx=gpu.idx,
                uuid=gpu.uuid,
                kind="gpu",
                name=gpu.name,
                total_mib=gpu.total_mib,
                headroom_mib=headroom_mib(gpu.total_mib, _LEAST_HEADROOM_MIB),
                takes_vram=True,
            )
            for gpu in self._gpus
        ]

    def facts(self) -> dict[str, str]:
        """Model and number of GPUs, and the driver."""
        if not self._gpus:
            return {}
        return {"gpu": self._gpus[0].name, "gpus": str(len(self._gpus)), "driver": self._driver}

    def look(self, groups: Groups) -> list[DeviceSample]:
        """Measure each; one that does not answer has nothing free."""
        return [self._look(gpu, groups) for gpu in self._gpus]

    def visible(self, idx: int) -> str | None:
        """The uuid, for GPUs and slices alike."""
        return next((gpu.uuid for gpu in self._gpus if gpu.idx == idx), None)

    def close(self) -> None:
        """Close NVML."""
        pynvml.nvmlShutdown()

    def _look(self, gpu: _Gpu, groups: Groups) -> DeviceSample:
        try:
            free_mib = available_mib() if gpu.unified else int(_memory(gpu.handle).free) // _MIB
            used = _used_by_pid(gpu.handle)
        except pynvml.NVMLError as exc:
            # A GPU that fell off the bus has nothing free; the other devices go on.
            log.warning("device.silent", device=gpu.idx, error=str(exc))
            return DeviceSample(idx=gpu.idx, free_mib=0)
        leases = []
        for token, group in groups.items():
            figures = [used[pid] for pid in group.pids if pid in used]
            if figures and None not in figures:
                used_mib = sum(f for f in figures if f is not None)
                leases.append(LeaseSample(job_id=group.job_id, token=token, mib=used_mib))
        foreign = max(0, gpu.total_mib - free_mib - sum(lease.mib for lease in leases))
        free_mib -= gpu.foreign.held_back_mib(time.monotonic(), foreign, {lease.token for lease in leases})
        return DeviceSample(idx=gpu.idx, free_mib=max(0, min(free_mib, gpu.total_mib)), leases=leases)

    def _found(self, index: int) -> list[_Gpu]:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        slices = _slices(handle)
        if slices is None:
            return [self._described(index, handle)]
        return [self._described((index + 1) * 100 + at, part) for at, part in slices]

    def _described(self, idx: int, handle: Any) -> _Gpu:
        try:
            total_mib, unified = int(_memory(handle).total) // _MIB, False
        except pynvml.NVMLError_NotSupported:
            total_mib, unified = self._unified_mib, True
        return _Gpu(
            idx=idx,
            uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
            name=_text(pynvml.nvmlDeviceGetName(handle)),
            handle=handle,
            total_mib=total_mib,
            unified=unified,
            foreign=Foreign(self._cool_s),
        )


def _slices(handle: Any) -> list[tuple[int, Any]] | None:
    """The MIG slices of a GPU, or None when it is not cut."""
    mode = _supported(lambda: pynvml.nvmlDeviceGetMigMode(handle)[0])
    if mode != pynvml.NVML_DEVICE_MIG_ENABLE:
        return None
    found = []
    for at in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            found.append((at, pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, at)))
        except pynvml.NVMLError_NotFound:
            continue
    return found


def _memory(handle: Any) -> Any:
    """Version 2 leaves what the driver reserves out of `free` and `used`; old drivers have version 1 only."""
    try:
        return pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)
    except (pynvml.NVMLError_FunctionNotFound, pynvml.NVMLError_InvalidArgument):
        return pynvml.nvmlDeviceGetMemoryInfo(handle)


def _used_by_pid(handle: Any) -> dict[int, int | None]:
    """MiB by pid; None where the driver does not say (some containers, unified memory)."""
    used: dict[int, int | None] = {}
    for ask in (pynvml.nvmlDeviceGetComputeRunningProcesses, pynvml.nvmlDeviceGetGraphicsRunningProcesses):
        for process in _supported(lambda ask=ask: ask(handle)) or []:  # type: ignore[misc]
            size = process.usedGpuMemory
            used[int(process.pid)] = None if size is None else int(size) // _MIB
    return used


def _supported(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except (pynvml.NVMLError_NotSupported, pynvml.NVMLError_FunctionNotFound):
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
