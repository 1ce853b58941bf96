"""What a person sees while the demo runs: bars on a terminal, one line per change elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from argosy.models import JobInfo

_LABELS = {
    "train": "train a LoRA on 12 photos",
    "before": "portraits before",
    "after": "portraits after",
    "plain": "portraits of other people",
    "score": "judge the pictures",
}


class Show:
    """Progress of the five jobs and the story between them. All of it on stderr: stdout is for the result."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:<27}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[note]}"),
            console=self._console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._states: dict[str, str] = {}
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def tell(self, line: str) -> None:
        """One sentence of the story."""
        self._console.print(f"[dim]{time.monotonic() - self._start:6.1f} s[/dim]  {line}")

    def update(self, name: str, info: JobInfo) -> None:
        """The latest of one job."""
        where = f" on {info.node}" if info.state == "running" and info.node else ""
        note = f"{info.state}{where}"
        done = info.progress.step if info.progress and info.progress.step is not None else 0
        total = info.progress.total if info.progress else None
        if self._console.is_terminal:
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(_LABELS[name], total=None, note=note)
            if info.state == "succeeded":
                done = total = 1
            self._progress.update(
                self._tasks[name], completed=done, total=total or (1 if info.state != "running" else None)
            )
            self._progress.update(self._tasks[name], note=note)
        elif self._states.get(name) != note:
            self.tell(f"{_LABELS[name]}: {note}")
        self._states[name] = note
