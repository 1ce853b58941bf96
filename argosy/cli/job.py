"""`argosy job ...`: submit, look, wait, fetch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from argosy.cli import bulk, output, questions, values
from argosy.cli.output import AsJson, connect, emit, say
from argosy.cli.words import Priority, State
from argosy.errors import ArgosyError, JobFailed, OutputsLeft
from argosy.job import Job
from argosy.models import JobEvent

app = typer.Typer(help="Submit, watch and fetch jobs.", no_args_is_help=True)
app.command()(bulk.cancel)
app.command()(bulk.retry)
app.command()(bulk.requeue)
app.command()(questions.why)
app.command()(questions.eta)
app.command()(questions.change)

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or a unique beginning of it.")]


@app.command()
def submit(
    *,
    kind: Annotated[str | None, typer.Argument(help="What to run.")] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("-p", "--param", metavar="KEY=VALUE", help="A parameter; JSON or text."),
    ] = None,
    params: Annotated[Path | None, typer.Option(help="A JSON file of parameters; - is stdin.")] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "-i",
            "--input",
            metavar="NAME=PATH",
            help="A file; or NAME=sha256:HASH, or NAME=job:ID/OUTPUT of a job it then waits for.",
        ),
    ] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID", help="Wait for this job to succeed; ID:failed or ID:ended for another end."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    priority: Annotated[Priority | None, typer.Option()] = None,
    need: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="vram_mib, gpus, cpu_milli, ram_mib, disk_mib, device, labels.X"
        ),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="For finding it again.")] = None,
    run_at: Annotated[str | None, typer.Option(help="Not before this time.")] = None,
    start_by: Annotated[str | None, typer.Option(help="By this time, or not at all.")] = None,
    timeout_s: Annotated[int | None, typer.Option(help="Most seconds one attempt may take.")] = None,
    retries: Annotated[
        int | None, typer.Option(help="How often to try again after its own failures.")
    ] = None,
    exclusive: Annotated[
        bool, typer.Option("--exclusive", help="Never run two at once, whatever happens.")
    ] = False,
    preemptible: Annotated[
        bool, typer.Option("--preemptible", help="In class low: give way to urgent work, go on later.")
    ] = False,
    webhook: Annotated[str | None, typer.Option(help="Called when it ends.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key again submits nothing new.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Submit the jobs in this JSON file, all or none.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it has ended; 1 if it failed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Submit a job, or with --file several. Prints the id, alone, one in a line."""
    if (kind is None) == (file is None):
        raise typer.BadParameter("give a KIND, or --file with a list of jobs", param_hint="KIND")
    with connect() as client:
        if file is not None:
            stated = values.batch(file, client.put)
            jobs = client.submit_raw(stated, idempotency_key=idempotency_key)
        else:
            assert kind is not None
            jobs = [
                client.submit(
                    kind,
                    values.params(param or [], params),
                    inputs=values.inputs(inputs or [], client),
                    after=[values.edge(each, client) for each in after or []],
                    name=name,
                    priority=None if priority is None else priority.value,
                    need=values.need(need or []),
                    tags=dict(values.pair(each, "--tag") for each in tag or []),
                    run_at=values.moment(run_at, "--run-at"),
                    start_by=values.moment(start_by, "--start-by"),
                    timeout_s=timeout_s,
                    retries=retries,
                    exclusive=exclusive,
                    preemptible=preemptible,
                    webhook=webhook,
                    idempotency_key=idempotency_key,
                )
            ]
        if not (wait and as_json):
            _print_submitted(jobs, as_json=as_json, many=file is not None)
        if wait:
            failed = [job for job in jobs if job.wait(check=False).state != "succeeded"]
            if as_json:
                infos = [job.info for job in jobs]
                emit(infos if file is not None else infos[0])
            _report(failed)


def _print_submitted(jobs: list[Job], *, as_json: bool, many: bool) -> None:
    if as_json:
        answers = [{"job_id": job.id, "created": job.created} for job in jobs]
        emit({"jobs": answers} if many else answers[0])
        return
    for job in jobs:
        say(job.id)


def _report(failed: list[Job]) -> None:
    if failed:
        # One line for each but the last, which becomes the exit code.
        for job in failed:
            try:
                job.wait()
            except JobFailed as error:
                if job is failed[-1]:
                    raise
                output.complain(error, as_json=False)


