"""`argosy up`: a whole fleet on this machine, until Ctrl-C."""

from __future__ import annotations

import json
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from argosy import config
from argosy.local.fleet import LocalFleet, LocalFleetSettings
from argosy.mock.gpus import read_fleet

_WATCH_S = 0.5
_STOP = (signal.SIGINT, signal.SIGTERM)


def up(
    *,
    database_url: Annotated[
        str | None,
        typer.Option(
            envvar="ARGOSY_DATABASE_URL",
            help="A PostgreSQL (15 or newer) of your own, as a role that may create roles and schemas. Without"
            " it, one is started in the folder.",
        ),
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(
            help="The folder everything is kept in. [default: ARGOSY_HOME, else ~/.argosy; /var/lib/argosy for root]"
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="The address the API listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port; 0 for any free one.")] = 8080,
    agents: Annotated[int, typer.Option(min=0, help="How many agents to start here, without --mock.")] = 1,
    mock: Annotated[
        str | None,
        typer.Option(
            help="Stand-in GPUs, a node for each part: 8xA100,4xL4:24GiB. `argosy mock` shows and breaks them."
        ),
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option(min=1, help="Most jobs at once on each agent. [default: 4; two for each stand-in GPU]"),
    ] = None,
    ram_mib: Annotated[
        int | None,
        typer.Option(
            min=256, help="Host memory each agent may give to jobs. [default: most of the machine's]"
        ),
    ] = None,
    networked: Annotated[
        list[str] | None,
        typer.Option(
            help="A kind whose jobs may use the network; again for more. [default: those that fetch models]"
        ),
    ] = None,
    lease_s: Annotated[
        float | None,
        typer.Option(min=3, help="Seconds of silence before a machine loses its jobs. [default: 30]"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when the fleet is up.")
    ] = False,
) -> None:
    """Start a whole fleet on this machine: database, API, scheduler and agent. Ctrl-C stops it."""
    console = Console(stderr=True)
    gpus = None if mock is None else read_fleet(mock)
    kinds = ",".join(networked) if networked else None
    settings = LocalFleetSettings(
        home=(home or config.home()).expanduser().resolve(),
        database_url=database_url,
        host=host,
        port=port,
        lease_s=lease_s,
    )
    # Blocked, and taken one by one below: no handler interrupts a start or a stop half way.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    fleet = LocalFleet(settings, lambda line: console.print(line, style="yellow"))
    try:
        fleet.start()
        if gpus is None:
            name = socket.gethostname()
            for number in range(agents):
                fleet.add_agent(
                    name if number == 0 else f"{name}-{number + 1}",
                    ram_mib=ram_mib,
                    slots=slots,
                    networked=kinds,
                )
        else:
            fleet.add_mock_agents(gpus, ram_mib=ram_mib, slots=slots, networked=kinds)
        _announce(fleet, as_json=as_json)
        while signal.sigtimedwait(_STOP, _WATCH_S) is None:
            fleet.watch()
        console.print("stopping: agents hand their work back, then the rest ends (again to hurry)")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
        fleet.stop()


def _announce(fleet: LocalFleet, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(
            json.dumps({"url": fleet.url, "api_key": fleet.api_key, "home": str(fleet.home)}) + "\n"
        )
        sys.stdout.flush()
        return
    out = Console(soft_wrap=True)
    out.print(f"\n[bold]Argosy is up[/bold] at [cyan]{fleet.url}[/cyan]   (API docs: {fleet.url}/schema)")
    out.print(f"  key     {fleet.api_key}")
    out.print(f"  folder  {fleet.home}   (logs in logs/; it resumes from here)")
    out.print("\n  argosy node list")
    out.print('  argosy job submit command -p argv=\'["echo", "hello"]\' --wait\n')
