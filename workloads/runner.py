"""The body of a runner process: read work, do it, say how it ended; where its kind keeps a model, wait for more.

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
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from workloads import confine
from workloads.channel import Channel, LocalChannel, Of, SocketChannel
from workloads.context import Context
from workloads.errors import ChannelClosed, GivenBack, UserError, WorkloadError
from workloads.failures import describe
from workloads.models import Models
from workloads.protocol import EXIT_FAILED, EXIT_OK, Device, Failure, Idle, Result, Spec, Stopped, encode
from workloads.registry import KEEPS, resolve, resolve_batch

TRACEPARENT = "TRACEPARENT"
"""Where programs look for the trace they go on with, by convention of OpenTelemetry."""
SPARE_BYTES = 4 << 20
"""Given free when the work fails, so that there is memory to say so."""


def run(channel: Connection, log: Connection | None, env: Mapping[str, str]) -> int:
    """Be a runner until there is no more work.

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
        specs = socket.read_work()
        keeps = specs is not None and specs[0].kind in KEEPS
        bounds, models = confine.Bounds(for_good=not keeps), Models()
        while specs is not None:
            done = perform_all(specs, socket, bounds, models)
            if not (keeps and done.succeeded):
                return done.code
            os.chdir("/")  # the folder goes with its job
            confine.give_back_memory()
            sys.stdout.flush()
            sys.stderr.flush()
            socket.send(Idle())
            specs = socket.read_work()
    except ChannelClosed as exc:
        sys.stderr.write(f"runner: {exc}\n")
        return EXIT_FAILED
    return EXIT_OK


class Done(NamedTuple):
    """How a piece of work went."""

    code: int
    """For the end of the process."""
    succeeded: bool
    """Every job of it has a result."""


def perform_all(specs: Sequence[Spec], channel: Channel, bounds: confine.Bounds, models: Models) -> Done:
    """Do one job, or several as one; where that fails, each alone."""
    if len(specs) > 1:
        batched = _perform_as_one(specs, channel, bounds, models)
        if batched is not None:
            return batched
        models.drop()  # as after any failure
        confine.give_back_memory()
    done = [
        perform(spec, channel if len(specs) == 1 else Of(channel, at), bounds=bounds, models=models)
        for at, spec in enumerate(specs)
    ]
    return Done(max(each.code for each in done), all(each.succeeded for each in done))


def perform(
    spec: Spec, channel: Channel, *, bounds: confine.Bounds | None = None, models: Models | None = None
) -> Done:
    """Do the work of a spec and send how it ended.

    Args:
        spec: What to do.
        channel: Where messages go.
        bounds: None leaves the limits of this process alone.
        models: What this process has loaded.

    Raises:
        ChannelClosed: The agent is gone.
    """
    spare: bytearray | None = bytearray(SPARE_BYTES)
    context = Context(spec, channel, models)
    meter = confine.PeakMeter([])
    try:
        with context.span("import"):
            workload = resolve(spec.kind)
        if bounds is not None:
            os.chdir(spec.work_dir)
            os.environ.update(ARGOSY_JOB_ID=spec.job_id, ARGOSY_ATTEMPT=str(spec.attempt))
            os.environ.pop(TRACEPARENT, None)  # a job before may have had one
            if spec.trace is not None:
                os.environ[TRACEPARENT] = spec.trace
            # After the import: libraries are neither the job's memory nor its threads.
            confine.use_threads(spec.cpu_milli)
            meter = bounds.hold(spec.devices, spec.ram_mib)
        with context.span("work"):
            values = dict(workload(context) or {})
        _check_outputs(context)
        channel.send(Result(context.outputs, values, _peak(context, meter)))
    except ChannelClosed:
        raise
    except GivenBack:
        channel.send(Stopped())
        return Done(EXIT_OK, succeeded=False)
    except BaseException as exc:  # noqa: BLE001 - the edge where every failure becomes a message
        spare = None
        context.models.drop()  # nobody knows in what state it left the model
        _let_go(exc)
        budget_mib = context.budget_mib if bounds is not None else 0
        failure, code = describe(exc, _peak(context, meter), budget_mib, on_gpu=bool(meter.gpus))
        if failure.traceback:
            sys.stderr.write(failure.traceback)
        _send_failure(channel, failure)
        return Done(code, succeeded=False)
    finally:
        del spare
    return Done(EXIT_OK, succeeded=True)


def _perform_as_one(
    specs: Sequence[Spec], channel: Channel, bounds: confine.Bounds, models: Models
) -> Done | None:
    """Within what is booked for all of them; None where nothing was sent yet and each is to be done alone.

    How much a job of several had in use, nobody can say: their results name no peak.
    """
    contexts = [Context(spec, Of(channel, at), models) for at, spec in enumerate(specs)]
    try:
        workload = resolve_batch(specs[0].kind)
        if workload is None:
            return None
        os.chdir(specs[0].work_dir)
        for name in ("ARGOSY_JOB_ID", "ARGOSY_ATTEMPT", TRACEPARENT):
            os.environ.pop(name, None)
        # As many as each of them alone: with another number, sums round differently, and with them the pictures.
        confine.use_threads(min(spec.cpu_milli for spec in specs))
        bounds.hold(_together(specs), sum(spec.ram_mib for spec in specs))
        with ExitStack() as parts:
            for context in contexts:
                parts.enter_context(context.span("work"))
            answers = [dict(values) for values in workload(contexts)]
        for context in contexts:
            _check_outputs(context)
        results = [Result(context.outputs, values) for context, values in zip(contexts, answers, strict=True)]
    except ChannelClosed:
        raise
    except GivenBack:
        for context in contexts:
            context.channel.send(Stopped())
        return Done(EXIT_OK, succeeded=False)
    except Exception as exc:  # noqa: BLE001 - whatever it is, each alone will meet it or not
        _let_go(exc)
        sys.stderr.write(f"runner: {len(specs)} jobs are not done as one: {type(exc).__name__}: {exc}\n")
        return None
    for context, result in zip(contexts, results, strict=True):
        context.channel.send(result)
    return Done(EXIT_OK, succeeded=True)


def _together(specs: Sequence[Spec]) -> list[Device]:
    """The devices of jobs that are on the same ones, with the memory of all."""
    return [
        Device(same[0].kind, same[0].index, sum(device.memory_mib for device in same))
        for same in zip(*(spec.devices for spec in specs), strict=True)
    ]


def _let_go(exc: BaseException) -> None:
    """Of what the frames of a failure still hold."""
    if exc.__traceback__ is not None:
        traceback.clear_frames(exc.__traceback__)
    gc.collect()


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
    done = perform(spec, channel)
    for message in channel.sent:
        sys.stdout.write(encode(message).decode())
    return done.code


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
