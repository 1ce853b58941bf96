"""What the API says, as Python values. Fields an older client does not know are ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """The latest news of a running job."""

    at: datetime
    step: int | None = None
    total: int | None = None
    message: str | None = None
    metrics: dict[str, float | None] | None = None
    metrics_step: int | None = None


class JobError(msgspec.Struct, frozen=True):
    """Why a job ended badly."""

    message: str | None = None
    traceback: str | None = None


class Edge(msgspec.Struct, frozen=True):
    """One job that a job waits, or waited, for."""

    job: str
    when: str
    """`succeeded`, `failed` (or cancelled) or `ended`."""
    satisfied: bool = False


class JobInfo(msgspec.Struct, frozen=True):
    """One job. In lists, the fields from `params` on are empty: `Job.refresh()` fills them."""

    job_id: str
    kind: str
    state: str
    """`waiting`, `ready`, `running`, `succeeded`, `failed` or `cancelled`."""
    created_at: datetime
    priority: str = "normal"
    name: str | None = None
    held: str | None = None
    """Why it is not started though it is ready: `halted`, `quarantined` or `paused`."""
    cause: str | None = None
    tags: dict[str, str] = {}
    attempts: int = 0
    node: str | None = None
    progress: Progress | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    params: dict[str, Any] = {}
    project: str | None = None
    error: JobError | None = None
    need: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    after: list[str] = []
    edges: list[Edge] = []
    waits_for: int = 0
    run_at: datetime | None = None
    start_by: datetime | None = None
    timeout_s: int | None = None
    retries: int = 0
    retries_used: int = 0
    infra_retries: int = 0
    devices: list[int] | None = None
    result: dict[str, Any] | None = None
    webhook: str | None = None
    exclusive: bool = False
    preemptible: bool = False
    cancel_requested: bool = False

    @property
    def ended(self) -> bool:
        """Nothing will happen to it any more, unless somebody retries it."""
        return self.state in ("succeeded", "failed", "cancelled")


class Attempt(msgspec.Struct, frozen=True):
    """One run of a job."""

    attempt: int
    outcome: str
    started_at: datetime
    ended_at: datetime | None = None
    node: str | None = None
    devices: list[int] | None = None
    vram_mib: int | None = None
    cause: str | None = None
    message: str | None = None
    traceback: str | None = None
    peak_mib: int | None = None


class LogChunk(msgspec.Struct, frozen=True):
    """Whole lines of one stream."""

    log_id: int
    attempt: int
    at: datetime
    stream: str
    text: str


class JobEvent(msgspec.Struct, frozen=True):
    """One thing that happened to a job, as it happened.

    `name` is `submitted`, `ready`, `claimed`, `progress`, `released`, `lost`, `retrying`, `checkpoint`, `amended`,
    `raised`, `preempting`, `cancelling`, `succeeded`, `failed`, `cancelled`, or `end`, which comes last.
    """

    name: str
    data: dict[str, Any]
    id: int | None = None


class Output(msgspec.Struct, frozen=True):
    """One file a job made."""

    name: str
    sha256: str
    size: int
    media_type: str


class Blob(msgspec.Struct, frozen=True):
    """One file the fleet has."""

    sha256: str
    size: int


class Device(msgspec.Struct, frozen=True):
    """One device of a node, as last measured."""

    idx: int
    kind: str
    name: str
    total_mib: int
    uuid: str = ""
    free_mib: int | None = None
    booked_mib: int | None = None
    fault: str | None = None
    """Why it takes no work; None: it is well."""
    fault_since: datetime | None = None


class Node(msgspec.Struct, frozen=True):
    """One host of the fleet."""

    node: str
    state: str
    draining: bool = False
    labels: dict[str, str] = {}
    pools: list[str] = []
    kinds: list[str] = []
    version: str | None = None
    slots: int | None = None
    running: int = 0
    cpu_milli: int | None = None
    disk_mib: int | None = None
    joined_at: datetime | None = None
    beat_at: datetime | None = None
    devices: list[Device] = []
