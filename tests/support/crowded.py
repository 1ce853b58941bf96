"""A process with more handles than select(2) can take: from number 1024 on it fails.

`python -m tests.support.crowded -m agent ...` runs a module so.
"""

from __future__ import annotations

import os
import resource
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FIRST_BEYOND = 1024


@contextmanager
def crowded() -> Iterator[None]:
    """Every handle opened meanwhile has a number from 1024 on."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = max(limits[0], min(4 * FIRST_BEYOND, limits[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, limits[1]))
    kept = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while kept[-1] < FIRST_BEYOND:
            kept.append(os.dup(kept[0]))
        yield
    finally:
        for handle in kept:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


if __name__ == "__main__":
    with crowded():
        sys.argv = sys.argv[2:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
