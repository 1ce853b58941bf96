"""Prove from what stands in the database, and from what nodes were answered, that a fleet kept its word.

Nothing lost, nothing settled twice, no device overbooked, no stale write accepted, no output before its completion,
nobody who lives declared dead. It reads history only, so it can be pointed at any fleet that has come to rest.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row

Conn = psycopg.Connection[Any]
SLACK_S = 0.2
"""A verb that has begun may wait so long for another's locks."""
LATE_S = 0.5
"""And the reaper so long between its beginning and its end."""


@dataclass
class Journal:
    """What nodes did and were told, by token; what was seen on the way. Shared by threads."""

    claimed: dict[UUID, UUID] = field(default_factory=dict)
    """The job of each token that a claim answered."""
    answers: dict[UUID, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    """What was said of a token (`complete`, `fail`, `release`), and what the database answered."""
    seen: list[str] = field(default_factory=list)
    """What a watcher saw that must never be."""
    lock: Lock = field(default_factory=Lock)

    def claims(self, jobs: Iterable[tuple[UUID, UUID]]) -> None:
        """A claim was answered with these (job, token)."""
        with self.lock:
            for job, token in jobs:
                if self.claimed.setdefault(token, job) != job:
                    self.seen.append(f"token {token} was given for two jobs")

    def answered(self, token: UUID, said: str, outcome: str) -> None:
        """A settle was answered."""
        with self.lock:
            self.answers[token].append((said, outcome))


def look(conn: Conn, journal: Journal) -> None:
    """One glance at a fleet at work: what must hold at every moment (I1, I3, I7)."""
    row = conn.execute(
        """
        select (select count(*) from fleet.jobs as j
                 where (j.outcome is not null)::integer
                       + (select count(*) from fleet.ready as r where r.job_id = j.job_id)
                       + (select count(*) from fleet.waiting as w where w.job_id = j.job_id)
                       + (select count(*) from fleet.leases as l where l.job_id = j.job_id) <> 1),
               (select count(*) from fleet.v_devices as d where d.booked_mib > d.total_mib),
               (select count(*) from fleet.artifacts as a join fleet.jobs as j on j.job_id = a.job_id
                 where j.outcome is distinct from 'succeeded'),
               (select count(*) from (select from fleet.sessions as s where s.ended_at is null
                                       group by s.node_id having count(*) > 1) as twins)
        """
    ).fetchone()
    assert row is not None
    for count, what in zip(
        row,
        (
            "jobs in no place or in two",
            "devices overbooked",
            "outputs shown before their completion",
            "names that two machines have at once",
        ),
        strict=True,
    ):
        if count:
            journal.seen.append(f"{count} {what}")


def violations(
    conn: Conn, submitted: Sequence[UUID], journal: Journal, *, told_tokens: bool = True
) -> list[str]:
    """Everything that is wrong; the fleet must have come to rest.

    Args:
        conn: As superuser, or the owner.
        submitted: Every job there should be.
        journal: What nodes were answered; an empty one leaves that out.
        told_tokens: Whether each attempt's result, and its one output, have its token in them.
    """
    look(conn, journal)
    return [
        *sorted(set(journal.seen)),
        *_lost(conn, submitted),
        *_twice(conn),
        *(_stale(conn, journal) if told_tokens else []),
        *_overlapping(conn),
        *_overbooked(conn),
        *(_outputs(conn) if told_tokens else []),
        *_declared_dead(conn),
    ]


def _rows(conn: Conn, query: str, *values: Any) -> list[Any]:
    with conn.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()


def _lost(conn: Conn, submitted: Sequence[UUID]) -> list[str]:
    outcome = {row.job_id: row.outcome for row in _rows(conn, "select job_id, outcome::text from fleet.jobs")}
    return [f"job {job} is lost" for job in submitted if job not in outcome] + [
        f"job {job} has not ended" for job, end in outcome.items() if end is None
    ]


def _twice(conn: Conn) -> list[str]:
    rows = _rows(
        conn,
        """
        select j.job_id, j.outcome::text,
               (select count(*) from fleet.v_events as e where e.job_id = j.job_id
                 and e.event in ('succeeded', 'failed', 'cancelled')) as ends,
               (select count(*) from fleet.attempts as a
                 where a.job_id = j.job_id and a.outcome = 'succeeded') as successes,
               (select count(*) from fleet.attempts as a where a.job_id = j.job_id)
               - (select count(distinct a.token) from fleet.attempts as a where a.job_id = j.job_id) as repeated
          from fleet.jobs as j
        """,
    )
    found = [f"job {row.job_id} ended {row.ends} times" for row in rows if row.ends != 1]
    found += [f"an attempt of job {row.job_id} is in the history twice" for row in rows if row.repeated]
    return found + [
        f"job {row.job_id} {row.outcome}, with {row.successes} successful attempts"
        for row in rows
        if row.successes != (row.outcome == "succeeded")
    ]


def _stale(conn: Conn, journal: Journal) -> list[str]:
    """A result is that of the one attempt that was accepted; who was refused left no trace, who was told so did."""
    found = []
    succeeded = {
        row.token: row for row in _rows(
            conn,
            """
            select a.token, a.job_id, j.result ->> 'token' as told
              from fleet.attempts as a join fleet.jobs as j using (job_id)
             where a.outcome = 'succeeded'
            """,
        )
    }  # fmt: skip
    for token, row in succeeded.items():
        if row.told != str(token):
            found.append(f"job {row.job_id} has the result of {row.told}, and the attempt {token} succeeded")
    settled = Counter(row.token for row in _rows(conn, "select token from fleet.attempts"))
    for token, answers in journal.answers.items():
        outcomes = [outcome for _, outcome in answers]
        if outcomes.count("settled") > 1:
            found.append(f"attempt {token} was accepted {outcomes.count('settled')} times")
        if ("complete", "settled") in answers and token not in succeeded:
            found.append(f"attempt {token} was told that it succeeded, and did not")
        if outcomes and set(outcomes) == {"lease_lost"} and token in succeeded:
            found.append(f"attempt {token} was refused, and succeeded all the same")
        if "settled" in outcomes and settled[token] != 1:
            found.append(f"attempt {token} was accepted, and is in the history {settled[token]} times")
    return found


def _overlapping(conn: Conn) -> list[str]:
    rows = _rows(
        conn,
        """
        select a.job_id, a.attempt from (
          select job_id, attempt, started_at, lag(ended_at) over (partition by job_id order by started_at) as before
            from fleet.attempts) as a
         where a.started_at < a.before - make_interval(secs => %s)
        """,
        SLACK_S,
    )
    return [
        f"attempt {row.attempt} of job {row.job_id} began before the one before it had ended" for row in rows
    ]


def _overbooked(conn: Conn) -> list[str]:
    """At every moment of the history: what was booked on a device, summed over the attempts that had it then.

    Times are those when verbs began, and they may wait for each other after: a short overlap need be none.
    """
    total = {
        (row.node_id, row.idx): row.total_mib
        for row in _rows(conn, "select node_id, idx, total_mib from fleet.devices")
    }
    steps: dict[tuple[int, int], list[tuple[Any, int]]] = defaultdict(list)
    for row in _rows(
        conn, "select node_id, devices, vram_mib, ram_mib, started_at, ended_at from fleet.attempts"
    ):
        booked = Counter(dict.fromkeys(row.devices, row.vram_mib))
        booked[-1] += row.ram_mib
        ended_at = row.ended_at - timedelta(seconds=SLACK_S)
        if ended_at <= row.started_at:
            continue
        for idx, mib in booked.items():
            steps[row.node_id, idx] += [(row.started_at, mib), (ended_at, -mib)]
    found = []
    for device, moves in steps.items():
        held = most = 0
        for _, mib in sorted(moves, key=lambda move: (move[0], move[1])):
            held += mib
            most = max(most, held)
        if most > total.get(device, 0):
            found.append(
                f"device {device[1]} of node {device[0]} had {most} of {total.get(device, 0)} MiB booked"
            )
    return found


def _outputs(conn: Conn) -> list[str]:
    rows = _rows(
        conn,
        """
        select j.job_id, j.outcome::text, j.result ->> 'token' as told, array_agg(a.name) as names
          from fleet.artifacts as a join fleet.jobs as j using (job_id)
         group by j.job_id
        having j.outcome is distinct from 'succeeded' or array_agg(a.name) <> array[j.result ->> 'token']
        """,
    )
    return [f"job {row.job_id} ({row.outcome}, of {row.told}) shows the outputs {row.names}" for row in rows]


def _declared_dead(conn: Conn) -> list[str]:
    """Whom the reaper ended had really been silent for a lease when it looked again (I6). It is dated by its beginning.

    A beat between that look and the commit is answered, and changes nothing.
    """
    rows = _rows(
        conn,
        """
        select s.session_id from fleet.sessions as s
          join fleet.session_beats as b using (session_id)
         cross join fleet.settings as t
         where s.end_reason = 'silent'
           and b.beat_at > s.ended_at - make_interval(secs => t.lease_s)
           and (b.beat_at < s.ended_at or b.beat_at > s.ended_at + make_interval(secs => %s))
        """,
        LATE_S,
    )
    return [f"session {row.session_id} was declared dead, and had just spoken" for row in rows]
