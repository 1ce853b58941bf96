"""Where a runner lives: its folder, its walls and its process, from its start until nothing of it is left.

Jobs are guests, each in a folder of its own in it; files that a guest left may still be wanted when the runner is gone.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import structlog

from agent.isolation import clear
from agent.runners.records import Records
from agent.runners.runner import Runner
from agent.runners.walls import PRIVATE, Plan
from queue_schema.shapes import Claimed

log = structlog.get_logger(__name__)


class Home:
    """One runner, of one project, for jobs of one kind and one model on the same devices."""

    def __init__(
        self, runner: Runner, plan: Plan, walls: ExitStack, records: Records, claimed: Claimed
    ) -> None:
        """A runner has just been started.

        Args:
            runner: The process.
            plan: What stands around it.
            walls: Closed when the process is gone.
            records: Hold a file on it, until then.
            claimed: The first job.
        """
        self.runner = runner
        self.plan = plan
        self.folder = Path(plan.folder)
        self.project_id = claimed.project_id
        self.kind = claimed.kind
        self.model = claimed.model
        self.devices = claimed.grant.devices
        self.began_at = time.monotonic()
        self.rested_at = 0.0
        """Since when it has nothing to do, on the monotonic clock."""
        self.ran = 0
        """Pieces of work before this one."""
        self._walls = walls
        self._records = records
        self._guests: set[UUID] = set()
        self._over = False
        self._lock = threading.Lock()

    def suits(self, claimed: Claimed) -> bool:
        """Whether it may take this job, and has what it needs."""
        return (self.project_id, self.kind, self.model, self.devices) == (
            claimed.project_id,
            claimed.kind,
            claimed.model,
            claimed.grant.devices,
        )

    def enter(self, token: UUID) -> None:
        """An attempt has its folder here from now on."""
        with self._lock:
            self._guests.add(token)

    def leave(self, token: UUID) -> None:
        """Its files are not wanted any more."""
        clear(self.folder / str(token))
        with self._lock:
            self._guests.discard(token)
            last = self._over and not self._guests
        if last:
            clear(self.folder)

    def alone(self) -> bool:
        """Whether the runner lives, and nothing that it started does."""
        return [process.pid for process in self.runner.family_now()] == [self.runner.pid]

    def tidy(self) -> None:
        """Leave nothing of the last guest in the temporary folder for the next."""
        tmp = self.folder / "tmp"
        stays = {tmp / str(at) for at in range(len(PRIVATE))} if self.plan.private_tmp else set()
        for at, shared in enumerate(PRIVATE):
            # Where folders are mounted, behind the walls: without its place, a mount is gone.
            inside = [path for path in (self.plan.folder, *self.plan.keeps) if path.startswith(shared + "/")]
            stays |= {tmp / str(at) / Path(path).relative_to(shared) for path in inside}
        _sweep(tmp, stays)

    def end(self, *, gone: bool = False) -> int | None:
        """End the runner and all it started; the folder goes with the last guest.

        Args:
            gone: They are ended already.

        Returns:
            The runner's exit code; None: it stays, or the forkserver died.
        """
        if not gone and not self.runner.kill():
            log.error("runner.stays", pid=self.runner.pid)
        code = self.runner.exit_code()
        self._records.remove(self.runner.token)
        self.runner.close()
        self._walls.close()
        with self._lock:
            self._over = True
            empty = not self._guests
        if empty:
            clear(self.folder)
        return code


def _sweep(folder: Path, stays: set[Path]) -> None:
    """Remove everything in a folder but these folders and those above them."""
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        elif inside := {each for each in stays if path == each or path in each.parents}:
            _sweep(path, inside - {path})
        else:
            clear(path)
