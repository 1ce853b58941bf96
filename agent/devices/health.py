"""Whether a GPU may be used, from what NVML says of it: XIDs, errors, silence, and the recovery action it asks for.

Pure: told what was seen and when, it answers. XIDs: NVIDIA's "XID Errors" (docs.nvidia.com/deploy/xid-errors).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

APPLICATION_XIDS = frozenset({13, 31, 43, 45, 68, 69, 109})
"""Faults of what ran on the GPU, not of the GPU: a bad access, a bad instruction, a kernel that was ended."""
NEWS_XIDS = frozenset({63, 94, 154})
"""Nothing that the recovery action does not say: a row noted for remapping, an error contained in one process, and that
the recovery action has changed."""
XID_TEXTS = {
    48: "double-bit ECC error",
    61: "internal micro-controller breakpoint",
    62: "internal micro-controller halt",
    64: "row remapping failed",
    74: "NVLink error",
    79: "the GPU has fallen off the bus",
    92: "high rate of single-bit ECC errors",
    95: "uncontained ECC error",
    119: "GSP timeout",
    120: "GSP error",
}
ACTION_TEXTS = {
    1: "a reset",
    2: "a reboot of the node",
    3: "its peers drained",
    4: "to be drained and reset",
    5: "its IMEX domain recovered",
    6: "a reset of its bus",
    7: "a reboot of the system",
}
"""By NVML's recovery action (field 230), 0 being none."""
_LET_FINISH = frozenset({3, 4, 5})
"""Actions that come after what runs has ended by itself."""
REST_S = 5.0
"""After an XID of the hardware: so long the driver may take to ask for an action."""
BLIND_REST_S = 600.0
"""The same with a driver too old to have recovery actions: nobody says when the GPU is well."""
PATIENCE_S = 15.0
"""How long NVML may be silent on a GPU before what runs there is taken for lost."""


class Then(Enum):
    """What becomes of the jobs on a device that takes no work."""

    GOES_ON = "goes on"
    FAILS = "fails"
    """It cannot go on: the infrastructure's fault."""
    HANDED_BACK = "handed back"
    """It is asked for a checkpoint, and nobody is blamed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a device takes no work."""

    text: str
    then: Then


class Health:
    """One GPU. Times are monotonic, in seconds."""

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._xid = 0
        self._xid_at = 0.0
        self._action = 0
        self._silence = ""
        self._silent_since = 0.0
        self._lost = False

    def saw_xid(self, now: float, xid: int) -> bool:
        """An XID was reported; says whether it is the hardware's."""
        if xid in APPLICATION_XIDS | NEWS_XIDS:
            return False
        self._xid, self._xid_at = xid, now
        return True

    def answered(self, now: float, action: int | None) -> None:
        """NVML measured it, and asks for this recovery action; None: it knows no such thing."""
        self._silence, self._lost = "", False
        self._action = action or 0
        rest_s = BLIND_REST_S if action is None else REST_S
        if not self._action and now - self._xid_at >= rest_s:
            self._xid = 0

    def silent(self, now: float, why: str, *, lost: bool = False) -> None:
        """NVML answered with an error, or not in time.

        Args:
            now: When.
            why: The error's text.
            lost: It says that the GPU is gone for good.
        """
        if not self._silence:
            self._silent_since = now
        self._silence = why
        self._lost = lost

    def fault(self, now: float) -> Fault | None:
        """What is wrong with it now; None: it may be used."""
        if self._xid:
            text = XID_TEXTS.get(self._xid)
            return Fault(f"XID {self._xid}" + (f": {text}" if text else ""), Then.FAILS)
        if self._silence:
            gone = self._lost or now - self._silent_since >= self._patience_s
            return Fault(f"NVML: {self._silence}", Then.FAILS if gone else Then.GOES_ON)
        if self._action:
            text = ACTION_TEXTS.get(self._action, f"recovery action {self._action}")
            return Fault(f"it needs {text}", Then.GOES_ON if self._action in _LET_FINISH else Then.FAILS)
        return None
