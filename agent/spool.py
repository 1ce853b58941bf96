"""Results that the database has not yet confirmed, one file for what ended together (I12).

Written before a settle is tried and removed after its answer, so that neither a database outage nor the
death of the agent loses a finished job. Knows nothing of the database.

A file is a line for each result. It stays until the last of them is confirmed: a result that a next life settles
once more is answered `already_settled`, and to write the file anew for each answer would cost a sync each.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid4

import msgspec
import structlog

from queue_schema.shapes import Completion, Failed, Released

log = structlog.get_logger(__name__)

Settlement = Completion | Failed | Released
"""How an attempt ended, ready to be told."""


class _Entry(msgspec.Struct, frozen=True, tag_field="verb"):
    pass


class _Complete(_Entry, frozen=True, tag="complete"):
    item: Completion


class _Fail(_Entry, frozen=True, tag="fail"):
    item: Failed


class _Release(_Entry, frozen=True, tag="release"):
    item: Released


Verb = Literal["complete", "fail", "release"]
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Complete | _Fail | _Release)


def _entry(settlement: Settlement) -> _Complete | _Fail | _Release:
    match settlement:
        case Completion():
            return _Complete(settlement)
        case Failed():
            return _Fail(settlement)
        case Released():
            return _Release(settlement)


class Spool:
    """A folder of unconfirmed results that survives a crash at any instruction."""

    def __init__(self, folder: Path, *, make_room: Callable[[], bool] = lambda: False) -> None:
        """Use a folder, made when it is not there.

        Args:
            folder: Of this spool alone.
            make_room: Called when the disk is full; says whether it is worth another try.
        """
        self._make_room = make_room
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._lock = threading.Lock()
        self._files: dict[UUID, set[Path]] = {}
        """Where the results of a token are: after a crash perhaps one that was refused, and the failure in its place."""
        self._left: dict[Path, set[UUID]] = {}
        """Whose results keep a file."""

    def put(self, *settlements: Settlement) -> None:
        """Keep *settlements*; when this returns, all are on disk.

        Raises:
            OSError: They are not.
        """
        try:
            self._put(settlements)
        except OSError as exc:
            if exc.errno != errno.ENOSPC or not self._make_room():
                raise
            self._put(settlements)

    def _put(self, settlements: Sequence[Settlement]) -> None:
        path = self._folder / f"{uuid4()}.json"
        torn = path.with_suffix(".part")
        lines = b"".join(_encoder.encode(_entry(settlement)) + b"\n" for settlement in settlements)
        with self._lock:
            try:
                with torn.open("wb") as file:
                    file.write(lines)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError:
                torn.unlink(missing_ok=True)
                raise
            torn.replace(path)
            self._sync_folder()
            self._keep(path, settlements)

    def remove(self, *tokens: UUID) -> None:
        """Forget the results of *tokens*; they are confirmed, or nobody wants them any more.

        Not synced: what a crash of the machine brings back is settled once more, and told that it is.
        """
        with self._lock:
            for token in tokens:
                for path in self._files.pop(token, ()):
                    self._left[path].discard(token)
                    if not self._left[path]:
                        del self._left[path]
                        path.unlink(missing_ok=True)

    def load(self) -> list[Settlement]:
        """Everything unconfirmed, oldest first; a file that cannot be read is set aside with a warning."""
        found: list[tuple[int, list[Settlement]]] = []
        for path in self._folder.iterdir():
            if path.suffix == ".part":
                log.warning("spool.torn", file=path.name, why="never finished")
                path.unlink(missing_ok=True)
                continue
            if path.suffix != ".json":
                continue
            try:
                entries = _decoder.decode_lines(path.read_bytes())
                if not entries:
                    raise msgspec.DecodeError("the file is empty")
                settlements = [entry.item for entry in entries]
                found.append((path.stat().st_mtime_ns, settlements))
            except (OSError, msgspec.MsgspecError) as exc:
                log.warning("spool.torn", file=path.name, why=str(exc))
                path.replace(path.with_suffix(".torn"))
            else:
                with self._lock:
                    self._keep(path, settlements)
        return [each for _, together in sorted(found, key=lambda pair: pair[0]) for each in together]

    def _keep(self, path: Path, settlements: Iterable[Settlement]) -> None:
        self._left[path] = {settlement.token for settlement in settlements}
        for token in self._left[path]:
            self._files.setdefault(token, set()).add(path)

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
