"""Memory of strangers on a device: it flickers, so what one just gave back is not handed out at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Set as AbstractSet
from uuid import UUID

_DYING_S = 2.0
"""How long a GPU's memory may still be in use after its process has gone."""


class Foreign:
    """What processes that are none of ours held on one device over the last `cool_s` seconds."""

    def __init__(self, cool_s: float) -> None:
        self._cool_s = cool_s
        self._seen: deque[tuple[float, int]] = deque()
        self._ours: AbstractSet[UUID] = frozenset()
        self._quiet_until = 0.0

    def held_back_mib(self, now_s: float, foreign_mib: int, ours: AbstractSet[UUID]) -> int:
        """How much of the free memory to keep back, after one more look.

        What a runner of ours leaves behind while it dies looks like a stranger's for a moment; so when one has
        gone, nothing is kept back until that has passed.

        Args:
            now_s: Monotonic time of the look.
            foreign_mib: In use, and not by a lease of ours.
            ours: The leases seen on the device.
        """
        if self._ours - ours:
            self._quiet_until = now_s + _DYING_S
        self._ours = frozenset(ours)
        if now_s < self._quiet_until:
            self._seen.clear()
            return 0
        self._seen.append((now_s, foreign_mib))
        while self._seen[0][0] < now_s - self._cool_s:
            self._seen.popleft()
        return max(mib for _, mib in self._seen) - foreign_mib
