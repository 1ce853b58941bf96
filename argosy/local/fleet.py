"""Start a database, an API, a scheduler and agents on this machine, from one folder that it can resume from."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import httpx
import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql

from argosy.errors import ArgosyError
from argosy.local.children import Child
from argosy.mock.gpus import Gpus, MockFleet
from queue_schema import migrate
from queue_schema.calls import admin, clients
from queue_schema.states import Scope

if TYPE_CHECKING:
    from argosy.embedded import EmbeddedServer  # with a database of your own its wheel is not needed

_READY_S = 60.0
_LOGINS = {"argosy_agent": "fleet_agent", "argosy_api": "fleet_api", "argosy_scheduler": "fleet_scheduler"}
_MOCK_CPU_MILLI = 8000
"""For each stand-in GPU, as hosts of GPUs have it, whatever this machine has."""
PROJECT = "default"
_MOCK_SHARE_OF_RAM = 80
"""Per cent of this machine's, over all mock nodes."""


@dataclass(frozen=True, kw_only=True)
class LocalFleetSettings:
    """What `argosy up` was asked for."""

    home: Path
    database_url: str | None = field(default=None, repr=False)
    """None: a server of our own in the folder."""
    host: str = "127.0.0.1"
    port: int = 8080
    """0: any free one."""
    lease_s: float | None = None
    """None: what the database says (30 s in a new one); else three heartbeats fit into it."""


