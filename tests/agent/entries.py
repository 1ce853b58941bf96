"""What a runner calls in place of `workloads.entry`, for tests that need a job of a certain behaviour."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from workloads import confine
from workloads.channel import SocketChannel
from workloads.protocol import Checkpoint, Idle, Metrics, Progress, Result, Stopped


def checkpointing(channel, log, env):
    """Go on from a checkpoint if there is one; else write one, and wait to be stopped."""
    confine.lead_own_session()
    confine.die_with_parent()
    agent = SocketChannel(channel.fileno())
    [spec] = agent.read_work() or []
    if spec.checkpoint is not None:
        values = {"resumed_at": spec.checkpoint_step, "text": Path(spec.checkpoint).read_text()}
        agent.send(Result([], values))
        os._exit(0)
    agent.send(Progress(5, 10, "half way"))
    agent.send(Metrics(5, {"loss": 0.5}))
    agent.wait_for_stop(600)
    path = Path(spec.work_dir) / "state.bin"
    path.write_text("so far")
    agent.send(Checkpoint(5, str(path)))
    agent.send(Stopped())
    os._exit(0)


def babbling(channel, log, env):
    """Send something that is no message, and leave."""
    confine.lead_own_session()
    SocketChannel(channel.fileno()).read_work()
    os.write(channel.fileno(), b'{"type": "nonsense"}\n')
    os._exit(0)


def hoarding(channel, log, env):
    """Hold as many MiB as it is told, and keep them for the next job; leave a child behind, if told so.

    It works for as long as the file `while` is there.
    """
    confine.lead_own_session()
    confine.die_with_parent()
    agent = SocketChannel(channel.fileno())
    kept = bytearray()
    while specs := agent.read_work():
        [spec] = specs
        mib = spec.params["values"].get("mib", 0)
        if mib << 20 > len(kept):
            kept = bytearray(b"\1") * (mib << 20)
        Path(os.environ["TMPDIR"], "left").write_text("behind")
        if spec.params["values"].get("child"):
            subprocess.Popen(["sleep", "600"])
        sys.stdout.write(f"job {spec.job_id} in {os.getpid()}\n")
        while Path(spec.params["values"].get("while", "/nowhere")).exists():
            time.sleep(0.02)
        agent.send(Result([], {"pid": os.getpid(), "cwd": spec.work_dir}))
        agent.send(Idle())
    os._exit(0)
