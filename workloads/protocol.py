"""What an agent and a runner say to each other: JSON lines over one socket, work in, the rest out.

A runner gets a `Spec` or a `Batch`, tells of each of its jobs, and ends; or, if it keeps a model, says `Idle` and may be
given more. `at` in what it says is the job's place in the batch.

The shapes and nothing else: how a runner is started is `agent.runners`, what it does is `workloads.runner`.
Imports no torch, so that an agent may import it. One message is one line of JSON with a `type` field.
stdout and stderr of a runner are not part of the protocol; the agent reads them as log lines.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

EXIT_OK = 0
EXIT_FAILED = 70
"""A `Failure` was sent before the exit."""
EXIT_OUT_OF_MEMORY = 77
"""Out of memory, even where the `Failure` could not be sent any more."""

Cause = Literal["user_error", "out_of_memory", "timeout", "infrastructure"]
"""The causes a runner itself can name; the others are given by the agent or the database."""
Memory = Literal["vram", "ram"]
MOST_MIB = 16_777_216
"""No job may ask for more memory: a larger peak is no measure."""


class Device(msgspec.Struct, frozen=True):
    """One device this runner may use, as seen from inside the process.

    `index` counts within the runner (CUDA_VISIBLE_DEVICES is already set); `kind` is "gpu" or "ram".
    """

    kind: Literal["gpu", "ram"]
    index: int
    memory_mib: int
    """Booked: more than this is out of memory."""


class Spec(msgspec.Struct, frozen=True, tag_field="type", tag="spec"):
    """One job."""

    job_id: str
    attempt: int
    kind: str
    params: dict[str, Any]
    inputs: dict[str, str]
    """Input name to the absolute path of a read-only file."""
    work_dir: str
    """A private folder, the current directory while it runs; outputs are written below it."""
    devices: list[Device]
    ram_mib: int
    """Host memory booked, over and above what is booked on a device of kind "ram"."""
    cpu_milli: int
    """CPU booked, in thousandths of a core: how many threads to use."""
    checkpoint: str | None = None
    """Absolute path of the latest checkpoint file, or None for a first start."""
    checkpoint_step: int = 0
    trace: str | None = None
    """W3C traceparent of this run; None: nobody wants to know which part of it took how long."""


class Batch(msgspec.Struct, frozen=True, tag_field="type", tag="batch"):
    """Jobs of one kind and one model, to be done as one piece of work where that can be."""

    specs: list[Spec]


class Stop(msgspec.Struct, frozen=True, tag_field="type", tag="stop"):
    """Agent to runner, at any time: give back at the next good moment (checkpoint, then `Stopped`)."""

    reason: Literal["preempt", "drain"]


class Progress(msgspec.Struct, frozen=True, tag_field="type", tag="progress"):
    """How far the work is; `total` None where nobody can know."""

    step: int
    total: int | None = None
    message: str | None = None
    at: int = 0


class Metrics(msgspec.Struct, frozen=True, tag_field="type", tag="metrics"):
    """Named numbers at a step, for example {"loss": 0.12}."""

    step: int
    values: dict[str, float]
    at: int = 0


class Checkpoint(msgspec.Struct, frozen=True, tag_field="type", tag="checkpoint"):
    """A file from which another attempt can go on. The agent uploads it, then deletes it."""

    step: int
    path: str
    at: int = 0


class Span(msgspec.Struct, frozen=True, tag_field="type", tag="span"):
    """A part of the work that took its time; told when it is over, where `Spec.trace` asks for it."""

    name: str
    began_ns: int
    """Since 1970, as all clocks of one host have it."""
    ended_ns: int
    number: int
    """Tells it from the other parts of its job."""
    within: int | None = None
    """The part that this one is a part of."""
    well: bool = True
    at: int = 0


class Output(msgspec.Struct, frozen=True):
    """One file of the result."""

    name: str
    """Relative, no `..`; the name people download it by."""
    path: str
    media_type: str = "application/octet-stream"


class Result(msgspec.Struct, frozen=True, tag_field="type", tag="result"):
    """The work is done. `values` is the small JSON answer; files are outputs."""

    outputs: list[Output]
    values: dict[str, Any] = {}
    peak_mib: int | None = None
    """The most memory in use on one booked device, its context included, or of the host; None: not measured."""
    at: int = 0


class Failure(msgspec.Struct, frozen=True, tag_field="type", tag="failure"):
    """The work ended without a result, and this is why."""

    cause: Cause
    message: str
    """One line a person can act on."""
    traceback: str | None = None
    peak_mib: int | None = None
    """As of a result; out of memory, what was asked for counts as well as what was had."""
    memory: Memory | None = None
    """Which ran out; None: that of the devices, of the host where none was booked."""
    at: int = 0


class Stopped(msgspec.Struct, frozen=True, tag_field="type", tag="stopped"):
    """The work was given back as asked by `Stop`; a checkpoint was sent before if there was one to send."""

    at: int = 0


class Idle(msgspec.Struct, frozen=True, tag_field="type", tag="idle"):
    """All of it was answered and printed; the runner kept its model, and waits for more work of the same kind."""


OfJob = Progress | Metrics | Checkpoint | Span | Result | Failure | Stopped
"""What is said of one job."""
FromRunner = OfJob | Idle
ToRunner = Spec | Batch | Stop

_encoder = msgspec.json.Encoder()
_from_runner: msgspec.json.Decoder[FromRunner] = msgspec.json.Decoder(FromRunner)
_to_runner: msgspec.json.Decoder[ToRunner] = msgspec.json.Decoder(ToRunner)


def encode(message: FromRunner | ToRunner) -> bytes:
    """One line, newline included."""
    return _encoder.encode(message) + b"\n"


def decode_from_runner(line: bytes) -> FromRunner:
    """Read one line a runner sent.

    Raises:
        msgspec.ValidationError: The line is not a message of this protocol.
    """
    return _from_runner.decode(line)


def decode_to_runner(line: bytes) -> ToRunner:
    """Read one line an agent sent.

    Raises:
        msgspec.ValidationError: The line is not a message of this protocol.
    """
    return _to_runner.decode(line)
