"""Work in steps, and what may say of itself that it is safe inside an agent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workloads.conftest import new_spec
from workloads import registry
from workloads.context import Context
from workloads.errors import UserError
from workloads.protocol import Failure, FromRunner, Progress, Result, Stopped
from workloads.steps import Steps, Stepwise


def steps(body, monkeypatch) -> tuple[Steps, list[FromRunner]]:
    """A job of a kind with this body, and what it says."""
    monkeypatch.setitem(registry.KINDS, "here", f"{__name__}:unused")
    monkeypatch.setattr("workloads.steps.resolve", lambda _: Stepwise(body))
    said: list[FromRunner] = []
    return Steps(new_spec("here", {}, Path("/nowhere")), said.append), said


def test_a_job_says_how_long_it_waits_and_then_how_it_ended(monkeypatch):
    """Each step is a wait in seconds, the last one the result; progress is passed on at once."""

    def body(context: Context):
        yield 2.5
        context.progress(1, 2)
        yield 1
        return {"a": 1}

    job, said = steps(body, monkeypatch)

    assert [job.go_on(), job.go_on(), job.go_on()] == [2.5, 1.0, Result([], {"a": 1})]
    assert said == [Progress(1, 2)]


def test_who_is_told_to_stop_is_ended_though_it_would_wait_again(monkeypatch):
    """A body that does not hear is closed at its wait, and its cleaning up runs."""
    cleaned = []

    def body(_: Context):
        try:
            while True:
                yield 60
        finally:
            cleaned.append(True)

    job, _ = steps(body, monkeypatch)
    job.go_on()

    assert job.go_on(stop=True) == Stopped()
    assert cleaned == [True]


def test_who_is_told_to_stop_before_the_first_step_does_nothing(monkeypatch):
    """It was cancelled before it began."""

    def body(_: Context):
        raise AssertionError("never runs")
        yield 0

    assert steps(body, monkeypatch)[0].go_on(stop=True) == Stopped()


@pytest.mark.parametrize(
    ("error", "message"), [(UserError("no such thing"), "no such thing"), (ValueError("x"), "ValueError: x")]
)
def test_what_a_step_raises_is_a_failure(monkeypatch, error, message):
    """As in a runner."""

    def body(_: Context):
        yield 0
        raise error

    job, _ = steps(body, monkeypatch)
    job.go_on()
    failure = job.go_on()

    assert isinstance(failure, Failure)
    assert (failure.cause, failure.message) == ("user_error", message)


def test_a_step_cannot_wait_itself(monkeypatch):
    """It would hold up all the other jobs of the thread."""

    def body(context: Context):
        context.channel.wait_for_stop(60)
        yield 0

    failure = steps(body, monkeypatch)[0].go_on()
    assert isinstance(failure, Failure)
    assert "yields" in failure.message


def test_only_work_in_steps_is_offered_to_run_inside_an_agent():
    """What the registry lists is what the code says of itself."""
    assert {kind for kind in registry.IN_PROCESS if isinstance(registry.resolve(kind), Stepwise)} == set(
        registry.IN_PROCESS
    )


def test_what_runs_inside_an_agent_imports_nothing_heavy():
    """Resolving those kinds loads neither torch nor what else the other kinds need."""
    code = (
        "import json, sys; from workloads import registry, steps; [registry.resolve(k) for k in registry.IN_PROCESS]; "
        "print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    loaded = set(json.loads(shown))
    assert "msgspec" in loaded
    assert not loaded & {"torch", "numpy", "PIL", "diffusers", "transformers"}
