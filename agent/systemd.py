"""Tell the service manager that started us how we are: ready, alive, leaving.

The protocol is one datagram to the socket in NOTIFY_SOCKET; without one nothing is sent and nothing fails.
Source: sd_notify(3) and sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import structlog

log = structlog.get_logger(__name__)

_SEND_S = 1.0
"""A manager that does not read must not hold us up."""
_IDLE_S = 3600.0


class Systemd:
    """The manager's end of the line; used by the main thread alone."""

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self._address = address
        self.watchdog_s = watchdog_s
        """So long may we be silent before we are killed and started again; None: for ever."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Systemd:
        """What the environment of this process says; read it before the environment is cut."""
        address = environ.get("NOTIFY_SOCKET")
        watchdog_us = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID") in (None, str(os.getpid()))
        if not address or not watchdog_us.isdecimal() or int(watchdog_us) == 0 or not ours:
            return cls(address or None)
        return cls(address, int(watchdog_us) / 1e6)

    @property
    def every_s(self) -> float:
        """How often to say `alive`: three may be lost."""
        return _IDLE_S if self.watchdog_s is None else self.watchdog_s / 4

    def ready(self, status: str) -> None:
        """We do what we are for, from now on."""
        self._tell("READY=1", f"STATUS={status}")

    def alive(self) -> None:
        """Put off the watchdog."""
        if self.watchdog_s is not None:
            self._tell("WATCHDOG=1")

    def stopping(self, status: str) -> None:
        """We leave in good order; the watchdog is off from here on."""
        self._tell("STOPPING=1", f"STATUS={status}")

    def status(self, text: str) -> None:
        """One line for people: `systemctl status` shows it."""
        self._tell(f"STATUS={text}")

    def _tell(self, *lines: str) -> None:
        if self._address is None:
            return
        # A name that begins with @ is in the abstract namespace, which the kernel writes with a zero.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(_SEND_S)
                line.sendto("\n".join(lines).replace("\0", " ").encode(), address)
        except OSError as exc:
            log.warning("systemd.deaf", said=lines[0], error=str(exc))
