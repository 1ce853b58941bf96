"""What a runner says: protocol messages from its channel, lines from its streams, and its end."""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Literal, Protocol

import msgspec
import structlog

from agent.processes import table
from agent.runners.runner import Runner
from workloads.protocol import Idle, OfJob, decode_from_runner

log = structlog.get_logger(__name__)

Stream = Literal["stdout", "stderr", "agent"]
MAX_MESSAGE_BYTES = 16 * 2**20
MAX_LINE_BYTES = 16 * 2**10
"""A log line longer than this is cut into several."""
_CHUNK = 65_536
_ROUND_S = 0.02
_AFTER_END_S = 1.0
"""How long to read on after the runner has ended: something it started may hold the streams open."""


class Listener(Protocol):
    """Who wants to know; called on the reading thread, so it must not wait."""

    def said(self, message: OfJob) -> None:
        """A message of the protocol."""
        ...

    def printed(self, stream: Stream, lines: list[str]) -> None:
        """Lines of one stream, without their newlines."""
        ...

    def broke_protocol(self, why: str) -> None:
        """A line that is no message."""
        ...

    def grace_s(self) -> float:
        """The runner has ended: how long what it started may go on."""
        ...

    def ended(self) -> None:
        """The runner and its group are gone, or it waits for more work, and all they wrote was read."""
        ...


class Lines:
    """Cut a stream of bytes at newlines, and at *limit* bytes where there are none."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that *data* completes, without their newlines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > self._limit:
            lines.append(self._rest[: self._limit])
            self._rest = self._rest[self._limit :]
        return lines

    def flush(self) -> list[bytes]:
        """What is left when the stream has ended without a newline."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


class Reading(threading.Thread):
    """Reads one runner until it has ended, or waits for more work, and everything it wrote was read."""

    def __init__(self, runner: Runner, listener: Listener) -> None:
        super().__init__(name=f"reading-{runner.pid}", daemon=True)
        self._runner = runner
        self._listener = listener
        self._cut: dict[int, Lines] = {}
        self.gone = False
        """Whether the runner and all it started have ended."""
        self.idle = False
        """Whether it has not, and waits for more work."""
        self._act: dict[int, Callable[[list[bytes]], None]] = {}

    def run(self) -> None:
        """Read until the runner has ended and its streams are empty; whatever happens, say that it is over."""
        try:
            self._listen()
        finally:
            self._listener.ended()

    def _listen(self) -> None:
        runner = self._runner
        with selectors.DefaultSelector() as selector:
            for stream, limit, act in (
                (runner.channel, MAX_MESSAGE_BYTES, self._messages),
                (runner.out, MAX_LINE_BYTES, lambda lines: self._printed("stdout", lines)),
                (runner.err, MAX_LINE_BYTES, lambda lines: self._printed("stderr", lines)),
            ):
                handle = stream.fileno()
                self._cut[handle] = Lines(limit)
                self._act[handle] = act
                selector.register(handle, selectors.EVENT_READ)
            selector.register(runner.sentinel, selectors.EVENT_READ)
            open_streams = set(self._cut)
            kill_at: float | None = None
            until: float | None = None
            while open_streams or until is None:
                now = time.monotonic()
                if kill_at is not None and until is None and (now >= kill_at or not runner.family(table())):
                    self.gone = runner.kill()  # what it started goes with it, and lets go of the streams
                    until = time.monotonic() + _AFTER_END_S
                elif until is not None and now >= until:
                    break
                if self.idle:
                    self._read_rest(open_streams)
                    return
                for key, _ in selector.select(None if kill_at is None else _ROUND_S):
                    handle = int(key.fd)
                    if handle == runner.sentinel:
                        selector.unregister(handle)
                        kill_at = time.monotonic() + self._listener.grace_s()
                    elif not self._read(handle):
                        selector.unregister(handle)
                        open_streams.discard(handle)

    def _read_rest(self, handles: set[int]) -> None:
        """What it had printed when it went idle; it waits, so that is all there is."""
        for handle in handles:
            while wait([handle], 0) and self._read(handle):
                pass
            if lines := self._cut[handle].flush():
                self._act[handle](lines)

    def _read(self, handle: int) -> bool:
        try:
            data = os.read(handle, _CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        lines = self._cut[handle].feed(data) if data else self._cut[handle].flush()
        if lines:
            self._act[handle](lines)
        return bool(data)

    def _messages(self, lines: list[bytes]) -> None:
        for line in lines:
            try:
                message = decode_from_runner(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
                self._listener.broke_protocol(f"{exc}: {line[:200]!r}")
            else:
                if isinstance(message, Idle):
                    self.idle = True
                else:
                    self._listener.said(message)

    def _printed(self, stream: Stream, lines: list[bytes]) -> None:
        # PostgreSQL's text takes every character but NUL.
        self._listener.printed(
            stream, [line.decode(errors="replace").replace("\0", "\ufffd") for line in lines]
        )
