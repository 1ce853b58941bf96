"""The `argosy` command with a folder of its own, and what is left in one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.support.ports import free_port


class Shell:
    """The `argosy` command with a folder of its own."""

    def __init__(self, home: Path, python: Sequence[str] = (sys.executable,), **environ: str) -> None:
        self.home = home
        self._command = [*python, "-m", "argosy.cli.app"]
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ARGOSY_")},
            "ARGOSY_HOME": str(home),
            # Nothing here draws: without torch an agent is ready in a second.
            "ARGOSY_AGENT_PRELOAD": "workloads.runner,workloads.command",
            **environ,
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command, to its end."""
        return subprocess.run(
            [*self._command, *words],
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *words: str) -> Any:
        """One command that must succeed, with --json."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def up(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A running fleet; stopped with Ctrl-C unless it is gone by then."""
        process = subprocess.Popen(
            [*self._command, "up", "--port", str(free_port()), "--json", *words],
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            self.said = json.loads(line)
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=90)


def below(home: Path) -> list[psutil.Process]:
    """Every process that works in this folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(home) in line or str(home) in str((process.info["environ"] or {}).get("ARGOSY_API_BLOB_ROOT")):
            found.append(process)
    return found
