"""Start runner processes by forking from one process that has the heavy imports done.

An import of torch and diffusers takes 7 to 10 s, a fork from a process that has them less than one. The
forkserver holds no secret: it is started with the scrubbed environment and no argument of the agent.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from multiprocessing import forkserver as stdlib
from pathlib import Path
from uuid import UUID, uuid4

import structlog

from agent import processes
from agent.processes import Footprint
from agent.runners import child
from agent.runners.cgroups import Cgroup
from agent.runners.runner import Runner
from agent.runners.walls import Plan

log = structlog.get_logger(__name__)

REGISTRY = "workloads.registry"
"""Where the kinds and their preloads are named. By name: the agent must never import what a kind needs."""


def known_kinds() -> tuple[str, ...]:
    """Every kind the installed workloads can run."""
    return tuple(sorted(import_module(REGISTRY).KINDS))


def kept_kinds() -> tuple[str, ...]:
    """Kinds whose runner may take another job."""
    return tuple(import_module(REGISTRY).KEEPS)


def batched_kinds() -> tuple[str, ...]:
    """Kinds of which several jobs can be done as one."""
    return tuple(import_module(REGISTRY).BATCHES)


def wanted_preload() -> tuple[str, ...]:
    """What the installed workloads want imported before the fork."""
    return tuple(import_module(REGISTRY).PRELOAD)


class Forkserver:
    """The one forkserver of this process; `multiprocessing` keeps it as a global."""

    def __init__(self, *, preload: Sequence[str], entry: str) -> None:
        self._entry = entry
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            [
                "agent.runners.guard",
                "agent.runners.child",
                "agent.runners.walls",
                *preload,
                "agent.runners.freeze",
            ]
        )
        # Reading an exit status takes it away: two threads that both looked would see 255. `Process.start`
        # looks at every process too, so starting and looking exclude each other.
        self._polling = threading.Lock()

    def warm(self) -> None:
        """Begin the imports, without waiting for them."""
        os.environ["ARGOSY_FORKSERVER"] = "1"
        try:
            stdlib.ensure_running()
        finally:
            del os.environ["ARGOSY_FORKSERVER"]

    @property
    def pid(self) -> int | None:
        """The forkserver's pid, None before it was started."""
        pid: int | None = stdlib._forkserver._forkserver_pid  # type: ignore[attr-defined]  # noqa: SLF001
        return pid

    def footprint(self) -> Footprint | None:
        """Its memory, to tell what a fork of it did not have to pay for."""
        return None if self.pid is None else processes.footprint(self.pid)

    def launch(self, token: UUID, env: Mapping[str, str], *, plan: Plan) -> Runner:
        """Start a runner that waits for its `Spec`.

        Raises:
            OSError: The machine will not give us a process.
            EOFError: The forkserver died of the attempt.
        """
        self.warm()
        mark = f"ARGOSY_RUNNER={uuid4()}"
        name, _, value = mark.partition("=")
        ours, theirs = self._context.Pipe(duplex=True)
        out, their_out = self._context.Pipe(duplex=False)
        err, their_err = self._context.Pipe(duplex=False)
        try:
            process = self._context.Process(
                target=child.begin,
                args=(self._entry, theirs, their_out, their_err, {**env, name: value}, plan),
                name=f"runner-{token}",
                daemon=True,
            )
            with self._polling:
                process.start()
        except BaseException:
            for stream in (ours, out, err):
                stream.close()
            raise
        finally:
            for stream in (theirs, their_out, their_err):
                stream.close()
        for stream in (ours, out, err):
            os.set_blocking(stream.fileno(), False)
        cgroup = None if plan.cgroup is None else Cgroup(Path(plan.cgroup))
        return Runner(token, mark, plan.folder, cgroup, process, self._polling, ours, out, err)

    def close(self) -> None:
        """End the forkserver, and with it every runner that is left."""
        with self._polling:
            stdlib._forkserver._stop()  # type: ignore[attr-defined]  # noqa: SLF001
