"""A full disk is a state of the node, not the end of its agent."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import pytest

from agent.files.cache import Cache
from agent.spool import Spool
from queue_schema.shapes import Completion
from tests.agent.daemons import Fleet
from tests.agent.test_faults import shown
from tests.agent.waiting import eventually

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
