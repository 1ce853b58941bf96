"""P8: what a project wants gone goes from the caches and the memory of a node, and the node says so only then."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from agent.boot import forget_another_node
from agent.files.cache import Cache
from agent.files.models import Models
from queue_schema.calls import clients, erasures
from queue_schema.calls.erasures import Wanted
from queue_schema.receipts import Receipt, receipt
from queue_schema.shapes import Completion
from tests.agent.conftest import Bench, Blobs
from tests.agent.daemons import Daemon, Fleet
from tests.support.waiting import alive, eventually

MINE, OTHER = UUID(int=7), UUID(int=8)
FACE = b"a face that nobody else has"


def kept(cache: Path, project: UUID, name: str) -> Path:
    """A cached file."""
    path = cache / str(project) / (name * 64)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"kept")
    return path


def test_the_cache_drops_what_is_named(tmp_path: Path):
    """Or all of a project; never what another project has, though it is the same file."""
    cache = Cache(tmp_path / "cache", budget_mib=100)
    mine, more, others = (
        kept(tmp_path / "cache", project, name) for project, name in ((MINE, "a"), (MINE, "b"), (OTHER, "a"))
    )

    assert cache.erase(MINE, ["a" * 64, "c" * 64]) == 1
    assert [path.exists() for path in (mine, more, others)] == [False, True, True]
    assert cache.erase(MINE, None) == 1
    assert [path.exists() for path in (more, others)] == [False, True]


def test_models_go_with_all_of_a_project(tmp_path: Path):
    """They are of the hub, not of a customer: they go only with everything."""
    for project in (MINE, OTHER):
        (tmp_path / str(project) / "hub" / "models--org--one").mkdir(parents=True)

    assert Models(tmp_path, budget_mib=100).erase(MINE) == 1
    assert [path.name for path in tmp_path.iterdir()] == [str(OTHER)]


def test_what_nobody_uses_goes_by_itself(tmp_path: Path):
    """A machine that was away for longer than the fleet remembers it is not told what to drop."""
    cache = Cache(tmp_path / "cache", budget_mib=100)
    old, new = (kept(tmp_path / "cache", MINE, name) for name in "ab")
    os.utime(old, (1000, 1000))
    model = tmp_path / "models" / str(MINE) / "hub" / "models--org--one"
    model.mkdir(parents=True)
    weights = model / "weights"
    weights.write_bytes(b"1")
    os.utime(weights, (1000, 1000))
    models = Models(tmp_path / "models", budget_mib=100)

    cache.drop_unused(since=2000)
    models.keep_budget({MINE}, unused_since=2000)
    assert [path.exists() for path in (old, new, model)] == [False, True, True]
    models.keep_budget(set(), unused_since=2000)
    assert not model.exists()


@pytest.fixture
def hoards(bench: Bench) -> Iterator[Bench]:
    """Its runners remember."""
    entry, bench.shop.forkserver._entry = bench.shop.forkserver._entry, "tests.agent.entries:hoarding"
    yield bench
    bench.shop.forkserver._entry = entry


def test_runners_that_may_remember_end(hoards: Bench, tmp_path: Path):
    """At once if they rest; with their work if they have had another before it; others may finish and rest no more."""
    busy = tmp_path / "busy"
    busy.touch()
    warm = hoards.shop.warm

    def done(model: str, project: UUID = MINE) -> int:
        lease = hoards.start("noop", {"values": {}}, model=model, project_id=project)
        outcome = hoards.outcome(lease)
        assert isinstance(outcome, Completion)
        return int(outcome.values["pid"])

    def at_work(model: str) -> int:
        return hoards.running(hoards.start("noop", {"values": {"while": str(busy)}}, model=model))

    resting, resumed, strange = done("a"), done("b"), done("a", OTHER)
    eventually(lambda: len(warm.homes()) == 3)
    assert at_work("b") == resumed
    first = at_work("c")
    moment = time.monotonic()

    assert warm.retire(MINE, began_before=moment) == 1
    assert not alive(resting)
    assert not warm.retired(MINE, began_before=moment)
    assert alive(resumed)
    busy.unlink()

    eventually(lambda: warm.retired(MINE, began_before=moment))
    eventually(lambda: not alive(resumed) and not alive(first))
    assert alive(strange)
    later = done("b")
    eventually(lambda: {home.runner.pid for home in warm.homes()} == {strange, later})
    assert warm.retired(MINE, began_before=moment)


def on_disk(daemon: Daemon) -> list[Path]:
    """Where the face is."""
    return [path for path in daemon.state_dir.rglob("*") if path.is_file() and FACE in path.read_bytes()]


def erased(fleet: Fleet, sha256: str) -> Receipt:
    """Ask for it, and do what the scheduler and the API do, until only the node is waited for."""
    erasure = erasures.erase(fleet.conn, fleet.project, Wanted(files=[sha256])).erasure_id

    def gone() -> bool:
        fleet.conn.execute("update fleet.blobs set leaving_at = now() where isfinite(leaving_at)")
        erasures.erase_on(fleet.conn)
        erasures.blobs_removed(fleet.conn, erasures.remove_blobs(fleet.conn))
        return receipt(fleet.conn, erasure).state == "done"

    eventually(gone, 30)
    return receipt(fleet.conn, erasure)


def test_a_node_drops_it_and_says_so(fleet: Fleet, blobs: Blobs):
    """The job that runs with it is ended first; then nothing on the node's disk has it."""
    daemon = fleet.agent()
    face = fleet.uploaded(blobs.add(FACE))
    job = fleet.submit("command", {"argv": ["sleep", "600"]}, inputs={"face.png": face})
    daemon.wait("runner.started")
    eventually(lambda: len(on_disk(daemon)) == 2)
    assert face.sha256 is not None

    found = erased(fleet, face.sha256)

    assert fleet.state(job) == "cancelled"
    assert on_disk(daemon) == []
    assert [(node.node, node.dropped) for node in found.nodes] == [("host-a", erasures.Dropped(1, 0, 0))]
    assert found.wiped_at is not None
    ended = daemon.wait("runner.ended")
    assert ended


