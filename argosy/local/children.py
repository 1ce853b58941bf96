"""Child processes of a local fleet: started in groups of their own, restarted when they die, stopped in order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_GOOD_LIFE_S = 30.0


def _before_exec() -> None:
    """Between fork and exec: a supervisor that is killed leaves nobody behind who would hold its folder.

    Signals that the supervisor blocks for itself must reach its children: a mask survives an exec.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


@dataclass
class Child:
    """One program of the fleet.

    Args:
        name: For people, and of its log file.
        arguments: After the Python interpreter, for example `["-m", "api"]`.
        environment: Added to ours; secrets travel here, never on the command line.
        log: Where its output goes.
        stop_s: How long it may take to stop before it is killed.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    stop_s: float = 15.0
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    _started: float = 0.0
    _pause: float = _FIRST_PAUSE_S
    _due: float = 0.0

    def start(self) -> None:
        """Start it; its output is appended to its log."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ARGOSY_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.arguments],
                env={**inherited, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C in the terminal is ours to hear, not theirs
                preexec_fn=_before_exec,  # noqa: PLW1509  # we start children from the main thread only
            )
        self._started = time.monotonic()

    def revive(self) -> int | None:
        """If it died by itself, start it again after a growing pause.

        Returns:
            Its exit code when it was found dead just now, else None.
        """
        if self.process is None:
            return None
        code = self.process.poll()
        if code is None:
            return None
        now = time.monotonic()
        if self._due == 0.0:
            self._pause = (
                _FIRST_PAUSE_S
                if now - self._started > _GOOD_LIFE_S
                else min(self._pause * 2, _LONGEST_PAUSE_S)
            )
            self._due = now + self._pause
            return code
        if now >= self._due:
            self._due = 0.0
            self.restarts += 1
            self.start()
        return None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def stop(self) -> None:
        """Ask it to end, wait, then make it."""
        if self.process is None:
            return
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(self.stop_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def last_words(self, lines: int = 12) -> str:
        """The end of its log, for an error message."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
