"""How long to go on asking about a job while nobody answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from argosy.errors import ArgosyError, Away, Unreachable, WaitTimeout

T = TypeVar("T")

PATIENCE_S = 600.0
"""Where there is no deadline. A database may well be away for five minutes."""
_PAUSE_S = 0.2


class Patience:
    """For one wait: to its deadline, or, without one, until nothing has answered for ten minutes."""

    def __init__(self, job_id: str, *, timeout_s: float | None = None) -> None:
        self._job_id = job_id
        self.deadline = None if timeout_s is None else time.monotonic() + timeout_s
        """On the monotonic clock."""
        self._why: ArgosyError | None = None
        self._since = 0.0

    def left_s(self) -> float | None:
        """Until the deadline.

        Raises:
            WaitTimeout: It has passed.
        """
        if self.deadline is None:
            return None
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            told = (
                f"job {self._job_id} has not ended yet"
                if self._why is None
                else f"nobody can say whether job {self._job_id} has ended: {Exception.__str__(self._why)}"
            )
            raise WaitTimeout(told, code="timeout", fix="It goes on; wait longer.") from self._why
        return left_s

    def heard(self) -> None:
        """There was an answer."""
        self._why = None

    def broken_off(self) -> None:
        """The server closed the line (it restarts, perhaps), or the line broke: go on in a moment.

        Raises:
            WaitTimeout: The deadline has passed.
        """
        self.left_s()
        time.sleep(_PAUSE_S)

    def not_answered(self, why: ArgosyError) -> None:
        """Nobody answers, or only to say that the database is away: go on in a moment.

        Raises:
            WaitTimeout: The deadline has passed.
            ArgosyError: There is none, and *why* has lasted for ten minutes.
        """
        now = time.monotonic()
        if self._why is None:
            self._since = now
        self._why = why
        self.left_s()
        if self.deadline is None and now - self._since > PATIENCE_S:
            raise why
        time.sleep(_PAUSE_S)

    def answer(self, ask: Callable[[], T]) -> T:
        """What *ask* answers, as soon as it does."""
        while True:
            try:
                found = ask()
            except (Unreachable, Away) as exc:
                self.not_answered(exc)
            else:
                self.heard()
                return found
