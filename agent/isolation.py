"""What can stand between a job and this host, found out by trying at the start, and said: in the log and on the node.

A /tmp of its own and no network but for kinds that may have it, by namespaces, as bubblewrap does it; as root, a user of
its own for each job. Where a wall is missing, there is still what every runner has: its own session and folder, limits of
memory, files and disk, and no secrets in its environment.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from uuid import UUID

import psycopg
import structlog

from agent import processes
from agent.runners import walls
from agent.runners.cgroups import Cgroup, Cgroups, NoCgroups
from agent.settings import AgentSettings, SettingsError
from queue_schema.shapes import Claimed

log = structlog.get_logger(__name__)

_USERS = 1_900_000_000
"""The first of our users: above what systemd gives to services and containers, below what fits 31 bits."""
_EACH, _AGENTS = 1000, 20_000
"""So many users for each agent of a host, whose place among so many its instance says."""
_GROUPS = 50_000_000
_KILL_S = 5.0
_GPU_NODES = ("nvidia*", "nvhost-*", "nvmap", "dri/render*")


@dataclass(frozen=True)
class Means:
    """The walls of this host."""

    users: bool
    private_tmp: bool
    no_network: bool
    cgroups: Cgroups | None = None
    """None: a session and a process group tell who is whose, and limits are the process's own."""
    lacking: dict[str, str] = field(default_factory=dict)
    """Why one is not there."""

    def facts(self) -> dict[str, str]:
        """For the node's labels: the walls that stand."""
        there = {
            "user": self.users,
            "tmp": self.private_tmp,
            "network": self.no_network,
            "cgroup": self.cgroups is not None,
        }
        return {"isolation": ",".join(name for name, stands in there.items() if stands) or "none"}


def find_means(settings: AgentSettings) -> Means:
    """Try every wall.

    Raises:
        SettingsError: One does not stand, and the settings insist.
    """
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
    if settings.isolation == "off":
        return Means(users=False, private_tmp=False, no_network=False, lacking={"all": "isolation is off"})
    code = [
        sys.base_prefix,
        sysconfig.get_paths()["stdlib"],
        *(path for path in sys.path if Path(path).is_dir()),
    ]
    reachable = [str(settings.state_dir), *code]
    tried = {
        "user": walls.possible(partial(walls.try_user, _USERS, reachable)),
        "tmp": walls.possible(walls.try_mounts),
        "network": walls.possible(walls.try_network),
    }
    lacking = {name: why for name, why in tried.items() if why is not None}
    if lacking and settings.isolation == "on":
        text = "; ".join(f"{name}: {why}" for name, why in lacking.items())
        raise SettingsError(f"isolation is on, and this host does not have all of it: {text}")
    cgroups = None
    try:
        cgroups = Cgroups.find()
        log.info("isolation.cgroups", controllers=sorted(cgroups.controllers))
    except NoCgroups as exc:
        lacking["cgroup"] = str(exc)  # not asked for by `on`: without it there still are rlimits and groups
    if lacking:
        log.warning("isolation.lacking", **lacking)
    return Means(
        users="user" not in lacking,
        private_tmp="tmp" not in lacking,
        no_network="network" not in lacking,
        cgroups=cgroups,
        lacking=lacking,
    )


