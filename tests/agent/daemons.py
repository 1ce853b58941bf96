"""An agent as a process of its own, a database for it, and what tests want to know of both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from agent import processes
from queue_schema.calls import admin, agents, clients
from queue_schema.shapes import Input, Submission
from queue_schema.states import Scope
from tests.support.waiting import alive, eventually

LIGHT = ("workloads.runner", "workloads.trivial", "workloads.command")
"""What tests preload: all that starts at once."""


class Daemon:
    """One agent process, and what it logs."""

    def __init__(
        self,
        url: str,
        api_url: str,
        state_dir: Path,
        *more: str,
        environment: Mapping[str, str] | None = None,
        python: Sequence[str] = (sys.executable,),
    ) -> None:
        self.state_dir = state_dir
        self.events: list[dict[str, Any]] = []
        self._new = threading.Condition()
        argv = ["--api-url", api_url, "--state-dir", str(state_dir), "--node", "host-a", "--ram-mib", "4096"]
        argv += [
            "--poll-s",
            "0.3",
            "--grace-s",
            "0.5",
            "--stop-s",
            "2",
            "--drain-s",
            "0.2",
            "--log-level",
            "debug",
        ]
        argv += [part for module in LIGHT for part in ("--preload", module)]
        self.process = subprocess.Popen(
            [*python, "-m", "agent", *argv, *more],
            env={
                **os.environ,
                "ARGOSY_AGENT_DATABASE_URL": _as_agent(url),
                "SOME_SECRET": "hunter2",
                **(environment or {}),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def seen(self, event: str, **facts: Any) -> list[dict[str, Any]]:
        """Events of that name with these facts."""
        with self._new:
            return [e for e in self.events if e["event"] == event and facts.items() <= e.items()]

    def wait(self, event: str, within_s: float = 15.0, *, times: int = 1, **facts: Any) -> dict[str, Any]:
        """Wait until it has logged something so often."""
        with self._new:
            came = self._new.wait_for(lambda: len(self.seen(event, **facts)) >= times, within_s)
        assert came, f"no {event} {facts} within {within_s} s; last: {self.events[-8:]}"
        return self.seen(event, **facts)[times - 1]

    def family(self) -> list[int]:
        """Every living process below it."""
        own = processes.look_up(self.process.pid)
        assert own is not None
        return [p.pid for p in processes.members(own.pid, own.started, processes.table())]

    def forkserver(self) -> int:
        """The pid of its forkserver: the child with `forkserver` in its arguments."""
        [found] = [
            process.pid
            for process in processes.table().values()
            if process.parent == self.process.pid
            and "forkserver import" in Path(f"/proc/{process.pid}/cmdline").read_text()
        ]
        return found

    def end(self, number: signal.Signals = signal.SIGKILL, within_s: float = 20.0) -> int:
        """Signal it and wait; answers with the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(within_s)
        self._reader.join(5)
        assert self.process.stderr is not None
        if not self._reader.is_alive():
            self.process.stderr.close()
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"event": "stderr", "text": line}
            with self._new:
                self.events.append(event)
                self._new.notify_all()


def _as_agent(url: str) -> str:
    """The address with no more rights than an agent has."""
    return url + ("&" if "?" in url else "?") + "options=-c%20role%3Dfleet_agent"


class Fleet:
    """A database with a project, and the agents a test starts on it."""

    def __init__(self, url: str, api_url: str, folder: Path) -> None:
        self.conn = psycopg.connect(url, autocommit=True)
        self.url = url
        self.api_url = api_url
        self.folder = folder
        self.project = admin.create_key(self.conn, "tests", name="t", scopes=[Scope.SUBMIT]).project_id
        self.daemons: list[Daemon] = []
        self.terms(lease_s=6.0, heartbeat_s=0.5)

    def terms(self, *, lease_s: float, heartbeat_s: float) -> None:
        """Change lease and heartbeat times, before an agent joins."""
        self.conn.execute(
            "update fleet.settings set (lease_s, heartbeat_s) = (%s, %s)", (lease_s, heartbeat_s)
        )

    def agent(
        self,
        *more: str,
        url: str | None = None,
        ready: bool = True,
        environment: Mapping[str, str] | None = None,
        python: Sequence[str] = (sys.executable,),
    ) -> Daemon:
        """Start an agent; the same folder each time, so a second one is the first one's next life."""
        daemon = Daemon(
            url or self.url,
            self.api_url,
            self.folder / "state",
            *more,
            environment=environment,
            python=python,
        )
        self.daemons.append(daemon)
        if ready:
            daemon.wait("agent.ready")
        return daemon

    def submit(self, kind: str, params: dict[str, Any], **more: Any) -> UUID:
        """Add one job and wake whoever waits."""
        [answer] = clients.submit(self.conn, self.project, [Submission(kind, params, **more)])
        agents.wake(self.conn)
        return answer.job_id

    def uploaded(self, sha256: str) -> Input:
        """A file of the project, as if its owner had sent it."""
        self.conn.execute(
            "insert into fleet.blobs (project_id, sha256, size, media_type, visible)"
            " values (%s, %s, 5, 'text/plain', true)",
            (self.project, sha256),
        )
        return Input(sha256=sha256)

    def one(self, query: str, *values: Any) -> Any:
        """The first column of the first row."""
        row = self.conn.execute(query, values).fetchone()
        return None if row is None else row[0]

    def state(self, job: UUID) -> str:
        """Where a job is now."""
        return str(self.one("select fleet.state_of(%s)::text", job))

    def ends(self, job: UUID, as_: str, within_s: float = 15.0) -> None:
        """Wait for a job to be in a state."""
        eventually(lambda: self.state(job) == as_, within_s)

    def close(self) -> None:
        """Kill every agent, and make sure that nothing of them stays."""
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                family = daemon.family()
                daemon.end()
                eventually(lambda family=family: not any(alive(pid) for pid in family))
            elif daemon.process.stderr is not None:
                daemon._reader.join(5)
                daemon.process.stderr.close()
        self.conn.close()


def pid_of(daemon: Daemon) -> int:
    """The pid of the runner that was started last."""
    return int(daemon.wait("runner.started")["pid"])


def written(daemon: Daemon, name: str) -> int:
    """A pid that the one running job wrote to a file."""

    def read() -> str:
        return "".join(path.read_text() for path in daemon.state_dir.glob(f"work/*/*/job/{name}"))

    return int(eventually(read))
