"""`argosy blob ...`: files by their hash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from argosy.cli.output import AsJson, connect, emit, say

app = typer.Typer(help="Put files into the fleet, and get them out.", no_args_is_help=True)


@app.command()
def put(
    *,
    paths: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, metavar="FILE...")],
    as_json: AsJson = False,
) -> None:
    """Upload files that the fleet does not have; prints the sha256 of each."""
    with connect() as client:
        for path in paths:
            blob = client.put(path)
            if as_json:
                emit({"path": str(path), "sha256": blob.sha256, "size": blob.size})
            else:
                say(f"{blob.sha256}  {path}")


@app.command()
def get(
    *,
    sha256: Annotated[str, typer.Argument(metavar="SHA256")],
    path: Annotated[Path, typer.Argument(help="Where to.")],
    as_json: AsJson = False,
) -> None:
    """Download a file, checked by its hash."""
    with connect() as client:
        client.get(sha256, path)
    if as_json:
        emit({"path": str(path), "sha256": sha256})
    else:
        say(str(path))
