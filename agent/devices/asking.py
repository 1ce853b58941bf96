"""Ask a driver that may hang: each device on a thread of its own, and nobody waits longer than was said."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Asker(Generic[T]):
    """One question at a time. Its thread is a daemon: one that never comes back must not hold up the end."""

    def __init__(self, name: str) -> None:
        self._questions: queue.SimpleQueue[tuple[Callable[[], T], Future[T]] | None] = queue.SimpleQueue()
        self._last: Future[T] | None = None
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def ask(self, question: Callable[[], T]) -> Future[T] | None:
        """The answer to come; None while an earlier question is still without one."""
        if self.hangs:
            return None
        if self._last is None:
            self._thread.start()
        self._last = Future()
        self._questions.put((question, self._last))
        return self._last

    @property
    def hangs(self) -> bool:
        """Whether a question is still without an answer."""
        return self._last is not None and not self._last.done()

    def close(self) -> None:
        """End the thread after what it is at."""
        self._questions.put(None)

    def _serve(self) -> None:
        while (asked := self._questions.get()) is not None:
            question, answer = asked
            try:
                answer.set_result(question())
            except Exception as exc:  # noqa: BLE001  # it is raised again where the answer is read
                answer.set_exception(exc)
