"""Connections that notice when nobody is there any more: neither the host at the other end, nor an answer.

A host that vanished is TCP's to notice. A proxy, a pooler or a middlebox that forgot about us goes on to acknowledge
what we send: then only a limit on how long an answer may take will do.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")
_CANCEL_S = 1.0
"""How long we try to end what we no longer wait for: else those who ask again would pile up in PostgreSQL."""


def keepalive(silence_s: float) -> dict[str, Any]:
    """Arguments for `connect`: a host that vanished without a word is noticed within *silence_s*."""
    silence = max(2, int(silence_s))
    return {
        "connect_timeout": silence,
        "keepalives_idle": max(1, silence // 2),
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": silence * 1000,
    }


class Connection(psycopg.Connection[Any]):
    """Gives up, and closes itself, when nothing has come for `patience_s` while it waits for an answer."""

    patience_s: float | None = None
    """None: for ever, as libpq does."""
    cancels: bool = True
    """Whether what is given up is cancelled; else PostgreSQL goes on with it to its end."""

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """As psycopg's, within our patience.

        Raises:
            psycopg.OperationalError: There was no answer; whether the statement was heard, nobody knows.
        """
        if self.patience_s is None:
            return super().wait(gen, *args, **kwargs)
        try:
            return super().wait(_within(gen, self.patience_s), *args, **kwargs)
        except _NoAnswer as exc:
            if self.cancels:
                with suppress(psycopg.Error):
                    self.cancel_safe(timeout=_CANCEL_S)
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.patience_s:g} s") from exc


class AsyncConnection(psycopg.AsyncConnection[Any]):
    """The same, for asyncio."""

    patience_s: float | None = None

    async def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """As psycopg's, within our patience.

        Raises:
            psycopg.OperationalError: There was no answer; whether the statement was heard, nobody knows.
        """
        if self.patience_s is None:
            return await super().wait(gen, *args, **kwargs)
        try:
            return await super().wait(_within(gen, self.patience_s), *args, **kwargs)
        except _NoAnswer as exc:
            with suppress(psycopg.Error):
                await self.cancel_safe(timeout=_CANCEL_S)
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {self.patience_s:g} s") from exc


class _NoAnswer(Exception):
    """Nothing came."""


def _within(gen: Generator[Any, Any, T], seconds: float) -> Generator[Any, Any, T]:
    """What *gen* does, until nothing has come for so long; psycopg looks in every 0.1 s, with a false value."""
    until = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                until = time.monotonic() + seconds
            elif time.monotonic() > until:
                raise _NoAnswer
            wanted = gen.send(ready)
    except StopIteration as end:
        value: T = end.value
        return value
