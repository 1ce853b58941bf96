"""`argosy doctor`: look the fleet over, and say what to do."""

from __future__ import annotations

from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table

from argosy import config
from argosy.cli.db import DatabaseUrl, owner_url
from argosy.cli.key import Json, connected, print_json
from argosy.errors import NotConfigured
from queue_schema import doctor as examiner
from queue_schema import migrate
from queue_schema.doctor import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "bad": "red", "unknown": "blue"}


def doctor(
    *,
    url: Annotated[
        str | None, typer.Option(envvar="ARGOSY_URL", help="The API. [default: the one of `argosy up`]")
    ] = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Look at the server, its roles, the chores, the nodes, their devices and the API; exit code 1 if anything is bad."""
    found: list[Finding] = []
    with connected(database_url) as conn:
        _, newest = migrate.versions(owner_url(database_url))
        found += examiner.examine(conn, newest=newest)
    found.append(_api(url))
    if as_json:
        print_json(found)
    else:
        table = Table("check", "", "found", "what to do", box=None, pad_edge=False, header_style="bold")
        for one in found:
            colour = _COLOURS[one.state]
            table.add_row(one.check, f"[{colour}]{one.state}[/]", one.found, one.fix or "")
        Console().print(table)
    if any(one.state == "bad" for one in found):
        raise typer.Exit(1)


def _api(said: str | None) -> Finding:
    """Whether it can work: it asks its own database and its file store."""
    try:
        url = config.find(said, "none is needed").url
    except NotConfigured:
        return Finding("api", "unknown", "no address is known", "Give --url or set ARGOSY_URL.")
    try:
        answer = httpx.get(url + "/readyz", timeout=10)
    except httpx.HTTPError as exc:
        return Finding("api", "bad", f"{url}: {exc}", "Start one: python -m api")
    if answer.is_success:
        return Finding("api", "ok", f"{url} works, and so does its file store")
    return Finding(
        "api", "bad", f"{url} answers {answer.status_code}: {answer.text[:300]}", "Its log has the reason."
    )
