"""What the routes work with: made once by `app.build`, handed to each handler that names it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import psycopg
import structlog
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import PathParameter
from psycopg_pool import ConnectionPool

from api.auth import KeyRing
from api.feed import Feed
from api.pace import Pace
from api.settings import ApiSettings
from api.store import BlobStore
from api.submissions import Submissions
from queue_schema import reads
from queue_schema.calls import agents
from queue_schema.errors import BadRequest
from queue_schema.shapes import Principal
from queue_schema.signals import Signals

log = structlog.get_logger(__name__)

_HEX = re.compile(r"[0-9a-f]{8,32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

JobId = Annotated[
    str,
    PathParameter(
        description="The job's id, or the first digits of it (at least 8) if no other job begins so.",
    ),
]
Sha256 = Annotated[str, PathParameter(description="The file's sha256, 64 lower-case hex digits.")]
ANY_BIGINT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Services:
    """Everything with a connection or a task behind it."""

    settings: ApiSettings
    pool: ConnectionPool[Any]
    store: BlobStore
    pace: Pace
    keys: KeyRing
    feed: Feed
    signals: Signals
    submissions: Submissions


Running = NamedDependency[Services]
Who = NamedDependency[Principal]


def services_of(request: Request[Any, Any, Any]) -> Services:
    """Dependency `services`."""
    services: Services = request.app.state.services
    return services


def principal_of(request: Request[Any, Any, Any]) -> Principal:
    """Dependency `who`: the key's project."""
    who: Principal = request.user
    return who


def resolve(conn: psycopg.Connection[Any], project_id: UUID, job_id: str) -> UUID:
    """The id behind a full id or a unique beginning of one.

    Raises:
        BadRequest: It is neither.
        NotFound: No job of this project has it. A full id is not looked up here.
        Conflict: Several have.
    """
    digits = job_id.replace("-", "").lower()
    if not _HEX.fullmatch(digits):
        raise BadRequest(
            "not a job id", field="job_id", fix="Give the whole id, or at least its first 8 hex digits."
        )
    return UUID(digits) if len(digits) == 32 else reads.find_job(conn, project_id, digits)


def sha256_of(value: str) -> str:
    """*value*, if it can be a sha256.

    Raises:
        BadRequest: It cannot.
    """
    if not _SHA256.fullmatch(value):
        raise BadRequest("not a sha256", field="sha256", fix="Give 64 lower-case hex digits.")
    return value


def wake(conn: psycopg.Connection[Any]) -> None:
    """Tell sleeping agents that there is work. Only makes it quicker: they look by themselves, too."""
    try:
        agents.wake(conn)
    except psycopg.Error as exc:
        log.warning("wake.failed", error=str(exc))
