"""Read a job's file while the job may change what its name means: by handles, and only what is the job's own.

Paths are walked folder by folder from the job's own, no link followed: what a name leads to is what was checked.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NO_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EACCES, errno.ENAMETOOLONG}
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NotOwn(Exception):
    """It is no regular file of this job."""


@contextmanager
def opened(path: Path, within: Path) -> Iterator[Path]:
    """A name of the open file itself: whatever becomes of *path*, it is the file that was checked.

    Args:
        path: As the job named it.
        within: The job's folder, which the job cannot replace: it lies in one of the agent's.

    Raises:
        NotOwn: It is not there, is a link, lies elsewhere, or belongs to somebody else than *within* does.
        OSError: It cannot be opened.
    """
    with _folder_of(path, within) as (folder, owner):
        try:
            # Looked at before it is opened: to open some devices is to act.
            handle = os.open(path.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except OSError as exc:
            raise _not_own(path, exc) from exc
        try:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise NotOwn(f"{path} is no regular file")
            if facts.st_uid != owner:
                raise NotOwn(f"{path} belongs to another user")
            try:
                reading = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)
            except OSError as exc:  # who is not root may not read what its owner closed
                raise _not_own(path, exc) from exc
        finally:
            os.close(handle)
    try:
        yield Path(f"/proc/self/fd/{reading}")
    finally:
        os.close(reading)


def remove(path: Path, within: Path) -> None:
    """Unlink a name within; nothing happens when it lies elsewhere, or is gone."""
    with suppress(NotOwn, OSError), _folder_of(path, within) as (folder, _):
        os.unlink(path.name, dir_fd=folder)


@contextmanager
def _folder_of(path: Path, within: Path) -> Iterator[tuple[int, int]]:
    """A handle of the folder a path lies in, and the owner of *within*."""
    for base in (within, within.resolve()):
        if path.is_relative_to(base) and path != base and ".." not in path.parts:
            parts = path.relative_to(base).parts[:-1]
            break
    else:
        raise NotOwn(f"{path} does not lie within {within}")
    handle = os.open(within, _FOLDER)
    try:
        owner = os.fstat(handle).st_uid
        for part in parts:
            try:
                deeper = os.open(part, _FOLDER, dir_fd=handle)
            except OSError as exc:
                raise _not_own(path, exc) from exc
            os.close(handle)
            handle = deeper
        yield handle, owner
    finally:
        os.close(handle)


def _not_own(path: Path, exc: OSError) -> Exception:
    return NotOwn(f"{path}: {exc.strerror}") if exc.errno in _NO_FILE else exc
