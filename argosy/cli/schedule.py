"""`argosy schedule ...`: work that comes by the clock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from argosy.cli import output, values
from argosy.cli.output import AsJson, connect, emit, say
from argosy.schedules import ScheduleInfo
from argosy.spec import JobSpec

app = typer.Typer(help="Submit jobs by the clock.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]


@app.command()
def create(
    *,
    name: Name,
    cron: Annotated[str, typer.Option(help="'0 3 * * mon-fri', or @daily.")],
    kind: Annotated[str | None, typer.Argument(help="What to run.")] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("-p", "--param", metavar="KEY=VALUE", help="A parameter; JSON or text."),
    ] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("-i", "--input", metavar="NAME=PATH", help="A file.")
    ] = None,
    need: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE")] = None,
    priority: Annotated[str | None, typer.Option(help="low, normal, high or urgent.")] = None,
    timezone: Annotated[str, typer.Option(help="In which the expression is meant.")] = "UTC",
    missed: Annotated[
        str, typer.Option(help="Ticks missed in an absence: run_once (one for all) or skip.")
    ] = "run_once",
    paused: Annotated[bool, typer.Option("--paused", help="Make it, but let it wait.")] = False,
    file: Annotated[Path | None, typer.Option(help="Submit the jobs in this JSON file, all or none.")] = None,
    as_json: AsJson = False,
) -> None:
    """Submit a job, or those of --file, at each tick of a cron expression."""
    if (kind is None) == (file is None):
        raise typer.BadParameter("give a KIND, or --file with a list of jobs", param_hint="KIND")
    with connect() as client:
        stated = {"name": name, "cron": cron, "timezone": timezone, "missed": missed, "enabled": not paused}
        if file is not None:
            made = client.schedules.create_raw({**stated, "jobs": values.batch(file, client.put)})
        else:
            assert kind is not None
            job = JobSpec(
                kind=kind,
                params=values.params(param or [], None),
                inputs=values.inputs(inputs or [], client),
                need=values.need(need or []),
                priority=priority,
            )
            made = client.schedules.create(
                name, cron, [job], timezone=timezone, missed=missed, enabled=not paused
            )
    if as_json:
        emit(made)
    else:
        say(f"{made.name}: {_next(made)}")


@app.command("list")
def list_schedules(*, as_json: AsJson = False) -> None:
    """List the schedules and what became of their last ticks."""
    with connect() as client:
        found = client.schedules.list()
    if as_json:
        emit(found)
        return
    if not found:
        say("No schedules.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("NAME", "CRON", "ZONE", "MISSED", "NEXT", "LAST", "OUTCOME"):
        table.add_column(column)
    for each in found:
        last = "" if each.last_tick is None else f"{each.last_tick:%Y-%m-%d %H:%M}Z"
        row = (each.name, each.cron, each.timezone, each.missed, _next(each), last, each.last_outcome or "")
        table.add_row(*(escape(cell) for cell in row))
    output.console().print(table)


@app.command()
def show(*, name: Name, as_json: AsJson = False) -> None:
    """Show one schedule with its jobs."""
    with connect() as client:
        found = client.schedules.get(name)
    if as_json:
        emit(found)
        return
    for key, item in msgspec.to_builtins(found).items():
        if item not in (None, [], {}):
            say(f"{key}: {item if isinstance(item, str) else msgspec.json.encode(item).decode()}")


@app.command()
def pause(*, name: Name, as_json: AsJson = False) -> None:
    """Make no ticks until it is resumed."""
    with connect() as client:
        _changed(name, "paused", changed=client.schedules.pause(name), as_json=as_json)


@app.command()
def resume(*, name: Name, as_json: AsJson = False) -> None:
    """Go on with the next tick; those while it was paused are not made up for."""
    with connect() as client:
        _changed(name, "resumed", changed=client.schedules.resume(name), as_json=as_json)


@app.command()
def delete(*, name: Name, as_json: AsJson = False) -> None:
    """Forget a schedule; what it submitted stays."""
    with connect() as client:
        client.schedules.delete(name)
    _changed(name, "deleted", changed=True, as_json=as_json)


def _changed(name: str, word: str, *, changed: bool, as_json: bool) -> None:
    if as_json:
        emit({"name": name, "outcome": word, "changed": changed})
    else:
        say(f"{name} {word}{'' if changed else ' (as before)'}")


def _next(schedule: ScheduleInfo) -> str:
    return "paused" if schedule.next_tick is None else f"next {schedule.next_tick:%Y-%m-%d %H:%M}Z"
