"""`argosy job why`, `eta` and `change`, and `argosy fit`: questions about jobs, and what their answers propose."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from argosy.cli import values
from argosy.cli.output import AsJson, connect, emit, say
from argosy.cli.words import Priority
from argosy.questions import Bounds, Fit, Reason

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or a unique beginning of it.")]
Needs = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="vram_mib, gpus, cpu_milli, ram_mib, disk_mib, device, labels.X"),
]


def why(*, job_id: JobId, as_json: AsJson = False) -> None:
    """Say why a job has not started, and the smallest change that starts it now."""
    with connect() as client:
        told = client.job(job_id).why()
    if as_json:
        emit(told)
        return
    if not told.causes:
        say(
            f"{told.state}; nothing keeps it from starting"
            if told.state in ("ready", "waiting")
            else told.state
        )
        return
    say(f"{told.state}, because")
    for cause in told.causes:
        _say_reason(cause)
    if told.proved:
        say(f"With that it starts on {told.node or 'that machine'}; tried on a copy of the queue.")


def _say_reason(cause: Reason) -> None:
    say(f"  {cause.cause}: {cause.message}")
    if cause.command is not None:
        say(f"    {cause.command}")
    elif cause.change is not None and cause.change["verb"] == "join":
        wanted = ", ".join(
            f"{name} {value}"
            for name, value in cause.change.items()
            if name not in ("verb", "device") and value not in (None, 0, {}, [])
        )
        say(f"    a machine joins: {wanted}")


def eta(*, job_id: JobId, as_json: AsJson = False) -> None:
    """Say when a job will start and finish: even odds, and nine of ten."""
    with connect() as client:
        told = client.job(job_id).eta()
    if as_json:
        emit(told)
        return
    if told.ended_at is not None:
        say(f"{told.state} {_at(told.ended_at)}")
    elif told.basis == "unknown":
        say(f"{told.state}; nobody can say: `argosy job why {told.job_id}` tells what it lacks")
    else:
        for word, bounds in (("starts", told.start), ("finishes", told.finish)):
            if bounds is not None:
                say(f"{word} {_odds(bounds)}")
        if told.basis == "extrapolated":
            say(f"{told.ahead} jobs of its lane are before it: by their pace")


def change(
    *,
    job_id: JobId,
    priority: Annotated[Priority | None, typer.Option(help="Another class; it keeps its age.")] = None,
    need: Needs = None,
    run_at: Annotated[str | None, typer.Option(help="Not before this time.")] = None,
    now: Annotated[bool, typer.Option("--now", help="As soon as it can.")] = False,
    no_after: Annotated[bool, typer.Option("--no-after", help="Wait for no other job any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change a job that has not started: its class, its needs, its time, what it waits for."""
    if now and run_at is not None:
        raise typer.BadParameter("give --now or --run-at, not both", param_hint="--now")
    fields: dict[str, Any] = {}
    if priority is not None:
        fields["priority"] = priority.value
    if need:
        fields["need"] = values.need(need)
    if now or run_at is not None:
        fields["run_at"] = values.moment(run_at, "--run-at")
    if no_after:
        fields["after"] = []
    if not fields:
        raise typer.BadParameter("say what to change", param_hint="--priority")
    with connect() as client:
        state = client.job(job_id).change(**fields)
    if as_json:
        emit({"state": state})
    else:
        say(state)


def fit(
    *,
    kind: Annotated[str | None, typer.Argument(help="What would run.")] = None,
    param: Annotated[list[str] | None, typer.Option("-p", "--param", metavar="KEY=VALUE")] = None,
    priority: Annotated[Priority | None, typer.Option()] = None,
    need: Needs = None,
    file: Annotated[Path | None, typer.Option(help="Ask about the jobs in this JSON file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what would start now, where, and when, without submitting anything."""
    if (kind is None) == (file is None):
        raise typer.BadParameter("give a KIND, or --file with a list of jobs", param_hint="KIND")
    if file is not None:
        stated = values.jobs(file)
    else:
        stated = [
            {
                "kind": kind,
                "params": values.params(param or [], None),
                **({"priority": priority.value} if priority else {}),
                **({"need": values.need(need)} if need else {}),
            }
        ]
    with connect() as client:
        answers = client.fit(stated)
    if as_json:
        emit(answers)
        return
    for job, answer in zip(stated, answers, strict=True):
        _say_fit(str(job.get("ref") or job.get("kind")), answer)


def _say_fit(name: str, answer: Fit) -> None:
    if answer.starts == "now":
        devices = f", device {' '.join(map(str, answer.devices))}" if answer.devices else ""
        say(f"{name}: starts now on {answer.node}{devices}")
    elif answer.start is not None:
        say(f"{name}: starts {_odds(answer.start)}")
    else:
        say(f"{name}: never, as things are")
    if answer.finish is not None:
        say(f"  finishes {_odds(answer.finish)}")
    for cause in answer.causes:
        say(f"  {cause.cause}: {cause.message}")


def _odds(bounds: Bounds) -> str:
    return f"{_at(bounds.p50)} (even odds), by {_at(bounds.p90)} (nine of ten)"


def _at(moment: datetime) -> str:
    """In local time, and in how long."""
    away_s = int((moment - datetime.now(UTC)).total_seconds())
    if abs(away_s) < 2:
        return "now"
    for unit, size in (("h", 3600), ("min", 60), ("s", 1)):
        if abs(away_s) >= 2 * size or size == 1:
            span = f"{abs(away_s) // size} {unit}"
            break
    return f"{moment.astimezone():%H:%M:%S} ({'in ' + span if away_s > 0 else span + ' ago'})"
