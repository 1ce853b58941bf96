"""What worker processes say while they drain, in memory they share with whoever measures."""

from __future__ import annotations

import time
from multiprocessing.context import SpawnContext


class Progress:
    """When the first job started, and how many did."""

    def __init__(self, context: SpawnContext) -> None:
        self._jobs = context.Value("q", 0)
        self._first_at = context.Value("d", 0.0)

    def started(self, jobs: int = 1) -> None:
        """This many jobs start now."""
        with self._jobs:
            if self._jobs.value == 0:
                self._first_at.value = time.monotonic()
            self._jobs.value += jobs

    @property
    def jobs(self) -> int:
        """How many have started, over all workers."""
        return int(self._jobs.value)

    @property
    def first_at(self) -> float:
        """When the first one did, on the monotonic clock; 0 before."""
        return float(self._first_at.value)
