"""`argosy kind ...`: what can run, and keeping a kind back."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from argosy.cli import output
from argosy.cli.output import AsJson, connect, emit, say

app = typer.Typer(help="See the kinds, and keep one back.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="KIND")]


@app.command("list")
def list_kinds(*, as_json: AsJson = False) -> None:
    """List what can run."""
    with connect() as client:
        kinds = client.fleet.kinds()
    if as_json:
        emit(kinds)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("KIND", "READY", "RUNNING", "STATE", "WHAT"):
        table.add_column(column, justify="right" if column in ("READY", "RUNNING") else "left")
    for each in kinds:
        why = f": {each.quarantine_reason}" if each.quarantine_reason else ""
        held = f"quarantined{why}" if each.quarantined else ""
        cells = (each.kind, str(each.ready), str(each.running), held, each.description)
        table.add_row(*(escape(cell) for cell in cells))
    output.console().print(table)


@app.command()
def needs(
    *, name: Annotated[str | None, typer.Argument(metavar="KIND")] = None, as_json: AsJson = False
) -> None:
    """What was learned of its jobs: memory and time, by model and size."""
    with connect() as client:
        found = client.fleet.needs(name)
    if as_json:
        emit(found)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("KIND", "MODEL", "SIZE", "RUNS", "DECLARED", "LEARNED", "RAISED", "P50 S", "P90 S"):
        table.add_column(column, justify="left" if column in ("KIND", "MODEL", "SIZE") else "right")
    for each in found:
        sizes = [
            "" if mib is None else f"{mib} MiB {each.memory}"
            for mib in (each.declared_mib, each.learned_mib, each.raised_mib)
        ]
        times = ["" if s is None else f"{s:.1f}" for s in (each.run_p50_s, each.run_p90_s)]
        cells = (each.kind, each.model or "", each.size or "", str(each.runs), *sizes, *times)
        table.add_row(*(escape(cell) for cell in cells))
    output.console().print(table)


@app.command()
def quarantine(
    *,
    name: Name,
    reason: Annotated[str | None, typer.Option(help="For people; shown as long as it holds.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let no node start a kind; its jobs are taken and stand ready."""
    _set(name, on=True, reason=reason, as_json=as_json)


@app.command()
def release(*, name: Name, as_json: AsJson = False) -> None:
    """Let nodes start it again."""
    _set(name, on=False, reason=None, as_json=as_json)


def _set(name: str, *, on: bool, reason: str | None, as_json: bool) -> None:
    with connect() as client:
        changed = client.fleet.quarantine(name, on=on, reason=reason)
    if as_json:
        emit({"kind": name, "quarantined": on, "changed": changed})
    else:
        say(f"{name} {'quarantined' if on else 'released'}{'' if changed else ' (as before)'}")
