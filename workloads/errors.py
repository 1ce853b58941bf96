"""What a workload raises to say how it ended. Everything else it raises is a defect of the job."""

from __future__ import annotations


class WorkloadError(Exception):
    """A workload ended without a result."""


class UserError(WorkloadError):
    """The job cannot work as it was submitted; the text says which field or input, and what to do."""


class Unavailable(WorkloadError):
    """What the job needs of others cannot be had now; the text says what."""


class OutOfMemory(WorkloadError):
    """A program this workload started ran out of memory."""

    def __init__(self, text: str, *, refused: bool = True) -> None:
        """*refused*: by its own limit; else the host's kernel ended it, whoever had the memory."""
        super().__init__(text)
        self.refused = refused


class GivenBack(WorkloadError):
    """The workload stopped because it was asked to, at a point from which it can go on."""


class ChannelClosed(WorkloadError):
    """The agent is gone: nobody is left to tell."""
