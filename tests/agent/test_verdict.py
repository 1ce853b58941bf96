"""How an attempt ended, decided from facts alone."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from agent.leases import Ending
from agent.verdict import Facts, completion, judge
from queue_schema.shapes import Claimed, Failed, Grant, Released
from queue_schema.states import Cause
from workloads.protocol import MOST_MIB, Failure, Result, Stopped

CLAIMED = Claimed(
    UUID(int=1), UUID(int=2), 1, UUID(int=3), "noop", {}, [], Grant([-1], 100, 0, 1000, 0), 60, False
)


@pytest.mark.parametrize(
    ("code", "facts", "cause"),
    [
        (0, {}, Cause.USER_ERROR),
        (3, {}, Cause.USER_ERROR),
        (77, {}, Cause.OUT_OF_MEMORY),
        (255, {}, Cause.INFRASTRUCTURE),
        (-9, {}, Cause.INFRASTRUCTURE),
        (-9, {"kernel_killed": True, "peak_mib": 95, "booked_mib": 100}, Cause.OUT_OF_MEMORY),
        (-9, {"kernel_killed": True, "peak_mib": 20, "booked_mib": 100}, Cause.INFRASTRUCTURE),
        (-9, {"kernel_killed": False, "peak_mib": 95, "booked_mib": 100}, Cause.INFRASTRUCTURE),
        (-11, {}, Cause.USER_ERROR),
        (-7, {}, Cause.INFRASTRUCTURE),
        (0, {"broke_protocol": "nonsense"}, Cause.INFRASTRUCTURE),
    ],
)
def test_a_runner_that_ends_without_a_word(code, facts, cause):
    """The exit code and the evidence decide whose fault it was."""
    verdict = judge(CLAIMED, Facts(ending=None, last=None, exit_code=code, **facts))

    assert isinstance(verdict, Failed)
    assert verdict.cause is cause


def test_a_lost_lease_says_nothing():
    """Not even a result is told when somebody else may own the job."""
    assert judge(CLAIMED, Facts(ending=Ending.LOST, last=Result([]), exit_code=0)) is None


@pytest.mark.parametrize("ending", [Ending.CANCEL, Ending.DRAIN, Ending.PREEMPT, Ending.TIMEOUT])
def test_a_result_beats_a_request_to_end(ending):
    """Work that is done is told as done."""
    done = Result([], {"a": 1})

    assert judge(CLAIMED, Facts(ending=ending, last=done, exit_code=0)) is done


@pytest.mark.parametrize("ending", [Ending.DRAIN, Ending.PREEMPT, Ending.EXCLUSIVE])
def test_what_we_ended_is_handed_back_but_a_failure_is_a_failure(ending):
    """A kill by us blames nobody; a job that failed by itself just then has failed."""
    killed = judge(CLAIMED, Facts(ending=ending, last=None, exit_code=-9))
    stopped = judge(CLAIMED, Facts(ending=ending, last=Stopped(), exit_code=0))
    failed = judge(CLAIMED, Facts(ending=ending, last=Failure("user_error", "no"), exit_code=70))

    assert isinstance(killed, Released)
    assert isinstance(stopped, Released)
    assert isinstance(failed, Failed)


def test_a_failure_carries_the_larger_peak_and_which_memory():
    """The runner knows itself, not all it started; we see both, now and then."""
    said = Failure("out_of_memory", "no", None, 50, "ram")
    judged = judge(CLAIMED, Facts(ending=None, last=said, exit_code=77, peak_mib=90))

    assert isinstance(judged, Failed)
    assert (judged.peak_mib, judged.memory) == (90, "ram")


def test_out_of_memory_without_a_word_has_no_peak():
    """What we saw last is less than what it asked for then: a number would make it somebody else's fault."""
    judged = judge(CLAIMED, Facts(ending=None, last=None, exit_code=77, peak_mib=10))

    assert isinstance(judged, Failed)
    assert judged.peak_mib is None


@pytest.mark.parametrize(
    ("said", "seen", "told"),
    [(5, 9, 9), (9, 5, 9), (None, 5, 5), (5, None, 5), (None, None, None), (10**12, 9, MOST_MIB)],
)
def test_a_completion_carries_the_larger_peak(said, seen, told):
    """Also of a job without a device, whose memory is the host's."""
    claimed = msgspec.structs.replace(CLAIMED, grant=Grant([], 0, 100, 1000, 0))

    assert completion(claimed, Result([], peak_mib=said), [], seen).peak_mib == told


@pytest.mark.parametrize("ending", [None, Ending.OUT_OF_MEMORY, Ending.OUT_OF_DISK, Ending.TIMEOUT])
def test_what_nobody_can_say_of_one_of_a_batch_is_held_against_none(ending: Ending | None):
    """The same alone is a failure; a job that said how it ended is judged by that."""
    facts = {"ending": ending, "last": None, "exit_code": -9}

    assert isinstance(judge(CLAIMED, Facts(**facts, shared=True)), Released)
    assert isinstance(judge(CLAIMED, Facts(**facts)), Failed)
    spoken = judge(CLAIMED, Facts(ending=None, last=Failure("user_error", "bad"), exit_code=0, shared=True))
    assert isinstance(spoken, Failed)
