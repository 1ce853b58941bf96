"""The agent's folder: its identity, and the lock that keeps a second agent out of it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from uuid import uuid4

from agent.settings import SettingsError


def write_whole(path: Path, text: str) -> None:
    """Whatever happens meanwhile, the file holds what it held, or all of *text*."""
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


class StateDir:
    """A folder that belongs to one agent at a time."""

    def __init__(self, path: Path) -> None:
        """Take the folder.

        Raises:
            SettingsError: Another agent has it, or it cannot be written.
        """
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o711)
            path.chmod(0o711)  # jobs that are other users pass through to their own folders, and see no names
            self._lock = (path / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise SettingsError(f"state_dir {path} belongs to an agent that is running") from exc
        except OSError as exc:
            raise SettingsError(f"state_dir {path} cannot be used: {exc}") from exc
        self._path = path

    def instance(self) -> str:
        """Stays the same over restarts: tells this agent from a second machine with its name."""
        path = self._path / "instance"
        try:
            found = path.read_text().strip()
        except FileNotFoundError:
            found = ""
        if not found:
            found = str(uuid4())
            write_whole(path, found)
        return found

    def close(self) -> None:
        """Let another agent have it."""
        self._lock.close()
