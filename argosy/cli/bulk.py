"""`argosy job cancel|retry|requeue`: jobs by their ids, or all that match a filter."""

from __future__ import annotations

from typing import Annotated

import typer

from argosy.cli import values
from argosy.cli.output import AsJson, connect, emit, say
from argosy.cli.words import Cause, Priority, State
from argosy.client import Client
from argosy.job import Job
from argosy.oncall import Selection

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="These; else those that match.")]
States = Annotated[list[State] | None, typer.Option("--state", help="May be given several times.")]
KindName = Annotated[str | None, typer.Option("--kind")]
Class = Annotated[Priority | None, typer.Option("--priority")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="All must match.")]
OlderThan = Annotated[
    str | None, typer.Option("--older-than", metavar="SPAN", help="Submitted longer ago: 90s, 15m, 2h, 3d.")
]
NodeName = Annotated[str | None, typer.Option("--node", help="Where it runs, or ran last.")]
Causes = Annotated[Cause | None, typer.Option("--cause", help="Why it ended.")]
ProjectName = Annotated[
    str | None, typer.Option("--project", help="Another project, or * for all; needs the scope admin.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many.")]


def cancel(
    *,
    job_ids: Ids = None,
    state: States = None,
    kind: KindName = None,
    priority: Class = None,
    tag: Tags = None,
    older_than: OlderThan = None,
    node: NodeName = None,
    project: ProjectName = None,
    every: Annotated[bool, typer.Option("--all", help="All that have not ended.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Cancel jobs, wherever they are: by id, or all that match."""
    filters = any((state, kind, priority, tag, older_than, node, project))
    _one_way(bool(job_ids), filters or every, dry_run=dry_run)
    with connect() as client:
        for job_id in job_ids or []:
            job = client.job(job_id)
            _print_outcome(job, job.cancel(), as_json=as_json)
        if not job_ids:
            wanted = _wanted(
                client,
                state=state,
                kind=kind,
                priority=priority,
                tag=tag,
                older_than=older_than,
                node=node,
                cause=None,
                project=project,
            )
            run(wanted, "cancel", dry_run=dry_run, as_json=as_json)


def retry(
    *,
    job_ids: Annotated[list[str], typer.Argument(metavar="ID...")],
    as_json: AsJson = False,
) -> None:
    """Run ended jobs again."""
    with connect() as client:
        for job_id in job_ids:
            job = client.job(job_id)
            _print_outcome(job, job.retry(), as_json=as_json)


def requeue(
    *,
    job_ids: Ids = None,
    state: States = None,
    kind: KindName = None,
    priority: Class = None,
    tag: Tags = None,
    older_than: OlderThan = None,
    node: NodeName = None,
    cause: Causes = None,
    project: ProjectName = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Hand running jobs back without blame (--state running), or run ended ones again (--state failed)."""
    filters = any((state, kind, priority, tag, older_than, node, cause, project))
    _one_way(bool(job_ids), filters, dry_run=False)
    with connect() as client:
        if job_ids:
            ids = [client.job(each).id for each in job_ids]
            ended = ("running", "succeeded", "failed", "cancelled")
            wanted = client.where(state=ended, jobs=ids)
        else:
            if not state:
                raise typer.BadParameter("running, failed, cancelled or succeeded", param_hint="--state")
            wanted = _wanted(
                client,
                state=state,
                kind=kind,
                priority=priority,
                tag=tag,
                older_than=older_than,
                node=node,
                cause=cause,
                project=project,
            )
        run(wanted, "requeue", dry_run=dry_run, as_json=as_json)


def run(wanted: Selection, action: str, *, dry_run: bool, as_json: bool) -> None:
    """Do it, or with *dry_run* say how many there are."""
    if dry_run:
        matched = wanted.count(action)
        if as_json:
            emit({"matched": matched, "dry_run": True})
        else:
            say(f"{matched} to {action}; nothing was done")
        return
    done = wanted.cancel() if action == "cancel" else wanted.requeue()
    if as_json:
        emit(done)
    else:
        left = f", {done.skipped} left as they are" if done.skipped else ""
        say(f"{done.changed} {action}{'led' if action == 'cancel' else 'd'}{left}")


def _wanted(
    client: Client,
    *,
    state: list[State] | None,
    kind: str | None,
    priority: Priority | None,
    tag: list[str] | None,
    older_than: str | None,
    node: str | None,
    cause: Cause | None,
    project: str | None,
) -> Selection:
    return client.where(
        state=[each.value for each in state or []],
        kind=kind,
        priority=None if priority is None else priority.value,
        tags=dict(values.pair(each, "--tag") for each in tag) if tag else None,
        older_than_s=values.duration_s(older_than, "--older-than"),
        node=node,
        cause=None if cause is None else cause.value,
        project=project,
    )


def _one_way(by_id: bool, by_filter: bool, *, dry_run: bool) -> None:  # noqa: FBT001  # both are named where it is called
    if by_id == by_filter or (by_id and dry_run):
        raise typer.BadParameter("give ids, or a filter such as --kind or --state", param_hint="ID...")


def _print_outcome(job: Job, outcome: str, *, as_json: bool) -> None:
    if as_json:
        emit({"job_id": job.id, "outcome": outcome})
    else:
        say(f"{job.id} {outcome.replace('_', ' ')}")
