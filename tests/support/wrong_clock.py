"""Programs whose clock is wrong: they start with a library before libc, and believe what it says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from argosy.mock.library import find_compiler

SOURCE = Path(__file__).with_suffix(".c")
COMPILER = find_compiler()
"""None: there is none here."""


def build(folder: Path) -> Path:
    """Compile the library into a folder that every user may read."""
    assert COMPILER is not None
    library = folder / "wrong_clock.so"
    command = [COMPILER, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return library


def environment(library: Path, off_s: int) -> Mapping[str, str]:
    """What makes a program think that it is so much later; less than 0: earlier."""
    return {"LD_PRELOAD": str(library), "WRONG_CLOCK_S": str(off_s)}


@contextmanager
def wrong(library: Path, off_s: int) -> Iterator[None]:
    """Whatever is started within has this clock; we ourselves do not."""
    said = environment(library, off_s)
    kept = {name: os.environ.get(name) for name in said}
    os.environ.update(said)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
