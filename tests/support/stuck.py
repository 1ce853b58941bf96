"""Random states of a fleet in which one job is stuck, for reasons that are known because they were put there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from queue_schema.calls import admin, chores, clients
from queue_schema.calls.questions import Why
from queue_schema.shapes import After, Need, Submission
from queue_schema.states import Priority
from tests.support.verbs import HEADROOM_MIB, Agent, Conn, Project

GIB = 1024
Change = dict[str, Any]
KIND = "selftest.allocate"
SORTS = (
    "too_big",
    "busy",
    "cap",
    "paused",
    "dependency",
    "future",
    "label",
    "reservation",
    "no_live_node",
    "quota",
)
"""The ten; `too_big` fits no node, `busy` fits only busy ones."""
_APART = (
    {"too_big", "busy", "reservation", "no_live_node"},
    {"label", "no_live_node"},
)
"""Of each of these at most one at a time: a job cannot be too big for a node that is not there."""


def sorts_of(chance: random.Random, *, first: str) -> set[str]:
    """Some sorts that can be together, `first` among them."""
    chosen = {first}
    for sort in chance.sample(SORTS, chance.randint(0, 4)):
        if not any(sort in apart and chosen & apart - {sort} for apart in _APART):
            chosen.add(sort)
    return chosen


@dataclass
class Stuck:
    """One job and the fleet it is stuck in."""

    conn: Conn
    project: Project
    job: UUID
    sorts: set[str]
    agents: dict[str, Agent] = field(default_factory=dict)

    def started(self, told: Why, *, but: Change | None = None, instead: Change | None = None) -> bool:
        """Whether the job starts once all changes are made, but one: that is left out, or made `instead`."""
        agent = self.agents.get(told.node or "")
        for cause in told.causes:
            change = instead if cause.change == but else cause.change
            if change is not None:
                agent = self._apply(change) or agent
        assert agent is not None
        return any(job.job_id == self.job for job in agent.claim())

    def _apply(self, change: Change) -> Agent | None:
        match change["verb"]:
            case "amend":
                clients.amend(self.conn, self.project.id, UUID(change["job"]), **change["fields"])
            case "pause":
                clients.pause(
                    self.conn,
                    self.project.id,
                    paused=False,
                    priority=Priority(change["priority"]),
                    kind=change.get("kind"),
                )
            case "project":
                admin.set_project(self.conn, change["project"], **change["fields"])
            case "label":
                admin.label_node(
                    self.conn, change["node"], labels=change["labels"], pools=change["pools"] or []
                )
            case "unreserve":
                row = self.conn.execute(
                    "select r.job_id, j.project_id from fleet.reservations as r join fleet.jobs as j using (job_id)"
                    " join fleet.nodes as n on n.node_id = r.node_id where n.node = %s",
                    (change["node"],),
                ).fetchone()
                assert row is not None
                clients.cancel(self.conn, row[1], [row[0]])
            case "join":
                return Agent(
                    self.conn,
                    "newcomer",
                    gpus=[change["vram_mib"] + HEADROOM_MIB] * change["gpus"],
                    ram_mib=change["ram_mib"] + HEADROOM_MIB,
                    cpu_milli=change["cpu_milli"],
                    kinds=[change["kind"]],
                    labels=change["labels"],
                )
            case other:
                raise AssertionError(f"no change of this sort was expected: {other}")
        return None


def smaller(change: Change) -> Iterator[Change | None]:
    """Smaller changes of the same sort, each by as little as can be; None: not at all."""

    def other(**fields: Any) -> Change:
        return {**change, **fields}

    match change["verb"]:
        case "amend" if "need" in change["fields"]:
            for name, value in change["fields"]["need"].items():
                yield other(fields={"need": {**change["fields"]["need"], name: value + 1}})
        case "project":
            [(name, value)] = change["fields"].items()
            yield other(fields={name: value - 1})
        case "label":
            for name in change["missing"]:
                yield other(labels={label: v for label, v in change["labels"].items() if label != name})
        case "join":
            for name in ("vram_mib", "ram_mib", "cpu_milli"):
                yield other(**{name: change[name] - 1})
        case _:
            yield None


def stuck(conn: Conn, chance: random.Random, sorts: set[str]) -> Stuck:
    """Make a fleet and a job that is stuck for exactly these reasons.

    Args:
        conn: To a database that nobody has used; a transaction of the caller's makes it so again.
        chance: Where all sizes and numbers come from.
        sorts: From `SORTS`.
    """
    acme, other = Project(conn, "acme"), Project(conn, "other")
    need_mib = chance.randint(4 * GIB, 12 * GIB)
    agents = _fleet(conn, chance, sorts, need_mib)
    _crowd(chance, sorts, other, agents, need_mib)
    running = 0 if "no_live_node" in sorts else chance.randint(0, 2)
    for _ in range(running):
        job = acme.submit("noop", need=Need(cpu_milli=1, ram_mib=1, disk_mib=0))
        assert any(job == claimed.job_id for agent in agents.values() for claimed in agent.claim())
    if "reservation" in sorts:
        _reserve(conn, other, agents)

    labels = {"zone": "a", "rack": "7"} if chance.random() < 0.5 else {"zone": "a"}
    first = acme.submit("noop", run_at=_later(2))
    second = acme.submit("noop", run_at=_later(3))
    job = acme.submit_many(
        [
            Submission(
                kind=KIND,
                need=Need(
                    gpus=1,
                    vram_mib=need_mib,
                    cpu_milli=chance.randint(1, 100),
                    ram_mib=chance.randint(1, 100),
                    disk_mib=0,
                    labels=labels if "label" in sorts else None,
                ),
                run_at=_later(1) if "future" in sorts else None,
                after=[After(str(first)), After(str(second))][: chance.randint(1, 2)]
                if "dependency" in sorts
                else [],
            )
        ]
    )[0]
    limits: dict[str, float | None] = {}
    if "cap" in sorts:
        limits["max_running"] = running
    if "quota" in sorts:
        limits["max_vram_mib"] = need_mib - chance.randint(1, need_mib)
    if limits:
        admin.set_project(conn, "acme", **limits)
    if "paused" in sorts:
        clients.pause(
            conn, acme.id, paused=True, priority=Priority.NORMAL, kind=KIND if chance.random() < 0.5 else None
        )
    return Stuck(conn, acme, job, sorts, agents)


def _later(hours: int) -> datetime:
    return datetime.now(tz=UTC) + timedelta(hours=hours)


def _fleet(conn: Conn, chance: random.Random, sorts: set[str], need_mib: int) -> dict[str, Agent]:
    """One to three nodes, bigger than the job, unless it is to be too big; or none that runs its kind."""
    agents = {}
    mib, gpus = 0, 1
    for number in range(chance.randint(0 if "no_live_node" in sorts else 1, 3)):
        if number == 0 or "reservation" not in sorts:  # there all are alike, so that each keeps one place
            gpus = chance.randint(1, 2)
            mib = HEADROOM_MIB + (
                chance.randint(1 * GIB, need_mib - 1)
                if "too_big" in sorts
                else chance.randint(2 * need_mib, 48 * GIB)
            )
        name = f"node-{number}"
        agents[name] = Agent(
            conn,
            name,
            gpus=[mib] * gpus,
            kinds=["noop"] if "no_live_node" in sorts else ["noop", KIND],
            labels={"rack": "7"} if chance.random() < 0.3 else {"zone": "b"},
        )
    return agents


def _crowd(
    chance: random.Random, sorts: set[str], other: Project, agents: dict[str, Agent], need_mib: int
) -> None:
    """Work of another project on the devices: it leaves too little room for the job, or enough of it."""
    if "no_live_node" in sorts:
        return
    for agent in agents.values():
        for idx in range(len(agent.total) - 1):
            usable = agent.total[idx] - HEADROOM_MIB
            if "busy" in sorts:
                taken = usable - chance.randint(1, need_mib - 1)
            elif "reservation" in sorts:
                # Room for the job, not for the one the place is kept for; and nothing for the job beside that one.
                taken = chance.randint(1, usable - need_mib)
            else:
                taken = chance.randint(0, max(0, usable - need_mib)) if "too_big" not in sorts else 0
            if taken > 0:
                other.gpu_job(taken)
                assert len(agent.claim()) == 1


def _reserve(conn: Conn, other: Project, agents: dict[str, Agent]) -> None:
    """Jobs, each in a lane of its own, that need all devices of a node, so that every node keeps its place."""
    for number, agent in enumerate(agents.values()):
        gpus = len(agent.total) - 1
        other.gpu_job(
            agent.total[0] - HEADROOM_MIB - number,
            gpus=gpus,
            priority=Priority.HIGH,
        )
    admin.configure(conn, reserve_after_s=0.0)
    chores.reserve(conn)
