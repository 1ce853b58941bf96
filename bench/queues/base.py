"""What a queue must be able to do to be measured; and the payload every job carries."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, ClassVar, LiteralString

from bench.progress import Progress

PER_CALL = 1000
"""Jobs in one call of a bulk submission."""


Submit = Callable[[int, int], None]
"""Submits so many jobs, so many of them a call: one with the product's call for one job, more with that for many."""


class Queue(ABC):
    """One product, with its fastest documented driver and its best sensible settings.

    Instances are sent to worker processes, so they hold settings only. Every call opens connections of its own.
    """

    name: str
    package: ClassVar[str]
    """As pip knows it, for the version in the results."""
    busy_sql: ClassVar[LiteralString]
    """SELECT: whether any job is not finished yet, on the committed state."""

    @property
    @abstractmethod
    def settings(self) -> str:
        """How its workers are set, in words."""

    @abstractmethod
    def install(self, url: str) -> None:
        """Put its schema into an empty database."""

    @abstractmethod
    def submitting(self, url: str) -> AbstractContextManager[Submit]:
        """A connection to submit over, for as long as the context lasts."""

    @abstractmethod
    def drain(self, url: str, worker: int, progress: Progress) -> None:
        """In a worker process: run jobs until there are none, or for ever; say to `progress` when jobs start."""

    @abstractmethod
    def serve(self, url: str, ready: Callable[[], None], started: Callable[[float], None]) -> None:
        """In a worker process: wait for jobs for ever.

        Args:
            url: The database.
            ready: Called once everybody listens and the queue has been seen empty.
            started: Called for each job that starts, with the `sent_at` of its payload.
        """

    @abstractmethod
    def trickle(self, url: str, jobs: int, every_s: float) -> None:
        """Submit one job every `every_s`, each with the time right before it was sent."""


def payload(sent_at: float = 0.0) -> dict[str, Any]:
    """About 200 bytes of JSON.

    Args:
        sent_at: Of the monotonic clock, which all processes of a machine share.
    """
    return {"sent_at": sent_at, "pad": "x" * 170}


def paces(jobs: int, every_s: float) -> Iterator[float]:
    """For each job the pause before it, in seconds, so that they keep a fixed schedule."""
    due = time.monotonic()
    for _ in range(jobs):
        yield max(0.0, due - time.monotonic())
        due += every_s
