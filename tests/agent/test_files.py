"""Files over a real HTTP server: fetched once, verified, kept apart by project, sent again after faults."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from agent.files import cache as cache_module
from agent.files.cache import Cache
from agent.files.transfer import FileMissing, Transfer, TransferAborted, TransferError
from tests.agent.conftest import Blobs
from tests.support.waiting import eventually

ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache", budget_mib=1)


@pytest.fixture
def fetch(transfer: Transfer):
    """Fetches a hash on behalf of some lease."""
    return lambda sha256: lambda to: transfer.download(sha256, to, job_id=uuid4(), token=uuid4())


def test_two_jobs_that_want_a_file_at_once_fetch_it_once(cache, fetch, blobs: Blobs, tmp_path):
    """Concurrent requests for one file of one project make one download."""
    sha256 = blobs.add(b"weights" * 1000)
    blobs.hold.clear()
    with ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(cache.provide, ONE, sha256, tmp_path / f"job{n}", fetch(sha256)) for n in range(8)
        ]
        eventually(lambda: blobs.gets)
        blobs.hold.set()
        for each in asked:
            each.result()

    assert blobs.gets == [sha256]
    assert {(tmp_path / f"job{n}").read_bytes() for n in range(8)} == {b"weights" * 1000}


def test_another_project_fetches_for_itself(cache, fetch, blobs: Blobs, tmp_path):
    """I15: what one project fetched is not given to another, even under the same hash."""
    sha256 = blobs.add(b"face")
    cache.provide(ONE, sha256, tmp_path / "a", fetch(sha256))
    cache.provide(OTHER, sha256, tmp_path / "b", fetch(sha256))

    assert blobs.gets == [sha256, sha256]


def test_a_damaged_download_is_refused_and_tried_again(cache, fetch, blobs: Blobs, tmp_path):
    """Bytes that do not match their hash never get a name."""
    sha256 = blobs.add(b"photo")
    blobs.damage_next = 1
    cache.provide(ONE, sha256, tmp_path / "a", fetch(sha256))

    assert (tmp_path / "a").read_bytes() == b"photo"
    assert len(blobs.gets) == 2


def test_a_file_that_always_comes_damaged_is_given_up(blobs: Blobs, membership, tmp_path):
    """After its patience a download fails, and leaves nothing."""
    sha256 = blobs.add(b"photo")
    blobs.damage_next = 10**6
    impatient = Transfer(blobs.url, membership, patience_s=0.3)

    with pytest.raises(TransferError):
        impatient.download(sha256, tmp_path / "a", job_id=uuid4(), token=uuid4())
    impatient.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("link", [False, True])
def test_a_job_cannot_spoil_the_cache(cache, fetch, blobs: Blobs, tmp_path, monkeypatch, link):
    """What a job does to its file, even as root, is not what the next job gets."""
    if link:
        monkeypatch.setattr(cache_module, "COPY_BELOW_BYTES", 0)
    sha256 = blobs.add(b"photo")
    first, second = tmp_path / "a", tmp_path / "b"
    cache.provide(ONE, sha256, first, fetch(sha256))
    assert first.stat().st_mode & 0o777 == 0o444
    first.chmod(0o644)
    first.write_bytes(b"drawn over")
    os.utime(first, ns=(1, 1))
    cache.provide(ONE, sha256, second, fetch(sha256))

    assert second.read_bytes() == b"photo"
    assert len(blobs.gets) == (2 if link else 1)


def test_a_file_kept_by_an_earlier_life_is_verified_once(fetch, blobs: Blobs, tmp_path):
    """After a restart the hash of a kept file is checked, and it is not fetched again."""
    sha256 = blobs.add(b"photo")
    Cache(tmp_path / "cache", budget_mib=1).provide(ONE, sha256, tmp_path / "a", fetch(sha256))
    again = Cache(tmp_path / "cache", budget_mib=1)
    again.provide(ONE, sha256, tmp_path / "b", fetch(sha256))

    assert blobs.gets == [sha256]


def test_the_least_recently_used_go_first(cache, fetch, blobs: Blobs, tmp_path):
    """Beyond the budget the file used longest ago is dropped."""
    old, used, new = (blobs.add(bytes([n]) * 400_000) for n in range(3))
    for n, sha256 in enumerate((old, used, old, used, new)):
        cache.provide(ONE, sha256, tmp_path / f"{n}", fetch(sha256))
    blobs.gets.clear()
    cache.provide(ONE, used, tmp_path / "x", fetch(used))
    cache.provide(ONE, old, tmp_path / "y", fetch(old))

    assert blobs.gets == [old]


def test_a_missing_file_is_not_asked_for_again(transfer: Transfer, blobs: Blobs, tmp_path):
    """404 is an answer, not a fault."""
    with pytest.raises(FileMissing):
        transfer.download("0" * 64, tmp_path / "a", job_id=uuid4(), token=uuid4())

    assert len(blobs.gets) == 1


def test_an_upload_goes_through_after_faults(transfer: Transfer, blobs: Blobs, tmp_path):
    """A store that is away for a moment costs a moment."""
    path = tmp_path / "out.png"
    path.write_bytes(b"picture")
    blobs.fail_next = 2
    sha256, size = transfer.upload(path, media_type="image/png", job_id=uuid4(), token=uuid4())

    assert (blobs.files[sha256], size) == (b"picture", 7)
    assert blobs.puts == [(sha256, "image/png")] * 3


def test_nobody_waits_for_a_file_of_an_attempt_that_ends(transfer: Transfer, blobs: Blobs, tmp_path):
    """A download that keeps failing stops as soon as nobody wants it."""
    sha256 = blobs.add(b"photo")
    blobs.fail_next = 10**6
    unwanted = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(
            transfer.download,
            sha256,
            tmp_path / "a",
            job_id=uuid4(),
            token=uuid4(),
            wanted=lambda: not unwanted.is_set(),
        )
        eventually(lambda: blobs.gets)
        unwanted.set()
        with pytest.raises(TransferAborted):
            going.result(timeout=2)
