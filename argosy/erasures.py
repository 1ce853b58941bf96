"""Files that are to be gone for good, from Python: `client.erasures`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from argosy._http import Transport
from argosy.errors import WaitTimeout


class Dropped(msgspec.Struct, frozen=True):
    """What a node had of it."""

    files: int = 0
    models: int = 0
    runners: int = 0


class ErasureNode(msgspec.Struct, frozen=True):
    """A node that may have had copies."""

    node: str
    confirmed_at: datetime | None = None
    """When it said that it has nothing of it; None: it has not yet."""
    dropped: Dropped | None = None
    waived: str | None = None
    """Why nobody waits for it."""


class Receipt(msgspec.Struct, frozen=True):
    """What went, and where it is not gone yet."""

    erasure_id: str
    state: str
    """`finding`, `ending` (jobs), `wiping` (words), `removing` (files) or `done`."""
    asked: dict[str, Any]
    asked_at: datetime
    jobs: int = 0
    cancelled: int = 0
    schedules: int = 0
    files: int = 0
    bytes: int = 0
    shared: int = 0
    """Files that stay: jobs that were not meant read them, too."""
    digest: str | None = None
    """sha256 over the sorted sha256s of the files, one a line without a last newline."""
    wiped_at: datetime | None = None
    stored_at: datetime | None = None
    done_at: datetime | None = None
    nodes: list[ErasureNode] = []

    @property
    def waits_for(self) -> list[str]:
        """Nodes that have not confirmed yet."""
        return [node.node for node in self.nodes if node.confirmed_at is None]


class _Receipts(msgspec.Struct):
    erasures: list[Receipt]


class Erasures:
    """What one project has had erased. Needs a key with the scope `erase`."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def files(self, sha256s: Sequence[str]) -> Receipt:
        """Have these files gone, and all that jobs made of them.

        Raises:
            NotFound: The project has no such file.
        """
        return self._ask({"files": list(sha256s)})

    def tags(self, tags: Mapping[str, str]) -> Receipt:
        """Have gone what jobs with all these tags made, what was made of that, and the files that only they read.

        Raises:
            NotFound: No job has these tags.
        """
        return self._ask({"tags": dict(tags)})

    def everything(self) -> Receipt:
        """Have all files gone that the project has now, and all words of its jobs."""
        return self._ask({"everything": True})

    def list(self, *, limit: int = 100) -> list[Receipt]:
        """All receipts, newest first."""
        return self._http.call("GET", "/v1/erasures", _Receipts, query=[("limit", limit)]).erasures

    def get(self, erasure_id: str) -> Receipt:
        """One receipt, as it is now."""
        return self._http.call("GET", f"/v1/erasures/{erasure_id}", Receipt)

    def wait(self, erasure_id: str, *, timeout_s: float | None = None, every_s: float = 1.0) -> Receipt:
        """Until all of it is gone.

        Raises:
            WaitTimeout: It is not in that time; nodes that are away are waited for.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while (found := self.get(erasure_id)).state != "done":
            if until is not None and time.monotonic() > until:
                waits = ", ".join(found.waits_for) or "the fleet"
                raise WaitTimeout(
                    f"erasure {erasure_id} is {found.state} after {timeout_s:g} s: it waits for {waits}",
                    fix="Nodes that are away are told when they are back; `waive` those that never will be.",
                )
            time.sleep(every_s)
        return found

    def waive(self, erasure_id: str, node: str, *, reason: str) -> Receipt:
        """Do not wait for a node whose machine never comes back. Needs the scope `admin`."""
        body = {"node": node, "reason": reason}
        return self._http.call("POST", f"/v1/erasures/{erasure_id}/waive", Receipt, json=body)

    def _ask(self, wanted: dict[str, Any]) -> Receipt:
        return self._http.call("POST", "/v1/erasures", Receipt, json=wanted)
