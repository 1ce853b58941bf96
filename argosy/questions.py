"""The answers to why, when, and what would fit, as the API gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """One thing that keeps a job from starting."""

    cause: str
    message: str
    change: dict[str, Any] | None = None
    """The smallest change that does away with it: a verb and its arguments. None: only time helps."""
    free_at: datetime | None = None
    """When nodes that are busy should have room by themselves."""

    @property
    def command(self) -> str | None:
        """The change as a person would type it; None where no command makes it."""
        return None if self.change is None else _command(self.change)


class Why(msgspec.Struct, frozen=True):
    """Why a job has not started."""

    job_id: str
    state: str
    causes: list[Reason]
    """With all their changes made, it starts. Empty when it runs, has ended, or will start any moment."""
    proved: bool
    """The changes were tried on a copy of the queue, and the job was given to the node."""
    node: str | None = None
    """The one that lacks least."""
    ahead: int = 0
    """Jobs before it in its own lane."""


class Bounds(msgspec.Struct, frozen=True):
    """Even odds, and nine of ten."""

    p50: datetime
    p90: datetime


class Eta(msgspec.Struct, frozen=True):
    """When a job starts and finishes."""

    job_id: str
    state: str
    basis: str
    """`simulated`; `extrapolated`: by the pace of its lane; `unknown`: not within a week, as things are; `ended`."""
    made_at: datetime | None = None
    start: Bounds | None = None
    started_at: datetime | None = None
    finish: Bounds | None = None
    ended_at: datetime | None = None
    ahead: int = 0


class Fit(msgspec.Struct, frozen=True):
    """What would become of a job if it were submitted now."""

    starts: str
    """`now`, `later`, or `never` as things are."""
    ref: str | None = None
    node: str | None = None
    devices: list[int] = []
    start: Bounds | None = None
    finish: Bounds | None = None
    causes: list[Reason] = []
    """Why not now."""


def _command(change: dict[str, Any]) -> str | None:
    match change["verb"]:
        case "amend":
            return f"argosy job change {change['job']} {_fields(change['fields'])}"
        case "halt":
            return "argosy fleet go"
        case "quarantine":
            return f"argosy kind release {change['kind']}"
        case "pause":
            kind = f" --kind {change['kind']}" if change.get("kind") else ""
            return f"argosy fleet resume --priority {change['priority']}{kind}"
        case "project":
            limits = " ".join(
                f"--{name.replace('_', '-')} {value}" for name, value in change["fields"].items()
            )
            return f"argosy project set {change['project']} {limits}"
        case "drain":
            return f"argosy node drain {change['node']} --off"
        case "label":
            labels = " ".join(f"{name}={value}" for name, value in change["labels"].items())
            pools = "".join(f" --pool {pool}" for pool in change.get("pools") or [])
            return f"argosy label {change['node']} {labels}{pools}"
        case "unreserve" if change.get("job"):
            return f"argosy job cancel {change['job']}"
        case _:
            return None


def _fields(fields: dict[str, Any]) -> str:
    said = []
    if "priority" in fields:
        said.append(f"--priority {fields['priority']}")
    said += [f"--need {name}={value}" for name, value in (fields.get("need") or {}).items()]
    if "run_at" in fields:
        said.append("--now")
    if "after" in fields:
        said.append("--no-after")
    return " ".join(said)
