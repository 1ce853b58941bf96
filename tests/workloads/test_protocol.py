from __future__ import annotations

import socket

import msgspec
import pytest

from tests.support.crowded import crowded
from workloads import protocol as p
from workloads.channel import SocketChannel

FROM_RUNNER = [
    p.Progress(3, 10, "loss 0.1"),
    p.Metrics(3, {"loss": 0.1}),
    p.Checkpoint(3, "/w/step-3.safetensors"),
    p.Result([p.Output("a.png", "/w/outputs/a.png", "image/png")], {"n": 1}, 12),
    p.Failure("out_of_memory", "no", "Traceback", 64),
    p.Stopped(),
]
TO_RUNNER = [
    p.Spec("1", 1, "noop", {}, {}, "/w", [p.Device("ram", 0, 64)], 16, 1000, "/c", 5),
    p.Stop("drain"),
]


@pytest.mark.parametrize("message", FROM_RUNNER)
def test_what_a_runner_says_survives_the_wire(message):
    """A message decodes to itself and is exactly one line."""
    line = p.encode(message)

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert message == p.decode_from_runner(line)


@pytest.mark.parametrize("message", TO_RUNNER)
def test_what_an_agent_says_survives_the_wire(message):
    """A message decodes to itself."""
    assert message == p.decode_to_runner(p.encode(message))


def test_an_agents_line_is_not_a_runners():
    """The two directions do not mix."""
    with pytest.raises(msgspec.ValidationError):
        p.decode_from_runner(p.encode(p.Stop("drain")))


def test_a_stop_is_heard_over_a_handle_of_any_number():
    """A runner inherits its channel's number from a crowded forkserver."""
    with crowded():
        ours, theirs = socket.socketpair()
        with ours, theirs:
            channel = SocketChannel(theirs.fileno())
            assert theirs.fileno() >= 1024
            assert not channel.stop_requested()
            ours.sendall(p.encode(p.Stop("drain")))

            assert channel.wait_for_stop(10.0)
