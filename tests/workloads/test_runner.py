from __future__ import annotations

import os
import time

import pytest

from workloads import failures
from workloads.errors import OutOfMemory, Unavailable, UserError
from workloads.protocol import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_OUT_OF_MEMORY,
    MOST_MIB,
    Failure,
    Progress,
    Result,
    Stop,
    Stopped,
    decode_from_runner,
    encode,
)


def test_a_runner_answers_with_values(start):
    """The happy path ends with a result and exit code 0."""
    one = start("noop", {"values": {"answer": 42}})

    messages = list(one.lines())
    assert messages[-1].values == {"answer": 42}
    assert one.wait() == EXIT_OK


def test_too_much_memory_is_out_of_memory(start, ram):
    """Allocating past the booking fails as out_of_memory, with the code that says so and an honest peak."""
    one = start("selftest.allocate", {"mib": 400}, devices=[ram(96)], ram_mib=32)

    failure = list(one.lines())[-1]
    assert isinstance(failure, Failure)
    assert failure.cause == "out_of_memory"
    assert 128 <= failure.peak_mib <= 132
    assert one.wait() == EXIT_OUT_OF_MEMORY


def test_booked_memory_can_be_used(start, ram):
    """What was booked may be allocated, and the peak is what was used."""
    one = start("selftest.allocate", {"mib": 64}, devices=[ram(96)], ram_mib=32)

    result = list(one.lines())[-1]
    assert isinstance(result, Result)
    assert 60 <= result.peak_mib <= 80
    assert one.wait() == EXIT_OK


def test_a_programs_memory_is_limited_too(start, ram):
    """The limit of a command starts from nothing, and running out is told apart from a crash."""
    one = start("command", {"argv": ["python", "-c", "b = bytearray(300 << 20)"]}, devices=[ram(128)])

    failure = list(one.lines())[-1]
    assert failure.cause == "out_of_memory"
    assert failure.peak_mib == 128, "one large request fails far under the limit; what it asked for counts"
    assert one.wait() == EXIT_OUT_OF_MEMORY


def test_stop_gives_back(start):
    """A runner asked to stop says Stopped and leaves with 0."""
    one = start("noop", {"seconds": 30})
    one.tell(Stop("preempt"))

    assert isinstance(list(one.lines())[-1], Stopped)
    assert one.wait() == EXIT_OK


def test_a_runner_whose_agent_hangs_up_ends(start):
    """Nobody to answer to: the work is dropped."""
    one = start("noop", {"seconds": 30})
    one.channel.close()

    assert one.wait() == EXIT_FAILED


def test_output_of_a_program_goes_to_the_log(start):
    """Stdout and stderr reach the log, and the environment given reaches the program."""
    code = "import os, sys; print('out', os.environ['CUDA_VISIBLE_DEVICES']); print('err', file=sys.stderr)"
    one = start("command", {"argv": ["python", "-c", code]}, env={"CUDA_VISIBLE_DEVICES": "3"})

    log = one.logged()
    assert "out 3" in log
    assert "err" in log
    assert one.wait() == EXIT_OK


def test_a_runner_leads_its_own_process_group(start):
    """One signal to the group reaches a runner and what it started."""
    one = start("command", {"argv": ["sleep", "30"]})
    deadline = time.monotonic() + 10
    while os.getpgid(one.process.pid) != one.process.pid and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(one.process.pid, 9)

    assert one.wait() == -9


def test_an_unknown_kind_names_the_known(perform):
    """A typo in a kind is the submitter's to correct."""
    failure = perform("difusion.generate", {}).last

    assert failure.cause == "user_error"
    assert "diffusion.generate" in failure.message


def test_a_job_cannot_write_elsewhere(perform):
    """Output names stay below outputs/."""
    for name in ("/etc/passwd", "../up", "a/../../up", ""):
        with pytest.raises(UserError, match="relative"):
            _context().output(name)


