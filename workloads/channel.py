"""The runner's end of the socket to its agent: JSON lines in both directions.

Reads without waiting, except for work; writes until everything is gone. Knows no workload.
"""

from __future__ import annotations

import os
import sys
import time
from multiprocessing.connection import wait
from pathlib import Path
from typing import Protocol, TextIO

import msgspec

from workloads.errors import ChannelClosed
from workloads.protocol import (
    Batch,
    Checkpoint,
    FromRunner,
    Metrics,
    OfJob,
    Progress,
    Spec,
    Stop,
    ToRunner,
    decode_to_runner,
    encode,
)


class Channel(Protocol):
    """Where a workload's messages go."""

    def send(self, message: OfJob) -> None:
        """Deliver, or raise ChannelClosed."""

    def stop_requested(self) -> bool:
        """Has the agent asked to give the work back? Never waits."""

    def wait_for_stop(self, seconds: float) -> bool:
        """Wait so long at most for the agent to ask."""


class SocketChannel:
    """A channel over an inherited socket."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._unread = b""
        self._stop = False
        os.set_blocking(fd, True)

    def read_work(self) -> list[Spec] | None:
        """Wait for the next piece of work; None when the agent hung up, or asked to stop, before it came.

        Raises:
            ChannelClosed: Something else came.
            msgspec.ValidationError: The line is not a message of the protocol.
        """
        while not self._stop:
            match self._next_line():
                case Spec() as spec:
                    return [spec]
                case Batch(specs):
                    return specs
                case Stop():
                    self._stop = True
                case None:
                    self._fill()
        return None

    def send(self, message: FromRunner) -> None:
        """Write one line; blocks while the agent is behind."""
        line = memoryview(encode(message))
        try:
            while line:
                line = line[os.write(self.fd, line) :]
        except (BrokenPipeError, ConnectionResetError) as exc:
            raise ChannelClosed("the agent closed the channel") from exc

    def stop_requested(self) -> bool:
        """Look for a `Stop` line; an agent that hung up counts as one, since nobody waits for the result."""
        return self.wait_for_stop(0)

    def wait_for_stop(self, seconds: float) -> bool:
        """As `stop_requested`, with patience."""
        self._take_lines()  # the stop may have come in one read with the spec
        if not self._stop and wait([self.fd], max(0.0, seconds)):
            self._fill()
            self._take_lines()
        return self._stop

    def _take_lines(self) -> None:
        while (message := self._next_line()) is not None:
            self._stop = self._stop or isinstance(message, Stop)

    def _fill(self) -> None:
        try:
            data = os.read(self.fd, 65536)
        except ConnectionResetError:
            data = b""
        self._unread += data
        self._stop = self._stop or not data

    def _next_line(self) -> ToRunner | None:
        line, newline, rest = self._unread.partition(b"\n")
        if not newline:
            return None
        self._unread = rest
        return decode_to_runner(line)


class Of:
    """The channel of one job of a batch: says which one speaks."""

    def __init__(self, channel: Channel, at: int) -> None:
        self._channel = channel
        self._at = at
        self.stop_requested = channel.stop_requested
        self.wait_for_stop = channel.wait_for_stop

    def send(self, message: OfJob) -> None:
        """With its place."""
        self._channel.send(msgspec.structs.replace(message, at=self._at))


class LocalChannel:
    """For a run without an agent: tells a person instead, and never asks to stop."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self.stream = stream
        self._checkpoint: str | None = None
        self.sent: list[OfJob] = []

    def send(self, message: OfJob) -> None:
        """Write progress and metrics as text; keep the newest checkpoint only, as an agent would."""
        match message:
            case Progress(step, total, text):
                self.stream.write(f"{step}/{total if total is not None else '?'} {text or ''}\n")
            case Metrics(step, values):
                self.stream.write(f"{step} {values}\n")
            case Checkpoint(_, path):
                if self._checkpoint and self._checkpoint != path:
                    Path(self._checkpoint).unlink()
                self._checkpoint = path
            case _:
                self.sent.append(message)

    def stop_requested(self) -> bool:
        """Nobody asks."""
        return False

    def wait_for_stop(self, seconds: float) -> bool:
        """Wait all of it."""
        time.sleep(max(0.0, seconds))
        return False
