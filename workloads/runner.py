"""The body of a runner process: read one `Spec`, do the work, say how it ended.

How a runner is started belongs to the agent; what a kind does belongs to its module. For debugging:
`python -m workloads.runner --local KIND params.json --input NAME=PATH --out DIR` needs no agent.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from workloads import confine
from workloads.channel import Channel, LocalChannel, SocketChannel
from workloads.context import Context
from workloads.errors import ChannelClosed, GivenBack, UserError, WorkloadError
from workloads.failures import describe
from workloads.protocol import EXIT_FAILED, EXIT_OK, Failure, Result, Spec, Stopped, encode
from workloads.registry import resolve

SPARE_BYTES = 4 << 20
"""Given free when the work fails, so that there is memory to say so."""


def run(channel: Connection, log: Connection | None, env: Mapping[str, str]) -> int:
    """Be a runner until the work ends.

    Args:
        channel: One end of a socketpair, used as a stream of JSON lines.
        log: Where stdout and stderr go; None leaves them.
        env: Set before anything looks at devices, CUDA_VISIBLE_DEVICES for example.

    Returns:
        The exit code.
    """
    confine.lead_own_session()
    confine.die_with_parent()
    if log is not None:
        confine.redirect_output(log.fileno())
    os.environ.update(env)
    socket = SocketChannel(channel.fileno())
    try:
        spec = socket.read_spec()
        os.chdir(spec.work_dir)
        return perform(spec, socket)
    except ChannelClosed as exc:
        sys.stderr.write(f"runner: {exc}\n")
        return EXIT_FAILED


def perform(spec: Spec, channel: Channel, *, confined: bool = True) -> int:
    """Do the work of a spec and send how it ended.

    Args:
        spec: What to do; the current directory is its work_dir already.
        channel: Where messages go.
        confined: False leaves the limits of this process alone.

    Raises:
        ChannelClosed: The agent is gone.
    """
    spare: bytearray | None = bytearray(SPARE_BYTES)
    context = Context(spec, channel)
    meter = confine.PeakMeter([])
    try:
        workload = resolve(spec.kind)
        if confined:
            # After the import: libraries are neither the job's memory nor its threads.
            confine.use_threads(spec.cpu_milli)
            contexts_mib = confine.limit_devices(spec.devices, spec.ram_mib)
            meter = confine.PeakMeter(spec.devices, contexts_mib)
        values = dict(workload(context) or {})
        _check_outputs(context)
        channel.send(Result(context.outputs, values, _peak(context, meter)))
    except ChannelClosed:
        raise
    except GivenBack:
        channel.send(Stopped())
    except BaseException as exc:  # noqa: BLE001 - the edge where every failure becomes a message
        spare = None
        if exc.__traceback__ is not None:
            traceback.clear_frames(exc.__traceback__)
        gc.collect()
        budget_mib = context.budget_mib if confined else 0
        failure, code = describe(exc, _peak(context, meter), budget_mib, on_gpu=bool(meter.gpus))
        if failure.traceback:
            sys.stderr.write(failure.traceback)
        _send_failure(channel, failure)
        return code
    finally:
        del spare
    return EXIT_OK


def _peak(context: Context, meter: confine.PeakMeter) -> int | None:
    own = meter.read_mib()
    peaks = [peak for peak in (own, context.measured_peak_mib) if peak]
    return max(peaks, default=None)


def _send_failure(channel: Channel, failure: Failure) -> None:
    """The exit code speaks where the message cannot."""
    try:
        channel.send(failure)
    except (MemoryError, ChannelClosed) as exc:
        sys.stderr.write(f"runner: failure not sent: {type(exc).__name__}\n")


def _check_outputs(context: Context) -> None:
    for output in context.outputs:
        if not Path(output.path).is_file():
            raise WorkloadError(f"{context.spec.kind} announced output {output.name!r} but never wrote it")


def local(kind: str, params: Path, inputs: Sequence[str], out: Path, checkpoint: Path | None) -> int:
    """Run a kind here and now; its files land in `out`/outputs, its answer on stdout."""
    files = {}
    for pair in inputs:
        name, equals, path = pair.partition("=")
        if not equals:
            raise UserError(f"--input {pair!r} must be NAME=PATH")
        files[name] = str(Path(path).resolve())
    out.mkdir(parents=True, exist_ok=True)
    spec = Spec(
        job_id="local",
        attempt=1,
        kind=kind,
        params=json.loads(params.read_text()),
        inputs=files,
        work_dir=str(out.resolve()),
        devices=[],
        ram_mib=0,
        cpu_milli=1000,
        checkpoint=str(checkpoint.resolve()) if checkpoint else None,
    )
    channel = LocalChannel()
    os.chdir(out)
    code = perform(spec, channel, confined=False)
    for message in channel.sent:
        sys.stdout.write(encode(message).decode())
    return code


def main() -> int:
    """The debugging entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--local", metavar="KIND", required=True)
    parser.add_argument("params", type=Path)
    parser.add_argument("--input", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path)
    args = parser.parse_args()
    return local(args.local, args.params, args.input, args.out, args.checkpoint)


if __name__ == "__main__":
    sys.exit(main())
