"""Files by content: written whole or not at all, one folder for each project.

Knows nothing of who may see what; the database does (I15). A file lies at `<project>/<first two digits>/<sha256>`;
while it comes in it lies under `tmp/`, and what a crash leaves there is removed a day later.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from api.problems import HashDiffers, StoreAway
from queue_schema.errors import NotFound

if TYPE_CHECKING:
    from obstore import GetOptions  # exists in obstore's stubs only

log = structlog.get_logger(__name__)

CHUNK = 4 * 1024 * 1024
"""Hashed and written at once: large enough that the hop to a thread costs nothing beside it."""
_ABANDONED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file that has arrived whole, under a temporary name."""

    sha256: str
    size: int
    key: str

    def must_be(self, expected: str | None) -> None:
        """Refuse it, if it is not the *expected* file.

        Raises:
            HashDiffers: It is another.
        """
        if expected is not None and self.sha256 != expected:
            raise HashDiffers(
                f"the body has the sha256 {self.sha256}, not {expected}",
                field="sha256",
                fix="Send the file again; if it differs again, hash it again.",
            )


class BlobStore:
    """A folder, or whatever else obstore can write to."""

    def __init__(self, root: str) -> None:
        self._store: ObjectStore
        if "://" in root and not root.startswith("file://"):
            self._store = from_url(root)
            self._folder: Path | None = None
        else:
            self._folder = Path(root.removeprefix("file://")).expanduser().resolve()
            self._store = LocalStore(self._folder, mkdir=True)

    @asynccontextmanager
    async def receive(self, body: AsyncIterator[bytes]) -> AsyncIterator[Incoming]:
        """Write *body* under a temporary name, hashing as it comes; on leaving, what was not kept is gone."""
        key = f"tmp/{uuid4().hex}"
        try:
            with _errors_mapped():
                incoming = await self._write(key, body)
            yield incoming
        finally:
            # Shielded: a cancelled request must not leave its half behind.
            await asyncio.shield(self._discard(key))

    async def _write(self, key: str, body: AsyncIterator[bytes]) -> Incoming:
        digest, size = hashlib.sha256(), 0
        # Left without close() when the body breaks off: obstore then aborts the upload by itself.
        writer = obstore.open_writer_async(self._store, key, buffer_size=2 * CHUNK)
        async for block in _blocks(body):
            await asyncio.to_thread(digest.update, block)
            await writer.write(block)
            size += len(block)
        await writer.close()
        return Incoming(digest.hexdigest(), size, key)

    async def _discard(self, key: str) -> None:
        try:
            await obstore.delete_async(self._store, key)
        except (FileNotFoundError, BaseError):
            return

    async def keep(self, project_id: UUID, incoming: Incoming) -> None:
        """Give an arrived file its lasting name; from then on it survives a power cut."""
        with _errors_mapped():
            key = _key(project_id, incoming.sha256)
            if self._folder is None:
                await obstore.rename_async(self._store, incoming.key, key)
                return
            path = self._folder / key
            fresh = [folder.parent for folder in path.parents[:2] if not folder.exists()]
            await asyncio.to_thread(_sync, self._folder / incoming.key)
            await obstore.rename_async(self._store, incoming.key, key)
            await asyncio.to_thread(_sync, path.parent, *fresh)

    async def size(self, project_id: UUID, sha256: str) -> int:
        """How many bytes a file has.

        Raises:
            NotFound: The store does not have it, whatever the database says.
        """
        with _errors_mapped(), _missing(project_id, sha256):
            meta = await obstore.head_async(self._store, _key(project_id, sha256))
        return meta["size"]

    async def read(
        self, project_id: UUID, sha256: str, *, part: tuple[int, int] | None = None
    ) -> AsyncIterator[bytes]:
        """The file, or bytes *part* of it (end exclusive), as a stream that is already known to begin.

        Raises:
            NotFound: The store does not have it, whatever the database says.
        """
        options: GetOptions = {"range": part} if part else {}
        with _errors_mapped(), _missing(project_id, sha256):
            result = await obstore.get_async(self._store, _key(project_id, sha256), options=options)
        return (bytes(block) async for block in result.stream(min_chunk_size=CHUNK // 4))

    async def remove(self, project_id: UUID, sha256: str) -> None:
        """Remove a file for good; one that is not there is removed already.

        Raises:
            StoreAway: It may be there still.
        """
        with _errors_mapped(), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, _key(project_id, sha256))

    async def check(self) -> None:
        """Whether the store can be written to.

        Raises:
            StoreAway: It cannot.
        """
        key = f"tmp/check-{uuid4().hex}"
        with _errors_mapped():
            await obstore.put_async(self._store, key, b"argosy")
            await obstore.delete_async(self._store, key)

    async def sweep(self) -> int:
        """Remove what broken uploads of a day ago and more have left. Returns how many.

        Raises:
            StoreAway: As it says.
        """
        before = datetime.now(UTC) - _ABANDONED
        with _errors_mapped():
            if self._folder is not None:
                return await asyncio.to_thread(_sweep_folder, self._folder / "tmp", before)
            listed = await obstore.list(self._store, prefix="tmp").collect_async()
            old = [meta["path"] for meta in listed if meta["last_modified"] < before]
            if old:
                await obstore.delete_async(self._store, old)
        return len(old)


def _sweep_folder(folder: Path, before: datetime) -> int:
    """By its own names: obstore writes `<name>#1` until an upload is whole, and hides those when it lists a folder."""
    swept = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # another API sweeps, too, or the upload has just ended
            if path.stat().st_mtime < before.timestamp():
                path.unlink()
                swept += 1
    return swept


def _key(project_id: UUID, sha256: str) -> str:
    return f"{project_id}/{sha256[:2]}/{sha256}"


def _sync(*paths: Path) -> None:
    """Flush files and folders to the disk; obstore does not."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


async def _blocks(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    held = bytearray()
    async for chunk in body:
        held += chunk
        if len(held) >= CHUNK:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


@contextmanager
def _errors_mapped() -> Iterator[None]:
    """Its errors for the network are its own errors for the network those for the disk are built-in; both mean: away."""
    try:
        yield
    except BaseError as exc:
        raise StoreAway(str(exc)) from exc
    except OSError as exc:
        if isinstance(exc, ConnectionError):
            raise
        raise StoreAway(str(exc)) from exc


@contextmanager
def _missing(project_id: UUID, sha256: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        log.exception("blob.missing", project_id=str(project_id), sha256=sha256)
        raise NotFound(f"file {sha256} is recorded but not in the store", field="sha256") from exc
