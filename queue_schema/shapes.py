"""The data that goes into and comes out of the verbs. No behaviour, no IO.

Memory is in MiB, CPU in thousandths of a core, time in seconds, ids are UUIDs (jobs: version 7).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from queue_schema.states import Cause, Command, JobEnd, JobState, Priority, SettleOutcome

DeviceKind = Literal["gpu", "ram"]
Held = Literal["halted", "quarantined", "paused"]
"""The whole fleet is stopped, the kind is kept back, or the project paused it."""


class Need(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a job needs; a field left out is taken from its kind."""

    gpus: int | None = None
    """Devices, all of one node; 0 for work that needs none."""
    vram_mib: int | None = None
    """On each device."""
    cpu_milli: int | None = None
    ram_mib: int | None = None
    disk_mib: int | None = None
    device: Literal["any", "gpu", "ram"] | None = None
    """`any` also accepts host memory of a machine without a GPU."""
    labels: dict[str, str] | None = None
    """The node must carry all of them."""


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One file a job reads: an uploaded blob, or an output of a job it waits for."""

    sha256: str | None = None
    job: str | None = None
    """A job id, or the `ref` of a job of the same submission."""
    output: str | None = None


class After(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One job that is waited for, and the end that is waited for."""

    job: str
    """A job id, or the `ref` of a job of the same submission."""
    when: JobEnd = JobEnd.SUCCEEDED


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One job, as its owner states it."""

    kind: str
    params: dict[str, Any] = {}
    name: str | None = None
    ref: str | None = None
    """A name by which other jobs of the same submission can point at this one."""
    priority: Priority = Priority.NORMAL
    need: Need | None = None
    inputs: dict[str, Input] = {}
    after: list[str | After] = []
    """Job ids, or refs of the same submission, which must succeed first; or `{"job": ..., "when": "failed"}`."""
    run_at: datetime | None = None
    start_by: datetime | None = None
    timeout_s: int | None = None
    """Wall time of one attempt; the kind's default if not said."""
    retries: int | None = None
    """How often a failure that is the job's own may be tried again; the kind's default if not said."""
    exclusive: bool = False
    """Its runner dies before its lease ends, so that two never run at once; it does not survive a long outage."""
    preemptible: bool = False
    """In class low: it may be asked to save a checkpoint and give way to urgent work; it goes on later."""
    webhook: str | None = None
    tags: dict[str, str] = {}


class Submitted(msgspec.Struct, frozen=True):
    """The answer to one `Submission`, in the same order."""

    job_id: UUID
    state: JobState
    held: Held | None = None
    """Why it will not be claimed now, though it is ready."""
    ref: str | None = None
    created: bool = True
    """False when the idempotency key had been used before and this is the first answer again."""


class DeviceDeclared(msgspec.Struct, frozen=True):
    """One device an agent found. Exactly one has kind `ram`: the host's memory."""

    idx: int
    """Stable within the node: the NVML index for GPUs, -1 for host memory."""
    uuid: str
    kind: DeviceKind
    name: str
    total_mib: int
    headroom_mib: int
    """Never handed out."""
    takes_vram: bool
    """Whether `vram_mib` may be booked here; for host memory only on a machine without a GPU."""


class Join(msgspec.Struct, frozen=True):
    """What an agent says of itself when it joins."""

    node: str
    instance: str
    """Of the agent's state folder: tells a restart of this agent from a second machine with its name."""
    boot: str
    """pid and start time, for people who look."""
    version: str
    kinds: list[str]
    devices: list[DeviceDeclared]
    cpu_milli: int
    disk_mib: int
    slots: int
    """Most jobs at once."""
    labels: dict[str, str] = {}
    """Facts the agent measured (`os`, `gpu`, `driver`); an admin's labels win over them."""


class HeldLease(msgspec.Struct, frozen=True):
    """A lease of this node's last session, now this session's: settle it, or release it."""

    job_id: UUID
    token: UUID


class Joined(msgspec.Struct, frozen=True):
    """The answer to `Join`."""

    session_id: UUID
    secret: str
    lease_s: float
    heartbeat_s: float
    draining: bool
    held: list[HeldLease]


class Session(msgspec.Struct, frozen=True):
    """Who calls: every verb of an agent carries it."""

    session_id: UUID
    secret: str

    def __repr__(self) -> str:
        return f"Session({self.session_id})"


class LeaseSample(msgspec.Struct, frozen=True):
    """How much of one lease's booking is really in use on one device."""

    job_id: UUID
    token: UUID
    mib: int


