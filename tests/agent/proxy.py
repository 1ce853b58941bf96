"""A TCP proxy between a program and its database or its API, so that a test can take that away, or make it bad."""

from __future__ import annotations

import random
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

_CHUNK = 65536


@dataclass
class _Hold:
    """What is to be kept back: the bytes of a request from these on, or of the answer to it."""

    request: bytes
    answer: bool
    after: int
    """So many bytes of it pass first."""
    loses: bool
    """The connection ends instead of waiting to be let go."""
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


class Proxy:
    """Passes bytes on, or is bad: `cut`, `forget`, `swallow`, `slow`, `lose_answer_to`, `hold`; `heal` ends it."""

    def __init__(self, url: str, *, host: str = "127.0.0.1") -> None:
        """Listen.

        Args:
            url: What is behind it: `postgresql://...`, or `http://...`.
            host: Where it listens.
        """
        self._url = url
        self._host = host
        parts = urlsplit(url)
        self._info: dict[str, Any] = (
            {"host": parts.hostname, "port": parts.port}
            if parts.scheme == "http"
            else dict(psycopg.conninfo.conninfo_to_dict(url))
        )
        self._open = True
        self._swallows = False
        self._age = 0
        """Connections that were made in an earlier one are forgotten."""
        self._latency_s = (0.0, 0.0)
        self._bytes_per_s: float | None = None
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._hold: _Hold | None = None
        self._held: list[_Hold] = []
        self.lost = threading.Event()
        """Set when an answer was withheld."""
        self.passed = 0
        """Bytes of answers that were passed on."""
        self.made = 0
        """Connections that were made, ever."""
        self._listener = socket.create_server((host, 0))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """The address of what is behind, by way of this proxy."""
        port = self._listener.getsockname()[1]
        parts = urlsplit(self._url)
        if parts.scheme == "http":
            return f"http://{self._host}:{port}"
        user = self._info.get("user", "postgres")
        secret = f":{self._info['password']}" if "password" in self._info else ""
        return urlunsplit(
            (parts.scheme, f"{user}{secret}@{self._host}:{port}", f"/{self._info['dbname']}", "", "")
        )

    def cut(self) -> None:
        """Take it away: every connection ends, new ones are refused."""
        self._open = False
        self._drop()

    def forget(self) -> None:
        """Half-open: connections that are there stay, and carry nothing any more, for ever; new ones work."""
        self._age += 1

    def swallow(self) -> None:
        """As `forget`, and new ones are taken, and carry nothing either, until it is healed.

        The kernel at the other end of each is ours, and acknowledges all: no keepalive of TCP notices.
        """
        self._swallows = True

    def slow(self, *, latency_s: tuple[float, float] = (0.0, 0.0), bytes_per_s: float | None = None) -> None:
        """A bad line: each piece of an answer comes that much later, and no faster."""
        self._latency_s = latency_s
        self._bytes_per_s = bytes_per_s

    def heal(self) -> None:
        """All is well for new connections; those that lost bytes are lost."""
        if self._swallows:
            self._swallows = False
            self.forget()
        self._open = True
        self.slow()

    def lose_answer_to(self, request: bytes) -> None:
        """Let the next statement with these bytes reach the database, and its answer not come back."""
        self.lost.clear()
        self._hold = _Hold(request, answer=True, after=0, loses=True)

    def hold(self, request: bytes, *, answer: bool = False, after: int = 0) -> threading.Event:
        """Keep back the next request with these bytes, or the answer to it, until `release`.

        Args:
            request: What it contains, within one piece.
            answer: Whether the request passes, and its answer is kept back.
            after: How many bytes of what is kept back pass first.

        Returns:
            Set when it is so.
        """
        self._hold = _Hold(request, answer, after, loses=False)
        return self._hold.reached

    def release(self) -> None:
        """Let go of what is held, and wait for nothing any more."""
        self._hold = None
        held, self._held = self._held, []
        for each in held:
            each.released.set()

    def close(self) -> None:
        """End everything."""
        self.release()
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()

    def _drop(self) -> None:
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._open:
                near.close()
                continue
            try:
                far = self._connect()
            except OSError:
                near.close()  # what is behind is away by itself
                continue
            self.made += 1
            self._pairs.append((near, far))
            threading.Thread(target=self._serve, args=(near, far), daemon=True).start()

    def _serve(self, near: socket.socket, far: socket.socket) -> None:
        found: list[_Hold] = []
        """What this connection has met, for the way back to know."""
        age = self._age
        with near, far:
            back = threading.Thread(target=self._pass_back, args=(far, near, found, age), daemon=True)
            back.start()
            self._pass_on(near, far, found, age)
            back.join()

    def _connect(self) -> socket.socket:
        host, port = str(self._info.get("host", "127.0.0.1")), int(self._info.get("port", 5432))
        if host.startswith("/"):
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(f"{host}/.s.PGSQL.{port}")
            except OSError:
                far.close()
                raise
            return far
        return socket.create_connection((host, port))

    def _pass_on(self, near: socket.socket, far: socket.socket, found: list[_Hold], age: int) -> None:
        left = 0
        with suppress(OSError):
            while data := near.recv(_CHUNK):
                met = self._hold
                if met is not None and met.request in data:
                    self._hold = None
                    self._held.append(met)
                    found.append(met)
                    left = met.after
                asked = found[-1] if found else None
                if asked is not None and not asked.answer and not asked.reached.is_set():
                    left -= len(data)
                    if left <= 0:
                        _wait(asked)
                if not self._swallows and age == self._age:
                    far.sendall(data)
        _shut(near, far)

    def _pass_back(self, far: socket.socket, near: socket.socket, found: list[_Hold], age: int) -> None:
        held: _Hold | None = None
        left = 0
        with suppress(OSError):
            while data := far.recv(_CHUNK):
                asked = found[-1] if found else None
                if asked is not None and asked.answer and not asked.reached.is_set():
                    if asked.loses:
                        asked.reached.set()
                        self.lost.set()
                        break
                    if asked is not held:
                        held, left = asked, asked.after
                    left -= len(data)
                    if left <= 0:
                        _wait(asked)
                self._be_slow(len(data))
                if not self._swallows and age == self._age:
                    near.sendall(data)
                    self.passed += len(data)
        _shut(near, far)

    def _be_slow(self, size: int) -> None:
        wait_s = random.uniform(*self._latency_s)
        if self._bytes_per_s is not None:
            wait_s += size / self._bytes_per_s
        if wait_s:
            time.sleep(wait_s)


def _wait(hold: _Hold) -> None:
    hold.reached.set()
    hold.released.wait()


def _shut(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
