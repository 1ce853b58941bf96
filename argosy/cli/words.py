"""The API's words, for completion and --help."""

from __future__ import annotations

from enum import StrEnum


class Priority(StrEnum):
    """As the API has it."""

    low = "low"
    normal = "normal"
    high = "high"
    urgent = "urgent"


class State(StrEnum):
    """As the API has it."""

    waiting = "waiting"
    ready = "ready"
    running = "running"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"


class Cause(StrEnum):
    """As the API has it."""

    user_error = "user_error"
    out_of_memory = "out_of_memory"
    timeout = "timeout"
    infrastructure = "infrastructure"
    lost = "lost"
    preempted = "preempted"
    cancelled = "cancelled"
    dependency = "dependency"
    expired = "expired"
