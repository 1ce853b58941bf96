"""Turn an exception into the `Failure` a person and a retry policy can act on."""

from __future__ import annotations

import errno
import sys
import traceback
from pathlib import Path
from types import TracebackType

from workloads.errors import OutOfMemory, UserError, WorkloadError
from workloads.protocol import EXIT_FAILED, EXIT_OUT_OF_MEMORY, Cause, Failure

TRACEBACK_CHARS = 8000
MESSAGE_CHARS = 600
OUT_OF_MEMORY_TEXTS = (
    "can't allocate memory",
    "cannot allocate memory",
    "out of memory",
    "std::bad_alloc",
    "can't start new thread",  # its stack did not fit under the limit
)
VAGUE_TEXTS = ("could not create a primitive", "could not execute a primitive")
"""What oneDNN says when an allocation failed, and at other times too: believed only close to the limit."""
CLOSE = 0.8
BROKEN_HOST_TEXTS = (
    "uncorrectable ecc error",
    "cuda-capable device(s) is/are busy",
    "no cuda-capable device",
)
BROKEN_HOST_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}
OURS = {str(Path(__file__).with_name(name)) for name in ("runner.py", "entry.py")}


def cause_of(exc: BaseException) -> Cause:
    """Look through the chain of causes: libraries wrap an allocation that failed."""
    link: BaseException | None = exc
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        if isinstance(link, UserError):
            return "user_error"
        if _is_out_of_memory(link):
            return "out_of_memory"
        if _is_broken_host(link):
            return "infrastructure"
        link = link.__cause__ or link.__context__
    return "user_error"


def _is_out_of_memory(exc: BaseException) -> bool:
    if isinstance(exc, MemoryError | OutOfMemory):
        return True
    if isinstance(exc, OSError):
        return exc.errno == errno.ENOMEM
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(exc, torch.OutOfMemoryError):
        return True
    return isinstance(exc, RuntimeError) and says_out_of_memory(str(exc))


def says_out_of_memory(text: str) -> bool:
    """Does an error text name memory as its reason?"""
    return any(part in text.lower() for part in OUT_OF_MEMORY_TEXTS)


def _is_broken_host(exc: BaseException) -> bool:
    if isinstance(exc, OSError):
        return exc.errno in BROKEN_HOST_ERRNOS
    return isinstance(exc, RuntimeError) and any(part in str(exc).lower() for part in BROKEN_HOST_TEXTS)


def describe(exc: BaseException, peak_mib: int | None, budget_mib: int = 0) -> tuple[Failure, int]:
    """The failure to send and the exit code to leave with.

    Args:
        exc: What the workload raised.
        peak_mib: The most memory it used; None where unknown.
        budget_mib: The most it could; 0 where there was no limit.
    """
    cause = cause_of(exc)
    close = budget_mib and (peak_mib or 0) >= CLOSE * budget_mib
    if cause == "user_error" and close and any(part in str(exc) for part in VAGUE_TEXTS):
        cause = "out_of_memory"
    code = EXIT_OUT_OF_MEMORY if cause == "out_of_memory" else EXIT_FAILED
    if isinstance(exc, WorkloadError):
        return Failure(cause, _one_line(str(exc)), None, peak_mib), code
    text = _one_line(f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__)
    return Failure(cause, text, _trimmed_traceback(exc), peak_mib), code


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_CHARS else line[: MESSAGE_CHARS - 1] + "…"


def _trimmed_traceback(exc: BaseException) -> str:
    tb: TracebackType | None = exc.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename in OURS:
        tb = tb.tb_next
    text = "".join(traceback.format_exception(type(exc), exc, tb))
    return text if len(text) <= TRACEBACK_CHARS else "…\n" + text[-TRACEBACK_CHARS:]
