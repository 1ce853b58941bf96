"""What the kernel knows of processes: who belongs to a runner, how much memory that adds, and how to end it.

Reads /proc in one pass instead of one psutil object per process: a look at a host with 500 processes costs
a few milliseconds, and it is taken several times a second.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_KEEPS_CHILDREN = (_PROC / "self" / "task" / str(os.getpid()) / "children").exists()


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the process table. `started` is in clock ticks since boot: with the pid it names one process."""

    pid: int
    parent: int
    group: int
    session: int
    started: int
    zombie: bool


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of one process that would be gone without it, as the kernel's proportional accounting has it."""

    mib: float
    """Its part of anonymous, shared and swapped memory. Page cache is left out: the kernel may drop it."""
    shared_mib: float
    """How much of that is pages it shares with others."""


Table = Mapping[int, Process]


def table() -> Table:
    """Every process of this host that can be seen, by pid."""
    found = {}
    for name in os.listdir(_PROC):  # noqa: PTH208  # thrice as fast as making paths
        if name.isdigit() and (process := look_up(int(name))) is not None:
            found[process.pid] = process
    return found


def look_up(pid: int) -> Process | None:
    """One process, or None when there is none of that pid."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    rest = text[text.rindex(")") + 2 :].split()  # the name may hold spaces and brackets
    return Process(
        pid=pid,
        zombie=rest[0] in "ZX",
        parent=int(rest[1]),
        group=int(rest[2]),
        session=int(rest[3]),
        started=int(rest[19]),
    )


def tree(pid: int, started: int) -> list[Process] | None:
    """The living processes below one that lives, itself first, by the kernel's own lists of children.

    Reads only theirs, where `table` reads everybody's: a tenth of the time on a small host, a hundredth on a large one. A
    child that ends just then may hide its siblings for once (proc(5)): to measure with, not to kill by.

    Returns:
        None when it is gone, or when this kernel keeps no such lists: look at the table.
    """
    root = look_up(pid)
    if root is None or root.zombie or root.started != started:
        return None
    found = {pid: root}
    todo = [pid]
    while todo:
        tasks = _PROC / str(todo.pop()) / "task"
        try:
            texts = [(tasks / name / "children").read_text() for name in os.listdir(tasks)]  # noqa: PTH208  # as in table
        except FileNotFoundError:
            if not _KEEPS_CHILDREN:
                return None
            continue
        except OSError:
            continue
        for child in (int(word) for text in texts for word in text.split()):
            now = look_up(child) if child not in found else None
            if now is not None and not now.zombie:
                found[child] = now
                todo.append(child)
    return list(found.values())


def owner(pid: int) -> int | None:
    """The user a process runs as, None when it is gone.

    By its status: its folder in /proc is root's, if it hides.
    """
    try:
        lines = (_PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("Uid:")), None)


def members(leader: int, started: int, seen: Table, *, known: Iterable[Process] = ()) -> list[Process]:
    """The living processes of a runner: its session, its group, and everybody's children, however far removed.

    Args:
        leader: The runner's pid, which is also its group and session.
        started: The runner's start; older processes are strangers who had the number before.
        seen: A look at the process table.
        known: Members of an earlier look; they may have left the session since, and lost their parent.
    """
    root = seen.get(leader)
    gone = root is not None and root.started != started  # the number is somebody else's now
    children: dict[int, list[Process]] = {}
    for process in seen.values():
        children.setdefault(process.parent, []).append(process)
    todo = [now for p in known if (now := seen.get(p.pid)) is not None and now.started == p.started]
    if not gone:
        todo += [p for p in seen.values() if p.started >= started and leader in (p.pid, p.group, p.session)]
    found: dict[int, Process] = {}
    while todo:
        process = todo.pop()
        if process.pid not in found:
            found[process.pid] = process
            todo.extend(child for child in children.get(process.pid, []) if child.started >= started)
    return [process for process in found.values() if not process.zombie]


def marked(mark: str, folder: str, seen: Table, started: int) -> list[Process]:
    """Processes that left a runner's session and lost their parent, but show where they came from.

    Args:
        mark: In their environment, if they were started by exec with the runner's.
        folder: Their current directory is in it.
        seen: A look at the process table.
        started: Older processes are strangers.
    """
    needle = mark.encode()
    found = []
    for process in seen.values():
        if process.started < started or process.zombie:
            continue
        entry = _PROC / str(process.pid)
        with suppress(OSError):
            if (str(entry.joinpath("cwd").readlink()) + "/").startswith(folder + "/") or needle in (
                entry / "environ"
            ).read_bytes():
                found.append(process)
    return found


def send(processes: Iterable[Process], number: signal.Signals) -> int:
    """Signal each process, if the pid is still the same process.

    Returns:
        How many were there.
    """
    hit = 0
    for process in processes:
        try:
            handle = os.pidfd_open(process.pid)
        except OSError:
            continue
        try:
            now = look_up(process.pid)
            if now is not None and now.started == process.started:
                signal.pidfd_send_signal(handle, number)
                hit += 1
        except OSError:
            continue
        finally:
            os.close(handle)
    return hit


def footprint(pid: int) -> Footprint | None:
    """What *pid* holds, or None when it is gone or may not be read.

    Proportional (PSS), so that a page shared by a runner and its own children counts once. `memory_info().rss`
    of psutil would count the libraries of torch to every runner, and miss what a fork copied on write.
    """
    values: dict[str, int] = {}
    try:
        with (_PROC / str(pid) / "smaps_rollup").open() as lines:
            next(lines, None)
            for line in lines:
                name, _, rest = line.partition(":")
                values[name] = int(rest.split()[0])
    except (OSError, ValueError, IndexError):
        return None
    if "Pss" not in values:
        return None
    own = values.get("Pss_Anon", values["Pss"]) + values.get("Pss_Shmem", 0)
    shared = max(0, own - values.get("Private_Dirty", 0))
    return Footprint(mib=(own + values.get("SwapPss", 0)) / 1024, shared_mib=shared / 1024)


def resident_mib(pid: int) -> float:
    """An upper bound of `footprint` that costs next to nothing; 0 when the process is gone.

    Leaves swap out: a group that swaps is caught by the slower look of the sampler.
    """
    try:
        fields = (_PROC / str(pid) / "statm").read_text().split()
    except OSError:
        return 0.0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def realised_mib(pids: Iterable[int], forked_from: Footprint | None) -> int:
    """How much memory a group of processes adds to the host.

    A process forked from a preloaded forkserver maps its parent's pages and pays for none. The forkserver's
    own share of such a page equals each child's share, so that much of a member's *shared* part is taken off;
    a page the child has written to is its own and counts whole. Rejected: subtracting the value measured at
    the start, for the share of every process grows when a neighbour exits, and a runner that did nothing
    would seem to outgrow its booking.
    """
    inherited = 0.0 if forked_from is None else forked_from.shared_mib
    total = 0.0
    for pid in pids:
        now = footprint(pid)
        if now is not None:
            total += now.mib - min(inherited, now.shared_mib)
    return max(0, round(total))
