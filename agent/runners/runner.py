"""The agent's handle on one runner process: speak to it, watch it, end it with everything it started."""

from __future__ import annotations

import os
import selectors
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from uuid import UUID

from agent import processes
from agent.processes import Process, Table
from agent.runners.cgroups import Cgroup
from workloads.protocol import Batch, Spec, Stop, encode

_ROUND_S = 0.02


class RunnerGone(Exception):
    """The runner does not listen any more."""


class Runner:
    """One process, its session, and whatever left the session but descends from it."""

    def __init__(  # noqa: PLR0917  # made in one place
        self,
        token: UUID,
        mark: str,
        folder: str,
        cgroup: Cgroup | None,
        process: BaseProcess,
        polling: threading.Lock,
        channel: Connection,
        out: Connection,
        err: Connection,
    ) -> None:
        self.token = token
        self.mark = mark
        """In the environment of all it starts, so that even those who fled can be told."""
        self.folder = folder
        """Where it works; so do those who fled, unless they moved."""
        self.cgroup = cgroup
        """Where they all are, whatever they did; None: this host has no such thing."""
        self.channel = channel
        self.out = out
        self.err = err
        self.sentinel = process.sentinel
        """Readable when the process has ended."""
        self._process = process
        self._polling = polling
        assert process.pid is not None
        self.pid = process.pid
        now = processes.look_up(self.pid)
        self.started = now.started if now is not None else 0
        """Clock ticks since boot; 0 when it died before anybody looked."""
        self._known: set[Process] = set()

    def send(self, message: Spec | Batch | Stop, *, within_s: float = 30.0) -> None:
        """Write one message.

        Raises:
            RunnerGone: It has ended, or does not read.
        """
        rest = memoryview(encode(message))
        handle = self.channel.fileno()
        until = time.monotonic() + within_s
        try:
            with selectors.PollSelector() as selector:  # select(2) takes no handle from 1024 on
                selector.register(handle, selectors.EVENT_WRITE)
                while rest:
                    left_s = until - time.monotonic()
                    if left_s <= 0 or not selector.select(left_s):
                        raise RunnerGone("it does not read its channel")
                    with suppress(BlockingIOError):
                        rest = rest[os.write(handle, rest) :]
        except (OSError, ValueError) as exc:
            raise RunnerGone(str(exc)) from exc

    def alive(self) -> bool:
        """Whether the process has not ended; asks nobody, and waits for nobody."""
        return not wait([self.sentinel], 0)

    def family(self, seen: Table) -> list[Process]:
        """The living processes of this runner in one look at the process table."""
        if self.started == 0:
            return []
        inside = [seen[pid] for pid in self._inside() if pid in seen]
        found = processes.members(self.pid, self.started, seen, known=[*self._known, *inside])
        self._known = set(found)
        return found

    def family_now(self) -> list[Process]:
        """The same, read just now; cheaper, and good enough to measure with."""
        if self.started == 0:
            return []
        found = processes.tree(self.pid, self.started)
        if found is None:
            return self.family(processes.table())
        tree = {process.pid for process in found}
        apart = [processes.look_up(pid) for pid in self._inside() if pid not in tree]
        found += [process for process in apart if process is not None and not process.zombie]
        self._known = set(found)
        return found

    def terminate(self) -> None:
        """Ask every process of the group to end."""
        processes.send(self.family(processes.table()), signal.SIGTERM)

    def kill(self, *, within_s: float = 2.0) -> bool:
        """End every process of the group now; repeat, since a process may fork while it is being killed.

        Returns:
            Whether all are gone.
        """
        until = time.monotonic() + within_s
        while True:
            if self.cgroup is not None:
                self.cgroup.kill()
            seen = processes.table()
            rest = {process.pid: process for process in self.family(seen)}
            fled = processes.marked(self.mark, self.folder, seen, self.started)
            rest |= {process.pid: process for process in fled}
            if not rest:
                return True
            processes.send(rest.values(), signal.SIGKILL)
            if time.monotonic() > until:
                return False
            time.sleep(_ROUND_S)

    def _inside(self) -> list[int]:
        return [] if self.cgroup is None else self.cgroup.pids()

    def exit_code(self) -> int | None:
        """Negative: the signal it died of; 255 when the forkserver died with it; None while it runs."""
        with self._polling:
            return self._process.exitcode

    def close(self) -> None:
        """Give back the handles; the process must have ended."""
        for stream in (self.channel, self.out, self.err):
            with suppress(OSError):
                stream.close()
        with self._polling, suppress(ValueError):
            self._process.close()
