"""Keep what the agent knows from the jobs it runs, which are other people's code under the same user.

Not a sandbox: a job that runs as root, or may trace its own user's processes, needs a container around it.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_DUMPABLE = 4

_KEPT = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "TZ",
        "TMPDIR",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "VIRTUAL_ENV",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "XDG_CACHE_HOME",
    ]
)
_KEPT_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "NCCL_", "PYTHON", "HF_", "MKL_", "OMP_")
_NEVER_WITHIN = ("TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "_KEY")


def scrub(environ: os._Environ[str] | dict[str, str]) -> None:
    """Leave in *environ* only what a runner may see, in place.

    The forkserver inherits the environment of whoever starts it, and is started again when it died; so the
    agent cuts its own, once and for good. An allow-list: a secret nobody thought of stays outside.
    """
    for name in list(environ):
        kept = name in _KEPT or name.startswith(_KEPT_PREFIXES)
        if not kept or any(word in name for word in _NEVER_WITHIN):
            del environ[name]
    environ["OMP_NUM_THREADS"] = "1"  # more than one thread before a fork deadlocks torch in the child
    environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # asking the driver itself would spoil it for every fork


def hide_arguments() -> None:
    """Cut the command line, which `multiprocessing` would repeat to every runner, database URL and all."""
    del sys.argv[1:]


def hide_memory() -> None:
    """Let no other process of this user read our memory or the environment we were started with.

    The kernel gives /proc/PID/environ of such a process to root. A program it starts is readable again.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
