"""Results that the database has not yet confirmed, one file per lease token (I12).

Written before a settle is tried and removed after its answer, so that neither a database outage nor the
death of the agent loses a finished job. Knows nothing of the database.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Literal
from uuid import UUID

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

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._lock = threading.Lock()

    def put(self, settlement: Settlement) -> None:
        """Keep *settlement*; when this returns, it is on disk."""
        path = self._path(settlement.token)
        torn = path.with_suffix(".part")
        with self._lock:
            with torn.open("wb") as file:
                file.write(_encoder.encode(_entry(settlement)))
                file.flush()
                os.fsync(file.fileno())
            torn.replace(path)
            self._sync_folder()

    def remove(self, token: UUID) -> None:
        """Forget the result of *token*; it is confirmed, or nobody wants it any more."""
        with self._lock:
            self._path(token).unlink(missing_ok=True)
            self._sync_folder()

    def load(self) -> list[Settlement]:
        """Everything unconfirmed, oldest first; a file that cannot be read is set aside with a warning."""
        found: list[tuple[int, Settlement]] = []
        for path in self._folder.iterdir():
            if path.suffix == ".part":
                log.warning("spool.torn", file=path.name, why="never finished")
                path.unlink(missing_ok=True)
                continue
            if path.suffix != ".json":
                continue
            try:
                entry = _decoder.decode(path.read_bytes())
                found.append((path.stat().st_mtime_ns, entry.item))
            except (OSError, msgspec.MsgspecError) as exc:
                log.warning("spool.torn", file=path.name, why=str(exc))
                path.replace(path.with_suffix(".torn"))
        return [settlement for _, settlement in sorted(found, key=lambda pair: pair[0])]

    def _path(self, token: UUID) -> Path:
        return self._folder / f"{token}.json"

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