@app.command("list")
def list_jobs(
    *,
    state: Annotated[list[State] | None, typer.Option(help="Only these; may be given several times.")] = None,
    kind: Annotated[str | None, typer.Option()] = None,
    priority: Annotated[Priority | None, typer.Option()] = None,
    name: Annotated[str | None, typer.Option()] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE")] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    with connect() as client:
        found = [
            job.info
            for job in client.jobs(
                state=[each.value for each in state or []],
                kind=kind,
                priority=None if priority is None else priority.value,
                name=name,
                tags=dict(values.pair(each, "--tag") for each in tag or []),
                limit=limit,
            )
        ]
    if as_json:
        emit(found)
    elif found:
        output.console().print(output.job_table(found))
    else:
        say("No jobs.")


@app.command()
def show(*, job_id: JobId, as_json: AsJson = False) -> None:
    """Show one job with its attempts and outputs."""
    with connect() as client:
        job = client.job(job_id)
        attempts, outputs = job.attempts(), job.outputs
    if as_json:
        emit({"job": job.info, "attempts": attempts, "outputs": list(outputs.values())})
        return
    console = output.console()
    console.print(output.job_page(job.info))
    for attempt in attempts:
        why = f" {attempt.cause}: {attempt.message}" if attempt.cause else ""
        say(f"attempt {attempt.attempt}: {attempt.outcome} on {attempt.node or '?'}{why}")
    for each in outputs.values():
        say(f"output {each.name}  {each.size} bytes  {each.media_type}  sha256:{each.sha256}")


@app.command()
def watch(*, job_id: JobId, as_json: AsJson = False) -> None:
    """Watch a job until it has ended; 1 if it failed. With --json, one event in a line."""
    with connect() as client:
        job = client.job(job_id)
        if as_json:
            for event in job.events():
                emit(event)
        else:
            _show_live(job)
        job.wait()


def _show_live(job: Job) -> None:
    if not sys.stdout.isatty():
        for event in job.events():
            say(f"{event.name} {_detail(event)}".rstrip())
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[news]}"),
    )
    with Progress(*columns, console=output.console()) as bar:
        task = bar.add_task(f"{job.info.kind} {job.id[:13]}", total=None, news="")
        for event in job.events():
            if event.name == "progress":
                bar.update(
                    task,
                    total=event.data.get("total"),
                    completed=event.data.get("step") or 0,
                    news=event.data.get("message") or "",
                )
            elif event.name != "end":
                bar.console.print(f"{event.name} {_detail(event)}".rstrip(), markup=False, highlight=False)
        if job.refresh().state == "succeeded":
            bar.update(task, total=1, completed=1)


def _detail(event: JobEvent) -> str:
    if event.name == "progress":
        step, total, message = (event.data.get(key) for key in ("step", "total", "message"))
        far = "" if step is None else f"{step}/{total}" if total else str(step)
        return f"{far} {message or ''}".strip()
    if event.name == "end":
        return str(event.data.get("state") or "")
    detail = event.data.get("detail") or {}
    return " ".join(f"{key}={item}" for key, item in detail.items() if item is not None)


@app.command()
def logs(
    *,
    job_id: JobId,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until it has ended.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a job printed."""
    with connect() as client:
        for chunk in client.job(job_id).logs(follow=follow):
            if as_json:
                emit(chunk)
            else:
                (sys.stderr if chunk.stream == "stderr" else sys.stdout).write(chunk.text)
                sys.stdout.flush()


@app.command()
def download(
    *,
    job_id: JobId,
    folder: Annotated[Path, typer.Argument(help="Made if it is not there.")] = Path(),
    name: Annotated[list[str] | None, typer.Option("-n", "--name", help="Only this output.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the files a job made, checked by their hashes; 1 if the name of one cannot be a file here."""
    with connect() as client:
        job = client.job(job_id)
        left: OutputsLeft | None = None
        try:
            paths = job.download(folder, names=name)
        except OutputsLeft as exc:
            left, paths = exc, exc.paths
    if as_json:
        emit({"job_id": job.id, "paths": [str(path) for path in paths]})
    else:
        for path in paths:
            say(str(path))
    if left is not None:
        raise left
    if not paths and not as_json:
        raise ArgosyError(f"job {job.id} has no outputs; it is {job.state}", code="no_outputs")