def _context():
    from tests.workloads.conftest import Recorder, new_spec
    from workloads.context import Context

    return Context(new_spec("noop", {}, "/nowhere"), Recorder())


def test_every_failure_can_be_sent():
    """Whatever bytes are in the names it tells of."""
    failure, _ = failures.describe(ValueError("no such file: a\udcff"), None)

    assert decode_from_runner(encode(failure)) == failure
    assert failure.message == r"ValueError: no such file: a\udcff"


@pytest.mark.parametrize(
    ("exc", "cause"),
    [
        (MemoryError(), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out_of_memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (OSError(12, "Cannot allocate memory"), "out_of_memory"),
        (OSError(28, "No space left on device"), "infrastructure"),
        (ValueError("ran out of memory of jokes"), "user_error"),
        (Unavailable("the hub is away"), "infrastructure"),
        (UserError("no"), "user_error"),
    ],
)
def test_causes(exc, cause):
    """Every exception has one cause, by type where there is one, else by text."""
    failure, code = failures.describe(exc, None)

    assert cause == failure.cause
    assert (code == EXIT_OUT_OF_MEMORY) == (cause == "out_of_memory")


@pytest.mark.parametrize(("peak_mib", "cause"), [(95, "out_of_memory"), (20, "user_error")])
def test_a_vague_error_is_memory_only_close_to_the_limit(peak_mib, cause):
    """What oneDNN says of a failed allocation it also says of bugs."""
    failure, _ = failures.describe(RuntimeError("could not create a primitive"), peak_mib, 96)

    assert failure.cause == cause


CUDA = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 23.64 GiB of which 8.81 GiB is free."
    " 4.00 GiB allowed; Of the allocated memory 1.50 GiB is allocated by PyTorch, and 10.00 MiB is reserved."
)


@pytest.mark.parametrize(
    ("exc", "on_gpu", "peak_mib", "memory"),
    [
        (MemoryError(), False, 256, None),
        (OutOfMemory("`x` was refused"), False, 256, None),
        (OutOfMemory("`x` was killed", refused=False), False, 20, None),
        (RuntimeError(CUDA), True, 4096, "vram"),
        (RuntimeError("CUDA out of memory"), True, 20, "vram"),
        (RuntimeError("CUDA out of memory. Tried to allocate 3000000000.5 GiB."), True, MOST_MIB, "vram"),
        (RuntimeError(f"CUDA out of memory. Tried to allocate {'9' * 400} MiB."), True, MOST_MIB, "vram"),
        (RuntimeError("CUDA out of memory. Tried to allocate 1.2.3 GiB."), True, 20, "vram"),
        (MemoryError(), True, 256, "ram"),
        (OutOfMemory("`x` was refused"), True, None, None),
    ],
)
def test_out_of_memory_says_how_much_of_which(exc, on_gpu, peak_mib, memory):
    """What was asked for counts, since one large request fails far under the limit; a kill shows only what was had."""
    failure, _ = failures.describe(exc, 20, 256, on_gpu=on_gpu)

    assert (failure.cause, failure.peak_mib, failure.memory) == ("out_of_memory", peak_mib, memory)


def test_out_of_memory_shows_through_wrapping():
    """A library that wraps a failed allocation does not hide it."""
    wrapped = ValueError("cannot load")
    wrapped.__cause__ = MemoryError()

    assert failures.cause_of(wrapped) == "out_of_memory"


def test_a_traceback_is_bounded(perform):
    """Deep recursion does not send a megabyte."""

    def deep(n):
        return deep(n - 1) if n else 1 / 0

    with pytest.raises(ZeroDivisionError) as caught:
        deep(900)
    failure, _ = failures.describe(caught.value, None)

    assert len(failure.traceback) <= failures.TRACEBACK_CHARS + 2
    assert "ZeroDivisionError" in failure.traceback


def test_progress_is_sent(perform):
    """Progress reaches the channel as it was said."""
    assert perform("selftest.allocate", {"mib": 1}).of(Progress) == [Progress(1, 1)]
