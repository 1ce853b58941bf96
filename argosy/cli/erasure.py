"""`argosy erasure ...`: files that are to be gone for good, and the receipts."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from argosy.cli import output, values
from argosy.cli.output import AsJson, connect, emit, say
from argosy.erasures import Receipt

app = typer.Typer(help="Have files gone for good, everywhere, with a receipt.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The erasure's id.")]


@app.command()
def start(
    *,
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file", metavar="SHA256|PATH", help="This file, and all that was made of it; repeat it."
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="KEY=VALUE", help="All of the jobs that carry these tags; repeat it."),
    ] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All that the project has now.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: Annotated[
        str | None, typer.Option(metavar="TIME", help="Wait until all of it is gone: 90s, 15m, 2h.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Jobs that would use it are cancelled, what they said is wiped, and files go from the store and from every node."""
    if [bool(file), bool(tag), everything].count(True) != 1:
        raise typer.BadParameter("say what is to go: --file, --tag or --everything", param_hint="--file")
    patience_s = values.duration_s(wait, "--wait")
    sha256s = [_sha256(each) for each in file or []]
    tags = dict(values.pair(each, "--tag") for each in tag or [])
    what = (
        f"{len(sha256s)} files" if file else f"all of the jobs with {' '.join(tag)}" if tag else "everything"
    )
    if not yes:
        typer.confirm(
            f"Erase {what}, and all that was made of it? Nobody can bring it back.", abort=True, err=True
        )
    with connect() as client:
        if file:
            found = client.erasures.files(sha256s)
        elif tag:
            found = client.erasures.tags(tags)
        else:
            found = client.erasures.everything()
        if patience_s is not None:
            found = client.erasures.wait(found.erasure_id, timeout_s=patience_s)
    _show(found, as_json=as_json)


@app.command("list")
def list_receipts(
    *,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=500, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was erased, newest first."""
    with connect() as client:
        found = client.erasures.list(limit=limit)
    if as_json:
        emit(found)
        return
    if not found:
        say("Nothing was erased.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("ID", "STATE", "ASKED", "WHAT", "JOBS", "FILES", "WAITS FOR"):
        table.add_column(column, no_wrap=column in ("ID", "STATE"), overflow="fold")
    for each in found:
        table.add_row(
            each.erasure_id,
            each.state,
            output.age(each.asked_at),
            escape(_what(each)),
            str(each.jobs),
            str(each.files),
            escape(" ".join(each.waits_for)),
        )
    output.console().print(table)


@app.command()
def show(*, erasure_id: Id, as_json: AsJson = False) -> None:
    """The receipt: what went, when, and where it is not gone yet."""
    with connect() as client:
        _show(client.erasures.get(erasure_id), as_json=as_json)


@app.command()
def waive(
    *,
    erasure_id: Id,
    node: Annotated[str, typer.Argument(metavar="NODE", help="Whose machine never comes back.")],
    reason: Annotated[str, typer.Option(help="What became of it and its disk; it stands in the receipt.")],
    as_json: AsJson = False,
) -> None:
    """Do not wait for a node. If its machine does come back, wipe its disk first: it is not told any more."""
    with connect() as client:
        _show(client.erasures.waive(erasure_id, node, reason=reason), as_json=as_json)


def _sha256(text: str) -> str:
    if re.fullmatch(r"[0-9a-f]{64}", text):
        return text
    path = Path(text).expanduser()
    if not path.is_file():
        raise typer.BadParameter(f"{text!r} is neither a sha256 nor a file here", param_hint="--file")
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _what(receipt: Receipt) -> str:
    files = receipt.asked.get("files")
    if files is not None:
        return f"{files if isinstance(files, int) else len(files)} files"
    if tags := receipt.asked.get("tags"):
        return " ".join(f"{key}={value}" for key, value in tags.items())
    return "everything"


def _show(receipt: Receipt, *, as_json: bool) -> None:
    if as_json:
        emit(receipt)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("erasure", receipt.erasure_id)
    table.add_row("state", receipt.state)
    table.add_row("what", escape(_what(receipt)))
    table.add_row("asked", receipt.asked_at.isoformat())
    if receipt.wiped_at is not None:
        table.add_row(
            "jobs",
            f"{receipt.jobs}, of which {receipt.cancelled} were cancelled; wiped {receipt.wiped_at.isoformat()}",
        )
        table.add_row("files", f"{receipt.files}, {receipt.bytes} bytes")
        table.add_row("digest", receipt.digest or "")
    if receipt.shared:
        table.add_row("shared", f"{receipt.shared} files stay: other jobs read them, too")
    if receipt.schedules:
        table.add_row("schedules", f"{receipt.schedules} are deleted")
    if receipt.stored_at is not None:
        table.add_row("store", receipt.stored_at.isoformat())
    for node in receipt.nodes:
        if node.confirmed_at is None:
            text = "[yellow]not yet[/yellow]"
        elif node.waived is not None:
            text = f"{node.confirmed_at.isoformat()}, waived: {escape(node.waived)}"
        else:
            had = node.dropped
            text = node.confirmed_at.isoformat() + (
                f", {had.files} files, {had.runners} runners" if had else ""
            )
        table.add_row(escape(node.node), text)
    if receipt.done_at is not None:
        table.add_row("done", receipt.done_at.isoformat())
    output.console().print(table)
