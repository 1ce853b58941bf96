"""Parts of the work that are timed: told when a trace is asked for, and never otherwise."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.workloads.conftest import Recorder, new_spec
from workloads.context import Context
from workloads.errors import UserError
from workloads.protocol import Result, Span

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


def test_parts_hold_parts_and_say_when_they_were(tmp_path: Path):
    """The inner one is told first; both lie in the time they took."""
    channel = Recorder()
    context = Context(new_spec("noop", {}, tmp_path, trace=TRACE), channel)
    began_ns = time.time_ns()
    with context.span("outer"), context.span("inner"):
        pass
    with context.span("next"):
        pass
    inner, outer, following = channel.of(Span)

    assert [(span.name, span.within) for span in (inner, outer, following)] == [
        ("inner", outer.number),
        ("outer", None),
        ("next", None),
    ]
    assert began_ns <= outer.began_ns <= inner.began_ns <= inner.ended_ns <= outer.ended_ns <= time.time_ns()
    assert len({span.number for span in (inner, outer, following)}) == 3


def test_a_part_that_failed_says_so(tmp_path: Path):
    """And the failure goes on as it was."""
    channel = Recorder()
    context = Context(new_spec("noop", {}, tmp_path, trace=TRACE), channel)
    with pytest.raises(UserError), context.span("work"):
        raise UserError("no")

    assert [span.well for span in channel.of(Span)] == [False]


def test_nobody_who_asked_for_no_trace_gets_one(perform):
    """Not one message more."""
    channel = perform("noop", {})

    assert [type(message) for message in channel.sent] == [Result]


def test_a_runner_tells_of_its_own_parts_and_its_programs_go_on_from_there(start):
    """The code that had to be imported, the work, and TRACEPARENT for whatever it starts."""
    one = start("command", {"argv": ["sh", "-c", 'test "$TRACEPARENT" = ' + TRACE]}, trace=TRACE)
    *told, last = list(one.lines())

    assert isinstance(last, Result)
    assert [message.name for message in told if isinstance(message, Span)] == ["import", "work"]
    assert "TRACEPARENT" not in os.environ
