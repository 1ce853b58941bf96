"""A cgroup (v2) of its own for each runner: whatever a job starts is in it, however it hides, and ends with it.

The agent needs one that it may write to: as root any will do, else what systemd delegates (`Delegate=yes`). Limits of
memory and processes need these controllers, which the kernel gives only to a cgroup whose processes are all further down;
so the agent steps aside into one of its own first. Without controllers, what is in it can still be found and killed.
Source: Documentation/admin-guide/cgroup-v2.rst of Linux.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_ROUND_S = 0.01
_OLD_S = 300.0
_SLACK_MIB = 256
"""Beyond what the watchdog lets a runner have: it speaks first, and names the cause. It counts page cache, too."""


class NoCgroups(Exception):
    """Why there are none for this agent."""


class Cgroup:
    """One runner's."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def limit(self, *, memory_mib: int | None = None, processes: int | None = None) -> None:
        """Set what the kernel enforces, where it has the controller."""
        if memory_mib is not None:
            self._set("memory.max", str((memory_mib + _SLACK_MIB) << 20))
            self._set("memory.oom.group", "1")
        if processes is not None:
            self._set("pids.max", str(processes))

    def pids(self) -> list[int]:
        """Who is in it now, below it too; none when it is gone."""
        found: list[int] = []
        for folder, _, names in os.walk(self.path):
            with suppress(OSError):  # it went just now
                if "cgroup.procs" in names:
                    found += [int(word) for word in Path(folder, "cgroup.procs").read_text().split()]
        return found

    def kill(self) -> None:
        """Kill everybody in it at once: a process cannot fork its way out."""
        with suppress(FileNotFoundError):
            (self.path / "cgroup.kill").write_text("1")

    def remove(self, *, within_s: float = 1.0) -> bool:
        """Take it down; says whether it is gone. Those killed just now may still hold it for a moment."""
        until = time.monotonic() + within_s
        while True:
            try:
                for folder, _, _ in os.walk(self.path, topdown=False):
                    Path(folder).rmdir()
            except OSError as exc:
                if time.monotonic() > until:
                    log.error("cgroup.stays", cgroup=str(self.path), error=str(exc))  # noqa: TRY400  # says it all
                    return False
                time.sleep(_ROUND_S)
            else:
                return True

    def _set(self, name: str, value: str) -> None:
        path = self.path / name
        if path.exists():
            path.write_text(value)


class Cgroups:
    """Makes them, below the agent's own."""

    def __init__(self, base: Path, controllers: frozenset[str]) -> None:
        self._base = base
        self.controllers = controllers
        """What limits there are: `memory`, `pids`."""

    @classmethod
    def find(cls) -> Cgroups:
        """Where this process is, tried out.

        Raises:
            NoCgroups: There is no cgroup v2 here, or it may not be written to.
        """
        base = _own()
        if not (base / "cgroup.procs").exists():
            raise NoCgroups(f"{base} is not there")
        probe = Cgroup(base / f"argosy-{os.getpid()}-probe")
        try:
            probe.path.mkdir()
            has_kill = (probe.path / "cgroup.kill").exists()
            probe.remove()
            if not has_kill:
                raise NoCgroups("this kernel cannot kill a cgroup (it can since 5.14)")
            _sweep(base)
            return cls(base, _take_controllers(base))
        except OSError as exc:
            raise NoCgroups(f"{exc}; under systemd, Delegate=yes") from exc

    def make(self, name: str) -> Cgroup:
        """A new one.

        Raises:
            OSError: It cannot be made.
        """
        found = Cgroup(self._base / f"argosy-{name}")
        found.path.mkdir()
        return found


def _sweep(base: Path) -> None:
    """Remove what lives without a record left; whoever has just made one is about to go in."""
    for path in base.glob("argosy-*"):
        with suppress(OSError):  # somebody is in it, or it went
            if path.stat().st_mtime < time.time() - _OLD_S:
                path.rmdir()


def _own() -> Path:
    """The folder of this process in the unified hierarchy."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    # Fields before " - " are: id, parent, device, root, mount point, options ...; after it: type, source, options.
    unified = [(fields[3], fields[4]) for fields in mounts if fields[fields.index("-", 6) + 1] == "cgroup2"]
    if not unified:
        raise NoCgroups("no cgroup v2 is mounted")
    root, mounted = unified[-1]
    own = next(
        line.removeprefix("0::")
        for line in Path("/proc/self/cgroup").read_text().splitlines()
        if line[:3] == "0::"
    )
    below = own.removeprefix(root.rstrip("/")) if own.startswith(root) else own
    return Path(mounted) / below.lstrip("/")


def _take_controllers(base: Path) -> frozenset[str]:
    """Have limits for the runners' cgroups, if nobody but us is in ours."""
    wanted = {"memory", "pids"}
    there = wanted & set((base / "cgroup.controllers").read_text().split())
    given = wanted & set((base / "cgroup.subtree_control").read_text().split())
    if not there - given:
        return frozenset(given)
    own = base / "agent"
    ours = [str(os.getpid())]
    if base.name == own.name or (base / "cgroup.procs").read_text().split() != ours:
        return frozenset(given)
    own.mkdir(exist_ok=True)
    (own / "cgroup.procs").write_text(ours[0])
    for name in sorted(there - given):
        try:
            (base / "cgroup.subtree_control").write_text(f"+{name}")
        except OSError as exc:
            log.warning("cgroup.no_controller", controller=name, error=str(exc))
        else:
            given.add(name)
    return frozenset(given)
