"""Input files kept on this node for the next job of the same project, within a disk budget.

Kept by (project, sha256): a project never gets what another one fetched (I15). A job gets a copy of a small
file and a link to a large one. A link can be written through by a job that runs as root, so each file's
size and time of change are noted, compared before every use, and the file is fetched again when they differ.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import structlog

from agent.files.transfer import hash_of

log = structlog.get_logger(__name__)

Fetch = Callable[[Path], int]
"""Bring the file to this path, whole and verified; answers its size."""

COPY_BELOW_BYTES = 16 * 2**20


class Cache:
    """A folder of verified files; the least recently used go first."""

    def __init__(self, folder: Path, *, budget_mib: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._budget_bytes = budget_mib * 2**20
        self._locks: dict[Path, threading.Lock] = {}
        self._lock = threading.Lock()
        self._marks: dict[Path, tuple[int, int]] = {}
        for torn in folder.glob("*/*.part"):
            torn.unlink(missing_ok=True)

    def provide(self, project: UUID, sha256: str, to: Path, fetch: Fetch) -> None:
        """Put the file at *to*, read-only; *fetch* it only if it is not here, once for however many ask.

        Raises:
            Exception: Whatever *fetch* raised.
        """
        path = self._folder / str(project) / sha256
        with self._lock:
            turn = self._locks.setdefault(path, threading.Lock())
        with turn:
            if not self._sound(path, sha256):
                path.parent.mkdir(exist_ok=True, mode=0o700)
                fetch(path)
                path.chmod(0o444)
                self._marks[path] = _mark(path)
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))  # used now, changed when it was
            _hand_over(path, to)
        self._make_room(path, most_bytes=self._budget_bytes)

    def drop_unused(self, *, since: float) -> None:
        """Drop what nobody has used since then, in seconds since 1970."""
        self._go(lambda _, facts: facts.st_atime >= since, None)

    def shrink(self, mib: int) -> None:
        """Give so much of the disk back, if there is so much: the least recently used first."""
        held = sum(facts.st_size for _, facts in self._files())
        self._make_room(None, most_bytes=max(0, held - mib * 2**20))

    def erase(self, project: UUID, files: Collection[str] | None) -> int:
        """Drop these of a project, or all it has; waits for whoever is being given one of them. Returns how many."""
        folder = self._folder / str(project)
        dropped = 0
        for path in folder.glob("*") if files is None else [folder / sha256 for sha256 in files]:
            with self._lock:
                turn = self._locks.setdefault(path, threading.Lock())
            with turn:
                with suppress(FileNotFoundError):
                    path.unlink()
                    dropped += 1
                self._marks.pop(path, None)
        return dropped

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        """Those that are whole; one may go while they are listed."""
        found = []
        for path in self._folder.glob("*/*"):
            with suppress(FileNotFoundError):
                facts = path.stat()
                if stat.S_ISREG(facts.st_mode) and path.suffix != ".part":
                    found.append((path, facts))
        return found

    def _sound(self, path: Path, sha256: str) -> bool:
        """Whether the file is here and is what it was; after a restart, whether its hash says so."""
        try:
            now = _mark(path)
        except FileNotFoundError:
            return False
        if self._marks.get(path) == now:
            return True
        if hash_of(path)[0] == sha256:
            self._marks[path] = now
            return True
        log.error("cache.changed", sha256=sha256, project=path.parent.name)
        path.unlink(missing_ok=True)
        return False

    def _make_room(self, spared: Path | None, *, most_bytes: int) -> None:
        self._go(lambda held, _: held <= most_bytes, spared)

    def _go(self, enough: Callable[[int, os.stat_result], bool], spared: Path | None) -> None:
        """Drop files, the least recently used first, until it is enough by what is held and who would be next."""
        with self._lock:
            files = self._files()
            held = sum(facts.st_size for _, facts in files)
            for path, facts in sorted(files, key=lambda pair: pair[1].st_atime_ns):
                if enough(held, facts):
                    return
                turn = self._locks.get(path)
                if path == spared or (turn is not None and not turn.acquire(blocking=False)):
                    continue  # somebody is being given it
                try:
                    path.unlink(missing_ok=True)
                    self._marks.pop(path, None)
                finally:
                    if turn is not None:
                        turn.release()
                held -= facts.st_size


def _mark(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def _hand_over(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.stat().st_size >= COPY_BELOW_BYTES:
        with suppress(OSError):  # another file system: copy
            os.link(path, to)
            return
    shutil.copyfile(path, to)
    to.chmod(0o444)
