"""Read a job's file while the job may change what its name means: by handles, and only what is the job's own."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MIB = 2**20
_NO_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EISDIR}


class NotOwn(Exception):
    """It is no regular file of this job."""


@contextmanager
def opened(path: Path, within: Path) -> Iterator[Path]:
    """A name of the open file itself: whatever becomes of *path*, it is the file that was checked.

    Raises:
        NotOwn: It is not there, is a link, lies elsewhere, or belongs to somebody else than *within* does.
        OSError: It cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        if exc.errno in _NO_FILE:
            raise NotOwn(f"{path}: {exc.strerror}") from exc
        raise
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or not _lies_within(handle, within):
            raise NotOwn(f"{path} is no file within {within}")
        if facts.st_uid != within.stat().st_uid:
            raise NotOwn(f"{path} belongs to another user")
        yield Path(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def remove(path: Path, within: Path) -> None:
    """Unlink a name, if its folder lies within; nothing happens when it does not, or is gone."""
    with suppress(OSError):
        handle = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _lies_within(handle, within):
                os.unlink(path.name, dir_fd=handle)
        finally:
            os.close(handle)


def used_mib(folder: Path) -> int:
    """What a folder holds of its disk; links are not followed, what vanishes meanwhile is not counted."""
    total = 0
    todo = [str(folder)]
    while todo:
        with suppress(OSError), os.scandir(todo.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total // _MIB


def _lies_within(handle: int, within: Path) -> bool:
    return Path(os.readlink(f"/proc/self/fd/{handle}")).is_relative_to(within.resolve())  # noqa: PTH115  # the file itself, not a path
