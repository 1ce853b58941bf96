"""GPUs and MIG slices through NVML.

Holds no CUDA context: NVML only reads. A box with unified memory answers NOT_SUPPORTED to the question for
GPU memory; there the GPU's memory is the host's, and the caller says how much of it is for the GPU.

Every GPU is asked on a thread of its own: one whose driver hangs is out of work, and the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import pynvml
import structlog

from agent.devices import Groups, headroom_mib
from agent.devices.asking import Asker
from agent.devices.foreign import Foreign
from agent.devices.health import PATIENCE_S, Fault, Health
from agent.devices.host import available_mib
from agent.devices.xids import XidListener
from queue_schema.shapes import DeviceDeclared, DeviceSample, LeaseSample

T = TypeVar("T")

log = structlog.get_logger(__name__)

_LEAST_HEADROOM_MIB = 512
_MIB = 2**20
_ANSWER_S = 2.0
"""How long a look waits for the driver; one that answers takes a millisecond."""
_NOT_HERE = (
    pynvml.NVMLError_NotSupported,
    pynvml.NVMLError_FunctionNotFound,
    pynvml.NVMLError_NoPermission,
    pynvml.NVMLError_InvalidArgument,
)
"""What a device, a slice of one, a driver or a user may lack without being sick."""
_LOST = (pynvml.NVMLError_GpuIsLost, pynvml.NVMLError_ResetRequired)


@dataclass(frozen=True, slots=True)
class _Measured:
    free_mib: int
    used: dict[int, int | None]
    """MiB by pid; None where the driver does not say."""
    action: int | None
    """The recovery action it asks for; None: the driver knows none."""
    busy: float | None
    """Share of the driver's last sample period in which it worked; None: not asked, or the driver does not know."""


@dataclass(frozen=True, slots=True)
class _Gpu:
    idx: int
    index: int
    """Of the whole GPU, in NVML."""
    uuid: str
    name: str
    handle: Any
    total_mib: int
    unified: bool
    foreign: Foreign
    health: Health
    asker: Asker[_Measured] = field(repr=False)


