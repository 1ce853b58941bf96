"""GPUs whose driver does not initialise: the machine has them, and cannot use them yet."""

from __future__ import annotations

import time
from collections.abc import Callable

import pynvml
import structlog

from agent.devices import Groups
from agent.devices.health import Fault
from agent.devices.nvml import NvmlDevices
from queue_schema.shapes import DeviceDeclared, DeviceSample

log = structlog.get_logger(__name__)

_AGAIN_S = 5.0


class AbsentGpus:
    """No devices, but a fact that says why; asks again now and then."""

    def __init__(self, why: str, open_nvml: Callable[[], NvmlDevices]) -> None:
        self._why = why
        self._open = open_nvml
        self._next = time.monotonic() + _AGAIN_S

    def declare(self) -> list[DeviceDeclared]:
        """None."""
        return []

    def facts(self) -> dict[str, str]:
        """Why there is none."""
        return {"gpu_fault": self._why}

    def look(self, groups: Groups) -> list[DeviceSample]:  # noqa: ARG002  # the interface asks
        """Nothing."""
        return []

    def faults(self) -> dict[int, Fault]:
        """None of a device."""
        return {}

    def busy(self) -> dict[int, float]:
        """Nobody knows."""
        return {}

    def visible(self, idx: int) -> str | None:  # noqa: ARG002  # the interface asks
        """No device is ours."""
        return None

    def close(self) -> None:
        """Nothing is held."""

    def came_back(self) -> NvmlDevices | None:
        """The GPUs, once the driver initialises; asked again every few seconds at most."""
        if time.monotonic() < self._next:
            return None
        self._next = time.monotonic() + _AGAIN_S
        try:
            found = self._open()
        except pynvml.NVMLError as exc:
            log.debug("devices.still_absent", why=str(exc))
            return None
        if found.declare() and not found.unified:
            return found
        if found.unified:  # its memory is the host's, which was declared without it
            log.error("devices.back_but_shared", fix="Start this agent again.")
        found.close()
        return None
