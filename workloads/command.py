"""Kind `command`: run a program on the inputs, and keep what it leaves in outputs/.

The program is part of the runner's process group and dies with the runner; asked to end, it may clean up. Its
stdout goes straight to the log; its stderr passes through here on the way, so that a failure can say how it ended.
"""

from __future__ import annotations

import ctypes
import mimetypes
import os
import resource
import signal
import stat
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import msgspec

from workloads import confine
from workloads.context import Context
from workloads.errors import GivenBack, OutOfMemory, UserError
from workloads.failures import says_out_of_memory

POLL_S, GRACE_S = 0.05, 5.0
TAIL_LINES, TAIL_LINE_CHARS = 20, 400
MOST_OUTPUTS = 1000
PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "TRACEPARENT")
MARK = "ARGOSY_RUNNER"
"""By this the agent finds what a runner started, even what fled its session; no job may take it off."""
PASSED_ON_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "OMP_", "PYTHON", "HF_")
"""The rest of the environment is the agent's; a program of a stranger has no business with it."""
OOM_COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
)


class CommandParams(msgspec.Struct, forbid_unknown_fields=True):
    """What `command` takes."""

    argv: Annotated[list[str], msgspec.Meta(min_length=1)]
    """No shell; a first word "python" is the runner's own Python, `workloads` importable."""
    env: dict[str, str] = {}


def run(context: Context) -> dict[str, Any]:
    """Run it to its end.

    Raises:
        UserError: It could not be started, or ended with another code than 0.
        OutOfMemory: It ended so, and said so or was killed for it.
        GivenBack: The agent asked; the program was ended.
    """
    params = context.params_as(CommandParams)
    place_inputs(context)
    (context.work_dir / "outputs").mkdir(exist_ok=True)
    killed_before = _oom_kills()
    code, tail = _run_to_end(context, params)
    if code:
        said = "\n".join(tail)
        text = f"{params.argv[0]!r} {_ended(code)}" + (f"; stderr ends: {said}" if said else "")
        killed = code == -signal.SIGKILL and _oom_kills() > killed_before
        if killed or "MemoryError" in said or says_out_of_memory(said):
            raise OutOfMemory(text, refused=not killed)
        raise UserError(text)
    collect_outputs(context)
    return {"exit_code": code}


def place_inputs(context: Context) -> None:
    """Link every input below inputs/ under its own name.

    Raises:
        UserError: A name would leave that folder.
    """
    for name, path in context.inputs.items():
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts:
            raise UserError(f"input name {name!r} must be relative, without '..'")
        link = context.work_dir / "inputs" / pure
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)


def collect_outputs(context: Context) -> None:
    """Announce every regular file below outputs/.

    Links are not followed: they could name any file of the host.

    Raises:
        UserError: Too many, of a name that is not UTF-8, or in a folder that cannot be read.
    """
    for count, name in enumerate(_files_below(context.work_dir / "outputs"), 1):
        if count > MOST_OUTPUTS:
            raise UserError(f"the program left more than {MOST_OUTPUTS} files in outputs/; pack them")
        try:
            name.encode()
        except UnicodeEncodeError as exc:
            raise UserError(f"the program left a file in outputs/ whose name is not UTF-8: {name!a}") from exc
        context.output(name, mimetypes.guess_type(name)[0] or "application/octet-stream")


def _files_below(folder: Path) -> Iterator[str]:
    def not_read(exc: OSError) -> None:
        if isinstance(exc, FileNotFoundError):
            return  # the job took it away: it leaves nothing there
        name = Path(exc.filename).relative_to(folder.parent)
        raise UserError(f"a folder cannot be read ({exc.strerror}): {name}") from exc

    for root, folders, names in os.walk(folder, onerror=not_read):
        folders.sort()
        for name in sorted(names):
            path = Path(root, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield str(path.relative_to(folder))


def _run_to_end(context: Context, params: CommandParams) -> tuple[int, list[str]]:
    # A SIGTERM reaches the whole group. The program decides what to do with it, and we stay to carry its last
    # words; a handler, unlike SIG_IGN, is not inherited. Whoever sent it sends SIGKILL when patience ends.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        return _watch(context, params)
    finally:
        signal.signal(signal.SIGTERM, before)


def _watch(context: Context, params: CommandParams) -> tuple[int, list[str]]:
    try:
        program = subprocess.Popen(
            [sys.executable if params.argv[0] == "python" else params.argv[0], *params.argv[1:]],
            cwd=context.work_dir,
            env=_environment(params),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=_confined(context),  # noqa: PLW1509 - a runner has one thread here
        )
    except (OSError, ValueError) as exc:
        raise UserError(f"`params.argv` cannot be run: {exc}") from exc
    assert program.stderr is not None
    stderr = program.stderr.fileno()
    os.set_blocking(stderr, False)
    tail = Tail()
    try:
        while program.poll() is None:
            wait([stderr] if tail.open else [], POLL_S)
            tail.copy_from(stderr)
            _note_peak(context, program.pid)
            if context.stop_requested():
                raise GivenBack
        tail.copy_from(stderr)
    finally:
        _end(program)
        program.stderr.close()
    return program.returncode, tail.lines()


def _confined(context: Context) -> Callable[[], None]:
    """What the new process does to itself: its memory limit starts from nothing, not from the runner's."""
    has_gpu = any(device.kind == "gpu" for device in context.spec.devices)
    # A CUDA driver maps gigabytes of host memory that are nobody's booking.
    limit = 0 if has_gpu else context.budget_mib * confine.MIB
    prctl = ctypes.CDLL(None).prctl

    def confined() -> None:
        prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if limit:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    return confined


def _environment(params: CommandParams) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k in PASSED_ON or k.startswith(PASSED_ON_PREFIXES)}
    if params.argv[0] == "python":
        ours = str(Path(__file__).parents[1])
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, [ours, kept.get("PYTHONPATH")]))
    mark = {MARK: os.environ[MARK]} if MARK in os.environ else {}
    return {**kept, **params.env, **mark}


def _note_peak(context: Context, pid: int) -> None:
    high_kib = confine.status_kib("VmHWM", pid)
    if high_kib:
        context.measured_peak_mib = max(context.measured_peak_mib or 0, -(-high_kib // 1024))


def _end(program: subprocess.Popen[bytes]) -> None:
    """SIGTERM, patience, SIGKILL; nothing where it has ended already."""
    if program.poll() is None:
        program.terminate()
        try:
            program.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def _ended(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # of the real-time signals Python names the first and the last
        return f"was ended by signal {-code}"


def _oom_kills() -> int:
    """How often the kernel killed for memory in this cgroup, version 2 or 1."""
    for counter in OOM_COUNTERS:
        try:
            lines = counter.read_text().splitlines()
        except OSError:
            continue
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return 0


def _write_whole(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


class Tail:
    """The last lines of a stream that goes on to our own stderr."""

    def __init__(self) -> None:
        self.open = True
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._rest = ""

    def copy_from(self, fd: int) -> None:
        """Pass on what has come, without waiting for more."""
        while self.open:
            try:
                data = os.read(fd, 65536)
            except BlockingIOError:
                return
            self.open = bool(data)
            _write_whole(2, data)
            *whole, self._rest = (self._rest + data.decode(errors="replace")).split("\n")
            self._lines.extend(line[-TAIL_LINE_CHARS:] for line in whole)
            self._rest = self._rest[-TAIL_LINE_CHARS:]

    def lines(self) -> list[str]:
        """The last ones, the unfinished one included."""
        return [line for line in (*self._lines, self._rest) if line.strip()]
