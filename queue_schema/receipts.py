"""Receipts of erasures, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from queue_schema._rows import Connection, rows, select, view
from queue_schema.calls.erasures import Dropped
from queue_schema.errors import NotFound


class ErasureOf(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was asked for: one of these."""

    files: list[str] | int | None = None
    """The sha256s; only their number, once it is done."""
    tags: dict[str, str] | None = None
    everything: bool = False


class ErasureNode(msgspec.Struct, frozen=True):
    """A node that may have had copies."""

    node: str
    confirmed_at: datetime | None
    """When it said that it has nothing of it; None: it has not yet."""
    dropped: Dropped | None
    """What it had."""
    waived: str | None
    """Why nobody waits for it."""


class Receipt(msgspec.Struct, frozen=True):
    """What went, and where it is not gone yet."""

    erasure_id: UUID
    project: str
    asked: ErasureOf
    asked_at: datetime
    state: Literal["finding", "ending", "wiping", "removing", "done"]
    """What is meant is being found, its jobs are being ended, their words wiped, its files removed; all is gone."""
    jobs: int
    """That made or used any of it. What they said is wiped; that they ran stays."""
    cancelled: int
    """Of those, which had not ended."""
    schedules: int
    """That named any of it, and went."""
    files: int
    bytes: int
    shared: int
    """Files that stay: jobs that were not meant read them, too."""
    digest: str | None
    """sha256 over the sorted sha256s of the files, one a line without a last newline."""
    wiped_at: datetime | None
    """From then on the database has nothing of it."""
    stored_at: datetime | None
    """From then on the store has nothing of it."""
    done_at: datetime | None
    """From then on no node has anything of it."""
    nodes: list[ErasureNode]
    """Those that are waited for come first."""


_ERASURES = view("v_erasures", Receipt, "project_id")


def receipts(conn: Connection, project_id: UUID, *, limit: int) -> list[Receipt]:
    """Those of a project, newest first."""
    columns = _ERASURES.c
    statement = select(_ERASURES, Receipt).where(columns.project_id == project_id)
    return rows(conn, statement.order_by(columns.asked_at.desc()).limit(limit), Receipt)


def receipt(conn: Connection, erasure_id: UUID, *, project_id: UUID | None = None) -> Receipt:
    """One of them.

    Args:
        conn: Any.
        erasure_id: Which.
        project_id: Whose it must be; None: anybody's.

    Raises:
        NotFound: There is none.
    """
    statement = select(_ERASURES, Receipt).where(_ERASURES.c.erasure_id == erasure_id)
    if project_id is not None:
        statement = statement.where(_ERASURES.c.project_id == project_id)
    found = rows(conn, statement, Receipt)
    if not found:
        raise NotFound(
            f"there is no erasure {erasure_id} in this project",
            field="erasure_id",
            fix="List the erasures to find its id.",
        )
    return found[0]
