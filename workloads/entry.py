"""Where a forked runner begins; imports nothing, so that an agent may import it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def start(channel: Connection, log: Connection | None, env: Mapping[str, str]) -> None:
    """The target of a `Process`; never returns.

    Leaves by `os._exit`: the outcome is sent, and tearing down torch may hang or crash after it.
    """
    from workloads import runner

    code = runner.run(channel, log, env)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
