"""How one agent behaves, read once from the command line and ARGOSY_AGENT_* and then only handed down.

A value on the command line wins over the environment. Nothing else in `agent` reads the environment.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from queue_schema.knobs import meanings

PREFIX = "ARGOSY_AGENT_"


class SettingsError(ValueError):
    """A setting is missing or not usable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Every knob of the agent; times in seconds, memory in MiB."""

    database_url: str = field(repr=False)
    """Where the queue is. Prefer the environment: a command line can be read by every user of the host."""
    api_url: str
    """Where files are fetched from and sent to."""
    state_dir: Path
    """Spool, cache, work folders and this agent's identity; one per agent, on a local disk."""
    node: str = field(default_factory=socket.gethostname)
    """Its name in the fleet, of one machine alone; the host's name if none is said."""
    ram_mib: int | None = None
    """Host memory for jobs; None means what the machine has, minus a reserve."""
    slots: int = 4
    """Most jobs at once."""
    cpu_milli: int | None = None
    """Thousandths of a core for jobs; None means every core this process may use."""
    labels: tuple[tuple[str, str], ...] = ()
    """Further facts about this machine; an admin's labels win over them."""
    kinds: tuple[str, ...] = ()
    """What this agent runs; empty means everything `workloads` knows."""
    in_process: tuple[str, ...] = ()
    """Kinds run inside this process instead of in a runner each, to measure the queue and the agent; only kinds whose
    code says that it is safe there (`noop`) are taken."""
    preload: tuple[str, ...] = ()
    """Modules the forkserver imports once, so that a runner starts in a second; empty means what `workloads` asks."""
    entry: str = "workloads.entry:start"
    """What a runner process calls, as `module:function`."""
    poll_s: float = 1.0
    """Between two looks for work when idle; jittered. Notifications only make it quicker."""
    grace_s: float = 5.0
    """From SIGTERM to SIGKILL."""
    drain_s: float = 30.0
    """How long running jobs may go on after SIGTERM to the agent."""
    stop_s: float = 20.0
    """How long a job may take to write its checkpoint when it is asked to stop."""
    transfer_s: float = 600.0
    """How long a file is tried again before the attempt ends as `infrastructure`."""
    answer_s: float = 60.0
    """How long the database may be silent when it was asked, before its connection is given up and it is asked again over
    another; for a heartbeat it is a third of the lease."""
    report_s: float = 0.5
    """Between two batches of progress and log lines."""
    exclusive_margin_s: float = 5.0
    """How long before its lease ends an exclusive job is killed."""
    ram_allowance_mib: int = 192
    """What a runner may hold beyond its booking before it is ended: the interpreter itself, the preloaded pages
    it comes to copy (24 MiB for a `noop`, up to about 130 of them with torch), and our error."""
    gpu_allowance_mib: int = 512
    """What a job may hold on a GPU beyond its booking before it is ended: a context costs 150 to 500 MiB."""
    isolation: str = "auto"
    """`on`: no job without a user, a /tmp and a network of its own; `auto`: with what this host allows; `off`."""
    networked: tuple[str, ...] = ("diffusion.generate", "diffusion.train_lora")
    """Kinds whose jobs may use the network, to fetch models; all others have only a loopback of their own."""
    disk_floor_mib: int = 512
    """With less than this free where `state_dir` is, the node takes nothing new."""
    disk_allowance_mib: int = 1024
    """What a job may write beyond its booking of scratch space before it is ended: those bookings are estimates."""
    job_processes: int = 2048
    """Most processes and threads of one job, where it has a user or a cgroup of its own."""
    gpus: str = "auto"
    """`none`: this machine has no GPU to give, whatever its driver says; memory of the host takes the bookings."""
    hours: str = ""
    """When jobs may use this machine, by its own clock: `mon-fri 19:00-08:00, sat, sun`; empty: always."""
    gauge_s: float = 1.0
    """Between two looks at the GPUs for what outgrew its booking and what is sick."""
    device_patience_s: float = 15.0
    """How long a GPU's driver may be silent before what runs there is ended, to run elsewhere."""
    warm_s: float = 300.0
    """How long a runner that loaded a model stays when its job is done, for the next of its project and model."""
    warm_most: int = 8
    """Most runners at rest; 0: each job has a process of its own."""
    batch_most: int = 16
    """Most jobs of one claim that are done as one, where their kind can; 1: each alone."""
    cache_mib: int = 20_480
    """Disk for files kept for the next job."""
    models_mib: int = 204_800
    """Disk for models that jobs fetched, of all projects together; the least recently used go first."""
    unused_days: int = 30
    """Cached files and models that nobody has used for so long go. Not more than the scheduler keeps sessions: what was
    erased while this machine was away for longer is not told it, and must be gone by itself."""
    metrics_port: int | None = None
    """Answer scrapes of Prometheus on this port, 0 for any free one; None: on none."""
    metrics_host: str = "127.0.0.1"
    """Where: whoever can reach it may read it, no key is asked for."""
    log_level: str = "info"
    """`debug`, `info`, `warning` or `error`."""

    def __post_init__(self) -> None:
        for name, low in (
            ("slots", 1),
            ("poll_s", 0.01),
            ("report_s", 0.01),
            ("answer_s", 1.0),
            ("grace_s", 0.0),
            ("gauge_s", 0.01),
            ("job_processes", 16),
            ("disk_floor_mib", 0),
            ("device_patience_s", 0.0),
            ("cache_mib", 0),
            ("models_mib", 0),
            ("unused_days", 1),
            ("warm_s", 0.0),
            ("warm_most", 0),
            ("batch_most", 1),
        ):
            if getattr(self, name) < low:
                raise SettingsError(f"{name} must be at least {low}, got {getattr(self, name)}")
        if self.ram_mib is not None and self.ram_mib < 1:
            raise SettingsError(f"ram_mib must be at least 1, got {self.ram_mib}")
        if self.metrics_port is not None and not 0 <= self.metrics_port <= 65535:
            raise SettingsError(f"metrics_port must be between 0 and 65535, got {self.metrics_port}")
        if self.isolation not in ("auto", "on", "off"):
            raise SettingsError(f"isolation must be auto, on or off, got {self.isolation!r}")
        if self.gpus not in ("auto", "none"):
            raise SettingsError(f"gpus must be auto or none, got {self.gpus!r}")
        if ":" not in self.entry:
            raise SettingsError(f"entry must be module:function, got {self.entry!r}")


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for part in _words(text):
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise SettingsError(f"a label must be key=value, got {part!r}")
        pairs.append((key, value))
    return tuple(pairs)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


_READERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "Path": lambda text: Path(text).expanduser().absolute(),
    "int": int,
    "int | None": int,
    "float": float,
    "tuple[str, ...]": _words,
    "tuple[tuple[str, str], ...]": _labels,
}
_SPELLED = {"labels": "--label"}


def read(argv: Sequence[str], environ: Mapping[str, str]) -> AgentSettings:
    """Build the settings from a command line and an environment.

    Raises:
        SettingsError: One is missing or not usable; the text names it and its value.
        SystemExit: `--help`, or an argument nobody knows.
    """
    parser = argparse.ArgumentParser(
        prog="python -m agent",
        description="The node daemon of an Argosy fleet. Each setting is an option or a variable of the environment. "
        "Times are in seconds, memory in MiB.",
        epilog="Its owner wants the machine: python -m agent keep-off --help, python -m agent let-in --help.",
    )
    meant = meanings(AgentSettings)
    for item in fields(AgentSettings):
        flag = _SPELLED.get(item.name, "--" + item.name.replace("_", "-"))
        many = str(item.type).startswith("tuple")
        parser.add_argument(
            flag,
            dest=item.name,
            action="append" if many else "store",
            help=f"{meant[item.name]} ({PREFIX}{item.name.upper()})".replace("%", "%%"),
        )
    said = vars(parser.parse_args(argv))
    values: dict[str, Any] = {}
    for item in fields(AgentSettings):
        given = said[item.name]
        text = ",".join(given) if isinstance(given, list) else given
        if text is None:
            text = environ.get(PREFIX + item.name.upper())
        if text is None:
            if item.default is MISSING and item.default_factory is MISSING:
                flag = "--" + item.name.replace("_", "-")
                raise SettingsError(f"{flag} (or {PREFIX}{item.name.upper()}) must be given")
            continue
        try:
            values[item.name] = _READERS[str(item.type)](text)
        except SettingsError:
            raise
        except ValueError as exc:
            raise SettingsError(f"{item.name} must be {item.type}, got {text!r}") from exc
    return AgentSettings(**values)
