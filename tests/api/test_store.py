"""The store, as far as no request shows it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from api.store import BlobStore

_KILLED = """
import asyncio, os, signal, sys
from api.store import BlobStore

async def body():
    for _ in range(8):
        yield bytes(4 << 20)
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with BlobStore(sys.argv[1]).receive(body()):
        pass

asyncio.run(main())
"""


def half_uploaded(root: Path) -> Path:
    """What an API leaves that is killed amid an upload."""
    before = set(root.glob("tmp/*"))
    died = subprocess.run([sys.executable, "-c", _KILLED, str(root)], check=False)
    assert died.returncode == -signal.SIGKILL
    [half] = set(root.glob("tmp/*")) - before
    assert half.stat().st_size > 0
    return half


def test_half_uploads_of_a_killed_api_are_swept_after_a_day(tmp_path: Path):
    """Not those of today, which may still be on their way, and no file that is whole."""
    root = tmp_path / "blobs"
    store = BlobStore(str(root))
    assert asyncio.run(store.sweep()) == 0
    old, fresh = half_uploaded(root), half_uploaded(root)
    whole = root / "project" / "aa" / "whole"
    whole.parent.mkdir(parents=True)
    whole.touch()
    two_days_ago = time.time() - 2 * 86_400
    for path in (old, whole):
        os.utime(path, (two_days_ago, two_days_ago))

    assert asyncio.run(store.sweep()) == 1
    assert (old.exists(), fresh.exists(), whole.exists()) == (False, True, True)