class Isolation:
    """Gives each running attempt its walls, and clears up behind them."""

    def __init__(self, settings: AgentSettings, means: Means, instance: str) -> None:
        self._settings = settings
        self.means = means
        self._first = _USERS + UUID(instance).int % _AGENTS * _EACH
        self._taken: set[int] = set()
        self._turn = 0
        hosts = str(psycopg.conninfo.conninfo_to_dict(settings.database_url).get("host") or "").split(",")
        self._hidden = [host for host in hosts if host.startswith("/")]
        self._lock = threading.Lock()

    @contextmanager
    def around(self, claimed: Claimed, home: Path) -> Iterator[walls.Plan]:
        """The walls of one runner, whose temporary folder becomes its user's; at the end nothing of that user is left."""
        networked = claimed.kind in self._settings.networked
        plan = walls.Plan(
            folder=str(home),
            private_tmp=self.means.private_tmp,
            keeps=_own_code(),
            hidden=self._hidden,
            network=networked or not self.means.no_network,
            # Who fetches models writes files of many GiB, and not in the attempt's folder.
            file_mib=None if networked else claimed.grant.disk_mib + self._settings.disk_allowance_mib,
        )
        with ExitStack() as stack:
            cgroup = stack.enter_context(self._cgroup(home.name))
            yield stack.enter_context(self._user(replace(plan, cgroup=cgroup), claimed, home))

    @contextmanager
    def _cgroup(self, name: str) -> Iterator[str | None]:
        if self.means.cgroups is None:
            yield None
            return
        found = self.means.cgroups.make(name)
        try:
            found.limit(processes=self._settings.job_processes)
            yield str(found.path)
        finally:
            found.kill()
            found.remove()

    @contextmanager
    def _user(self, plan: walls.Plan, claimed: Claimed, home: Path) -> Iterator[walls.Plan]:
        if not self.means.users:
            yield plan
            return
        uid = self._take()
        groups = [_group_of(claimed.project_id), *_groups_of_gpus()]
        try:
            _give(home, uid)
            yield replace(plan, uid=uid, groups=groups, processes=self._settings.job_processes)
        finally:
            if _end_all_of(range(uid, uid + 1)):
                self._give_back(uid)
            else:
                log.error("isolation.user_stays", uid=uid)  # never given to another job

    def limit_memory(self, plan: walls.Plan, booked_mib: int) -> None:
        """What the runner may hold for its next piece of work, where the kernel can be told."""
        if plan.cgroup is not None:
            Cgroup(Path(plan.cgroup)).limit(memory_mib=booked_mib + self._settings.ram_allowance_mib)

    @staticmethod
    def admit(folder: Path, plan: walls.Plan) -> None:
        """What is the job's in the folder of an attempt is its user's from now on."""
        if plan.uid is not None:
            _give(folder, plan.uid)

    def end_leftovers(self) -> None:
        """End what the last life of this agent left of its jobs."""
        if self.means.users and not _end_all_of(range(self._first, self._first + _EACH)):
            log.error("isolation.leftovers_stay", first=self._first)

    def environment(self, claimed: Claimed, home: Path) -> dict[str, str]:
        """Where a job that is somebody else finds a home, and the models of its project."""
        if not self.means.users:
            return {}
        found = {
            "HOME": str(home / "tmp"),
            "USER": "job",
            "LOGNAME": "job",
            "XDG_CACHE_HOME": str(home / "tmp"),
        }
        if claimed.kind in self._settings.networked and not {"HF_HOME", "HF_HUB_CACHE"} & os.environ.keys():
            found["HF_HOME"] = str(self._models(claimed.project_id))
        return found

    def _models(self, project: UUID) -> Path:
        """What jobs of one project fetched for themselves; of no other's reach."""
        path = self._settings.state_dir / "models" / str(project)
        path.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o711)
        os.chown(path, 0, _group_of(project))
        path.chmod(0o2770)
        return path

    def _take(self) -> int:
        """The next that is free, in turn: a user does not come again soon."""
        with self._lock:
            for _ in range(_EACH):
                uid = self._first + self._turn % _EACH
                self._turn += 1
                if uid not in self._taken:
                    self._taken.add(uid)
                    return uid
        raise OSError(f"all {_EACH} users of this agent are taken")

    def _give_back(self, uid: int) -> None:
        with self._lock:
            self._taken.discard(uid)


def _own_code() -> list[str]:
    """Where this program and its interpreter are, and the stand-in GPUs, if they lie where jobs have their own /tmp."""
    mock = os.environ.get("NVIDIA_MOCK_GPUS")
    there = {sys.prefix, sys.base_prefix, *sys.path, *([str(Path(mock).parent)] if mock else [])}
    found: list[str] = []
    for path in sorted(there):
        inside = any(path.startswith(shared + "/") for shared in walls.PRIVATE)
        if inside and Path(path).is_dir() and not any(path.startswith(one + "/") for one in found):
            found.append(path)
    return found


def _groups_of_gpus() -> list[int]:
    """Groups without which another user cannot open a GPU of this host."""
    nodes = [path for pattern in _GPU_NODES for path in Path("/dev").glob(pattern)]
    facts = [path.stat() for path in nodes]
    return sorted({each.st_gid for each in facts if each.st_mode & 0o006 != 0o006 and each.st_gid})


def _group_of(project: UUID) -> int:
    return _USERS + _EACH * _AGENTS + project.int % _GROUPS


def _give(folder: Path, uid: int) -> None:
    """What is the job's in a folder of ours. The folder itself stays ours: whose it is may replace what is in it."""
    folder.chmod(0o711)
    for path in (folder / "job", folder / "tmp", folder / "inputs"):
        if path.is_dir():
            os.chown(path, uid, uid)
            path.chmod(0o700)
    checkpoint = folder / "checkpoint"
    if checkpoint.is_file():
        os.chown(checkpoint, uid, uid)
        checkpoint.chmod(0o600)


def _end_all_of(uids: range) -> bool:
    """Kill every process of some users, until there is none; says whether there is none."""
    until = time.monotonic() + _KILL_S
    while rest := [
        each for each in processes.table().values() if not each.zombie and processes.owner(each.pid) in uids
    ]:
        processes.send(rest, signal.SIGKILL)
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def clear(folder: Path) -> None:
    """Remove an attempt's folder, whatever the job made of it: folders in folders without end, or closed ones."""
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        return
    # Who is not root cannot empty a folder that may not be written. No link is followed by either.
    subprocess.run(["chmod", "-R", "u+rwx", "--", folder], check=False, capture_output=True)
    done = subprocess.run(
        ["rm", "-rf", "--one-file-system", "--", folder], check=False, capture_output=True, text=True
    )
    if folder.exists():
        log.error("folder.stays", folder=str(folder), error=done.stderr.strip()[-200:])
