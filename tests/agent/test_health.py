"""Whether a GPU may be used, by what NVML said of it; each rule alone, with times made up."""

from __future__ import annotations

import pytest

from agent.devices.health import APPLICATION_XIDS, BLIND_REST_S, NEWS_XIDS, REST_S, Fault, Health, Then
from argosy.mock import gpus


@pytest.mark.parametrize("xid", sorted(APPLICATION_XIDS | NEWS_XIDS))
def test_an_xid_of_an_application_leaves_the_gpu_in_work(xid: int):
    """The job did it, or the recovery action says all there is to say."""
    health = Health()

    assert not health.saw_xid(0.0, xid)
    assert health.fault(0.0) is None


def test_the_stand_in_asks_for_nothing_after_the_same_xids():
    """What leaves a GPU in work must not be made to take it out by what stands in for its driver."""
    assert gpus.HARMLESS_XIDS == APPLICATION_XIDS | NEWS_XIDS


def test_an_xid_of_the_hardware_lasts_until_nothing_is_asked_for():
    """The driver may take a moment to ask for an action; when it does not, or no more, the GPU is well."""
    health = Health()
    health.saw_xid(0.0, 48)
    health.answered(1.0, 0)
    assert health.fault(1.0) == Fault("XID 48: double-bit ECC error", Then.FAILS)
    health.answered(REST_S, 1)
    assert health.fault(REST_S) is not None
    health.answered(REST_S + 1, 0)
    assert health.fault(REST_S + 1) is None


def test_with_an_old_driver_the_gpu_rests_for_long():
    """Nobody says when it is well."""
    health = Health()
    health.saw_xid(0.0, 999)
    health.answered(BLIND_REST_S - 1, None)
    assert health.fault(BLIND_REST_S - 1) == Fault("XID 999", Then.FAILS)
    health.answered(BLIND_REST_S, None)
    assert health.fault(BLIND_REST_S) is None


def test_silence_ends_jobs_only_after_a_while_and_loss_at_once():
    """A driver that is slow for a moment costs claims, not work."""
    health = Health(patience_s=15.0)
    health.silent(100.0, "Timeout")
    health.silent(114.0, "Timeout")
    assert health.fault(114.0) == Fault("NVML: Timeout", Then.GOES_ON)
    assert health.fault(115.0) == Fault("NVML: Timeout", Then.FAILS)
    health.answered(116.0, 0)
    health.silent(117.0, "GPU is lost", lost=True)
    assert health.fault(117.0) == Fault("NVML: GPU is lost", Then.FAILS)


@pytest.mark.parametrize(
    ("action", "then"),
    [(1, Then.FAILS), (2, Then.FAILS), (3, Then.GOES_ON), (4, Then.GOES_ON), (7, Then.FAILS)],
)
def test_a_gpu_that_is_to_be_drained_first_may_finish_what_runs(action: int, then: Then):
    """A reset that waits for its peers is no reason to throw work away."""
    health = Health()
    health.answered(0.0, action)
    fault = health.fault(0.0)

    assert fault is not None
    assert fault.then is then
