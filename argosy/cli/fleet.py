"""`argosy fleet ...`: stop all claims and go again; pause this project or a part of it; retry policies."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from argosy.cli import output
from argosy.cli.output import AsJson, connect, emit, say
from argosy.cli.words import Cause, Priority

app = typer.Typer(help="Stop the fleet, or a part of its work, and go again.", no_args_is_help=True)

Reason = Annotated[str | None, typer.Option(help="For people; shown as long as it holds.")]
Class = Annotated[Priority | None, typer.Option("--priority", help="Only this class.")]
KindName = Annotated[str | None, typer.Option("--kind", help="Only this kind.")]


@app.command()
def show(*, as_json: AsJson = False) -> None:
    """Is anything stopped?"""
    with connect() as client:
        info = client.fleet.info()
    if as_json:
        emit(info)
        return
    why = f": {info.halt_reason}" if info.halt_reason else ""
    say(f"stopped{why}" if info.halted else "going")
    say(f"live nodes {info.live_nodes}, running jobs {info.running}, paused lanes {info.paused_lanes}")
    if info.quarantined:
        say(f"quarantined kinds: {', '.join(info.quarantined)}")


@app.command()
def stop(*, reason: Reason = None, as_json: AsJson = False) -> None:
    """Start nothing more anywhere; running work goes on."""
    with connect() as client:
        _told("fleet", "stopped", changed=client.fleet.stop(reason), as_json=as_json)


@app.command()
def go(*, as_json: AsJson = False) -> None:
    """Start work again."""
    with connect() as client:
        _told("fleet", "goes", changed=client.fleet.go(), as_json=as_json)


@app.command()
def pause(*, priority: Class = None, kind: KindName = None, as_json: AsJson = False) -> None:
    """Start nothing more of this project, or of one class or kind of it."""
    _pause(priority, kind, paused=True, as_json=as_json)


@app.command()
def resume(*, priority: Class = None, kind: KindName = None, as_json: AsJson = False) -> None:
    """Start this project's work again, or that of one class or kind."""
    _pause(priority, kind, paused=False, as_json=as_json)


@app.command()
def policy(
    *,
    cause: Annotated[
        Cause | None, typer.Argument(help="Of which to change it; without one, list all.")
    ] = None,
    charged: Annotated[
        str | None, typer.Option(help="Whose retries: user, infrastructure or nobody.")
    ] = None,
    retried: Annotated[
        bool | None, typer.Option("--retried/--not-retried", help="Whether it is tried again.")
    ] = None,
    base_s: Annotated[float | None, typer.Option(help="Pause before the first retry; then doubles.")] = None,
    max_s: Annotated[float | None, typer.Option(help="Longest pause.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what happens after an attempt failed, or change it for one cause."""
    with connect() as client:
        if cause is None:
            policies = client.fleet.policies()
        else:
            changed = client.fleet.set_policy(
                cause.value, charged=charged, retried=retried, base_s=base_s, max_s=max_s
            )
            policies = [changed]
    if as_json:
        emit(policies if cause is None else policies[0])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("CAUSE", "CHARGED", "RETRIED", "FIRST PAUSE", "LONGEST"):
        table.add_column(column)
    for each in policies:
        again = "yes" if each.retried else "no"
        table.add_row(each.cause, each.charged, again, f"{each.base_s:g} s", f"{each.max_s:g} s")
    output.console().print(table)


def _pause(priority: Priority | None, kind: str | None, *, paused: bool, as_json: bool) -> None:
    with connect() as client:
        lanes = client.pause(paused=paused, priority=None if priority is None else priority.value, kind=kind)
    if as_json:
        emit({"paused": paused, "lanes": lanes})
    else:
        say(f"{lanes} lanes {'paused' if paused else 'resumed'}")


def _told(what: str, word: str, *, changed: bool, as_json: bool) -> None:
    if as_json:
        emit({what: word, "changed": changed})
    else:
        say(f"{what} {word}{'' if changed else ' (as before)'}")
