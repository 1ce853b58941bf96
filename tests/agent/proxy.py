"""A TCP proxy between an agent and its database, so that a test can take the database away."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import psycopg


class Proxy:
    """Passes bytes on; `cut` ends every connection and refuses new ones, `heal` takes them again."""

    def __init__(self, url: str, *, host: str = "127.0.0.1") -> None:
        self._url = url
        self._host = host
        self._info = psycopg.conninfo.conninfo_to_dict(url)
        self._open = True
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lose_answer_to: bytes | None = None
        self.lost = threading.Event()
        """Set when an answer was withheld."""
        self._listener = socket.create_server((host, 0))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """The database's address, by way of this proxy."""
        port = self._listener.getsockname()[1]
        parts = urlsplit(self._url)
        user = self._info.get("user", "postgres")
        secret = f":{self._info['password']}" if "password" in self._info else ""
        return urlunsplit(
            (parts.scheme, f"{user}{secret}@{self._host}:{port}", f"/{self._info['dbname']}", "", "")
        )

    def cut(self) -> None:
        """Take the database away."""
        self._open = False
        self._drop()

    def heal(self) -> None:
        """Give it back."""
        self._open = True

    def lose_answer_to(self, request: bytes) -> None:
        """Let the next statement with these bytes reach the database, and its answer not come back."""
        self.lost.clear()
        self._lose_answer_to = request

    def close(self) -> None:
        """End everything."""
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
            far = self._connect()
            self._pairs.append((near, far))
            threading.Thread(target=self._serve, args=(near, far), daemon=True).start()

    def _serve(self, near: socket.socket, far: socket.socket) -> None:
        doomed = threading.Event()
        with near, far:
            back = threading.Thread(target=self._pass, args=(far, near, doomed), kwargs={"asking": False})
            back.start()
            self._pass(near, far, doomed, asking=True)
            back.join()

    def _connect(self) -> socket.socket:
        host, port = str(self._info.get("host", "127.0.0.1")), int(self._info.get("port", 5432))
        if host.startswith("/"):
            far = socket.socket(socket.AF_UNIX)
            far.connect(f"{host}/.s.PGSQL.{port}")
            return far
        return socket.create_connection((host, port))

    def _pass(
        self, source: socket.socket, to: socket.socket, doomed: threading.Event, *, asking: bool
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if asking and self._lose_answer_to and self._lose_answer_to in data:
                    self._lose_answer_to = None
                    doomed.set()
                elif not asking and doomed.is_set():
                    self.lost.set()
                    break
                to.sendall(data)
        for end in (source, to):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
