"""What a hostile job gets, and what it leaves: nothing."""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from agent import processes
from agent.disk import used_mib
from agent.files.own import NotOwn, opened, remove
from agent.isolation import clear
from queue_schema.shapes import Need
from tests.agent.conftest import Blobs
from tests.agent.daemons import Daemon, Fleet
from tests.agent.proxy import Proxy
from tests.support.waiting import alive, eventually

ROOT = Path(__file__).resolve().parents[2]
SYSTEM_PYTHON = Path("/usr/bin/python3.11")
OF_THIS_CHECKOUT = {
    "PYTHONPATH": f"{ROOT}:{sysconfig.get_paths()['purelib']}",
    "PYTHONDONTWRITEBYTECODE": "1",
}
NOBODY = 65534
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give a job a user and a network of its own"
)
needs_python = pytest.mark.skipif(
    not SYSTEM_PYTHON.exists(),
    reason=f"{SYSTEM_PYTHON} is not there, and another user must reach the interpreter",
)


@pytest.fixture
def walled(database_url: str, blobs: Blobs) -> Iterator[Fleet]:
    """A fleet whose folder other users can pass through; its agents have the interpreter of the system."""
    folder = Path(f"/var/lib/argosy-walls-{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    found = Fleet(database_url, blobs.url, folder)
    yield found
    found.close()
    shutil.rmtree(folder, ignore_errors=True)


def agent(fleet: Fleet, *more: str, url: str | None = None) -> Daemon:
    """Every wall, or no agent."""
    return fleet.agent(
        "--isolation", "on", *more, url=url, python=(str(SYSTEM_PYTHON),), environment=OF_THIS_CHECKOUT
    )


def tried(fleet: Fleet, script: str, **need: Any) -> tuple[UUID, dict[str, Any]]:
    """Run a Python script that prints one line of JSON; the job and what it printed."""
    job = fleet.submit(
        "command",
        {"argv": [str(SYSTEM_PYTHON), "-c", script]},
        need=Need(gpus=0, ram_mib=256, **need),
    )
    fleet.ends(job, "succeeded", within_s=30)
    text = fleet.one(
        "select string_agg(text, '') from fleet.logs where job_id = %s and stream = 'stdout'", job
    )
    return job, json.loads(text)


def standing(fleet: Fleet) -> list[str]:
    """Which walls the node says it has; the cgroup has tests of its own, and not every host."""
    walls = fleet.one("select labels ->> 'isolation' from fleet.v_nodes").split(",")
    return [wall for wall in walls if wall != "cgroup"]


SPY = """
import ctypes, glob, json, os, socket
libc = ctypes.CDLL(None)
def can(act):
    try:
        act()
        return True
    except OSError:
        return False
agent, forkserver, state, port = %r
def connect(host, port):
    socket.create_connection((host, port), 1).close()
print(json.dumps({
    "uid": os.getuid(), "groups": len(os.getgroups()), "environ": sorted(os.environ),
    "agent environ": can(lambda: open(f"/proc/{agent}/environ").read()),
    "agent memory": can(lambda: open(f"/proc/{agent}/mem").read(1)),
    "forkserver environ": can(lambda: open(f"/proc/{forkserver}/environ").read()),
    "kill agent": can(lambda: os.kill(agent, 0)),
    "list state": can(lambda: os.listdir(state)), "list work": can(lambda: os.listdir(f"{state}/work")),
    "instance": can(lambda: open(f"{state}/instance").read()), "spool": can(lambda: os.listdir(f"{state}/spool")),
    "cache": can(lambda: os.listdir(f"{state}/cache")), "shadow": can(lambda: open("/etc/shadow").read()),
    "database": can(lambda: connect("127.0.0.1", port)), "metadata": can(lambda: connect("169.254.169.254", 80)),
    "loopback": can(lambda: socket.create_server(("127.0.0.1", 0)).close()),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "tmp": {folder: os.listdir(folder) for folder in ("/tmp", "/var/tmp", "/dev/shm")},
    "write etc": can(lambda: open("/etc/argosy-was-here", "w")), "write state": can(lambda: open(f"{state}/x", "w")),
    "setuid": can(lambda: os.setuid(0)),
    "take down /tmp": libc.umount2(b"/tmp", 2) == 0, "trade job": can(lambda: os.rename("../job", "../other")),
    "segments": len(open("/proc/sysvipc/shm").readlines()) > 1,
}))
for folder in ("/tmp", "/var/tmp", "/dev/shm"):
    open(f"{folder}/argosy-was-here", "w").write("x")
"""


def strangers(listed: dict[str, list[str]]) -> list[str]:
    """What a job saw in its /tmp but for this checkout, if that lies there: its code stays where it is."""
    return [
        f"{folder}/{name}"
        for folder, names in listed.items()
        for name in names
        if not f"{ROOT}/".startswith(f"{folder}/{name}/")
    ]


@needs_root
@needs_python
def test_a_spy_learns_nothing_and_leaves_nothing(walled: Fleet, proxy: Proxy):
    """Not the agent's environment, memory or files, not the database, not the metadata of a cloud; no trace in /tmp."""
    daemon = agent(walled, url=proxy.url)
    state = str(walled.folder / "state")
    facts = (daemon.process.pid, daemon.forkserver(), state, urlsplit(proxy.url).port)
    _, seen = tried(walled, SPY % (facts,))

    assert seen.pop("uid") >= 1_900_000_000
    assert seen.pop("groups") == 1
    assert seen.pop("interfaces") == ["lo"]
    assert seen.pop("loopback") is True
    assert strangers(seen.pop("tmp")) == []
    assert not [name for name in seen.pop("environ") if "SECRET" in name or "DATABASE" in name]
    assert [what for what, got in seen.items() if got] == []
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/etc"):
        assert not Path(folder, "argosy-was-here").exists()
    eventually(lambda: not list(Path(state, "work").iterdir()))
    assert standing(walled) == ["user", "tmp", "network"]


@needs_root
@needs_python
def test_what_will_not_die_dies(walled: Fleet):
    """It ignores SIGTERM, leaves its session twice, hides itself, empties its environment and changes its folder."""
    agent(walled)
    script = """
import ctypes, json, os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
            os.execve("/bin/sleep", ["sleep", "600"], {})
        os._exit(0)
time.sleep(0.5)
print(json.dumps({"uid": os.getuid()}))
"""
    _, seen = tried(walled, script)

    assert [
        p for p in processes.table().values() if not p.zombie and processes.owner(p.pid) == seen["uid"]
    ] == []


@needs_root
@needs_python
def test_a_fork_bomb_stays_within_its_user(walled: Fleet):
    """So many processes and no more; the agent and its other jobs go on."""
    agent(walled, "--job-processes", "40")
    script = """
import json, os, time
made = 0
try:
    while made < 500:
        if os.fork() == 0:
            time.sleep(600)
        made += 1
except OSError:
    pass
print(json.dumps({"made": made}))
"""
    _, seen = tried(walled, script)

    assert 10 < seen["made"] < 40
    walled.ends(walled.submit("noop", {}), "succeeded")


@needs_root
@needs_python
def test_who_fills_the_disk_ends_alone(walled: Fleet):
    """In one file, or in many; the error says what was booked."""
    agent(walled, "--disk-allowance-mib", "16")
    many = "import time\nfor n in range(100): open(f'f{n}', 'wb').write(bytes(1 << 20))\ntime.sleep(600)"
    one = "open('f', 'wb').write(bytes(64 << 20))"
    jobs = [
        walled.submit(
            "command",
            {"argv": [str(SYSTEM_PYTHON), "-c", script]},
            need=Need(gpus=0, ram_mib=256, disk_mib=8),
        )
        for script in (many, one)
    ]
    for job in jobs:
        walled.ends(job, "failed", within_s=30)
    first, second = (
        walled.one("select error ->> 'message' from fleet.v_jobs where job_id = %s", job) for job in jobs
    )

    assert "booked were 8 MiB of scratch space" in first
    assert "File too large" in second


def pipes(pid: int) -> set[str]:
    """The pipes a process holds; not one that it closes while it is looked at."""
    held = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            held.add(str(path.readlink()))
    return {link for link in held if link.startswith("pipe:")}


def test_a_runner_does_not_hold_the_resource_tracker(fleet: Fleet):
    """Who holds its pipe has it unlink shared memory as the agent's user."""
    daemon = fleet.agent()
    fleet.submit("noop", {"seconds": 600})
    pid = daemon.wait("runner.started")["pid"]
    [tracker] = [
        each for each in daemon.family() if "resource_tracker" in Path(f"/proc/{each}/cmdline").read_text()
    ]

    eventually(lambda: os.getsid(pid) == pid)
    assert pipes(tracker)
    assert not pipes(tracker) & pipes(pid)


@needs_root
@needs_python
def test_two_jobs_are_two_users(walled: Fleet):
    """Neither reads the other's files, nor stops it."""
    daemon = agent(walled)
    other = walled.submit("noop", {"seconds": 600}, need=Need(gpus=0, ram_mib=64))
    pid = daemon.wait("runner.started")["pid"]
    eventually(lambda: (processes.owner(pid) or 0) >= 1_900_000_000)
    token = walled.one("select token::text from fleet.leases where job_id = %s", other)
    folder = str(walled.folder / "state" / "work" / token)
    script = f"""
import json, os
def can(act):
    try:
        act()
        return True
    except OSError:
        return False
acts = (lambda: os.kill({pid}, 9), lambda: os.listdir({folder!r}), lambda: os.listdir({folder!r} + "/job"))
print(json.dumps([can(act) for act in acts]))
"""
    _, seen = tried(walled, script)

    assert seen == [False, False, False]
    assert alive(pid)


@needs_root
@needs_python
def test_who_is_not_root_has_the_walls_of_namespaces(walled: Fleet, proxy: Proxy):
    """No user for each job, but a /tmp and a network of its own, where the kernel allows it."""
    os.chown(walled.folder, NOBODY, NOBODY)
    drop = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", str(SYSTEM_PYTHON))
    own = {**OF_THIS_CHECKOUT, "HOME": str(walled.folder)}
    daemon = walled.agent(url=proxy.url, python=drop, environment=own)
    if daemon.seen("isolation.lacking")[0].get("tmp") is not None:
        pytest.skip("this kernel gives no namespaces to users")
    facts = (daemon.process.pid, daemon.forkserver(), str(walled.folder / "state"), urlsplit(proxy.url).port)
    _, seen = tried(walled, SPY % (facts,))

    assert standing(walled) == ["tmp", "network"]
    assert seen["interfaces"] == ["lo"]
    assert strangers(seen["tmp"]) == []
    closed = ("agent environ", "agent memory", "database", "metadata", "setuid", "take down /tmp", "segments")
    got = [what for what in closed if seen[what]]
    assert got == []
    assert not Path("/tmp/argosy-was-here").exists()


@needs_root
def test_what_a_host_does_not_have_is_said(fleet: Fleet, tmp_path: Path):
    """With `on` the agent does not start; with `auto` it does, and the node says which walls stand."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    os.chown(closed, 12345, 12345)
    fleet.folder = closed  # other users cannot pass
    refused = fleet.agent("--isolation", "on", ready=False)
    assert refused.process.wait(20) == 2
    assert "user:" in refused.wait("agent.unusable")["error"]

    fleet.agent()
    assert standing(fleet) == ["tmp", "network"]


def test_a_file_is_read_by_what_it_is_and_not_by_its_name(tmp_path: Path):
    """A link, a folder, a file elsewhere, somebody else's: none is the job's own."""
    inside, outside = tmp_path / "job", tmp_path / "secret"
    inside.mkdir()
    outside.write_text("secret")
    (inside / "good").write_text("good")
    (inside / "link").symlink_to(outside)
    (inside / "folder").mkdir()
    (inside / "way").symlink_to(tmp_path)
    with opened(inside / "good", inside) as file:
        remove(inside / "good", inside)
        (inside / "good").symlink_to(outside)
        assert file.read_text() == "good"

    for name in ("good", "link", "folder", "way/secret", "nowhere", "../secret"):
        with pytest.raises(NotOwn), opened(inside / name, inside):
            pass
    remove(inside / "way" / "secret", inside)
    assert outside.exists()
    for name in ("/dev/null", str(outside), "job", str(inside)):
        with pytest.raises(NotOwn), opened(Path(name), inside):
            pass
    if os.geteuid() == 0:
        os.link(outside, inside / "hard")
        os.chown(inside, 12345, 12345)
        with pytest.raises(NotOwn, match="another user"), opened(inside / "hard", inside):
            pass


def test_a_file_without_a_name_is_counted(tmp_path: Path):
    """Unlinked and still open, it takes the disk all the same."""
    with (tmp_path / "f").open("wb") as file:
        file.write(bytes(8 << 20))
        file.flush()
        (tmp_path / "f").unlink()

        assert used_mib([tmp_path], []) < 8
        assert used_mib([tmp_path], [os.getpid()]) >= 8


def test_folders_without_end_are_counted_and_cleared(tmp_path: Path):
    """Deeper than Python recurses, longer than a path may be."""
    top = tmp_path / "top"
    top.mkdir()
    before = Path.cwd()
    os.chdir(top)
    for _ in range(sys.getrecursionlimit() + 200):
        os.mkdir("d" * 20)  # noqa: PTH102  # a Path would be too long
        os.chdir("d" * 20)
    Path("f").write_bytes(bytes(3 << 20))
    os.chdir(before)
    assert used_mib([top], []) >= 3
    clear(top)

    assert not top.exists()
