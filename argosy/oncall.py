"""For people on call, from Python: `client.fleet`, and `client.where(...)` for many jobs at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from argosy._http import Query, Transport


class FleetInfo(msgspec.Struct, frozen=True):
    """Is anything stopped, and how much goes on."""

    halted: bool
    halt_reason: str | None = None
    quarantined: list[str] = []
    paused_lanes: int = 0
    live_nodes: int = 0
    running: int = 0


class LearnedNeed(msgspec.Struct, frozen=True):
    """What jobs of one kind, model and size need, and how long they take."""

    kind: str
    gpus: int
    memory: str
    """`vram`: on each device; `ram`: the host's."""
    stated: bool
    """The submission named it: what is learned never lowers it."""
    declared_mib: int
    vram_mib: int
    """Booked on each device now."""
    ram_mib: int
    runs: int
    model: str | None = None
    size: str | None = None
    learned_mib: int | None = None
    raised_mib: int | None = None
    raised_until: datetime | None = None
    run_p50_s: float | None = None
    run_p90_s: float | None = None
    peak_mib: int | None = None


class Kind(msgspec.Struct, frozen=True):
    """What code can run."""

    kind: str
    description: str = ""
    quarantined: bool = False
    quarantine_reason: str | None = None
    need: dict[str, Any] = {}
    timeout_s: int | None = None
    retries: int = 0
    ready: int = 0
    running: int = 0


class Policy(msgspec.Struct, frozen=True):
    """What happens after an attempt failed for one cause."""

    cause: str
    charged: str
    """Whose retries it uses up: `user`, `infrastructure` or `nobody`."""
    retried: bool
    base_s: float
    """Pause before the first retry; doubles each time, with jitter."""
    max_s: float


class DeadJob(msgspec.Struct, frozen=True):
    """A job that failed by itself, with its retries used up."""

    job_id: str
    kind: str
    cause: str
    ended_at: datetime
    name: str | None = None
    message: str | None = None
    attempts: int = 0
    retries_used: int = 0
    infra_retries: int = 0
    last_node: str | None = None


class _Dead(msgspec.Struct):
    jobs: list[DeadJob]
    causes: dict[str, int] = {}
    next: str | None = None


class _Policies(msgspec.Struct):
    policies: list[Policy]


class Bulk(msgspec.Struct, frozen=True):
    """What a cancel or requeue of many did."""

    matched: int
    changed: int = 0
    skipped: int = 0
    """Ended or settled meanwhile, told already, or waiting for a job that has ended otherwise."""


class _Batch(Bulk, frozen=True):
    next: str | None = None


class _Changed(msgspec.Struct):
    changed: bool


class _Needs(msgspec.Struct):
    needs: list[LearnedNeed]


class _Kinds(msgspec.Struct):
    kinds: list[Kind]


class Fleet:
    """The brakes of the whole fleet; they need a key with the scope admin."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def info(self) -> FleetInfo:
        """Is anything stopped?"""
        return self._http.call("GET", "/v1/fleet", FleetInfo)

    def stop(self, reason: str | None = None) -> bool:
        """Start nothing more anywhere; running work goes on. Returns whether that changed anything."""
        return self._http.call(
            "POST", "/v1/fleet/halt", _Changed, json={"on": True, "reason": reason}
        ).changed

    def go(self) -> bool:
        """Start work again. Returns whether that changed anything."""
        return self._http.call("POST", "/v1/fleet/halt", _Changed, json={"on": False}).changed

    def needs(self, kind: str | None = None) -> list[LearnedNeed]:
        """What was learned of this project's jobs, by kind, model and size."""
        query: Query = [("kind", kind)] if kind else []
        return self._http.call("GET", "/v1/needs", _Needs, query=query).needs

    def kinds(self) -> list[Kind]:
        """What can run, by name."""
        return self._http.call("GET", "/v1/kinds", _Kinds).kinds

    def quarantine(self, kind: str, *, on: bool = True, reason: str | None = None) -> bool:
        """Let no node start a kind (or, with `on=False`, let them again). Returns whether that changed anything."""
        path = f"/v1/kinds/{quote(kind, safe='')}/quarantine"
        return self._http.call("POST", path, _Changed, json={"on": on, "reason": reason}).changed

    def policies(self) -> list[Policy]:
        """What happens after an attempt failed, by cause."""
        return self._http.call("GET", "/v1/policies", _Policies).policies

    def set_policy(
        self,
        cause: str,
        *,
        charged: str | None = None,
        retried: bool | None = None,
        base_s: float | None = None,
        max_s: float | None = None,
    ) -> Policy:
        """Change it for failures from now on; what is left out stays.

        Raises:
            BadRequest: It would be tried for ever, or the user would pay for the fleet.
        """
        said = {"charged": charged, "retried": retried, "base_s": base_s, "max_s": max_s}
        change = {name: item for name, item in said.items() if item is not None}
        return self._http.call("POST", f"/v1/policies/{quote(cause, safe='')}", Policy, json=change)


