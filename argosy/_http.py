"""One HTTP request at a time: tried again when that may help, errors turned into ours.

Every call of the API may be repeated (submissions carry an Idempotency-Key), so every call is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import msgspec

from argosy.config import Target
from argosy.errors import ArgosyError, Unreachable, for_status

T = TypeVar("T")
Body = Callable[[], Iterable[bytes]]
Query = list[tuple[str, str | int | float | bool | None]]

ALIVE_S = 45.0
"""A stream that says nothing for so long is dead; the server says something every 15 s."""
_TIMEOUT = httpx.Timeout(60.0, connect=5.0, pool=30.0)

_LATER = frozenset({429, 503})
"""Asked too often, or something is away: both are worth another try."""


class Transport:
    """The connections to one API."""

    def __init__(self, target: Target, *, tries: int = 6, agent: str = "argosy") -> None:
        self.url = target.url
        self._tries = tries
        self._http = httpx.Client(
            base_url=target.url,
            headers={"Authorization": f"Bearer {target.api_key}", "User-Agent": agent},
            timeout=_TIMEOUT,
            follow_redirects=False,
        )

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        returns: type[T],
        *,
        json: Any = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> T:
        """Make a request and decode its answer.

        Raises:
            ArgosyError: The subclass says what to do.
        """
        headers = dict(headers or {})
        content: bytes | None = None
        if json is not None:
            content = msgspec.json.encode(json)
            headers["Content-Type"] = "application/json"
        for tried in range(1, self._tries + 1):
            try:
                answer = self._http.request(
                    method,
                    path,
                    params=query,
                    headers=headers,
                    content=_Fresh(body) if body is not None else content,
                )
            except httpx.TransportError as exc:
                if tried == self._tries:
                    raise self._unreachable(exc) from exc
                self._pause(tried, None)
                continue
            if answer.status_code in _LATER and tried < self._tries:
                self._pause(tried, answer.headers.get("retry-after"))
                continue
            return self._decoded(answer, returns)
        raise AssertionError("unreachable: the loop returns or raises")

    def _decoded(self, answer: httpx.Response, returns: type[T]) -> T:
        if not answer.is_success:
            raise _error(answer)
        if returns is type(None):
            return None
        try:
            return msgspec.json.decode(answer.content, type=returns)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise self._stranger(exc) from exc

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        read_s: float | None = None,
        until: float | None = None,
    ) -> Iterator[httpx.Response]:
        """An answer that is read as it comes. Opening it is tried again as any call; a break in it is not.

        With *until*, on the monotonic clock, no try begins after that.

        Raises:
            ArgosyError: It could not be opened.
            httpx.TransportError: It broke off; go on from where it was.
        """
        read_s = 60.0 if read_s is None else read_s
        timeout = httpx.Timeout(read_s, connect=min(5.0, read_s))
        request = self._http.build_request("GET", path, params=query, headers=headers, timeout=timeout)
        for tried in range(1, self._tries + 1):
            last = tried == self._tries
            try:
                answer = self._http.send(request, stream=True)
            except httpx.TransportError as exc:
                if last or not self._pause(tried, None, until):
                    raise self._unreachable(exc) from exc
                continue
            try:
                if answer.is_success:
                    yield answer
                    return
                answer.read()
            finally:
                answer.close()
            if last or answer.status_code not in _LATER:
                raise _error(answer)
            if not self._pause(tried, answer.headers.get("retry-after"), until):
                raise _error(answer)

    def _pause(self, tried: int, asked: str | None, until: float | None = None) -> bool:
        """Rest before the next try; says whether there is time for one."""
        pause_s = min(0.2 * 2.0**tried, 5.0) * random.uniform(0.5, 1.0)  # noqa: S311  # jitter
        if asked is not None and asked.isdigit():
            pause_s = max(pause_s, min(float(asked), 30.0))
        left_s = pause_s if until is None else until - time.monotonic()
        time.sleep(max(0.0, min(pause_s, left_s)))
        return pause_s <= left_s

    def _unreachable(self, exc: Exception) -> Unreachable:
        return Unreachable(
            f"{self.url} does not answer: {exc or type(exc).__name__}",
            code="unreachable",
            fix="Is the address right, and the API running?",
        )

    def _stranger(self, exc: Exception) -> ArgosyError:
        return ArgosyError(
            f"{self.url} answered what Argosy would not: {exc}",
            code="not_argosy",
            fix="Check the address; an older server may need an older client.",
        )


class _Fresh:
    """A body that can be sent again from its beginning, as each try must."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body())


def _error(answer: httpx.Response) -> ArgosyError:
    try:
        problem = msgspec.json.decode(answer.content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        problem = {}
    return for_status(answer.status_code)(
        str(problem.get("detail") or f"HTTP {answer.status_code}"),
        code=str(problem.get("code") or f"http_{answer.status_code}"),
        field=problem.get("field"),
        fix=problem.get("fix"),
    )
