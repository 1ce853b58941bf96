"""Turn an exception into the `Failure` a person and a retry policy can act on."""

from __future__ import annotations

import errno
import math
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from workloads.errors import OutOfMemory, Unavailable, UserError, WorkloadError
from workloads.protocol import EXIT_FAILED, EXIT_OUT_OF_MEMORY, MOST_MIB, Cause, Failure, Memory

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
CUDA_SIZES = (
    re.compile(r"Tried to allocate (\d+(?:\.\d+)?) ([KMG]iB)"),
    re.compile(r"(\d+(?:\.\d+)?) ([KMG]iB) is allocated by PyTorch"),
)
"""In the text of torch's OutOfMemoryError: what was asked for, and what the job had."""
BROKEN_HOST_TEXTS = (
    "uncorrectable ecc error",
    "cuda-capable device(s) is/are busy",
    "no cuda-capable device",
)
BROKEN_HOST_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}
OURS = {str(Path(__file__).with_name(name)) for name in ("runner.py", "entry.py")}


def cause_of(exc: BaseException) -> Cause:
    """Look through the chain of causes: libraries wrap an allocation that failed."""
    for link in chain(exc):
        if isinstance(link, UserError):
            return "user_error"
        if isinstance(link, Unavailable):
            return "infrastructure"
        if _is_out_of_memory(link):
            return "out_of_memory"
        if _is_broken_host(link):
            return "infrastructure"
    return "user_error"


def chain(exc: BaseException) -> Iterator[BaseException]:
    """It, and what it came of."""
    link: BaseException | None = exc
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _is_out_of_memory(exc: BaseException) -> bool:
    if isinstance(exc, MemoryError | OutOfMemory):
        return True
    if isinstance(exc, OSError):
        return exc.errno == errno.ENOMEM
    return _is_device_out_of_memory(exc) or (isinstance(exc, RuntimeError) and says_out_of_memory(str(exc)))


def _is_device_out_of_memory(exc: BaseException) -> bool:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(exc, torch.OutOfMemoryError):
        return True
    return isinstance(exc, RuntimeError) and "cuda" in str(exc).lower() and says_out_of_memory(str(exc))


def says_out_of_memory(text: str) -> bool:
    """Does an error text name memory as its reason?"""
    return any(part in text.lower() for part in OUT_OF_MEMORY_TEXTS)


def _is_broken_host(exc: BaseException) -> bool:
    if isinstance(exc, OSError):
        return exc.errno in BROKEN_HOST_ERRNOS
    return isinstance(exc, RuntimeError) and any(part in str(exc).lower() for part in BROKEN_HOST_TEXTS)


def describe(
    exc: BaseException, peak_mib: int | None, budget_mib: int = 0, *, on_gpu: bool = False
) -> tuple[Failure, int]:
    """The failure to send and the exit code to leave with.

    Args:
        exc: What the workload raised.
        peak_mib: The most memory it used; None where unknown.
        budget_mib: The most host memory it could; 0 where there was no limit.
        on_gpu: Whether *peak_mib* is of a GPU, else of the host.
    """
    cause = cause_of(exc)
    close = budget_mib and (peak_mib or 0) >= CLOSE * budget_mib
    if cause == "user_error" and close and any(part in str(exc) for part in VAGUE_TEXTS):
        cause = "out_of_memory"
    code, memory = EXIT_FAILED, None
    if cause == "out_of_memory":
        code = EXIT_OUT_OF_MEMORY
        peak_mib, memory = _wanted(exc, peak_mib, budget_mib, on_gpu=on_gpu)
    if isinstance(exc, WorkloadError):
        return Failure(cause, _one_line(str(exc)), None, peak_mib, memory), code
    text = _one_line(f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__)
    return Failure(cause, text, _trimmed_traceback(exc), peak_mib, memory), code


def _wanted(
    exc: BaseException, peak_mib: int | None, budget_mib: int, *, on_gpu: bool
) -> tuple[int | None, Memory | None]:
    """How much memory would have been in use, and which: one large request can fail far under the limit.

    Host memory is refused by our own limit alone, so that a request beyond it is at least all of the limit.
    """
    if not on_gpu:
        killed = isinstance(exc, OutOfMemory) and not exc.refused
        return peak_mib if killed else max(peak_mib or 0, budget_mib) or None, None
    if isinstance(exc, OutOfMemory):
        return None, None  # a program's own; of which memory, nobody measured
    for link in chain(exc):
        if _is_device_out_of_memory(link):
            sizes = [_mib(found) for pattern in CUDA_SIZES if (found := pattern.search(str(link)))]
            return min(MOST_MIB, max(peak_mib or 0, sum(sizes))) or None, "vram"
    return budget_mib or None, "ram"


def _mib(found: re.Match[str]) -> int:
    return math.ceil(min(MOST_MIB, float(found[1]) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[found[2]]))


def _one_line(text: str) -> str:
    line = " ".join(_sendable(text).split())
    return line if len(line) <= MESSAGE_CHARS else line[: MESSAGE_CHARS - 1] + "…"


def _trimmed_traceback(exc: BaseException) -> str:
    tb: TracebackType | None = exc.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename in OURS:
        tb = tb.tb_next
    text = _sendable("".join(traceback.format_exception(type(exc), exc, tb)))
    return text if len(text) <= TRACEBACK_CHARS else "…\n" + text[-TRACEBACK_CHARS:]


def _sendable(text: str) -> str:
    """Names of files may have bytes that are no UTF-8."""
    return text.encode(errors="backslashreplace").decode()
