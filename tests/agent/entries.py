"""What a runner calls in place of `workloads.entry`, for tests that need a job of a certain behaviour."""

from __future__ import annotations

import os
from pathlib import Path

from workloads import confine
from workloads.channel import SocketChannel
from workloads.protocol import Checkpoint, Metrics, Progress, Result, Stopped


def checkpointing(channel, log, env):
    """Go on from a checkpoint if there is one; else write one, and wait to be stopped."""
    confine.lead_own_session()
    confine.die_with_parent()
    agent = SocketChannel(channel.fileno())
    spec = agent.read_spec()
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
    SocketChannel(channel.fileno()).read_spec()
    os.write(channel.fileno(), b'{"type": "nonsense"}\n')
    os._exit(0)
