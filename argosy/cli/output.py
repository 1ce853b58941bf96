"""How things look: JSON for programs, tables for people, one line for errors."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from argosy.client import Client
from argosy.errors import ArgosyError
from argosy.models import JobInfo, Node, Progress

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

_COLOURS = {
    "waiting": "bright_black",
    "ready": "cyan",
    "running": "blue",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "live": "green",
    "draining": "yellow",
    "silent": "red",
    "gone": "bright_black",
}


def connect() -> Client:
    """The fleet this shell is set up for. It waits a moment for an API that restarts; who waits for a job, longer."""
    return Client(tries=4)


def emit(value: Any) -> None:
    """One JSON document, or line, on stdout."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Something for a person, on stdout, without markup."""
    console().print(text, markup=False, highlight=False, soft_wrap=True)


def console() -> Console:
    """Where tables go; made when it is used, so that tests may replace stdout."""
    return Console(highlight=False)


def complain(error: ArgosyError, *, as_json: bool) -> None:
    """One error, on stderr."""
    if as_json:
        said = {
            "code": error.code,
            "message": Exception.__str__(error),
            "field": error.field,
            "fix": error.fix,
        }
        sys.stderr.write(msgspec.json.encode({"error": said}).decode() + "\n")
        return
    Console(stderr=True, highlight=False).print(f"[red]argosy:[/red] {escape(str(error))}", soft_wrap=True)


def state(word: str) -> str:
    """A state in its colour."""
    return f"[{_COLOURS.get(word, 'default')}]{word}[/]"


def age(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in the largest unit that says enough."""
    if moment is None:
        return ""
    seconds = int(((now or datetime.now(UTC)) - moment).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def progress(news: Progress | None) -> str:
    """How far, in a few characters."""
    if news is None:
        return ""
    if news.total and news.step is not None:
        return f"{100 * news.step // news.total} %"
    return news.message or (str(news.step) if news.step is not None else "")


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """Each id cut as short as still tells it from the others; the API takes any unique beginning."""
    for length in (13, 18, 23, 36):
        if len({each[:length] for each in ids}) == len(set(ids)):
            break
    return {each: each[:length] for each in ids}


def job_table(jobs: Iterable[JobInfo]) -> Table:
    """Jobs, one in a row."""
    shown = list(jobs)
    short = short_ids([job.job_id for job in shown])
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("ID", "KIND", "NAME", "STATE", "PRIORITY", "AGE", "NODE", "PROGRESS"):
        table.add_column(column, no_wrap=column in ("ID", "STATE", "PROGRESS"))
    for job in shown:
        why = f" ({escape(job.cause or job.held or '')})" if job.cause or job.held else ""
        far = progress(job.progress) if job.state == "running" else ""
        table.add_row(
            short[job.job_id],
            escape(job.kind),
            escape(job.name or ""),
            state(job.state) + why,
            job.priority,
            age(job.created_at),
            escape(job.node or ""),
            escape(far),
        )
    return table


def job_page(job: JobInfo) -> Table:
    """Everything of one job that is not empty."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    plain: dict[str, Any] = msgspec.to_builtins(job)
    error, news = plain.pop("error"), plain.pop("progress")
    for key, value in plain.items():
        if value in (None, {}, [], False, ""):
            continue
        if key == "state":
            table.add_row(key, state(value))
        else:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            table.add_row(key, escape(text))
    news = {key: value for key, value in (news or {}).items() if value is not None}
    if len(news) > 1:
        table.add_row("progress", escape(f"{progress(job.progress)} {msgspec.json.encode(news).decode()}"))
    if error:
        table.add_row("error", f"[red]{escape(error.get('message') or '')}[/red]")
        if error.get("traceback"):
            table.add_row("", escape(error["traceback"]))
    return table


def node_table(nodes: Iterable[Node]) -> Table:
    """Nodes with their devices, one device in a row."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("NODE", "STATE", "JOBS", "#", "DEVICE", "FREE MiB", "BOOKED MiB", "TOTAL MiB", "SEEN"):
        table.add_column(column, justify="right" if "MiB" in column or column in ("JOBS", "#") else "left")
    table.columns[4].overflow = "fold"
    for node in nodes:
        slots = node.slots if node.slots is not None else "?"
        fault = node.labels.get("gpu_fault")
        head = [
            escape(node.node),
            state(node.state) + (f" [red]({escape(fault)})[/red]" if fault else ""),
            f"{node.running}/{slots}",
        ]
        for device in (*node.devices, *([] if node.devices else [None])):
            cells = ["", "", "", "", ""]
            if device is not None:
                numbers = [device.free_mib, device.booked_mib, device.total_mib]
                cells = [
                    "" if device.kind == "ram" else str(device.idx),
                    escape(device.name.removeprefix("NVIDIA "))
                    + (f" [red]{escape(device.fault)}[/red]" if device.fault else ""),
                    *("" if number is None else str(number) for number in numbers),
                ]
            table.add_row(*head, *cells, age(node.beat_at) if head[0] else "")
            head = ["", "", ""]
    return table