class LocalFleet:
    """A fleet on this machine. `start`, then `watch` now and then, then `stop`.

    Whatever is killed is found again by the next `start` in the same folder.
    """

    def __init__(self, settings: LocalFleetSettings, say: Callable[[str], None]) -> None:
        self.settings = settings
        self.home = settings.home
        self._say = say
        self._children: list[Child] = []
        self.agents: dict[str, Child] = {}
        self._embedded: EmbeddedServer | None = None
        self._lock: IO[str] | None = None
        self.url = ""
        self.api_key = ""

    def start(self) -> None:
        """Bring everything up; returns when the API answers.

        Raises:
            ArgosyError: The folder is in use, the port is taken, or a program does not come up.
        """
        self._take_home()
        port = self._port()
        owner_url, urls = self._database()
        if self.settings.lease_s is not None:
            with psycopg.connect(owner_url, autocommit=True) as conn:
                admin.configure(conn, lease_s=self.settings.lease_s, heartbeat_s=self.settings.lease_s / 3)
        self.url = f"http://{self.settings.host}:{port}"
        self.api_key = self._key(owner_url)
        self._urls = urls
        api = self._child(
            "api",
            ["-m", "api", "--host", self.settings.host, "--port", str(port)],
            {
                "ARGOSY_API_DATABASE_URL": urls["argosy_api"],
                "ARGOSY_API_BLOB_ROOT": str(self.home / "blobs"),
            },
        )
        scheduler = {
            # Whoever is called back by a fleet on his own machine is on it, too.
            "ARGOSY_SCHEDULER_WEBHOOK_NETWORKS": "127.0.0.0/8,::1/128",
            **_said("ARGOSY_SCHEDULER_"),
            "ARGOSY_DATABASE_URL": urls["argosy_scheduler"],
        }
        self._child("scheduler", ["-m", "scheduler"], scheduler)
        self._wait_until_ready(api)

    def add_agent(
        self, node: str, *, environment: Mapping[str, str] | None = None, **options: str | float | None
    ) -> Child:
        """Start one more agent under this node name. Settings of agents in our own environment are theirs too.

        Args:
            node: Its name; also of its state folder.
            environment: Of the agent, beside our own.
            options: Settings of the agent by name, for example `slots=2`; None is "not said".
        """
        arguments = ["-m", "agent", "--node", node, "--api-url", self.url]
        arguments += ["--state-dir", str(self.home / "agents" / node)]
        for name, value in options.items():
            if value is not None:
                arguments += ["--" + name.replace("_", "-"), str(value)]
        secret = {"ARGOSY_AGENT_DATABASE_URL": self._urls["argosy_agent"]}
        child = self._child(
            f"agent-{node}",
            arguments,
            {**_said("ARGOSY_AGENT_"), **(environment or {}), **secret},
            stop_s=60.0,
        )
        self.agents[node] = child
        return child

    def add_mock_agents(
        self, fleet: Sequence[Gpus], *, ram_mib: int | None, slots: int | None, networked: str | None = None
    ) -> None:
        """Start an agent for each node of a mock fleet, all in good health.

        Raises:
            ArgosyError: This machine cannot build the stand-in driver.
        """
        share = ram_mib or _MOCK_SHARE_OF_RAM * psutil.virtual_memory().total // (len(fleet) * 100 << 20)
        for node, gpus in zip(MockFleet(self.home / "mock").make(fleet), fleet, strict=True):
            self.add_agent(
                node.name,
                environment=node.environment,
                ram_mib=share,
                # What runs on a stand-in GPU does so in host memory, beside what was booked of that.
                ram_allowance_mib=gpus.total_mib,
                cpu_milli=_MOCK_CPU_MILLI * gpus.count,
                slots=slots or 2 * gpus.count,
                networked=networked,
            )

    def forget_agent(self, node: str) -> None:
        """Do not start this agent again when it dies."""
        self._children.remove(self.agents.pop(node))

    def watch(self) -> None:
        """Start again what died; says so. Call it a few times a second."""
        for child in self._children:
            code = child.revive()
            if code is not None:
                self._say(f"{child.name} ended with code {code}; starting it again (log: {child.log})")

    def stop(self) -> None:
        """Agents first, so that they can hand back their work; the database last."""
        for agent in self.agents.values():
            agent.signal(signal.SIGTERM)  # all at once: each may take its time to hand back
        for child in sorted(self._children, key=lambda child: child not in self.agents.values()):
            child.stop()
        self._children.clear()
        self.agents.clear()
        if self._embedded is not None:
            self._embedded.stop()
        if self._lock is not None:
            self._lock.close()

    def _take_home(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.home / "logs").mkdir(exist_ok=True)
        self._lock = (self.home / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise ArgosyError(
                f"another `argosy up` runs in {self.home}",
                code="home_in_use",
                field="home",
                fix="Stop it, or set ARGOSY_HOME to another folder.",
            ) from exc
        os.set_inheritable(self._lock.fileno(), False)

    def _database(self) -> tuple[str, dict[str, str]]:
        """A migrated database: the owner's address, and one for each program with no more rights than it needs."""
        if self.settings.database_url is not None:
            migrate.upgrade(self.settings.database_url)
            return self.settings.database_url, dict.fromkeys(_LOGINS, self.settings.database_url)
        from argosy.embedded import EmbeddedServer

        server = EmbeddedServer(self.home / "postgres")
        server.start()
        self._embedded = server
        server.ensure_database("argosy")
        owner_url = server.url("argosy")
        migrate.upgrade(owner_url)
        with psycopg.connect(owner_url, autocommit=True) as conn:
            for login, capability in _LOGINS.items():
                if conn.execute("select from pg_roles where rolname = %s", (login,)).fetchone() is None:
                    conn.execute(
                        sql.SQL("create role {} login connection limit 200 in role {}").format(
                            sql.Identifier(login), sql.Identifier(capability)
                        )
                    )
        return owner_url, {login: server.url("argosy", user=login) for login in _LOGINS}

    def _port(self) -> int:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.settings.host, self.settings.port))
            except OSError as exc:
                raise ArgosyError(
                    f"cannot listen on {self.settings.host}:{self.settings.port}: {exc.strerror}",
                    code="port_taken",
                    field="port",
                    fix="Give --port another number, or 0 for any free one.",
                ) from exc
            port: int = probe.getsockname()[1]
            return port

    def _key(self, owner_url: str) -> str:
        """The key of last time if it still works, else a new one; kept for the CLI, readable by its owner only."""
        path = self.home / "client.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        with psycopg.connect(owner_url, autocommit=True) as conn:
            key = kept.get("api_key")
            if not key or clients.authenticate(conn, key) is None:
                key = admin.create_key(conn, PROJECT, name="argosy up", scopes=list(Scope)).key
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps({"url": self.url, "api_key": key}))
        fresh.replace(path)
        return key

    def _child(
        self, name: str, arguments: list[str], environment: dict[str, str], stop_s: float = 15.0
    ) -> Child:
        child = Child(
            name=name,
            arguments=arguments,
            environment=environment,
            log=self.home / "logs" / f"{name}.log",
            stop_s=stop_s,
        )
        child.start()
        self._children.append(child)
        return child

    def _wait_until_ready(self, api: Child) -> None:
        end = time.monotonic() + _READY_S
        while time.monotonic() < end:
            if api.process is None or api.process.poll() is not None:
                raise ArgosyError(
                    f"the API does not start:\n{api.last_words()}", code="not_started", fix=f"See {api.log}."
                )
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2.0).is_success:
                    return
            except httpx.HTTPError:
                pass  # not listening yet
            time.sleep(0.1)
        raise ArgosyError(
            f"the API is not ready after {_READY_S:.0f} s:\n{api.last_words()}",
            code="not_ready",
            fix=f"See {api.log}.",
        )


def _said(prefix: str) -> dict[str, str]:
    """Settings of one program in our own environment."""
    return {name: value for name, value in os.environ.items() if name.startswith(prefix)}
