"""The words of the queue: where a job is, why it ended, what a settle answered.

The same words stand in SQL (enum types of schema `fleet`), HTTP, logs and docs.
`tests/sql/test_vocabulary.py` holds the two lists together.
"""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is. Exactly one at a time (I1)."""

    WAITING = "waiting"
    """For other jobs, for a time, or for the end of a backoff."""
    READY = "ready"
    RUNNING = "running"
    """Leased by a session."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Nothing will happen to the job any more, unless somebody retries it."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class JobEnd(StrEnum):
    """What end of a job another one waits for."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """It failed or was cancelled; not that it was never needed."""
    ENDED = "ended"


class Cause(StrEnum):
    """Why an attempt, or a job, did not succeed. Each has its own retry policy (table `retry_policies`)."""

    USER_ERROR = "user_error"
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    INFRASTRUCTURE = "infrastructure"
    LOST = "lost"
    """The node went silent and its lease was taken back."""
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    DEPENDENCY = "dependency"
    """A job it waited for ended in another way. As `cancelled`: it is not needed."""
    EXPIRED = "expired"
    """It had not started by its `start_by`."""


class Priority(StrEnum):
    """Classes, best last. Any kind of work may be in any class."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class SettleOutcome(StrEnum):
    """What the database did with a complete, fail or release."""

    SETTLED = "settled"
    ALREADY_SETTLED = "already_settled"
    """The same token settled before; this call changed nothing."""
    LEASE_LOST = "lease_lost"
    """The token is stale: somebody else may run the job now. Drop the result."""


class Command(StrEnum):
    """What a heartbeat's answer asks of one running attempt."""

    CANCEL = "cancel"
    PREEMPT = "preempt"


class Scope(StrEnum):
    """What an API key may do."""

    SUBMIT = "submit"
    READ = "read"
    ERASE = "erase"
    """Have files of the project gone for good."""
    METRICS = "metrics"
    """The numbers of the whole fleet, and nothing else: for a monitoring system."""
    ADMIN = "admin"
