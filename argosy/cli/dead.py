"""`argosy dead ...`: jobs that failed with their retries used up; see them, and run them again."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from argosy.cli import bulk, output, values
from argosy.cli.output import AsJson, connect, emit, say
from argosy.cli.words import Cause

app = typer.Typer(help="Jobs that failed for good: see them, run them again.", no_args_is_help=True)

KindName = Annotated[str | None, typer.Option("--kind")]
Why = Annotated[Cause | None, typer.Option("--cause")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Ended then or later.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Ended before.")]


@app.command("list")
def list_dead(
    *,
    kind: KindName = None,
    cause: Why = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List them, newest first, with how many there are of each cause."""
    after, before = values.moment(since, "--since"), values.moment(until, "--until")
    why = None if cause is None else cause.value
    with connect() as client:
        found = list(
            client.dead.list(kind=kind, cause=why, ended_after=after, ended_before=before, limit=limit)
        )
        causes = client.dead.by_cause(kind=kind, ended_after=after, ended_before=before)
    if as_json:
        emit({"jobs": found, "causes": causes})
        return
    if not found:
        say("No dead jobs.")
        return
    short = output.short_ids([job.job_id for job in found])
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("ID", "KIND", "CAUSE", "ENDED", "RUNS", "NODE", "WHY"):
        table.add_column(column, no_wrap=column in ("ID", "CAUSE"))
    for job in found:
        table.add_row(
            short[job.job_id],
            escape(job.kind),
            job.cause,
            output.age(job.ended_at),
            str(job.attempts),
            escape(job.last_node or ""),
            escape(job.message or ""),
        )
    output.console().print(table)
    say("in all: " + ", ".join(f"{count} {word}" for word, count in sorted(causes.items())))


@app.command()
def redrive(
    *,
    kind: KindName = None,
    cause: Why = None,
    since: Since = None,
    until: Until = None,
    every: Annotated[bool, typer.Option("--all", help="Whatever the cause.")] = False,
    dry_run: bulk.DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run them again, with fresh retries; what had failed because it waited for them stays as it is."""
    if not (every or kind or cause or since or until):
        raise typer.BadParameter(
            "say which: --cause, --kind, --since, --until, or --all", param_hint="--cause"
        )
    with connect() as client:
        wanted = client.where(
            state="failed",
            dead=True,
            kind=kind,
            cause=None if cause is None else cause.value,
            ended_after=values.moment(since, "--since"),
            ended_before=values.moment(until, "--until"),
        )
        bulk.run(wanted, "requeue", dry_run=dry_run, as_json=as_json)
