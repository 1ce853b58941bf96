"""How often one key may ask, and how often one address may try keys that are none; of this process alone."""

from __future__ import annotations

import math
import time
from uuid import UUID

from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from litestar.exceptions import TooManyRequestsException


class Pace:
    """Counts in windows of a second and of a minute."""

    def __init__(self, *, requests_per_s: int, bad_keys_per_min: int) -> None:
        """Build it.

        Args:
            requests_per_s: Of one key; 0: as many as it likes.
            bad_keys_per_min: Of one address: each costs a look into the database. 0: as many as it likes.
        """
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

    def let_try(self, address: str) -> None:
        """Whether a key from there that is not known yet may be looked up.

        Raises:
            TooManyRequestsException: Too many from there were none of ours.
        """
        if self._of_stranger is not None and not self._counted.test(self._of_stranger, "stranger", address):
            self._refuse(
                self._of_stranger, "stranger", address, why="too many unknown keys from this address"
            )

    def failed(self, address: str) -> None:
        """A key from there was none of ours."""
        if self._of_stranger is not None:
            self._counted.hit(self._of_stranger, "stranger", address)

    def _refuse(self, item: RateLimitItemPerSecond | RateLimitItemPerMinute, *ids: str, why: str) -> None:
        left_s = max(1, math.ceil(self._counted.get_window_stats(item, *ids).reset_time - time.time()))
        raise TooManyRequestsException(why, headers={"Retry-After": str(left_s)})
