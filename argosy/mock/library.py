"""Build the stand-in `libnvidia-ml.so.1` with the C compiler of this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from argosy.errors import ArgosyError

NAME = "libnvidia-ml.so.1"
"""The SONAME that nvidia-ml-py opens."""
SOURCE = Path(__file__).with_name("nvml.c")


def find_compiler() -> str | None:
    """A C compiler of this machine."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build(folder: Path) -> Path:
    """Compile it into a folder; with that in LD_LIBRARY_PATH every program finds it in place of the driver's.

    Raises:
        ArgosyError: There is no C compiler, or it fails.
    """
    compiler = find_compiler()
    if compiler is None:
        raise ArgosyError(
            "stand-in GPUs need a C compiler",
            code="no_compiler",
            fix="Install gcc (Debian: apt install gcc).",
        )
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / NAME, folder / f"{NAME}.part"
    done = subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", f"-Wl,-soname,{NAME}", "-o", part, SOURCE],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ArgosyError(f"{compiler} fails on {SOURCE}:\n{done.stderr.strip()}", code="not_compiled")
    part.replace(path)  # an agent may have the old one open
    return path
