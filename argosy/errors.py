"""What can go wrong, one class for each decision a caller can make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar


class ArgosyError(Exception):
    """Something in Argosy went wrong."""

    status: ClassVar[int | None] = None

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str = "argosy_error",
        field: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message or self.__doc__)
        self.code = code
        """Stable; switch on this."""
        self.field = field
        """The argument that was wrong, as it was spelled."""
        self.fix = fix
        """What to do about it, in one sentence."""

    def __str__(self) -> str:
        text = super().__str__()
        if self.field:
            text = f"{self.field}: {text}"
        return f"{text} ({self.fix})" if self.fix else text


class NotConfigured(ArgosyError):
    """Nobody said where the fleet is, or which key to use."""


class Unreachable(ArgosyError):
    """Nothing answers at that address."""


class Away(ArgosyError):
    """The API answers, but its database or its file store is away."""

    status = 503


class BadRequest(ArgosyError):
    """An argument is not usable."""

    status = 400


class OutputsLeft(BadRequest):
    """Some outputs cannot be files here; all others were fetched."""

    _SHOWN = 5

    def __init__(self, left: Mapping[str, str], paths: Sequence[Path]) -> None:
        shown = list(left.values())[: self._SHOWN]
        more = [f"and {len(left) - self._SHOWN} more"] if len(left) > self._SHOWN else []
        super().__init__(
            f"not fetched: {'; '.join(shown + more)}",
            code="outputs_left",
            field="name",
            fix="Fetch it as a file of another name: `argosy blob get SHA256 PATH`.",
        )
        self.left = dict(left)
        """Why, by the output's name."""
        self.paths = list(paths)
        """The others."""


class NotAuthenticated(ArgosyError):
    """The key is missing, unknown or revoked."""

    status = 401


class NotAllowed(ArgosyError):
    """The key does not allow this."""

    status = 403


class NotFound(ArgosyError):
    """There is no such thing in this project."""

    status = 404


class Conflict(ArgosyError):
    """The request contradicts what is there."""

    status = 409


class JobFailed(ArgosyError):
    """The job ended, but not as a success."""

    def __init__(
        self, message: str, *, job_id: str, state: str, cause: str | None, traceback: str | None = None
    ) -> None:
        super().__init__(message, code="job_failed")
        self.job_id = job_id
        self.state = state
        self.cause = cause
        self.traceback = traceback
        """Of the job's own code, where it had one."""


class WaitTimeout(ArgosyError, TimeoutError):
    """The job has not ended in the time given; it goes on."""


_BY_STATUS: dict[int, type[ArgosyError]] = {
    error.status: error
    for error in (Away, BadRequest, NotAuthenticated, NotAllowed, NotFound, Conflict)
    if error.status is not None
}


def for_status(status: int) -> type[ArgosyError]:
    """The class for an HTTP status; 413 and 422 are bad requests, too."""
    if status in (413, 415, 416, 422):
        return BadRequest
    return _BY_STATUS.get(status, ArgosyError)
