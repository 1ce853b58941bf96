"""Dead letters: jobs that failed with their retries used up. `/jobs/requeue` with `dead` runs them again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get
from litestar.params import FromQuery, QueryParameter

from api.auth import needs
from api.problems import responses
from api.services import Running, Who
from api.strict import check_time
from queue_schema import desk
from queue_schema.errors import BadRequest
from queue_schema.states import Cause, Scope


class DeadPage(msgspec.Struct, frozen=True):
    """Some of them, newest first."""

    jobs: list[desk.Dead]
    causes: dict[str, int]
    """How many match in all, by cause."""
    next: str | None
    """Give this as `cursor` for the page after; none when this was the last."""


@get(
    "/dead",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="List dead jobs",
    responses=responses(),
)
def list_dead(
    *,
    who: Who,
    services: Running,
    kind: FromQuery[str | None] = None,
    cause: FromQuery[Cause | None] = None,
    ended_after: FromQuery[datetime | None] = None,
    ended_before: FromQuery[datetime | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, QueryParameter(description="The `next` of the page before.")] = None,
) -> DeadPage:
    """Failed by themselves, no retry left; not what failed because it waited for those. `next` pages on."""
    check_time(ended_after, "ended_after")
    check_time(ended_before, "ended_before")
    wanted = desk.DeadFilter(
        kind=kind,
        cause=cause,
        ended_after=ended_after,
        ended_before=ended_before,
        beyond=_beyond(cursor),
    )
    with services.pool.connection() as conn:
        found = desk.dead(conn, who.project_id, wanted, limit=limit + 1)
        causes = desk.dead_by_cause(conn, who.project_id, wanted)
    page = found[:limit]
    return DeadPage(page, causes, _cursor(page[-1]) if len(found) > limit else None)


def _cursor(last: desk.Dead) -> str:
    return f"{last.ended_at.isoformat()}_{last.job_id.hex}"


def _beyond(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    at, _, job_id = cursor.partition("_")
    try:
        found = datetime.fromisoformat(at), UUID(job_id)
    except ValueError as exc:
        raise BadRequest("not a cursor", field="cursor", fix="Give the `next` of the page before.") from exc
    check_time(found[0], "cursor")
    return found


HANDLERS: list[Any] = [list_dead]
