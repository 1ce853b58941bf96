"""Fixtures: `perform` runs a kind in this process, `start` in a real forked runner with limits."""

from __future__ import annotations

import multiprocessing
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from workloads import entry, runner
from workloads.protocol import Device, FromRunner, Idle, Spec, decode_from_runner, encode


@dataclass
class Recorder:
    """A channel that keeps what is sent, and asks to stop when `until` says so."""

    until: Callable[[FromRunner], bool] = lambda _: False
    sent: list[FromRunner] = field(default_factory=list)
    stop: bool = False

    def send(self, message: FromRunner) -> None:
        """Keep it."""
        self.sent.append(message)
        self.stop = self.stop or self.until(message)

    def stop_requested(self) -> bool:
        """As told."""
        return self.stop

    def wait_for_stop(self, seconds: float) -> bool:  # noqa: ARG002
        """Without waiting."""
        return self.stop

    def of(self, kind: type) -> list[Any]:
        """The messages of one kind."""
        return [message for message in self.sent if isinstance(message, kind)]

    @property
    def last(self) -> Any:
        """How it ended."""
        return self.sent[-1]


def new_spec(kind: str, params: dict[str, Any], work_dir: Path, **more: Any) -> Spec:
    usual = {"inputs": {}, "devices": [], "ram_mib": 0, "cpu_milli": 1000}
    return Spec(job_id="7", attempt=1, kind=kind, params=params, work_dir=str(work_dir), **{**usual, **more})


@pytest.fixture
def perform(tmp_path: Path) -> Callable[..., Recorder]:
    """Run a kind here, without limits, each time in a new folder."""

    def run(kind: str, params: dict[str, Any], *, until: Any = None, **more: Any) -> Recorder:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        channel = Recorder(until) if callable(until) else Recorder(stop=until == "at once")
        runner.perform(new_spec(kind, params, folder, **more), channel)
        return channel

    return run


class Started:
    """A runner process and the agent's ends of its channel and log."""

    def __init__(self, process: BaseProcess, channel: Connection, log: Connection) -> None:
        self.process, self.channel, self.log = process, channel, log

    def tell(self, message: Any) -> None:
        """Send a line, as the agent."""
        os.write(self.channel.fileno(), encode(message))

    def lines(self) -> Iterator[FromRunner]:
        """What the runner says until it hangs up, or idles."""
        with os.fdopen(os.dup(self.channel.fileno()), "rb") as stream:
            for line in stream:
                message = decode_from_runner(line)
                if isinstance(message, Idle):
                    return
                yield message

    def channel_bytes(self) -> bytes:
        """What it says next; fails when it hung up."""
        data = os.read(self.channel.fileno(), 65536)
        assert data, "the runner hung up"
        return data

    def wait(self) -> int | None:
        """The exit code, when it is given no more work."""
        if not self.channel.closed:
            with socket.socket(fileno=os.dup(self.channel.fileno())) as own:
                own.shutdown(socket.SHUT_WR)
        self.process.join(30)
        return self.process.exitcode

    def logged(self) -> str:
        """All of stdout and stderr."""
        with os.fdopen(os.dup(self.log.fileno()), "rb") as stream:
            return stream.read().decode()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Start a runner as an agent does: forkserver, socketpair, log pipe."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["workloads.runner", "workloads.trivial", "workloads.command"])
    started: list[Started] = []

    def run(kind: str, params: dict[str, Any], *, env: dict[str, str] | None = None, **more: Any) -> Started:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        ours, theirs = context.Pipe(duplex=True)
        log_reader, log_writer = context.Pipe(duplex=False)
        process = context.Process(target=entry.start, args=(theirs, log_writer, env or {}))
        process.start()
        theirs.close()
        log_writer.close()
        one = Started(process, ours, log_reader)
        started.append(one)
        one.tell(new_spec(kind, params, folder, **more))
        return one

    yield run
    for one in started:
        one.channel.close()
        one.log.close()
        if one.process.is_alive():
            one.process.kill()
        one.process.join()
        one.process.close()


@pytest.fixture
def ram() -> Callable[[int], Device]:
    return lambda mib: Device("ram", 0, mib)


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, str]:
    """Four photos of a user, by input name."""
    from workloads.portraits import draw

    draw.write_user(3, tmp_path / "photos")
    return {f"photo-{i:02}.png": str(tmp_path / "photos" / f"photo-{i:02}.png") for i in range(4)}
