"""The spool survives a crash at any instruction."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import structlog.testing

from agent.spool import Spool
from queue_schema.shapes import Completion, Failed, Released
from queue_schema.states import Cause


def test_what_was_put_comes_back_after_a_restart(tmp_path):
    """Every kind of settlement is read back as it was, oldest first."""
    put = [
        Completion(uuid4(), uuid4(), [], {"answer": 42}, 100),
        Failed(uuid4(), uuid4(), Cause.TIMEOUT, "too long"),
        Released(uuid4(), uuid4(), "drain"),
    ]
    for each in put:
        Spool(tmp_path).put(each)

    assert Spool(tmp_path).load() == put


def test_a_removed_result_stays_removed(tmp_path):
    """After the answer the result is gone, also for the next life."""
    spool = Spool(tmp_path)
    done = Released(uuid4(), uuid4(), "drain")
    spool.put(done)
    spool.remove(done.token)
    spool.remove(done.token)

    assert Spool(tmp_path).load() == []


def test_it_is_on_disk_before_put_returns(tmp_path, monkeypatch):
    """File and folder are synced, the file before it gets its name."""
    synced = []
    real = os.fsync

    def fsync(handle):
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    done = Released(uuid4(), uuid4(), "drain")
    Spool(tmp_path).put(done)

    assert synced == [str(tmp_path / f"{done.token}.part"), str(tmp_path)]


def test_torn_files_are_set_aside_with_a_warning(tmp_path):
    """A file cut short by a crash neither stops the others nor is read again."""
    spool = Spool(tmp_path)
    good = Released(uuid4(), uuid4(), "drain")
    spool.put(good)
    whole = (tmp_path / f"{good.token}.json").read_bytes()
    (tmp_path / f"{uuid4()}.json").write_bytes(whole[: len(whole) // 2])
    (tmp_path / f"{uuid4()}.json").write_bytes(b"")
    (tmp_path / f"{uuid4()}.part").write_bytes(whole[:10])

    with structlog.testing.capture_logs() as logs:
        found = spool.load()
    assert found == [good]
    assert [each["event"] for each in logs if each["log_level"] == "warning"] == ["spool.torn"] * 3
    with structlog.testing.capture_logs() as logs:
        assert spool.load() == [good]
    assert logs == []