class DeviceSample(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was measured on one device, just now."""

    idx: int
    free_mib: int
    """0 on one that is sick."""
    leases: list[LeaseSample] = []
    fault: str | None = None
    """Why it takes no work; None: it is well."""
    blind: bool = False
    """Whether the driver does not tell the sizes of some leases there."""


class WarmModel(msgspec.Struct, frozen=True):
    """A runner at rest, with a model that jobs of its project and kind can use at once."""

    project_id: UUID
    kind: str
    model: str
    """The job's `model_key`; empty where the kind has none."""
    devices: list[int]


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """One look at the whole node, all devices at one moment.

    What runners at rest hold counts as free: the agent ends them where their memory is needed.
    """

    seq: int
    """Grows with each look within a session; an older sample than the last one used is refused."""
    devices: list[DeviceSample]
    disk_free_mib: int
    warm: list[WarmModel] = []
    """One entry for each runner at rest."""


class Grant(msgspec.Struct, frozen=True):
    """What was booked for an attempt."""

    devices: list[int]
    """Indexes of the devices; empty when the job needs none."""
    vram_mib: int
    """On each of them."""
    ram_mib: int
    cpu_milli: int
    disk_mib: int


class ClaimedInput(msgspec.Struct, frozen=True):
    """One input, resolved; `sha256` is None when the job it comes from has no such output."""

    name: str
    sha256: str | None
    size: int | None
    source: str


class CheckpointRef(msgspec.Struct, frozen=True):
    """Where an earlier attempt got to."""

    sha256: str
    size: int
    step: int


class Claimed(msgspec.Struct, frozen=True):
    """One job, leased to the calling session."""

    job_id: UUID
    token: UUID
    attempt: int
    project_id: UUID
    kind: str
    params: dict[str, Any]
    inputs: list[ClaimedInput]
    grant: Grant
    timeout_s: int
    exclusive: bool
    model: str = ""
    """The model it uses, or empty: runners that have it loaded may take it."""
    preemptible: bool = False
    """It may be asked to give way to urgent work."""
    checkpoint: CheckpointRef | None = None
    trace: str | None = None


class LeaseCommand(msgspec.Struct, frozen=True):
    """Something asked of one lease of the calling session."""

    token: UUID
    command: Command


class Beat(msgspec.Struct, frozen=True):
    """The answer to a heartbeat."""

    commands: list[LeaseCommand]
    lost: list[UUID]
    """Tokens that were named but are not this session's leases any more: kill those runners."""
    draining: bool
    erasing: bool
    """There is something to drop: ask `erasures`."""


class LogChunk(msgspec.Struct, frozen=True):
    """Lines of one stream, in order."""

    stream: Literal["stdout", "stderr", "agent"]
    text: str
    """Whole lines, each ending in a newline; at most 64 KiB."""


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """News of one running attempt; every field is optional."""

    job_id: UUID
    token: UUID
    step: int | None = None
    total: int | None = None
    message: str | None = None
    metrics: dict[str, float] | None = None
    metrics_step: int | None = None
    logs: list[LogChunk] = []


class Artifact(msgspec.Struct, frozen=True):
    """One output file, already in the blob store."""

    name: str
    sha256: str
    size: int
    media_type: str


class Completion(msgspec.Struct, frozen=True, omit_defaults=True):
    """An attempt that succeeded."""

    job_id: UUID
    token: UUID
    artifacts: list[Artifact] = []
    values: dict[str, Any] = {}
    peak_mib: int | None = None
    """Largest memory in use on one booked device, of the host where none was booked; None: not measured."""


class Failed(msgspec.Struct, frozen=True):
    """An attempt that did not."""

    job_id: UUID
    token: UUID
    cause: Cause
    message: str
    traceback: str | None = None
    peak_mib: int | None = None
    """As of a completion; out of memory, what was asked for counts as well as what was had."""
    memory: Literal["vram", "ram"] | None = None
    """Which ran out; None: that of the devices, of the host where none was booked."""


class Released(msgspec.Struct, frozen=True):
    """An attempt handed back without blame."""

    job_id: UUID
    token: UUID
    reason: str
    """For people: `drain`, `device full`, `preempted`, ..."""
    started: bool = True
    """False when the node's second look found no room: after three of these in a row the job waits a while."""


class Settled(msgspec.Struct, frozen=True):
    """The answer to one completion, failure or release."""

    job_id: UUID
    token: UUID
    outcome: SettleOutcome
    state: JobState | None = None
    """Where the job is now; None when the lease was lost."""


class Reaped(msgspec.Struct, frozen=True):
    """What one round of the reaper did."""

    sessions: int
    leases: int
    overdue: int
    """Attempts ended because their time limit passed and their agent did not end them."""
    unnamed: int
    """Leases released because their session did not name them any more."""
    held_back: str | None
    """Why nothing was reaped: `grace` after an absence, `alarm` when too much of the fleet is silent."""


class Principal(msgspec.Struct, frozen=True):
    """Who an API key stands for."""

    key_id: UUID
    project_id: UUID
    project: str
    scopes: list[str]


class Webhook(msgspec.Struct, frozen=True):
    """One delivery that is due."""

    delivery_id: int
    url: str
    secret: str
    body: dict[str, Any]
    attempt: int
