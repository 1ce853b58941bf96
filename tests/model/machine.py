"""A Hypothesis state machine over the real SQL functions: any order of verbs, and I1, I2, I3 hold after each.

The model knows only what a person would: who holds which token, how much memory of each device outsiders use and
how much each lease has really taken. It never computes what a claim should answer; it checks what was answered.

Over 400 lines: all rules share one model and one database, and Hypothesis wants the rules of a machine in one class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from queue_schema.calls import admin, agents, chores, clients
from queue_schema.errors import BadRequest, Conflict
from queue_schema.shapes import After, Claimed, Completion, Failed, Need, Sample
from queue_schema.states import Cause, JobEnd, SettleOutcome
from tests.support.clock import Clock
from tests.support.verbs import HEADROOM_MIB, Agent, Project

TOTAL_MIB = 24_576
GPUS = 2
NODES = ("a", "b")
SIZES = (500, 4_000, 9_000, 15_000, 24_000)
TENTHS = st.integers(0, 10)
RAISE_S = 40
RUNGS = 4
TOP_MIB = int((TOTAL_MIB - HEADROOM_MIB) * 0.98)
"""The most that a need is raised to here."""


@dataclass
class Held:
    """One lease the model believes in."""

    claimed: Claimed
    node: str
    realised: int = 0
    commanded: bool = False


@dataclass
class Model:
    """What is true outside the database."""

    leases: dict[UUID, Held] = field(default_factory=dict)
    stale: list[Held] = field(default_factory=list)
    """Taken back by the reaper."""
    spent: list[Held] = field(default_factory=list)
    """Ended by their own agent."""
    used: dict[str, int] = field(default_factory=dict)
    """Per node, the newest sample that was used to give something."""
    foreign: dict[tuple[str, int], int] = field(default_factory=dict)
    delayed: dict[str, Sample] = field(default_factory=dict)
    delayed_foreign: dict[str, dict[int, int]] = field(default_factory=dict)
    most: int | None = None
    """Cap on running jobs."""
    most_mib: int | None = None
    """Cap on booked VRAM."""
    outgrown: dict[int, tuple[int, float]] = field(default_factory=dict)
    """Per need, what was too little, and until when nobody may book so little again."""
    rungs: dict[UUID, int] = field(default_factory=dict)
    """Per job, how often it ran out of memory and was tried again with more."""
    now_s: float = 0.0


class QueueMachine(RuleBasedStateMachine):
    """Submits, claims, samples, settles, fails, releases, reaps, cancels, joins again, and lets time pass."""

    restore: ClassVar[Callable[[], None]]
    shared: ClassVar[psycopg.Connection[Any]]
    """One for all schedules: a new one would first plan every function again."""

    jobs = Bundle("jobs")

    @initialize()
    def begin(self) -> None:
        """A fresh database, two nodes with two GPUs each, a reaper that has been running."""
        type(self).restore()
        self.conn = self.shared
        self.clock = Clock(self.conn)
        self.project = Project(self.conn)
        self.nodes = {node: Agent(self.conn, node, gpus=[TOTAL_MIB] * GPUS, slots=6) for node in NODES}
        self.model = Model()
        chores.reap(self.conn)
        self.conn.execute("update fleet.reaper set grace_until = null")
        admin.configure(self.conn, raise_s=RAISE_S, oom_rungs=RUNGS)

    # -- what a user does

    @rule(
        target=jobs,
        size=st.sampled_from(SIZES),
        gpus=st.integers(0, 2),
        retries=st.integers(0, 2),
        copies=st.integers(1, 3),
    )
    def submit(self, size: int, gpus: int, retries: int, copies: int) -> UUID:
        """A few jobs of one size; the last of them."""
        return [self.project.gpu_job(size if gpus else 0, gpus=gpus, retries=retries) for _ in range(copies)][
            -1
        ]

    @rule(target=jobs, copies=st.integers(1, 3))
    def submit_without_a_word(self, copies: int) -> UUID:
        """A few jobs whose memory their kind states: learning may lower it."""
        need = Need(cpu_milli=1, ram_mib=0, disk_mib=0)
        return [self.project.submit("selftest.allocate", need=need, retries=1) for _ in range(copies)][-1]

    @rule(target=jobs, after=jobs, when=st.sampled_from(JobEnd))
    def submit_after(self, after: UUID, when: JobEnd) -> UUID:
        """A job that waits for some end of another one; refused when that can no longer come."""
        try:
            return self.project.submit(after=[After(str(after), when)])
        except Conflict:
            assert when is not JobEnd.ENDED
            assert self.project.state(after) in ("succeeded", "failed", "cancelled")
            return after

    @rule(job=jobs)
    def cancel(self, job: UUID) -> None:
        """Cancel it, wherever it is."""
        [answer] = clients.cancel(self.conn, self.project.id, [job])
        if all(held.claimed.job_id != job for held in self.model.leases.values()):
            assert self.project.state(job) in ("cancelled", "failed", "succeeded")
        for held in self.model.leases.values():
            if held.claimed.job_id == job:
                assert answer.outcome == "cancelling"
                held.commanded = True

    @rule(job=jobs)
    def retry(self, job: UUID) -> None:
        """Run an ended job again; refused only while what it waits for has ended in another way."""
        waits = "select from fleet.dependencies d join fleet.jobs j on j.job_id = d.after_job_id where d.job_id = %s"
        try:
            if clients.retry(self.conn, self.project.id, [job])[0].outcome == "retried":
                self.model.rungs.pop(job, None)
        except Conflict:
            blocked = f"{waits} and not d.satisfied and j.outcome is not null and d.wants <> 'ended'"
            assert self.conn.execute(blocked, (job,)).fetchone() is not None

    # -- what a node does

    def _look(self, node: str) -> Sample:
        free, realised = {}, {}
        for idx in range(GPUS):
            used = self.model.foreign.get((node, idx), 0)
            for token, held in self.model.leases.items():
                if held.node == node and idx in held.claimed.grant.devices:
                    realised[idx, token] = held.realised
                    used += held.realised
            free[idx] = max(0, TOTAL_MIB - used)
        return self.nodes[node].sample(free, realised)

    def _check_room(self, node: str, foreign: dict[int, int], claimed: list[Claimed]) -> None:
        """I3: after a claim, what is booked and what outsiders used leave the headroom free."""
        for idx in {idx for job in claimed for idx in job.grant.devices}:
            booked = sum(
                held.claimed.grant.vram_mib
                for held in self.model.leases.values()
                if held.node == node and idx in held.claimed.grant.devices
            )
            assert booked + foreign[idx] <= TOTAL_MIB - HEADROOM_MIB, (node, idx, booked, foreign[idx])

    def _took(self, node: str, sample: Sample, claimed: list[Claimed]) -> None:
        # What ended since an older sample may still have held its memory then, or hold it now.
        assert not claimed or sample.seq > self.model.used.get(node, 0), "an older sample was used"
        if claimed:
            self.model.used[node] = sample.seq
        for job in claimed:
            assert job.token not in self.model.leases
            assert all(held.claimed.job_id != job.job_id for held in self.model.leases.values()), (
                "leased twice"
            )
            self.model.leases[job.token] = Held(job, node)
            too_little, until_s = self.model.outgrown.get(self._need(job.job_id), (0, 0.0))
            if job.grant.devices and self.model.now_s < until_s:
                assert job.grant.vram_mib > too_little, "as little as was too little before"
        if claimed:
            held = [each.claimed.grant for each in self.model.leases.values()]
            booked = sum(grant.vram_mib * len(grant.devices) for grant in held)
            assert self.model.most is None or len(held) <= self.model.most
            if any(job.grant.devices for job in claimed):
                assert self.model.most_mib is None or booked <= self.model.most_mib

    def _foreign(self, node: str) -> dict[int, int]:
        return {idx: self.model.foreign.get((node, idx), 0) for idx in range(GPUS)}

    @rule(node=st.sampled_from(NODES), want=st.integers(1, 4), tenths=st.none() | st.integers(0, 6))
    def measure_and_claim(self, node: str, want: int, tenths: int | None) -> None:
        """Measure, with outsiders on the first device or without, then claim."""
        if tenths is not None:
            self._outsiders(node, 0, tenths)
        self._claim(node, want)

    def _claim(self, node: str, want: int) -> None:
        sample = self._look(node)
        # A sample with outsiders may leave no room for what a place was kept for; then the claim keeps none.
        kept = self._kept(node) if not any(self._foreign(node).values()) else set()
        first = self.conn.execute(
            "select k.kept_job, k.kept_class, k.kept_key from fleet.caps c"
            " cross join lateral fleet._kept_still(c) k where k.kept_class is not null"
        ).fetchone()
        claimed = self.nodes[node].claim(want, sample=sample)
        self._took(node, sample, claimed)
        if first is not None and all(job.job_id != first[0] for job in claimed):
            self._check_cap(*first, claimed)
        self._check_room(node, self._foreign(node), claimed)
        assert kept <= self._kept(node) | {job.job_id for job in claimed}, "a kept place was given away"

    def _check_cap(self, first: UUID, priority: str, key: int, claimed: list[Claimed]) -> None:
        """What is given to jobs behind the one that comes first leaves it its part of the caps."""
        taken = self.conn.execute(
            """select j.job_id
                 from fleet.jobs j
                cross join lateral fleet._cap_now(j.project_id) c
                 join fleet.caps k on k.project_id = j.project_id and k.kept_job = %s
                 join fleet.leases l on l.job_id = j.job_id
                where j.job_id = any(%s) and (j.priority, -j.order_key) < (%s::fleet.priority, -%s)
                  and (c.running >= c.max_running or l.devices <> '{}' and c.vram_mib + k.kept_mib > c.max_vram_mib)""",
            (first, [job.job_id for job in claimed], priority, key),
        ).fetchall()
        assert taken == [], "a kept part of a cap was given away"

    def _kept(self, node: str) -> set[UUID]:
        """Jobs that will have room on this node when the time comes that was reserved for them.

        Where outsiders use memory the database only estimates it: what is booked and not yet realised hides them.
        """
        if any(self._foreign(node).values()):
            return set()
        return {
            row[0]
            for row in self.conn.execute(
                """select r.job_id
                     from fleet.reservations r
                     join fleet.nodes n on n.node_id = r.node_id and n.node = %s
                     join fleet.sessions s on s.node_id = n.node_id and s.ended_at is null
                     join fleet.jobs j on j.job_id = r.job_id and fleet.state_of(j.job_id) = 'ready'
                     join fleet.lanes l on l.lane_id = j.lane_id
                     join fleet.shapes p on p.shape_id = l.shape_id
                    where cardinality(fleet._places(fleet._room_then(r.node_id, s.session_id, r.begins_at), p, 1)) = 1""",
                (node,),
            )
        }

    @rule(pick=st.integers(0, 99), late=st.sampled_from(["complete", "fail", "release"]))
    def an_answer_comes_late(self, pick: int, late: str) -> None:
        """I2: handed back and claimed again by the same node; then the first attempt's answer arrives."""
        held = self._pick(pick)
        if held is None:
            return
        self._ended(held, self.nodes[held.node].release(held.claimed).outcome)
        sample = self._look(held.node)
        self._took(held.node, sample, self.nodes[held.node].claim(4, sample=sample))
        before = self.project.state(held.claimed.job_id)
        assert getattr(self.nodes[held.node], late)(held.claimed).outcome is SettleOutcome.ALREADY_SETTLED
        assert self.project.state(held.claimed.job_id) == before

    @rule(node=st.sampled_from(NODES))
    def measure_now_claim_later(self, node: str) -> None:
        """A sample that will be long on its way."""
        self.model.delayed[node] = self._look(node)
        self.model.delayed_foreign[node] = self._foreign(node)

    @rule(node=st.sampled_from(NODES))
    def claim_with_the_delayed_sample(self, node: str) -> None:
        """It is used if nothing was given since it was taken, else refused."""
        sample = self.model.delayed.pop(node, None)
        if sample is None:
            return
        try:
            claimed = self.nodes[node].claim(4, sample=sample)
        except BadRequest as refused:
            if refused.field != "sample.seq":
                raise
            return
        self._took(node, sample, claimed)
        # What the database was told is all it can keep: outsiders as they were when measured, plus whatever a
        # lease that has ended since had realised then.
        self._check_room(node, self.model.delayed_foreign[node], claimed)

    @rule(node=st.sampled_from(NODES))
    def claim_with_a_wrong_sample(self, node: str) -> None:
        """An agent that says everything is free and all it holds is realised cannot overbook."""
        realised = {
            (idx, token): held.claimed.grant.vram_mib
            for token, held in self.model.leases.items()
            if held.node == node
            for idx in held.claimed.grant.devices
        }
        sample = self.nodes[node].sample(None, realised)
        claimed = self.nodes[node].claim(4, sample=sample)
        self._took(node, sample, claimed)
        self._check_room(node, dict.fromkeys(range(GPUS), 0), claimed)

    @rule(node=st.sampled_from(NODES), idx=st.integers(0, GPUS - 1), tenths=TENTHS)
    def outsiders_take_or_free_memory(self, node: str, idx: int, tenths: int) -> None:
        """A process outside the fleet."""
        self._outsiders(node, idx, tenths)

    def _outsiders(self, node: str, idx: int, tenths: int) -> None:
        held = sum(
            lease.realised
            for lease in self.model.leases.values()
            if lease.node == node and idx in lease.claimed.grant.devices
        )
        self.model.foreign[node, idx] = max(0, (TOTAL_MIB - held) * tenths // 10)

    @rule(pick=st.integers(0, 99), tenths=TENTHS)
    def a_runner_grows(self, pick: int, tenths: int) -> None:
        """It takes part of what was booked for it."""
        if self.model.leases:
            held = list(self.model.leases.values())[pick % len(self.model.leases)]
            held.realised = held.claimed.grant.vram_mib * tenths // 10

    def _pick(self, pick: int) -> Held | None:
        held = list(self.model.leases.values())
        return held[pick % len(held)] if held else None

    def _ended(self, held: Held, outcome: SettleOutcome) -> None:
        assert outcome is SettleOutcome.SETTLED
        self.model.spent.append(self.model.leases.pop(held.claimed.token))

    @rule(pick=st.integers(0, 99))
    def complete(self, pick: int) -> None:
        """A result."""
        if (held := self._pick(pick)) is not None:
            self._ended(held, self.nodes[held.node].complete(held.claimed).outcome)
            assert self.project.state(held.claimed.job_id) == "succeeded"

    @rule(
        pick=st.integers(0, 99),
        cause=st.sampled_from([Cause.USER_ERROR, Cause.INFRASTRUCTURE, Cause.TIMEOUT]),
    )
    def fail(self, pick: int, cause: Cause) -> None:
        """No result. A job that was to be cancelled is over then."""
        if (held := self._pick(pick)) is not None:
            self._ended(held, self.nodes[held.node].fail(held.claimed, cause).outcome)
            if held.commanded:
                assert self.project.state(held.claimed.job_id) == "cancelled"

    def _need(self, job: UUID) -> int:
        asked = "select l.need_id from fleet.jobs j join fleet.lanes l on l.lane_id = j.lane_id where j.job_id = %s"
        row = self.conn.execute(asked, (job,)).fetchone()
        assert row is not None
        return int(row[0])

    @rule(tenths=st.integers(1, 10))
    def all_that_runs_completes_measured(self, tenths: int) -> None:
        """Results of which is known how much of their booking they took: five of one need make it learned."""
        for held in list(self.model.leases.values()):
            peak_mib = max(1, held.claimed.grant.vram_mib * tenths // 10)
            item = Completion(held.claimed.job_id, held.claimed.token, peak_mib=peak_mib)
            [answer] = agents.complete(self.conn, self.nodes[held.node].session, [item])
            self._ended(held, answer.outcome)

    @rule(pick=st.integers(0, 99), tenths=st.none() | TENTHS)
    def run_out_of_memory(self, pick: int, tenths: int | None) -> None:
        """Near its booking, or not measured, it is tried again with more, and so is all that is like it."""
        held = self._pick(pick)
        if held is None or not held.claimed.grant.devices:
            return
        job, booked = held.claimed.job_id, held.claimed.grant.vram_mib
        peak_mib = None if tenths is None else booked * tenths // 10
        item = Failed(job, held.claimed.token, Cause.OUT_OF_MEMORY, "no memory", None, peak_mib)
        before = self.project.row(job)
        [answer] = agents.fail(self.conn, self.nodes[held.node].session, [item])
        self._ended(held, answer.outcome)
        if (peak_mib is None or peak_mib >= 0.8 * booked) and booked < TOP_MIB:
            self.model.outgrown[self._need(job)] = (booked, self.model.now_s + RAISE_S)
            if not held.commanded and self.model.rungs.get(job, 0) < RUNGS:
                self.model.rungs[job] = self.model.rungs.get(job, 0) + 1
                after = self.project.row(job)
                assert after["state"] == "ready"
                assert [after[key] - before[key] for key in ("retries_used", "infra_retries")] == [0, 0]

    @rule(pick=st.integers(0, 99))
    def release(self, pick: int) -> None:
        """Handed back."""
        if (held := self._pick(pick)) is not None:
            self._ended(held, self.nodes[held.node].release(held.claimed).outcome)
            expected = "cancelled" if held.commanded else "ready"
            assert self.project.state(held.claimed.job_id) == expected

    @rule(pick=st.integers(0, 99), verb=st.sampled_from(["fail", "release"]))
    def a_cancelled_job_ends_whatever_its_agent_says(self, pick: int, verb: str) -> None:
        """Its runner did not get to obey."""
        if (held := self._pick(pick)) is not None:
            self.cancel(held.claimed.job_id)
            self._ended(held, getattr(self.nodes[held.node], verb)(held.claimed).outcome)
            assert self.project.state(held.claimed.job_id) == "cancelled"

    @rule(pick=st.integers(0, 99), verb=st.sampled_from(["complete", "fail", "release"]))
    def settle_with_a_stale_token(self, pick: int, verb: str) -> None:
        """I2: refused when it was taken back, recognised when it was spent; nothing changes."""
        for old, expected in (
            (self.model.stale, SettleOutcome.LEASE_LOST),
            (self.model.spent, SettleOutcome.ALREADY_SETTLED),
        ):
            if old:
                held = old[pick % len(old)]
                before = self.project.state(held.claimed.job_id)
                answer = getattr(self.nodes[held.node], verb)(held.claimed)
                assert answer.outcome is expected
                assert self.project.state(held.claimed.job_id) == before

    @rule(pick=st.integers(0, 99), verb=st.sampled_from(["complete", "fail", "release"]))
    def settle_for_another_node(self, pick: int, verb: str) -> None:
        """I2: a token is worth nothing in another session."""
        if (held := self._pick(pick)) is not None:
            other = self.nodes[NODES[1 - NODES.index(held.node)]]
            assert getattr(other, verb)(held.claimed).outcome is SettleOutcome.LEASE_LOST

    @rule(node=st.sampled_from(NODES))
    def join_again(self, node: str) -> None:
        """A restart: exactly what it held comes along. Its runners are gone, so nothing is realised."""
        mine = {token for token, held in self.model.leases.items() if held.node == node}
        assert set(self.nodes[node].join()) == mine
        self._new_session(node)

    def _new_session(self, node: str) -> None:
        """Samples of the last session can no longer be used: they are numbered per session."""
        self.model.delayed.pop(node, None)
        self.model.used.pop(node, None)

    # -- what an operator does

    @rule(
        node=st.sampled_from(NODES),
        most=st.none() | st.integers(1, 6),
        gib=st.none() | st.integers(8, 80),
        stays=st.sampled_from([False, False, True]),
    )
    def the_project_is_capped(self, node: str, most: int | None, gib: int | None, *, stays: bool) -> None:
        """A cap counts what runs already, and no later claim passes it; it is lifted again, or stays a while."""
        self._cap(most, None if gib is None else gib * 1024)
        self._claim(node, 4)
        if not stays:
            self._cap(None, None)

    def _cap(self, most: int | None, mib: int | None) -> None:
        admin.set_project(self.conn, "acme", max_running=most, max_vram_mib=mib)
        self.model.most, self.model.most_mib = most, mib

    @rule(node=st.sampled_from(NODES))
    def nothing_is_claimed_in_a_pause(self, node: str) -> None:
        """Of a project, until it goes on."""
        clients.pause(self.conn, self.project.id, paused=True)
        assert self.nodes[node].claim(4, sample=self._look(node)) == []
        clients.pause(self.conn, self.project.id, paused=False)

    @rule(size=st.sampled_from(SIZES[:3]))
    def a_big_job_waits_among_small_ones(self, size: int) -> None:
        """Something runs on every node; a job that needs a whole one has a place kept; smaller ones come after it."""
        for node in NODES:
            self.project.gpu_job(size)
            self._claim(node, 1)
        self.project.gpu_job(SIZES[-1], gpus=GPUS)
        self.the_scheduler_tidies_up()
        for node in NODES:
            self.project.gpu_job(size)
            self._claim(node, 4)

    @rule(size=st.sampled_from(SIZES[:3]), by_number=st.booleans())
    def a_big_job_waits_among_small_ones_for_a_cap(self, size: int, *, by_number: bool) -> None:
        """The same where the project may have just that one besides."""
        self._cap(len(NODES) + 1 if by_number else None, None if by_number else SIZES[-1] * GPUS)
        self.a_big_job_waits_among_small_ones(size)

    @rule(job=jobs, cancelled=st.booleans())
    def what_others_wait_for_ends(self, job: UUID, *, cancelled: bool) -> None:
        """Badly: then they end too."""
        if self.project.state(job) in ("ready", "waiting"):
            dependent = self.project.submit(after=[str(self.project.submit(after=[str(job)]))])
            if cancelled:
                self.cancel(job)
                assert self.project.state(dependent) == "failed"

    @rule(pick=st.integers(0, 99))
    def what_waits_for_a_running_job_ends_with_it(self, pick: int) -> None:
        """Once it has failed for good; while it is tried again, it is waited for."""
        if (held := self._pick(pick)) is not None:
            dependent = self.project.submit(after=[str(held.claimed.job_id)])
            self._ended(held, self.nodes[held.node].fail(held.claimed, Cause.USER_ERROR).outcome)
            over = self.project.state(held.claimed.job_id) in ("failed", "cancelled")
            assert self.project.state(dependent) == ("failed" if over else "waiting")

    @rule(node=st.sampled_from(NODES), allowed=st.booleans())
    def urgent_work_finds_no_room(self, node: str, *, allowed: bool) -> None:
        """Work of class low is asked to give way if its owner allows it, and no other; nobody pays for it."""
        for _ in range(GPUS):
            self.project.gpu_job(SIZES[3], priority="low", preemptible=allowed)
        self._claim(node, 6)
        urgent = self.project.gpu_job(TOP_MIB, gpus=GPUS, priority="urgent")
        self._advance(3)
        chores.reserve(self.conn)
        asked = dict(
            self.conn.execute(
                "select l.token, j.preemptible and j.priority = 'low' from fleet.leases l"
                " join fleet.jobs j using (job_id) where l.command = 'preempt'"
            ).fetchall()
        )
        assert all(asked.values())
        for held in [held for token, held in self.model.leases.items() if token in asked]:
            before = self.project.row(held.claimed.job_id)
            self._ended(held, self.nodes[held.node].release(held.claimed, "preempted").outcome)
            after = self.project.row(held.claimed.job_id)
            assert after["state"] == ("cancelled" if held.commanded else "ready")
            assert after["retries_used"] == before["retries_used"]
        self.cancel(urgent)

    @rule()
    def the_scheduler_tidies_up(self) -> None:
        """Places are kept, projects ranked; heads move up and dry lanes become idle, which claims do too."""
        self._advance(3)
        chores.reserve(self.conn)
        chores.rank(self.conn)
        chores.learn(self.conn)
        for (lane,) in self.conn.execute("select lane_id from fleet.lanes").fetchall():
            self.conn.execute("select fleet._advance(array[%s]::bigint[])", (lane,))
            self.conn.execute(
                "select fleet._retire(array[%s]::bigint[], fleet.now() + interval '1 h')", (lane,)
            )

    # -- what time does

    def _advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.model.now_s += seconds

    @rule(beating=st.sets(st.sampled_from(NODES)), seconds=st.sampled_from([5, 15, 25]))
    def time_passes(self, beating: set[str], seconds: int) -> None:
        """Some nodes beat, the reaper and the promoter run; what is taken back is stale from then on."""
        self._advance(seconds)
        for node in sorted(beating):
            lost = (
                self.nodes[node]
                .beat(*[token for token, held in self.model.leases.items() if held.node == node])
                .lost
            )
            assert lost == []
        chores.reap(self.conn)
        chores.promote(self.conn)
        live = {row[0] for row in self.conn.execute("select token from fleet.leases")}
        for token in set(self.model.leases) - live:
            self.model.stale.append(self.model.leases.pop(token))
        for node, agent in self.nodes.items():
            ended = self.conn.execute(
                "select from fleet.sessions where session_id = %s and ended_at is not null",
                (agent.session.session_id,),
            ).fetchone()
            if ended is not None:
                assert not [held for held in self.model.leases.values() if held.node == node]
                assert agent.join() == []
                self._new_session(node)

    # -- what always holds

    @invariant()
    def every_job_is_in_exactly_one_place(self) -> None:
        """I1."""
        if not hasattr(self, "conn"):
            return
        wrong = self.conn.execute(
            """
            select j.job_id from fleet.jobs as j
             where (j.outcome is not null)::int
                   + (select count(*) from fleet.ready   where job_id = j.job_id)
                   + (select count(*) from fleet.waiting where job_id = j.job_id)
                   + (select count(*) from fleet.leases  where job_id = j.job_id) <> 1
            """
        ).fetchall()
        assert wrong == []

    @invariant()
    def an_end_is_whole(self) -> None:
        """It has a time and, unless it is a success, may have a cause; what goes on has neither outcome nor time."""
        if hasattr(self, "conn"):
            wrong = self.conn.execute(
                """select from fleet.jobs j
                    where (j.outcome is null) <> (j.ended_at is null)
                       or j.outcome not in ('succeeded', 'failed', 'cancelled')
                       or j.outcome = 'succeeded' and j.cause is not null"""
            ).fetchall()
            assert wrong == []

    @invariant()
    def the_leases_are_those_that_were_given(self) -> None:
        """I2: no token is there that nobody was given, and none vanished unseen."""
        if hasattr(self, "conn"):
            live = {row[0] for row in self.conn.execute("select token from fleet.leases")}
            assert live == set(self.model.leases)

    @invariant()
    def leases_belong_to_live_sessions_of_their_node(self) -> None:
        """What is booked is booked by somebody who can be asked."""
        if hasattr(self, "conn"):
            orphans = self.conn.execute(
                """select from fleet.leases l left join fleet.sessions s
                     on s.session_id = l.session_id and s.ended_at is null and s.node_id = l.node_id
                   where s.session_id is null"""
            ).fetchall()
            assert orphans == []

    @invariant()
    def a_ready_job_is_where_claims_look(self) -> None:
        """Its lane is active, has the shape of its need, ranks no lower than the floor, and its head is not past it."""
        if hasattr(self, "conn"):
            forgotten = self.conn.execute(
                """select from fleet.lanes l
                     join fleet.needs n on n.need_id = l.need_id
                    where exists (select from fleet.ready r where r.lane_id = l.lane_id
                                     and (not l.active or r.order_key < l.head_key or l.shape_id <> n.shape_id
                                          or l.rank < (select x.floor from fleet.rankings x
                                                        order by x.era desc limit 1)))"""
            ).fetchall()
            assert forgotten == []

    @invariant()
    def a_need_is_what_is_known_of_it(self) -> None:
        """No less than it was raised to or its owner stated; all of its lanes follow, empty or not."""
        if hasattr(self, "conn"):
            wrong = self.conn.execute(
                """select from fleet.lanes l join fleet.needs n on n.need_id = l.need_id where l.shape_id <> n.shape_id
                    union all
                   select from fleet.needs n
                     join fleet.shapes s on s.shape_id = n.shape_id
                     join fleet.shapes d on d.shape_id = n.declared_shape_id
                    where s.vram_mib < n.raised_mib
                       or s.vram_mib < d.vram_mib and n.stated"""
            ).fetchall()
            assert wrong == []

    @invariant()
    def what_is_booked_is_what_the_leases_hold(self) -> None:
        """I3: the sums a claim reads are those of the leases, per node and device, and per capped project."""
        if hasattr(self, "conn"):
            wrong = self.conn.execute(
                """
                with held as (
                  select l.node_id, d.idx, sum(d.mib) as mib
                    from fleet.leases l
                   cross join lateral (select -1 as idx, l.ram_mib as mib
                                        union all select x, l.vram_mib from unnest(l.devices) x) d
                   group by l.node_id, d.idx
                ),
                summed as (
                  select b.node_id, x.idx, x.mib
                    from fleet.bookings b cross join lateral unnest(b.idx, b.mib) x (idx, mib)
                )
                select node_id from held full join summed using (node_id, idx)
                 where coalesce(held.mib, 0) <> coalesce(summed.mib, 0)
                 union all
                select b.node_id from fleet.bookings b
                 cross join lateral (select count(*) as held, coalesce(sum(l.cpu_milli), 0) as cpu_milli,
                                            coalesce(sum(l.disk_mib), 0) as disk_mib
                                       from fleet.leases l where l.node_id = b.node_id) l
                 where (b.held, b.cpu_milli, b.disk_mib) <> (l.held, l.cpu_milli, l.disk_mib)
                 union all
                select 0 from fleet.caps c
                 where c.running - (select coalesce(sum(r.running), 0) from fleet.cap_returns r
                                     where r.project_id = c.project_id)
                       <> (select count(*) from fleet.leases l where l.project_id = c.project_id and l.capped)
                """
            ).fetchall()
            assert wrong == []

    @invariant()
    def what_waits_waits_for_something(self) -> None:
        """A job whose prerequisites have all succeeded does not wait for them; its count is their number."""
        if hasattr(self, "conn"):
            wrong = self.conn.execute(
                """select w.job_id from fleet.waiting w
                   where w.waits_for <> (select count(*) from fleet.dependencies d
                                          where d.job_id = w.job_id and not d.satisfied)"""
            ).fetchall()
            assert wrong == []

    @invariant()
    def nothing_waits_for_what_has_ended(self) -> None:
        """Its end was an answer, whichever: an edge into the past would be waited for for ever."""
        if hasattr(self, "conn"):
            stuck = self.conn.execute(
                """select w.job_id from fleet.waiting w
                     join fleet.dependencies d on d.job_id = w.job_id and not d.satisfied
                     join fleet.jobs j on j.job_id = d.after_job_id
                    where j.outcome is not null"""
            ).fetchall()
            assert stuck == []
