"""What a workload sees of the world: its parameters, its inputs, and where results and progress go."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import msgspec

from workloads.channel import Channel
from workloads.errors import GivenBack, UserError
from workloads.models import Models
from workloads.protocol import Checkpoint, Metrics, Output, Progress, Span, Spec

Params = TypeVar("Params")


class Context:
    """Handed to every workload; one per attempt."""

    def __init__(self, spec: Spec, channel: Channel, models: Models | None = None) -> None:
        self.spec = spec
        self.channel = channel
        self.models = models or Models()
        """What this process may still have loaded from the job before."""
        self.work_dir = Path(spec.work_dir)
        self.inputs: Mapping[str, Path] = {name: Path(path) for name, path in spec.inputs.items()}
        self.resume = Path(spec.checkpoint) if spec.checkpoint else None
        self.outputs: list[Output] = []
        self._spans = 0
        self._within: int | None = None
        self.measured_peak_mib: int | None = None
        """Set by a workload that measured its own child processes."""

    @property
    def params(self) -> dict[str, Any]:
        """As submitted."""
        return self.spec.params

    def params_as(self, struct: type[Params]) -> Params:
        """The parameters, checked.

        Raises:
            UserError: A field is missing, unknown or out of range; names it.
        """
        try:
            return msgspec.convert(self.spec.params, struct)
        except msgspec.ValidationError as exc:
            text = str(exc).replace("`$.", "`params.").replace("`$`", "`params`")
            raise UserError(f"{self.spec.kind}: {text}") from exc

    @property
    def budget_mib(self) -> int:
        """Host memory this job may use."""
        on_devices = sum(d.memory_mib for d in self.spec.devices if d.kind == "ram")
        return on_devices + self.spec.ram_mib

    def input(self, name: str) -> Path:
        """The file of this input.

        Raises:
            UserError: There is no such input.
        """
        if name not in self.inputs:
            known = ", ".join(sorted(self.inputs)) or "none"
            raise UserError(f"input {name!r} is missing; this job's inputs: {known}")
        return self.inputs[name]

    def progress(self, step: int, total: int | None = None, message: str | None = None) -> None:
        """Say how far the work is; as often as one likes, the agent thins it out."""
        self.channel.send(Progress(step, total, message))

    def metrics(self, step: int, **values: float) -> None:
        """Say named numbers at a step."""
        self.channel.send(Metrics(step, values))

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Time a part of the work, for the trace of the job. Parts may hold parts; costs nothing where nobody traces."""
        if self.spec.trace is None:
            yield
            return
        self._spans += 1
        number, within, began_ns = self._spans, self._within, time.time_ns()
        self._within = number
        well = False
        try:
            yield
            well = True
        finally:
            self._within = within
            self.channel.send(Span(name, began_ns, time.time_ns(), number, within, well))

    def checkpoint(self, path: Path, step: int) -> None:
        """Hand over a file from which another attempt can go on; the agent deletes it afterwards."""
        self.channel.send(Checkpoint(step, str(path)))

    def stop_requested(self) -> bool:
        """Should the work be given back? Never waits."""
        return self.channel.stop_requested()

    def give_back_if_asked(self) -> None:
        """For workloads that need no checkpoint.

        Raises:
            GivenBack: The agent asked.
        """
        if self.stop_requested():
            raise GivenBack

    def output(self, name: str, media_type: str = "application/octet-stream") -> Path:
        """Where to write a result file; the same name twice is the same file.

        Raises:
            UserError: The name is absolute or has `..` in it.
        """
        pure = PurePosixPath(name)
        if not name or pure.is_absolute() or ".." in pure.parts or "\0" in name or str(pure) == ".":
            raise UserError(f"output name {name!r} must be relative, without '..'")
        path = self.work_dir / "outputs" / pure
        path.parent.mkdir(parents=True, exist_ok=True)
        if all(known.name != str(pure) for known in self.outputs):
            self.outputs.append(Output(str(pure), str(path), media_type))
        return path