def test_a_node_with_a_new_name_begins_without_copies(fleet: Fleet, blobs: Blobs):
    """It is not told what was erased under the old one."""
    daemon = fleet.agent()
    face = fleet.uploaded(blobs.add(FACE))
    fleet.ends(fleet.submit("command", {"argv": ["true"]}, inputs={"face.png": face}), "succeeded")
    eventually(lambda: len(on_disk(daemon)) == 1)
    daemon.end()

    again = fleet.agent()
    assert len(on_disk(again)) == 1
    again.end()
    clients.drain(fleet.conn, "host-a")
    renamed = fleet.agent("--node", "host-b")

    assert on_disk(renamed) == []


def test_a_power_cut_leaves_the_old_name_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Half a name would cost all copies; and the same name again is not written at all."""
    forget_another_node(tmp_path, "host-a")

    def cut(_: int) -> None:
        raise OSError("the power is gone")

    monkeypatch.setattr(os, "fsync", cut)
    forget_another_node(tmp_path, "host-a")
    with pytest.raises(OSError, match="the power is gone"):
        forget_another_node(tmp_path, "host-b")

    assert (tmp_path / "node").read_text() == "host-a"


def test_a_node_confirms_when_nothing_remembers(fleet: Fleet, blobs: Blobs):
    """A runner that has had another job before the one it is at may: it is waited for, and rests no more."""
    daemon = fleet.agent()
    face = fleet.uploaded(blobs.add(FACE))
    fleet.ends(fleet.submit("noop", {}), "succeeded")
    daemon.wait("runner.rests")
    fleet.submit("noop", {"seconds": 5})
    daemon.wait("runner.resumed")
    assert face.sha256 is not None

    found = erased(fleet, face.sha256)

    assert daemon.seen("erasure.waits")
    ended_at = fleet.one("select max(ended_at) from fleet.attempts")
    assert [node.confirmed_at > ended_at for node in found.nodes if node.confirmed_at] == [True]
    assert len(daemon.seen("runner.rests")) == 1
    assert len(daemon.seen("runner.ended")) == 1
