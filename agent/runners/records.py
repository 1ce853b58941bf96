"""What a next life of the agent must know to end the runners of this one: a small file for each."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from uuid import UUID

import msgspec
import structlog

from agent import processes
from agent.runners.cgroups import Cgroup
from agent.runners.runner import Runner

log = structlog.get_logger(__name__)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Record(msgspec.Struct, frozen=True):
    """One runner: pid, start and boot together name one process for ever."""

    token: UUID
    pid: int
    started: int
    mark: str
    folder: str
    boot_id: str
    cgroup: str | None = None


def boot_id() -> str:
    """Changes with every boot of the machine; empty where the kernel does not say."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


class Records:
    """A folder of runners that are, or were, running."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder

    def put(self, runner: Runner) -> None:
        """Remember a runner. Not synced: a crash of the whole machine ends the runners too."""
        path = self._folder / f"{runner.token}.json"
        part = path.with_suffix(".part")
        record = Record(
            runner.token,
            runner.pid,
            runner.started,
            runner.mark,
            runner.folder,
            boot_id(),
            None if runner.cgroup is None else str(runner.cgroup.path),
        )
        part.write_bytes(msgspec.json.encode(record))
        part.replace(path)

    def remove(self, token: UUID) -> None:
        """The runner and all it started are gone."""
        (self._folder / f"{token}.json").unlink(missing_ok=True)

    def end_leftovers(self, *, within_s: float = 5.0) -> int:
        """Kill what the last life of this agent left behind.

        Returns:
            How many processes there were.
        """
        ended = 0
        for path in list(self._folder.iterdir()):
            try:
                record = msgspec.json.decode(path.read_bytes(), type=Record)
            except (OSError, msgspec.MsgspecError) as exc:
                log.warning("record.unreadable", file=path.name, why=str(exc))
            else:
                if record.boot_id == boot_id():
                    ended += _end(record, within_s)
            path.unlink(missing_ok=True)
        return ended


def _end(record: Record, within_s: float) -> int:
    until = time.monotonic() + within_s
    hit: set[int] = set()
    cgroup = None if record.cgroup is None else Cgroup(Path(record.cgroup))
    while True:
        seen = processes.table()
        inside = [] if cgroup is None else [seen[pid] for pid in cgroup.pids() if pid in seen]
        rest = processes.members(record.pid, record.started, seen, known=inside)
        rest += processes.marked(record.mark, record.folder, seen, record.started)
        if not rest:
            if cgroup is not None:
                cgroup.remove()
            return len(hit)
        hit.update(process.pid for process in rest)
        processes.send(rest, signal.SIGKILL)
        if time.monotonic() > until:
            log.error(
                "runner.leftover_stays", pids=[process.pid for process in rest], token=str(record.token)
            )
            return len(hit)
        time.sleep(0.02)
