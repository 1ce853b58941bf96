"""For each guard the few steps that need it: rules of the machine in an order that random schedules find late, if ever.

A scenario only says what happens. What must not come of it is what the rules and the invariants of the machine say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from queue_schema.states import Cause, JobEnd
from tests.model.machine import SIZES, QueueMachine

TINY, _, MIDDLE, BIG, _ = SIZES
"""One device has room for one that is big, or for a middle one and a few smaller ones."""


class Steps:
    """The rules of one machine; after each, all of its invariants."""

    def __init__(self, machine: QueueMachine) -> None:
        self._machine = machine

    def __getattr__(self, rule: str) -> Callable[..., Any]:
        def step(*drawn: Any, **named: Any) -> Any:
            answer = getattr(self._machine, rule)(*drawn, **named)
            for each in self._machine.invariants:
                each.function(self._machine)
            return answer

        return step

    def one_runs(self, size: int = TINY, *, gpus: int = 1, node: str = "a") -> Any:
        """A job that has just been claimed and may not be retried; its id."""
        job = self.submit(size, gpus, 0, 1)
        self.measure_and_claim(node, 1, None)
        return job


Scenario = Callable[[Steps], None]


def play(machine: QueueMachine, scenario: Scenario) -> None:
    """From a fresh database to its end, or to what is wrong."""
    machine.begin()
    scenario(Steps(machine))


# -- attempts that end


def the_first_attempt_fails_during_the_second(steps: Steps) -> None:
    """On the same node, so that only the token tells them apart."""
    steps.one_runs()
    steps.an_answer_comes_late(0, "fail")


def the_first_attempt_succeeds_during_the_second(steps: Steps) -> None:
    """As a failure that comes late."""
    steps.one_runs()
    steps.an_answer_comes_late(0, "complete")


def another_node_fails_it(steps: Steps) -> None:
    """With the right token."""
    steps.one_runs()
    steps.settle_for_another_node(0, "fail")


def another_node_completes_it(steps: Steps) -> None:
    """With the right token."""
    steps.one_runs()
    steps.settle_for_another_node(0, "complete")


def handed_back_though_cancelled(steps: Steps) -> None:
    """Its agent was asked to cancel it, and drains."""
    steps.one_runs()
    steps.a_cancelled_job_ends_whatever_its_agent_says(0, "release")


def handed_back(steps: Steps) -> None:
    """Its booking ends with it."""
    steps.one_runs()
    steps.release(0)


def completed(steps: Steps) -> None:
    """Its booking ends with it."""
    steps.one_runs()
    steps.complete(0)


def the_agent_starts_anew(steps: Steps) -> None:
    """While it holds something."""
    steps.one_runs()
    steps.join_again("a")


# -- room on a node


def outsiders_come_before_the_first_has_grown(steps: Steps) -> None:
    """What is free now was promised to it already."""
    steps.one_runs(MIDDLE, gpus=2)
    for idx in (0, 1):
        steps.outsiders_take_or_free_memory("a", idx, 5)
    steps.one_runs(MIDDLE, gpus=2)


def a_sample_says_that_all_is_free(steps: Steps) -> None:
    """Though both devices are promised."""
    steps.one_runs(BIG, gpus=2)
    steps.submit(BIG, 2, 0, 1)
    steps.claim_with_a_wrong_sample("a")


def only_the_headroom_is_left(steps: Steps) -> None:
    """Six tenths are used by outsiders; a middle one leaves 831 MiB, of which 512 are nobody's."""
    for idx in (0, 1):
        steps.outsiders_take_or_free_memory("a", idx, 6)
    steps.one_runs(MIDDLE, gpus=2)
    steps.one_runs(TINY, gpus=2)


def a_sample_was_overtaken(steps: Steps) -> None:
    """By one with which something was given."""
    steps.measure_now_claim_later("a")
    steps.one_runs()
    steps.submit(TINY, 1, 0, 1)
    steps.claim_with_the_delayed_sample("a")


def two_at_once_with_room_for_one(steps: Steps) -> None:
    """In one claim."""
    steps.submit(BIG, 2, 0, 2)
    steps.measure_and_claim("a", 2, None)


def a_big_job_has_a_place_kept(steps: Steps) -> None:
    """Small ones that run for as long as it waits come after it."""
    steps.a_big_job_waits_among_small_ones(MIDDLE)


def an_urgent_job_finds_both_sorts_at_work(steps: Steps) -> None:
    """Of what is in its way on one node, one allowed to be preempted and one did not."""
    steps.one_runs(BIG, node="b")
    steps.one_runs(BIG, node="a")
    steps.urgent_work_finds_no_room("a", allowed=True)


# -- lanes


def a_lane_wakes_up(steps: Steps) -> None:
    """It was idle when its job came back."""
    steps.one_runs()
    steps.the_scheduler_tidies_up()
    steps.release(0)


def an_older_job_comes_back(steps: Steps) -> None:
    """The head of its lane had gone on to the next."""
    steps.submit(TINY, 1, 0, 2)
    steps.measure_and_claim("a", 1, None)
    steps.the_scheduler_tidies_up()
    steps.release(0)


def a_lane_is_thought_dry(steps: Steps) -> None:
    """It is not."""
    steps.submit(TINY, 1, 0, 1)
    steps.the_scheduler_tidies_up()


def what_is_ready_is_cancelled(steps: Steps) -> None:
    """No claim may find it then."""
    steps.cancel(steps.submit(TINY, 1, 0, 1))


def a_paused_project_has_ready_work(steps: Steps) -> None:
    """A node has room for it."""
    steps.submit(TINY, 1, 0, 1)
    steps.nothing_is_claimed_in_a_pause("a")


# -- needs that grow


def one_of_many_runs_out_of_memory(steps: Steps) -> None:
    """Then the others are claimed."""
    steps.submit(MIDDLE, 1, 0, 2)
    steps.measure_and_claim("a", 1, None)
    steps.run_out_of_memory(0, 10)
    steps.measure_and_claim("a", 2, None)


# -- caps


def a_capped_job_fails(steps: Steps) -> None:
    """And gives back what it was counted for."""
    steps.submit(TINY, 1, 0, 1)
    steps.the_project_is_capped("a", 2, None, stays=True)
    steps.fail(0, Cause.USER_ERROR)


def a_big_job_waits_for_vram_of_its_cap(steps: Steps) -> None:
    """Small ones come after it."""
    steps.a_big_job_waits_among_small_ones_for_a_cap(MIDDLE, by_number=False)


def a_big_job_waits_for_the_last_place_of_its_cap(steps: Steps) -> None:
    """There is no node for it yet; small ones come after it."""
    steps.a_big_job_waits_among_small_ones_for_a_cap(MIDDLE, by_number=True)


# -- jobs that wait for others


def what_was_waited_for_succeeds(steps: Steps) -> None:
    """What waited is ready then, and waits no longer."""
    steps.submit_after(steps.one_runs(), JobEnd.SUCCEEDED)
    steps.complete(0)


def what_was_waited_for_fails(steps: Steps) -> None:
    """What waited can never run."""
    steps.one_runs()
    steps.what_waits_for_a_running_job_ends_with_it(0)


def what_was_waited_for_is_cancelled(steps: Steps) -> None:
    """And what waits for what waited ends too."""
    steps.what_others_wait_for_ends(steps.submit(TINY, 1, 0, 1), cancelled=True)
