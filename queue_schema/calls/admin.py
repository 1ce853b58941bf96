"""The verbs of a person on the server host: projects, keys, nodes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from queue_schema.calls._edge import Connection, Json, act, call
from queue_schema.states import Priority, Scope


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made; `key` is shown once and stored only as a hash."""

    key_id: UUID
    key: str
    project_id: UUID

    def __repr__(self) -> str:
        return f"NewKey({self.key_id})"


class KeyInfo(msgspec.Struct, frozen=True):
    """An API key without its secret part."""

    key_id: UUID
    project: str
    name: str
    prefix: str
    scopes: list[Scope]
    ceiling: Priority
    """The highest class it may submit to."""
    created_at: datetime
    expires_at: datetime | None
    """From when on it is useless; None: never."""
    revoked_at: datetime | None


class ProjectLimits(msgspec.Struct, frozen=True):
    """What a project may have, and what it has now."""

    project: str
    weight: float
    """Its share of the fleet, relative to the others."""
    trusted_pools: list[str] | None
    """Its jobs run only on nodes of these pools; None: anywhere."""
    max_running: int | None
    max_vram_mib: int | None
    running: int
    vram_mib: int


def create_key(
    conn: Connection,
    project: str,
    *,
    name: str,
    scopes: Sequence[Scope],
    ceiling: Priority = Priority.HIGH,
    for_s: float | None = None,
) -> NewKey:
    """Make an API key, for some seconds or until it is revoked; the project is made too if there is none of that name."""
    return act(
        conn,
        "create_key_v1",
        NewKey,
        p_project=project,
        p_name=name,
        p_scopes=Json(list(scopes)),
        p_ceiling=ceiling,
        p_for_s=for_s,
    )


def rotate_key(conn: Connection, prefix: str, *, overlap_s: float) -> NewKey:
    """Make a key like this one, which then ends after *overlap_s*: until then both work.

    Raises:
        BadRequest: That is the beginning of no key.
        NotFound: No key starts with that prefix.
        Conflict: Several do, or it is not in force any more.
    """
    return act(conn, "rotate_key_v1", NewKey, p_prefix=prefix, p_overlap_s=overlap_s)


def set_project(conn: Connection, project: str, **fields: float | list[str] | None) -> ProjectLimits:
    """Change what a project may have: `weight`, `max_running`, `max_vram_mib`, `trusted_pools`.

    Without fields it only says how it is now. None takes a limit away.

    Raises:
        BadRequest: There is no such field, or its value cannot be.
        NotFound: There is no such project.
    """
    return act(conn, "project_v1", ProjectLimits, p_project=project, p_fields=Json(fields))


def list_keys(conn: Connection, project: str | None = None) -> list[KeyInfo]:
    """All keys, or those of one project."""
    return call(conn, "list_keys_v1", list[KeyInfo], p_project=project)


def revoke_key(conn: Connection, prefix: str) -> KeyInfo:
    """Make a key useless from now on.

    Raises:
        BadRequest: That is the beginning of no key.
        NotFound: No key starts with that prefix.
        Conflict: Several do.
    """
    return act(conn, "revoke_key_v1", KeyInfo, p_prefix=prefix)


def label_node(conn: Connection, node: str, *, labels: dict[str, str], pools: Sequence[str]) -> None:
    """Replace a node's labels and pools; they stay when its agent restarts."""
    act(conn, "label_node_v1", type(None), p_node=node, p_labels=Json(labels), p_pools=Json(list(pools)))


def configure(conn: Connection, **settings: float | bool) -> dict[str, float | bool]:
    """Change what the whole fleet agrees on, by the names of the columns of `fleet.settings`.

    Agents learn of a new lease or heartbeat when they join again.

    Returns:
        All settings as they are now.

    Raises:
        BadRequest: There is no such setting, or the values do not go together.
    """
    return act(conn, "configure_v1", dict[str, float | bool], p_settings=Json(settings))
