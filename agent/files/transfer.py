"""Move files between this node and the API, with the lease as the grant (I15).

A node holds no key of the store. Network faults are tried again for a bounded time; what the API refuses
for good is not. Every download is checked against its hash before anybody sees it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx
import structlog

from agent.backoff import Backoff
from agent.membership import Membership

T = TypeVar("T")

log = structlog.get_logger(__name__)

_BLOCK = 2**20
_GONE = frozenset({404, 410})
_REFUSED = frozenset({400, 403, 415, 422})
_TOO_LARGE = 413
_NOT_NOW = frozenset({401, 409})
"""The session may be about to be renewed: worth some tries, not all of the patience."""
_RENEWAL_S = 20.0
_STORED_PER_S = 10 * 2**20
"""Bytes: an upload is answered once the store has all of it safe, which takes a slow one that long."""


class TransferError(Exception):
    """A file could not be moved."""


class FileMissing(TransferError):
    """The store has no such file."""


class FileDamaged(TransferError):
    """What the store has under this hash is something else, again and again."""


class FileTooLarge(TransferError):
    """The API takes no file of this size."""


class TransferAborted(TransferError):
    """The attempt is ending, so nobody wants the file."""


class Transfer:
    """Downloads and uploads on behalf of leases."""

    def __init__(self, api_url: str, membership: Membership, *, patience_s: float) -> None:
        self._url = api_url.rstrip("/") + "/v1/agent/blobs/"
        self._membership = membership
        self._patience_s = patience_s
        self._client = httpx.Client(timeout=httpx.Timeout(30.0, connect=10.0))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def download(
        self, sha256: str, to: Path, *, job_id: UUID, token: UUID, wanted: Callable[[], bool] = lambda: True
    ) -> int:
        """Fetch a file to a path that must not exist yet; it appears whole and verified, or not at all.

        Returns:
            Its size in bytes.

        Raises:
            FileMissing: The store does not have it.
            TransferAborted: *wanted* became false.
            FileDamaged: It came damaged again and again.
            TransferError: It could not be had in time.
        """
        part = to.with_name(to.name + ".part")

        def once() -> int:
            digest = hashlib.sha256()
            size = 0
            with (
                self._client.stream(
                    "GET", self._url + sha256, headers=self._headers(job_id, token)
                ) as answer,
                part.open("wb") as file,
            ):
                self._check(answer, sha256)
                for block in answer.iter_bytes(_BLOCK):
                    _still(wanted)
                    digest.update(block)
                    size += file.write(block)
                file.flush()
                os.fsync(file.fileno())
            if digest.hexdigest() != sha256:
                log.warning("file.damaged", sha256=sha256, got=digest.hexdigest(), size=size)
                raise _Damaged(f"file {sha256} came with the hash {digest.hexdigest()}")
            part.rename(to)
            return size

        try:
            return self._persist(once, wanted)
        finally:
            part.unlink(missing_ok=True)

    def upload(
        self,
        path: Path,
        *,
        media_type: str,
        job_id: UUID,
        token: UUID,
        wanted: Callable[[], bool] = lambda: True,
    ) -> tuple[str, int]:
        """Store a file under its hash; one that is there already is not stored twice.

        Returns:
            Its sha256 and size in bytes.

        Raises:
            FileNotFoundError: There is no such file here.
            FileTooLarge: The API takes no file of this size.
            TransferAborted: *wanted* became false.
            TransferError: It could not be stored in time.
        """
        sha256, size = hash_of(path)

        def once() -> tuple[str, int]:
            headers = self._headers(job_id, token)
            headers |= {"Content-Type": media_type, "Content-Length": str(size)}
            patience = httpx.Timeout(self._client.timeout)
            patience.read = (patience.read or 0.0) + size / _STORED_PER_S
            answer = self._client.put(
                self._url + sha256, content=_blocks(path, wanted), headers=headers, timeout=patience
            )
            self._check(answer, sha256)
            return sha256, size

        return self._persist(once, wanted)

    def _persist(self, once: Callable[[], T], wanted: Callable[[], bool]) -> T:
        began = time.monotonic()
        backoff = Backoff(0.2, 10.0)
        while True:
            _still(wanted)
            try:
                return once()
            except (httpx.TransportError, _Again) as exc:
                soon = isinstance(exc, _AgainSoon)
                patience_s = min(self._patience_s, _RENEWAL_S) if soon else self._patience_s
                wait_s = backoff.next_s()
                if time.monotonic() + wait_s > began + patience_s:
                    given_up = FileDamaged if isinstance(exc, _Damaged) else TransferError
                    raise given_up(f"gave up after {patience_s:g} s: {exc}") from exc
                log.warning("file.again", error=str(exc), wait_s=round(wait_s, 2))
                self._rest(wait_s, wanted)

    @staticmethod
    def _rest(seconds: float, wanted: Callable[[], bool]) -> None:
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            _still(wanted)
            time.sleep(min(left_s, 0.2))

    def _headers(self, job_id: UUID, token: UUID) -> dict[str, str]:
        session = self._membership.session
        return {
            "Argosy-Session": str(session.session_id),
            "Argosy-Secret": session.secret,
            "Argosy-Job": str(job_id),
            "Argosy-Token": str(token),
        }

    def _check(self, answer: httpx.Response, sha256: str) -> None:
        if answer.is_success:
            return
        answer.read()
        text = f"file {sha256}: the API answered {answer.status_code}: {answer.text[:200]}"
        if answer.status_code in _GONE:
            raise FileMissing(text)
        if answer.status_code == _TOO_LARGE:
            raise FileTooLarge(text)
        if answer.status_code in _REFUSED:
            raise TransferError(text)
        raise (_AgainSoon if answer.status_code in _NOT_NOW else _Again)(text)


class _Again(Exception):
    """Not this time, but perhaps the next."""


class _Damaged(_Again):
    """It was not what its hash says."""


class _AgainSoon(_Again):
    """Perhaps the next time, but if not soon, then never."""


def hash_of(path: Path) -> tuple[str, int]:
    """The sha256 of a file, and its size in bytes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest(), file.tell()


def _blocks(path: Path, wanted: Callable[[], bool]) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            _still(wanted)
            yield block


def _still(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise TransferAborted("the attempt is ending")
