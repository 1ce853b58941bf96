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
    Spool(tmp_path).put(Released(uuid4(), uuid4(), "drain"))

    [kept] = tmp_path.iterdir()
    assert kept.suffix == ".json"
    assert synced == [str(kept.with_suffix(".part")), str(tmp_path)]


def test_what_ended_together_is_one_file_until_the_last_is_removed(tmp_path):
    """One sync for a batch; what a crash brings back of it is all of it, and settles once more."""
    together = [Released(uuid4(), uuid4(), "drain") for _ in range(3)]
    spool = Spool(tmp_path)
    spool.put(*together)
    spool.remove(together[0].token, together[1].token)
    assert len(list(tmp_path.iterdir())) == 1

    second = Spool(tmp_path)
    assert second.load() == together
    second.remove(*(each.token for each in together))
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_place_of_a_refused_result_is_kept(tmp_path):
    """The refused result leaves its batch alone, and both copies go with the answer."""
    refused = Completion(uuid4(), uuid4(), [], {"text": "x"})
    other = Released(uuid4(), uuid4(), "drain")
    spool = Spool(tmp_path)
    spool.put(refused, other)
    spool.remove(refused.token)
    spool.put(Failed(refused.job_id, refused.token, Cause.USER_ERROR, "refused"))

    second = Spool(tmp_path)
    assert {type(each) for each in second.load() if each.token == refused.token} == {Completion, Failed}
    second.remove(refused.token, other.token)
    assert list(tmp_path.iterdir()) == []


def test_torn_files_are_set_aside_with_a_warning(tmp_path):
    """A file cut short by a crash neither stops the others nor is read again."""
    spool = Spool(tmp_path)
    good = Released(uuid4(), uuid4(), "drain")
    spool.put(good)
    [kept] = tmp_path.iterdir()
    whole = kept.read_bytes()
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