class NvmlDevices:
    """The GPUs NVML shows, each MIG slice as a device of its own.

    A GPU has its NVML index; slice s of GPU g has (g + 1) * 100 + s, so that no two meet, and a GPU cut into
    slices is not declared itself.
    """

    def __init__(self, *, unified_mib: int, cool_s: float = 5.0, patience_s: float = PATIENCE_S) -> None:
        """Open NVML.

        Args:
            unified_mib: What a GPU without memory of its own may use of the host's.
            cool_s: How long memory that a stranger gave back is kept back.
            patience_s: How long NVML may be silent on a GPU before what runs there is taken for lost.

        Raises:
            pynvml.NVMLError: There is no driver, or it does not answer.
        """
        self._unified_mib = unified_mib
        self._cool_s = cool_s
        self._patience_s = patience_s
        self._asks_busy = False
        self._busy: dict[int, float] = {}
        pynvml.nvmlInit()
        try:
            self._driver = _text(pynvml.nvmlSystemGetDriverVersion())
            whole: dict[int, Any] = {}
            self._gpus: list[_Gpu] = []
            self._unusable: dict[int, str] = {}
            for at in range(pynvml.nvmlDeviceGetCount()):
                try:
                    handle = pynvml.nvmlDeviceGetHandleByIndex(at)
                    self._gpus += self._found(at, handle)
                    whole[at] = handle
                except pynvml.NVMLError as exc:
                    # One that is gone when the agent starts must not take the others along.
                    fix = "Start the agent again when it is back."
                    log.error("device.unusable", gpu=at, why=str(exc), fix=fix)  # noqa: TRY400  # expected: the text says it all
                    self._unusable[at] = str(exc)
            self._xids = XidListener(whole, self._saw_xid)
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
        unusable = "; ".join(f"GPU {at}: {why}" for at, why in self._unusable.items())
        fault = {"gpu_fault": unusable} if unusable else {}
        if not self._gpus:
            return fault
        return {"gpu": self._gpus[0].name, "gpus": str(len(self._gpus)), "driver": self._driver, **fault}

    def look(self, groups: Groups) -> list[DeviceSample]:
        """Measure all of them at once; one that is sick, or does not answer, has nothing free."""
        asked = [(gpu, gpu.asker.ask(partial(_measured, gpu, busy=self._asks_busy))) for gpu in self._gpus]
        end = time.monotonic() + _ANSWER_S
        return [self._sampled(gpu, answer, end, groups) for gpu, answer in asked]

    def faults(self) -> dict[int, Fault]:
        """What is wrong, by device, as of the last look."""
        now = time.monotonic()
        return {gpu.idx: fault for gpu in self._gpus if (fault := gpu.health.fault(now)) is not None}

    def busy(self) -> dict[int, float]:
        """What NVML calls utilisation of the GPU; a slice has none."""
        self._asks_busy = True
        return dict(self._busy)

    def visible(self, idx: int) -> str | None:
        """The uuid, for GPUs and slices alike."""
        return next((gpu.uuid for gpu in self._gpus if gpu.idx == idx), None)

    def close(self) -> None:
        """Close NVML, unless it hangs."""
        for gpu in self._gpus:
            gpu.asker.close()
        if self._xids.close() and not any(gpu.asker.hangs for gpu in self._gpus):
            pynvml.nvmlShutdown()

    def _saw_xid(self, index: int, xid: int) -> None:
        """On the listener's thread. An XID is the whole GPU's, and so that of all its slices."""
        hardware = [gpu.health.saw_xid(time.monotonic(), xid) for gpu in self._gpus if gpu.index == index]
        log.warning("device.xid", gpu=index, xid=xid, of="hardware" if any(hardware) else "application")

    def _sampled(
        self, gpu: _Gpu, answer: Future[_Measured] | None, end: float, groups: Groups
    ) -> DeviceSample:
        measured = None
        now = time.monotonic()
        try:
            if answer is None:
                gpu.health.silent(now, "no answer")
            else:
                measured = answer.result(max(0.0, end - now))
                gpu.health.answered(time.monotonic(), measured.action)
        except TimeoutError:
            gpu.health.silent(now, "no answer")
        except pynvml.NVMLError as exc:
            gpu.health.silent(now, str(exc), lost=isinstance(exc, _LOST))
        fault = gpu.health.fault(time.monotonic())
        if measured is None or measured.busy is None:
            self._busy.pop(gpu.idx, None)
        else:
            self._busy[gpu.idx] = measured.busy
        if measured is None or fault is not None:
            return DeviceSample(idx=gpu.idx, free_mib=0, fault=fault.text if fault else None)
        leases, blind = [], False
        for token, group in groups.items():
            figures = [measured.used[pid] for pid in group.pids if pid in measured.used]
            if None in figures:
                blind = True
            elif figures:
                used_mib = -(-sum(f for f in figures if f is not None) // group.of)
                leases.append(LeaseSample(job_id=group.job_id, token=token, mib=used_mib))
        free_mib = measured.free_mib
        foreign = max(0, gpu.total_mib - free_mib - sum(lease.mib for lease in leases))
        free_mib -= gpu.foreign.held_back_mib(time.monotonic(), foreign, {lease.token for lease in leases})
        free_mib = max(0, min(free_mib, gpu.total_mib))
        return DeviceSample(idx=gpu.idx, free_mib=free_mib, leases=leases, blind=blind)

    def _found(self, index: int, handle: Any) -> list[_Gpu]:
        slices = _slices(handle)
        if slices is None:
            return [self._described(index, index, handle)]
        return [self._described((index + 1) * 100 + at, index, part) for at, part in slices]

    def _described(self, idx: int, index: int, handle: Any) -> _Gpu:
        try:
            total_mib, unified = int(_memory(handle).total) // _MIB, False
        except pynvml.NVMLError_NotSupported:
            total_mib, unified = self._unified_mib, True
        return _Gpu(
            idx=idx,
            index=index,
            uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
            name=_text(pynvml.nvmlDeviceGetName(handle)),
            handle=handle,
            total_mib=total_mib,
            unified=unified,
            foreign=Foreign(self._cool_s),
            health=Health(patience_s=self._patience_s),
            asker=Asker(f"gpu-{idx}"),
        )


def _measured(gpu: _Gpu, *, busy: bool) -> _Measured:
    """One GPU, on its own thread."""
    free_mib = available_mib() if gpu.unified else int(_memory(gpu.handle).free) // _MIB
    used, action = _used_by_pid(gpu.handle), _recovery_action(gpu.handle)
    return _Measured(free_mib, used, action, _busy(gpu.handle) if busy else None)


def _busy(handle: Any) -> float | None:
    rates = _supported(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle))
    return None if rates is None else int(rates.gpu) / 100


def _recovery_action(handle: Any) -> int | None:
    """What the GPU needs before it is well again, 0 for nothing; None where the driver does not know."""
    values = _supported(
        lambda: pynvml.nvmlDeviceGetFieldValues(handle, [pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION])
    )
    if not values or values[0].nvmlReturn != pynvml.NVML_SUCCESS:
        return None
    return int(values[0].value.uiVal)


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
    except _NOT_HERE:
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
