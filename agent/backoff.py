"""Waiting times that grow, with jitter, so that a fleet does not come back all at once."""

from __future__ import annotations

import random


class Backoff:
    """Seconds to wait before the next try: doubling from `first_s` to `most_s`, each between half and whole."""

    def __init__(self, first_s: float = 0.2, most_s: float = 5.0) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._next_s = first_s

    def next_s(self) -> float:
        """The next wait."""
        wait_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311  # spreading load, not secrecy
        self._next_s = min(self._most_s, self._next_s * 2)
        return wait_s

    def reset(self) -> None:
        """It worked: begin small again."""
        self._next_s = self._first_s
