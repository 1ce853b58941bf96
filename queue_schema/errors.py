"""One exception for each decision a caller can make; SQLSTATEs of class JQ map to them.

Mapped once, at the edge, by `calls`. The docstring is the default text.
"""

from __future__ import annotations

from typing import ClassVar


class FleetError(Exception):
    """Something in the fleet went wrong."""

    sqlstate: ClassVar[str | None] = None
    code: ClassVar[str] = "fleet_error"

    def __init__(
        self, message: str | None = None, *, field: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(message or self.__doc__)
        self.field = field
        """The argument that was wrong, as the caller spelled it, for example `jobs[2].need.vram_mib`."""
        self.fix = fix
        """What to do about it, in one sentence."""


class LeaseLost(FleetError):
    """Another agent may own this job now; drop the result."""

    sqlstate = "JQ001"
    code = "lease_lost"


class BadRequest(FleetError):
    """An argument is not usable."""

    sqlstate = "JQ002"
    code = "bad_request"


class SessionLost(FleetError):
    """This session has ended, or never was, or the secret is wrong; join again."""

    sqlstate = "JQ003"
    code = "session_lost"


class NodeNameTaken(FleetError):
    """Another live machine has joined under this node name."""

    sqlstate = "JQ004"
    code = "node_name_taken"


class NotFound(FleetError):
    """There is no such thing in this project."""

    sqlstate = "JQ005"
    code = "not_found"


class Conflict(FleetError):
    """The request contradicts what is there."""

    sqlstate = "JQ006"
    code = "conflict"


class NotAllowed(FleetError):
    """The caller may not do this."""

    sqlstate = "JQ007"
    code = "not_allowed"


BY_SQLSTATE: dict[str, type[FleetError]] = {
    error.sqlstate: error
    for error in (LeaseLost, BadRequest, SessionLost, NodeNameTaken, NotFound, Conflict, NotAllowed)
    if error.sqlstate is not None
}
