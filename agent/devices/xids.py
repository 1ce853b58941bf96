"""Hear of XIDs: NVML's critical events, on a thread of their own."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pynvml
import structlog

log = structlog.get_logger(__name__)

_WAIT_MS = 500


class XidListener:
    """Tells of every XID of some GPUs until closed."""

    def __init__(self, gpus: Mapping[int, Any], heard: Callable[[int, int], None]) -> None:
        """Begin to listen.

        Args:
            gpus: NVML handles by index; those that know no XIDs are left out.
            heard: Called with index and XID, on the listener's thread.
        """
        self._heard = heard
        self._stopping = False
        self._events = pynvml.nvmlEventSetCreate()
        self._indexes: dict[int, int] = {}
        for index, handle in gpus.items():
            try:
                pynvml.nvmlDeviceRegisterEvents(handle, pynvml.nvmlEventTypeXidCriticalError, self._events)
            except pynvml.NVMLError as exc:
                log.info("device.no_xids", device=index, why=str(exc))
            else:
                self._indexes[_address(handle)] = index
        self._thread = threading.Thread(target=self._listen, name="xids", daemon=True)
        self._thread.start()

    def close(self) -> bool:
        """Stop listening; says whether the driver let go, so that NVML may be closed."""
        self._stopping = True
        self._thread.join(timeout=4 * _WAIT_MS / 1000)
        return not self._thread.is_alive()

    def _listen(self) -> None:
        pause = threading.Event()
        while not self._stopping:
            try:
                event = pynvml.nvmlEventSetWait_v2(self._events, _WAIT_MS)
            except pynvml.NVMLError_Timeout:
                continue
            except pynvml.NVMLError as exc:
                log.warning("device.events_failed", error=str(exc))
                pause.wait(_WAIT_MS / 1000)
                continue
            index = self._indexes.get(_address(event.device))
            if index is not None:
                self._heard(index, int(event.eventData))
        pynvml.nvmlEventSetFree(self._events)


def _address(handle: Any) -> int:
    return ctypes.cast(handle, ctypes.c_void_p).value or 0
