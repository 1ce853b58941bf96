"""Work in steps: it says how long it wants to wait instead of waiting, so that one thread can run many such jobs.

For work that needs no process of its own. In a runner a stepwise kind waits like any other; an agent that is set
to may run it inside itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import update_wrapper
from typing import Any

from workloads.context import Context
from workloads.errors import GivenBack, WorkloadError
from workloads.failures import describe
from workloads.protocol import Failure, FromRunner, Result, Spec, Stopped
from workloads.registry import resolve

Body = Callable[[Context], Generator[float, bool, Mapping[str, Any] | None]]
"""Yields the seconds it wants to wait, and is answered whether to give the work back."""


class Stepwise:
    """Decorates the body of a kind, and by that declares it safe inside the agent's process.

    Which means: short between two waits, no file, no device, no memory to speak of, nothing of the process changed
    (directory, environment, signals), imports that an agent has anyway, and no code of a user.
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        update_wrapper(self, body)

    def __call__(self, context: Context) -> Mapping[str, Any] | None:
        """Do all of it here and now, and wait where it wants to."""
        steps = self.body(context)
        try:
            wait_s = next(steps)
            while True:
                wait_s = steps.send(context.channel.wait_for_stop(wait_s))
        except StopIteration as end:
            values: Mapping[str, Any] | None = end.value
            return values


class Steps:
    """One job of a stepwise kind, for who has many of them and one thread; says what a runner would say."""

    def __init__(self, spec: Spec, say: Callable[[FromRunner], None]) -> None:
        """Nothing runs yet.

        Args:
            spec: What to do. There is no folder behind its `work_dir`.
            say: Told of progress and metrics, at once.
        """
        self._context = Context(spec, _Inside(say))
        self._running: Generator[float, bool, Mapping[str, Any] | None] | None = None

    def go_on(self, *, stop: bool = False) -> float | Result | Failure | Stopped:
        """Work up to the next wait; answers with its seconds, or with how the work ended.

        Args:
            stop: To give the work back. Who then wants to wait once more is ended.
        """
        try:
            if self._running is None:
                if stop:
                    return Stopped()
                workload = resolve(self._context.spec.kind)
                assert isinstance(workload, Stepwise)
                self._running = workload.body(self._context)
                return float(next(self._running))
            wait_s = float(self._running.send(stop))
            if not stop:
                return wait_s
            self._running.close()
            return Stopped()
        except StopIteration as end:
            return Result([], dict(end.value or {}))
        except GivenBack:
            return Stopped()
        except Exception as exc:  # noqa: BLE001 - the edge where every failure becomes a message
            return describe(exc, None)[0]


class _Inside:
    """The channel of a job without a runner: messages are passed on, and who asks to wait has to yield."""

    def __init__(self, say: Callable[[FromRunner], None]) -> None:
        self.send = say

    def stop_requested(self) -> bool:
        """A step is told with the answer to its wait."""
        return False

    def wait_for_stop(self, seconds: float) -> bool:
        """Would hold up all the others."""
        raise WorkloadError(f"work in steps yields {seconds} s and does not wait itself")
