"""How often one key may ask, and how often one address may try keys that are none; of this process alone."""

from __future__ import annotations

import math
import time
from uuid import UUID

from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from litestar.exceptions import TooManyRequestsException

_MOST = 4096
"""Keys and sessions that are remembered."""


class Pace:
    """Counts in windows of a second and of a minute. For one thread: the event loop's."""

    def __init__(self, *, requests_per_s: int, bad_keys_per_min: int) -> None:
        """Build it.

        Args:
            requests_per_s: Of one key; 0: as many as it likes.
            bad_keys_per_min: Of one address, and sessions: each costs a look into the database. 0: as many as it likes.
        """
        self._ours: dict[bytes, None] = {}
        self._counted = FixedWindowRateLimiter(MemoryStorage())
        self._of_key = RateLimitItemPerSecond(requests_per_s) if requests_per_s else None
        self._of_stranger = RateLimitItemPerMinute(bad_keys_per_min) if bad_keys_per_min else None

    def count(self, key_id: UUID) -> None:
        """One more request of this key.

        Raises:
            TooManyRequestsException: It has had its share of this second.
        """
        if self._of_key is not None and not self._counted.hit(self._of_key, "key", str(key_id)):
            self._refuse(self._of_key, "key", str(key_id), why="this key asks too often")

    def let_try(self, address: str, digest: bytes) -> None:
        """Whether a key (or session) from there may be looked up: one that was ours when last looked up, or one of few.

        Raises:
            TooManyRequestsException: Too many from there were none of ours, and this one is not known either.
        """
        if self._of_stranger is None or digest in self._ours:
            return
        if not self._counted.test(self._of_stranger, "stranger", address):
            self._refuse(
                self._of_stranger, "stranger", address, why="too many unknown keys from this address"
            )

    def looked_up(self, address: str, digest: bytes, *, ours: bool) -> None:
        """What came of it: what is ours will be looked up whatever strangers do there, what is not counts."""
        if self._of_stranger is None:
            return
        self._ours.pop(digest, None)
        if not ours:
            self._counted.hit(self._of_stranger, "stranger", address)
            return
        if len(self._ours) >= _MOST:
            del self._ours[next(iter(self._ours))]  # the one whose look-up is longest ago
        self._ours[digest] = None

    def _refuse(self, item: RateLimitItemPerSecond | RateLimitItemPerMinute, *ids: str, why: str) -> None:
        left_s = max(1, math.ceil(self._counted.get_window_stats(item, *ids).reset_time - time.time()))
        raise TooManyRequestsException(why, headers={"Retry-After": str(left_s)})
