"""Ports for programs that are started with one, rather than asking for any."""

from __future__ import annotations

import itertools
import os
import socket

_EACH = 1_000
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_FIRST = 20_000 + _EACH * (_WORKER % 10)
_NEXT = itertools.count(os.getpid() % _EACH)  # another session may run on this machine


def free_port() -> int:
    """One on which nothing listens, of this worker's own.

    Whoever asks for port 0, or connects, gets one of the ephemeral range. A fleet that looks for a free one there
    lets go of it until its API listens: by then it may be another worker's.
    """
    for _ in range(_EACH):
        port = _FIRST + next(_NEXT) % _EACH
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no free port")
