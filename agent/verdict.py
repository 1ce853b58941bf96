"""Decide how an attempt ended, from what the agent did, what the runner said, and how its process went.

Pure: facts in, a settlement out. The rules stand here and nowhere else.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass

from agent.devices.host import RAM_IDX
from agent.leases import Ending, Overuse
from agent.runners.walls import EXIT_WALLS
from queue_schema.shapes import Artifact, Claimed, Completion, Failed, Released
from queue_schema.states import Cause
from workloads.protocol import EXIT_OUT_OF_MEMORY, MOST_MIB, Failure, Result, Stopped

FORKSERVER_DIED = 255
NEAR_BOOKING = 0.8
"""A kernel kill at this much of the booking is the job's own; below it somebody else took the memory."""

_NOT_THE_JOBS = {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGBUS}
"""Somebody else sent it, or the hardware did."""
_SPOKEN: dict[Ending, str] = {
    Ending.DRAIN: "drain",
    Ending.PREEMPT: "preempted",
    Ending.EXCLUSIVE: "exclusive job ended before its lease, unconfirmed for too long, ran out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known when the runner and its group are gone."""

    ending: Ending | None
    last: Result | Failure | Stopped | None
    """The message that says how it ended, if one came."""
    exit_code: int
    """Negative: the signal."""
    broke_protocol: str | None = None
    peak_mib: int | None = None
    """The most host memory we saw the group hold."""
    booked_mib: int = 0
    """Of host memory."""
    overuse: Overuse | None = None
    """Where it outgrew its booking."""
    fault: str | None = None
    """What became of its device."""
    squeezed_mib: int = 0
    """So much of what was booked on its device was in strangers' hands when it failed."""
    shared: bool = False
    """Whether the runner did other jobs as one with it."""
    kernel_killed: bool = False
    """Whether this host's kernel ended some process for want of memory meanwhile."""


def judge(claimed: Claimed, facts: Facts) -> Failed | Released | Result | None:
    """How to settle the attempt: a `Result` still has to have its outputs stored; None says nothing to anyone.

    A result that came beats a request to end: the work is done, and the database knows what was cancelled.
    """
    if facts.ending is Ending.LOST:
        return None
    if isinstance(facts.last, Result):
        return facts.last
    if facts.shared and (released := _of_batch(claimed, facts)) is not None:
        return released
    if facts.ending is not None and (ended := _by_agent(claimed, facts, facts.ending)) is not None:
        return ended
    if isinstance(facts.last, Failure):
        failure = facts.last
        if _was_squeezed(claimed, failure, facts):
            message = (
                f"strangers took {facts.squeezed_mib} MiB of what was booked on its device: {failure.message}"
            )
            return Failed(
                claimed.job_id, claimed.token, Cause.INFRASTRUCTURE, message, None, failure.peak_mib
            )
        return Failed(
            claimed.job_id,
            claimed.token,
            Cause(failure.cause),
            failure.message,
            failure.traceback,
            _larger(failure.peak_mib, facts.peak_mib),
            failure.memory,
        )
    if isinstance(facts.last, Stopped):
        return Released(claimed.job_id, claimed.token, "the job gave itself back")
    cause, message = _without_a_word(facts)
    if facts.exit_code == EXIT_OUT_OF_MEMORY:
        # What we saw last is less than what it asked for then.
        return Failed(claimed.job_id, claimed.token, cause, message)
    # Where the kernel ended it, it was for host memory.
    return Failed(claimed.job_id, claimed.token, cause, message, None, facts.peak_mib, "ram")


def _of_batch(claimed: Claimed, facts: Facts) -> Released | None:
    """What nobody can say of one job of several is held against none: each is tried again alone, and shows it then."""
    if facts.ending in (Ending.OUT_OF_MEMORY, Ending.OUT_OF_DISK):
        return Released(claimed.job_id, claimed.token, "its batch outgrew what was booked for it")
    if facts.ending is Ending.TIMEOUT and facts.last is None:
        return Released(claimed.job_id, claimed.token, "its batch took longer than it may")
    if facts.ending is None and facts.last is None:
        return Released(claimed.job_id, claimed.token, "its batch ended before it")
    return None


def _was_squeezed(claimed: Claimed, failure: Failure, facts: Facts) -> bool:
    """Out of memory within its booking, while others held a part of that. What it asked for counts in its peak."""
    if failure.cause != "out_of_memory" or failure.memory == "ram" or not facts.squeezed_mib:
        return False
    return failure.peak_mib is not None and failure.peak_mib <= claimed.grant.vram_mib


def completion(
    claimed: Claimed, result: Result, artifacts: list[Artifact], peak_mib: int | None
) -> Completion:
    """A result whose files are stored; *peak_mib* is what we saw: the runner knows itself, not all it started."""
    peak_mib = _larger(result.peak_mib, peak_mib)
    return Completion(claimed.job_id, claimed.token, artifacts, result.values, peak_mib)


def _larger(one_mib: int | None, other_mib: int | None) -> int | None:
    """A runner may say anything: no peak is beyond what a job can ask for."""
    peaks = [min(mib, MOST_MIB) for mib in (one_mib, other_mib) if mib is not None]
    return max(peaks, default=None)


def _by_agent(claimed: Claimed, facts: Facts, ending: Ending) -> Failed | Released | None:
    ids = (claimed.job_id, claimed.token)
    match ending:
        case Ending.CANCEL:
            return Failed(*ids, Cause.CANCELLED, "cancelled", None, facts.peak_mib)
        case Ending.TIMEOUT:
            return Failed(
                *ids,
                Cause.TIMEOUT,
                f"not finished within its limit of {claimed.timeout_s} s",
                None,
                facts.peak_mib,
            )
        case Ending.OUT_OF_MEMORY:
            held, booked, device = facts.overuse or (facts.peak_mib or 0, facts.booked_mib, RAM_IDX)
            where = "host memory" if device == RAM_IDX else f"device {device}"
            message = f"held {held} MiB of {where}, booked were {booked} MiB"
            return Failed(
                *ids, Cause.OUT_OF_MEMORY, message, None, held, "ram" if device == RAM_IDX else "vram"
            )
        case Ending.OUT_OF_DISK:
            return Failed(*ids, Cause.USER_ERROR, facts.fault or "wrote more than it may")
        case Ending.DEVICE:
            # What the job said of it, if anything, is only how the fault looked from inside.
            return Failed(*ids, Cause.INFRASTRUCTURE, facts.fault or "its device failed")
        case Ending.EXCLUSIVE | Ending.DRAIN | Ending.PREEMPT:
            # A job that failed by itself just then has failed; only what we ended is handed back.
            return None if isinstance(facts.last, Failure) else Released(*ids, facts.fault or _SPOKEN[ending])
        case _:
            return None


def _without_a_word(facts: Facts) -> tuple[Cause, str]:
    """Cause and message for a runner that ended and did not say how."""
    code = facts.exit_code
    if facts.broke_protocol is not None:
        return Cause.INFRASTRUCTURE, f"the runner sent what is no message: {facts.broke_protocol}"
    if code == EXIT_OUT_OF_MEMORY:
        return Cause.OUT_OF_MEMORY, "out of memory, and none left to say more"
    if code == EXIT_WALLS:
        return Cause.INFRASTRUCTURE, "the walls around the job did not stand; its log says which"
    if code == FORKSERVER_DIED:
        return Cause.INFRASTRUCTURE, "the process that starts runners died, and this one with it"
    if code == 0:
        return Cause.USER_ERROR, "the runner ended without a result"
    if code > 0:
        return Cause.USER_ERROR, f"the runner left with exit code {code} and without a result"
    name = _signal_name(-code)
    if -code == signal.SIGKILL and facts.kernel_killed:
        if facts.peak_mib is not None and facts.peak_mib >= NEAR_BOOKING * facts.booked_mib > 0:
            return Cause.OUT_OF_MEMORY, (
                f"killed by the kernel for want of memory, at {facts.peak_mib} of {facts.booked_mib} MiB booked"
            )
        return Cause.INFRASTRUCTURE, "killed by the kernel for want of memory that others took"
    if -code in _NOT_THE_JOBS:
        return Cause.INFRASTRUCTURE, f"the runner was ended from outside, by {name}"
    return Cause.USER_ERROR, f"the runner crashed with {name}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
