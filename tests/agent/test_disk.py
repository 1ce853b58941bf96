"""A full disk is a state of the node, not the end of its agent."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import pytest

from agent.files.cache import Cache
from agent.files.models import Models
from agent.spool import Spool
from queue_schema.shapes import Completion, Need
from tests.agent.conftest import Blobs
from tests.agent.daemons import Fleet
from tests.agent.test_faults import shown
from tests.support.waiting import eventually

MIB = 2**20


@pytest.fixture
def small_disk(fleet: Fleet) -> Iterator[Path]:
    """The agent's folder on a disk of 96 MiB."""
    folder = fleet.folder / "state"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "argosy-test", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no mounts here: {mounted.stderr.decode().strip()}")
    yield folder
    fleet.close()
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Take all there is."""
    path = folder / "filler"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, psutil.disk_usage(str(folder)).free)
    return path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_keeps_new_work_away_and_loses_no_result(fleet: Fleet, small_disk: Path):
    """The node says so; what runs ends with its result kept in the reserve; all goes on when there is room."""
    daemon = fleet.agent("--disk-floor-mib", "24")
    eventually((small_disk / "ballast").exists)
    job = fleet.submit("noop", {"seconds": 2, "values": {"large": "x" * 200_000}})
    daemon.wait("runner.started")
    filler = fill(small_disk)

    fleet.ends(job, "succeeded")
    assert daemon.seen("ballast.dropped")
    assert not daemon.seen("spool.failed")
    eventually(lambda: (shown(fleet, -1) or "").startswith("disk full: "))
    later = fleet.submit("noop", {})
    daemon.wait("disk.full")
    assert fleet.state(later) == "ready"

    filler.unlink()
    fleet.ends(later, "succeeded")
    eventually(lambda: shown(fleet, -1) is None)
    assert (small_disk / "ballast").exists()


def test_the_cache_gives_way(tmp_path: Path):
    """So much as is asked for, the least recently used first."""
    cache = Cache(tmp_path / "cache", budget_mib=100)
    for number, name in enumerate("abc"):
        cache.provide(UUID(int=7), name * 64, tmp_path / name, lambda to: to.write_bytes(bytes(2 * MIB)))
        kept = tmp_path / "cache" / str(UUID(int=7)) / (name * 64)
        os.utime(kept, ns=(number, kept.stat().st_mtime_ns))
    cache.shrink(3)

    assert [path.name[0] for path in (tmp_path / "cache").glob("*/*")] == ["c"]


def fetched(models: Path, project: int, name: str, mib: int, used_at: int) -> Path:
    """A model as the hub's cache keeps it: a link in `snapshots` to a file in `blobs`."""
    path = models / str(UUID(int=project)) / "hub" / f"models--org--{name}"
    (path / "blobs").mkdir(parents=True)
    (path / "snapshots").mkdir()
    blob = path / "blobs" / "weights"
    blob.write_bytes(bytes(mib * MIB))
    (path / "snapshots" / "weights").symlink_to(blob)
    for each in (blob, blob.parent, path / "snapshots", path / "snapshots" / "weights"):
        os.utime(each, (used_at, used_at), follow_symlinks=False)
    return path


def test_models_keep_to_their_budget(tmp_path: Path):
    """The least recently used goes first, one model at a time; what a project that runs something fetched stays."""
    busy = fetched(tmp_path, 1, "busy", 3, used_at=1000)
    oldest = fetched(tmp_path, 2, "oldest", 3, used_at=2000)
    later = fetched(tmp_path, 2, "later", 3, used_at=3000)
    last = fetched(tmp_path, 3, "last", 3, used_at=4000)
    Models(tmp_path, budget_mib=10).keep_budget({UUID(int=1)}, unused_since=0)
    assert [path.exists() for path in (busy, oldest, later, last)] == [True, False, True, True]

    Models(tmp_path, budget_mib=10).shrink(1, {UUID(int=1)})
    assert [path.exists() for path in (busy, later, last)] == [True, False, True]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_without_inodes_is_full_and_who_took_them_ends(fleet: Fleet, small_disk: Path):
    """Many empty files are no megabytes, and yet leave nobody room for one more."""
    subprocess.run(["mount", "-o", "remount,nr_inodes=60000", small_disk], check=True)
    fleet.agent("--disk-floor-mib", "24")
    script = """
import pathlib, signal
try:
    for at in range(100_000):
        pathlib.Path(f"empty-{at}").touch()
except OSError:
    signal.pause()
"""
    job = fleet.submit(
        "command",
        {"argv": [sys.executable, "-c", script]},
        need=Need(gpus=0, ram_mib=128, disk_mib=8),
    )
    fleet.ends(job, "failed", within_s=60)
    assert "files, and the disk has few inodes left" in fleet.one("select message from fleet.attempts")
    eventually(lambda: shown(fleet, -1) is None, 20)


def test_a_result_that_finds_no_room_asks_for_some_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Tried again after the reserve was given up; without one, the caller hears of it, and nothing torn is left."""
    full = [OSError(errno.ENOSPC, "No space left on device")]
    sync = os.fsync

    def fsync(handle: int) -> None:
        if full:
            raise full[0]
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    result = Completion(uuid4(), uuid4())
    with pytest.raises(OSError, match="No space left"):
        Spool(tmp_path / "spool").put(result)
    assert list((tmp_path / "spool").iterdir()) == []

    def give_up() -> bool:
        full.clear()
        return True

    Spool(tmp_path / "spool", make_room=give_up).put(result)
    assert Spool(tmp_path / "spool").load() == [result]


def test_what_a_job_was_given_is_not_what_it_wrote(fleet: Fleet, blobs: Blobs):
    """Inputs are links to the cache; a large one takes nothing of the job's own room."""
    fleet.agent("--disk-allowance-mib", "4")
    given = fleet.uploaded(blobs.add(bytes(24 * MIB)))
    wait = {"argv": [sys.executable, "-c", "import time; time.sleep(2.5)"]}
    job = fleet.submit("command", wait, inputs={"large": given}, need=Need(disk_mib=1))
    writes = {
        "argv": [sys.executable, "-c", "open('x', 'wb').write(bytes(24 << 20)); import time; time.sleep(30)"]
    }
    writer = fleet.submit("command", writes, need=Need(disk_mib=1))

    fleet.ends(writer, "failed")
    fleet.ends(job, "succeeded")