class Dead:
    """Jobs of one project that failed by themselves, with their retries used up."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(
        self,
        *,
        kind: str | None = None,
        cause: str | None = None,
        ended_after: datetime | None = None,
        ended_before: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[DeadJob]:
        """Newest first, page by page; `client.where(state="failed", dead=True).requeue()` runs them again."""
        query = _query(kind, cause, ended_after, ended_before)
        left, cursor = limit, None
        while left is None or left > 0:
            size = 100 if left is None else min(left, 500)
            more: Query = [("limit", size), *([("cursor", cursor)] if cursor else [])]
            page = self._http.call("GET", "/v1/dead", _Dead, query=[*query, *more])
            yield from page.jobs
            cursor = page.next
            if cursor is None:
                return
            left = None if left is None else left - len(page.jobs)

    def by_cause(
        self,
        *,
        kind: str | None = None,
        ended_after: datetime | None = None,
        ended_before: datetime | None = None,
    ) -> dict[str, int]:
        """How many there are of each cause."""
        query = _query(kind, None, ended_after, ended_before)
        return self._http.call("GET", "/v1/dead", _Dead, query=[*query, ("limit", 1)]).causes


def _query(
    kind: str | None, cause: str | None, ended_after: datetime | None, ended_before: datetime | None
) -> Query:
    found: Query = [(name, item) for name, item in (("kind", kind), ("cause", cause)) if item]
    times = (("ended_after", ended_after), ("ended_before", ended_before))
    return [*found, *((name, at.isoformat()) for name, at in times if at is not None)]


class Selection:
    """Jobs that match; made by `client.where`. Nothing is asked before one of its methods is called."""

    def __init__(self, http: Transport, where: Mapping[str, Any], project: str | None) -> None:
        self._http = http
        self._stated = {"where": dict(where), **({} if project is None else {"project": project})}

    def count(self, action: str = "cancel") -> int:
        """How many `cancel` or `requeue` would find."""
        stated = {**self._stated, "dry_run": True}
        return self._http.call("POST", f"/v1/jobs/{action}", Bulk, json=stated).matched

    def cancel(self) -> Bulk:
        """End all of them, in bounded batches."""
        return self._all("cancel")

    def requeue(self) -> Bulk:
        """Hand running ones back without blame, and run ended ones again, in bounded batches."""
        return self._all("requeue")

    def _all(self, action: str) -> Bulk:
        matched = changed = skipped = 0
        after: str | None = None
        while True:
            stated = self._stated if after is None else {**self._stated, "after": after}
            batch = self._http.call("POST", f"/v1/jobs/{action}", _Batch, json=stated)
            matched, changed, skipped = (
                matched + batch.matched,
                changed + batch.changed,
                skipped + batch.skipped,
            )
            after = batch.next
            if after is None:
                return Bulk(matched, changed, skipped)


def selection(
    http: Transport,
    *,
    state: str | Sequence[str] | None,
    jobs: Sequence[str] | None,
    kind: str | None,
    priority: str | None,
    tags: Mapping[str, str] | None,
    older_than_s: float | None,
    node: str | None,
    cause: str | None,
    ended_after: datetime | None,
    ended_before: datetime | None,
    dead: bool,
    project: str | None,
) -> Selection:
    """As `Client.where`, which explains it."""
    said = {
        "states": [state] if isinstance(state, str) else list(state or []),
        "jobs": None if jobs is None else list(jobs),
        "kind": kind,
        "priority": priority,
        "tags": None if tags is None else dict(tags),
        "older_than_s": older_than_s,
        "node": node,
        "cause": cause,
        "ended_after": ended_after,
        "ended_before": ended_before,
        "dead": dead,
    }
    kept = {name: item for name, item in said.items() if item is not None and item is not False}
    return Selection(http, kept, project)
