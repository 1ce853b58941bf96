"""Models that jobs fetched for themselves, in a folder per project: what was not used for the longest goes first."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import structlog

from agent.isolation import clear

log = structlog.get_logger(__name__)

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class _Model:
    path: Path
    mib: int
    used_at: float


class Models:
    """Below `HF_HOME` of each project the hub's cache keeps one folder for each model, `hub/models--ORG--NAME`."""

    def __init__(self, folder: Path, *, budget_mib: int) -> None:
        self._folder = folder
        self._budget_mib = budget_mib

    def keep_budget(self, running: AbstractSet[UUID], *, unused_since: float) -> None:
        """Drop what is beyond the budget, and what nobody has used since then (seconds since 1970).

        But nothing of projects that run something here. In one pass: models are counted file by file.
        """
        self._drop(
            running,
            enough=lambda held_mib, model: held_mib <= self._budget_mib and model.used_at >= unused_since,
        )

    def shrink(self, mib: int, running: AbstractSet[UUID]) -> None:
        """Give so much of the disk back, if there is so much."""
        wanted_mib = max(0, sum(model.mib for model in self._all()) - mib)
        self._drop(running, enough=lambda held_mib, _: held_mib <= wanted_mib)

    def erase(self, project: UUID) -> int:
        """Drop all that a project fetched. Returns how many models."""
        mine = [each for each in self._all() if each.path.relative_to(self._folder).parts[0] == str(project)]
        if mine:
            clear(self._folder / str(project))
        return len(mine)

    def _drop(self, running: AbstractSet[UUID], *, enough: Callable[[int, _Model], bool]) -> None:
        """The least recently used first, until it is enough by what is held and which would be next."""
        models = self._all()
        held = sum(model.mib for model in models)
        spared = {str(project) for project in running}
        for model in sorted(models, key=lambda model: model.used_at):
            if enough(held, model):
                return
            project = model.path.relative_to(self._folder).parts[0]
            if project in spared:
                continue
            log.warning("model.dropped", project=project, model=model.path.name, mib=model.mib)
            clear(model.path)
            held -= model.mib

    def _all(self) -> list[_Model]:
        """What a project keeps beside the hub's folders counts as one."""
        found = []
        if not self._folder.exists():
            return []
        for project in self._folder.iterdir():
            models = list(project.glob("hub/models--*")) or [project]
            found += [_Model(path, _mib(path), _used_at(path)) for path in models]
        return found


def _mib(folder: Path) -> int:
    """By du, which counts a file once however many links lead to it, as the hub's cache has them."""
    done = subprocess.run(["du", "-sk", "--", folder], capture_output=True, text=True, check=False)
    return int(done.stdout.split()[0]) // 1024 if done.stdout else 0  # gone meanwhile


def _used_at(folder: Path) -> float:
    """When any file of it was last read, as far as its file system notes that, or written."""
    latest = 0.0
    for path in folder.rglob("*"):
        with suppress(OSError):
            facts = path.stat(follow_symlinks=False)
            latest = max(latest, facts.st_atime if path.is_file() else 0.0, facts.st_mtime)
    return latest
