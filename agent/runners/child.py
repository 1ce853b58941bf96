"""The first lines that run in a runner process, before `workloads` takes over."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from agent.runners.walls import Plan, stand_behind

_PR_SET_CHILD_SUBREAPER = 36


def begin(  # noqa: PLR0917  # called by multiprocessing, by position
    entry: str, channel: Connection, out: Connection, err: Connection, env: Mapping[str, str], plan: Plan
) -> None:
    """Turn a fresh fork into a runner: let go of the forkserver, take own streams, stand behind walls, call *entry*.

    Args:
        entry: `module:function`, called with the channel, None for the log, and *env*.
        channel: One end of a socketpair.
        out: Where stdout goes.
        err: Where stderr goes.
        env: Added to the environment.
        plan: The walls.
    """
    _let_go_of_the_forkserver()
    # Who leaves the session and loses its parent becomes a child of the runner, and so is still found.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for stream, number in ((out, 1), (err, 2)):
        os.dup2(stream.fileno(), number)
        stream.close()
    for text in (sys.stdout, sys.stderr):
        text.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # always a TextIOWrapper here
    os.environ.pop("ARGOSY_FORKSERVER", None)
    os.environ.update(env)
    stand_behind(plan)
    module, _, function = entry.partition(":")
    getattr(import_module(module), function)(channel, None, env)


def _let_go_of_the_forkserver() -> None:
    """Close the write end of its "alive" pipe, which multiprocessing hands to every child.

    Kept open, the forkserver would live as long as any runner, and a runner as long as the forkserver: after
    a SIGKILL of the agent, for ever.
    """
    server: Any = forkserver._forkserver  # noqa: SLF001  # no public way in
    if server._forkserver_alive_fd is not None:  # noqa: SLF001
        os.close(server._forkserver_alive_fd)  # noqa: SLF001
        server._forkserver_alive_fd = None  # noqa: SLF001
    # Whoever holds the resource tracker's pipe has it unlink what he names, as the agent's user.
    tracker: Any = resource_tracker._resource_tracker  # noqa: SLF001
    if tracker._fd is not None:  # noqa: SLF001
        os.close(tracker._fd)  # noqa: SLF001
        tracker._fd = tracker._pid = None  # noqa: SLF001  # one of its own, if it needs any
