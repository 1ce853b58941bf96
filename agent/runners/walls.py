"""The walls around a runner, raised by itself before any of the job's code runs: another user, no way out.

Standard library only: it runs in a fork of the forkserver, which still is the agent's user. What the agent found
possible on this host (`agent.isolation`) comes as a plan; a wall of the plan that cannot be raised ends the runner.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fcntl import ioctl

EXIT_WALLS = 250
"""The exit code of a runner whose walls could not be raised."""
PRIVATE = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  # each job has its own in the place of these
HIDDEN = ("/run/postgresql", "/run/docker.sock", "/run/dbus")
"""Doors to what runs on this host, where there are any."""

_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x08000000, 0x10000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 24, 38
_MOST_CAPABILITIES, _CAPABILITIES_V3 = 64, 0x20080522
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_OOM_RANK = 500
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Plan:
    """What stands around one runner."""

    folder: str
    """Of the attempt, all of it the job's."""
    cgroup: str | None = None
    """Where to be, with all it starts."""
    uid: int | None = None
    """Whom to become; None: who we are."""
    groups: Sequence[int] = ()
    """Further groups of that user."""
    private_tmp: bool = False
    keeps: Sequence[str] = ()
    """Folders that stay where they are, though they lie in a /tmp that is taken away: this program's own."""
    hidden: Sequence[str] = ()
    """Folders in whose place there is nothing: where the database's socket is."""
    network: bool = True
    """False: none but its own loopback."""
    processes: int | None = None
    """Most processes and threads of the user."""
    file_mib: int | None = None
    """Largest file."""


def stand_behind(plan: Plan) -> None:
    """Raise every wall of the plan; ends this process when one does not stand."""
    try:
        if plan.cgroup is not None:
            with open(f"{plan.cgroup}/cgroup.procs", "w") as file:  # noqa: PTH123  # no imports here
                file.write("0")
        if plan.private_tmp or not plan.network:
            _own_namespace()
        if plan.private_tmp:
            _own_tmp(plan)
        if not plan.network:
            _check(_libc.unshare(_CLONE_NEWNET), "unshare the network")
            _loopback_up()
        _limit(plan)
        if plan.uid is not None:
            os.setgroups(list(plan.groups))
            os.setresgid(plan.uid, plan.uid, plan.uid)
            os.setresuid(plan.uid, plan.uid, plan.uid)
            os.umask(0o002)
        elif os.geteuid() != 0:
            _drop_capabilities()
        _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "give up new privileges")
        # A change of user makes /proc/self root's, and the runner measures itself there.
        _check(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "be seen by its own user")
        _go_first()
    except (OSError, ValueError) as exc:
        sys.stderr.write(f"runner: no walls: {exc}\n")
        sys.stderr.flush()
        os._exit(EXIT_WALLS)


def possible(wall: Callable[[], None]) -> str | None:
    """Try a wall in a child that ends at once; why it does not stand, or None.

    Args:
        wall: Raises OSError.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            wall()
        except (OSError, ValueError) as exc:
            os.write(write, str(exc).encode()[:500])
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        why = answer.read().decode()
    os.waitpid(pid, 0)
    return why or None


def try_user(uid: int, reachable: Sequence[str]) -> None:
    """Become a user, and enter these folders."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    for folder in reachable:
        os.stat(os.path.join(folder, "."))  # noqa: PTH118, PTH116  # no imports here


def try_mounts() -> None:
    """Have mounts of its own."""
    _own_namespace()
    _own_mounts()


def _own_mounts() -> None:
    """And shared memory that is nobody else's: what SysV keeps belongs to no process, and would outlive them all."""
    _check(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWIPC), "unshare mounts and shared memory")
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "keep mounts private")


def try_network() -> None:
    """Have a network of its own."""
    _own_namespace()
    _check(_libc.unshare(_CLONE_NEWNET), "unshare the network")
    _loopback_up()


def _own_namespace() -> None:
    """Who is not root may have mounts and a network of its own in a namespace of users, where the kernel allows it."""
    if os.geteuid() == 0:
        return
    uid, gid = os.geteuid(), os.getegid()
    _check(_libc.unshare(_CLONE_NEWUSER), "unshare users")
    _check(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "write its own maps")  # what hides is root's in /proc
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123
            file.write(text)


def _drop_capabilities() -> None:
    """In its namespace of users a process may do anything: take down its own walls, too."""
    for capability in range(_MOST_CAPABILITIES):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails above the kernel's last one
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
    none = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, none), "drop capabilities")


def _own_tmp(plan: Plan) -> None:
    """In the place of each shared folder one of the attempt's own, and of each door nothing."""
    _own_mounts()
    handles = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in (plan.folder, *plan.keeps)}
    tmp = f"/proc/self/fd/{handles[plan.folder]}/tmp"  # noqa: S108  # the attempt's own
    for at, shared in enumerate(PRIVATE):
        if not os.path.isdir(shared):  # noqa: PTH112
            continue
        own = f"{tmp}/{at}"
        os.makedirs(own, exist_ok=True)  # noqa: PTH103
        os.chmod(own, 0o1777)  # noqa: PTH101, S103  # as the one it stands for
        # What lies below the folder that is taken away gets its place in the new one.
        below = [path for path in handles if path.startswith(shared + "/")]
        for path in below:
            os.makedirs(own + path.removeprefix(shared), exist_ok=True)  # noqa: PTH103
        _bind(own, shared)
        for path in below:
            _bind(f"/proc/self/fd/{handles[path]}", path)
    for door in (*HIDDEN, *plan.hidden):
        if os.path.isdir(door):  # noqa: PTH112
            own = f"{tmp}/nothing"
            os.makedirs(own, exist_ok=True)  # noqa: PTH103
            _bind(own, door)
        elif os.path.exists(door):  # noqa: PTH110
            _bind(os.devnull, door)
    for handle in handles.values():
        os.close(handle)


def _bind(source: str, target: str) -> None:
    done = _libc.mount(source.encode(), target.encode(), None, _MS_BIND, None)
    _check(done, f"bind {source} to {target}")


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", ioctl(one, _SIOCGIFFLAGS, request))[1]
        ioctl(one, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _limit(plan: Plan) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if plan.processes is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (plan.processes, plan.processes))
    if plan.file_mib is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (plan.file_mib << 20, plan.file_mib << 20))


def _go_first() -> None:
    """When the host runs out of memory a job goes before its agent, whose rank it had, and before what is not ours."""
    with open("/proc/self/oom_score_adj", "r+") as file:  # noqa: PTH123
        if int(file.read()) < _OOM_RANK:
            file.seek(0)
            file.write(str(_OOM_RANK))


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot {what}: {os.strerror(number)}")
