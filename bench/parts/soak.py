"""Half an hour of a fleet without peace: nodes leave, come back and are killed, runners die, GPUs fall sick.

Fifty nodes on stand-in GPUs and one that draws real pictures; no-ops that go on from runner to runner, jobs that hold
memory of a GPU, and pictures. What comes is decided by a seed; all of it must end, each job once, and agents that live
through it must not grow. Runs only when it is named: `make bench PARTS=soak`.
"""

from __future__ import annotations

import json
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil  # type: ignore[import-untyped]

from argosy import Client, JobSpec
from argosy.local.fleet import LocalFleet, LocalFleetSettings
from argosy.mock import gpus
from argosy.mock.gpus import MockFleet, MockNode
from bench.chaos.checker import Journal, violations
from bench.findings import Findings
from bench.server import Conn, Server
from bench.sizes import Size

SEED = 20_261_126
_KINDS = ("2xA100", "1xL4:24GiB", "4xL4:24GiB")
_ARTIST = "artist"
_SPARED = 0.2
"""Of the nodes: these are never killed, for memory can only be told to grow in a process that lives."""
_TICK_S = 1.0
_TROUBLE_S = 2.0
"""Between two troubles, on average."""
_HEAL_S = 20.0
_WEIGH_S = 10.0
_PATIENCE_S = 600.0


def measure(server: Server, size: Size) -> Findings:
    """Run it, and check the history.

    Raises:
        RuntimeError: A job was lost, ended twice, or a device was overbooked.
    """
    url = server.make("bench_soak", lambda _: None)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="argosy-bench-") as folder,
            server.connect("bench_soak") as conn,
        ):
            fleet = LocalFleet(
                LocalFleetSettings(home=Path(folder), database_url=url, port=0, lease_s=9.0), _say
            )
            fleet.start()
            try:
                soak = _Soak(fleet, conn, size, random.Random(SEED))  # noqa: S311  # the same troubles each time
                soak.run()
                found = soak.judged()
            finally:
                fleet.stop()
    finally:
        server.drop("bench_soak")
    print(json.dumps(found), flush=True)
    return Findings(
        {
            "soak_agent_memory_growth": found["memory_mib"]["agents"]["growth"],
            "soak_scheduler_memory_growth": found["memory_mib"]["scheduler"]["growth"],
        },
        found,
    )


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


@dataclass
class _Soak:
    fleet: LocalFleet
    conn: Conn
    size: Size
    chance: random.Random
    troubles: Counter[str] = field(default_factory=Counter)
    weights: list[dict[str, float]] = field(default_factory=list)
    """MiB by process, one a look."""
    heals: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    submitted: int = 0
    jobs: list[UUID] = field(default_factory=list)
    overbooked: int = 0

    def run(self) -> None:
        """Start the nodes, submit and trouble for as long as it takes, then let it come to its end."""
        text = ",".join(_KINDS[at % len(_KINDS)] for at in range(self.size.soak_nodes))
        mock = gpus.read_fleet(text)
        self.nodes = MockFleet(self.fleet.home / "mock").make(mock)
        for node, kind in zip(self.nodes, mock, strict=True):
            self.fleet.add_agent(
                node.name,
                environment=node.environment,
                ram_mib=4096,
                ram_allowance_mib=kind.total_mib,
                cpu_milli=8000,
                slots=4,
                preload="workloads.runner,workloads.trivial",
                kinds="noop,selftest.allocate",
                drain_s=3,
                # Fifty agents on two cores: each looks a third as often as on a machine of its own.
                poll_s=3,
                gauge_s=5,
                warm_most=2,
                log_level="warning",
            )
        self.fleet.add_agent(
            _ARTIST,
            ram_mib=4096,
            cpu_milli=2000,
            slots=2,
            preload="workloads.runner,workloads.diffusion.generate",
            kinds="diffusion.generate",
            log_level="warning",
        )
        with Client(self.fleet.url, self.fleet.api_key) as client:
            began = time.monotonic()
            end = began + self.size.soak_s
            weigh_at = trouble_at = began
            while (now := time.monotonic()) < end or not self._all_ended(now, end):
                self.fleet.watch()
                self._submit(client, min(1.0, (now - began) / (0.9 * self.size.soak_s)))
                if now >= trouble_at and now < began + 0.9 * self.size.soak_s:
                    trouble_at = now + self.chance.expovariate(1 / _TROUBLE_S)
                    self._trouble()
                for due in [each for each in self.heals if each[0] <= now or now >= end]:
                    self.heals.remove(due)
                    due[1]()
                if now >= weigh_at:
                    weigh_at = now + min(_WEIGH_S, self.size.soak_s / 20)
                    self._weigh()
                time.sleep(max(0.0, now + _TICK_S - time.monotonic()))

    def _submit(self, client: Client, share: float) -> None:
        """As many as are due by now."""
        due = int(self.size.soak_jobs * share) - self.submitted
        if due < 1:
            return
        self.jobs += [UUID(job.id) for job in client.submit_many([self._job() for _ in range(due)])]
        self.submitted += due

    def _job(self) -> JobSpec:
        what = self.chance.random()
        if what < self.size.soak_real:
            params = {"prompt": "a portrait of a person", "steps": 2, "seed": self.chance.randrange(1000)}
            return JobSpec(kind="diffusion.generate", params=params, need={"vram_mib": 700, "cpu_milli": 500})
        if what < 0.1:
            mib = self.chance.choice((128, 512, 1024))
            need = {
                "gpus": 1,
                "vram_mib": self.chance.choice((4000, 9000, 16_000)),
                "device": "gpu",
                "cpu_milli": 100,
                "ram_mib": 64,
            }
            return JobSpec(
                kind="selftest.allocate", params={"mib": mib, "hold_s": self.chance.random()}, need=need
            )
        seconds = round(self.chance.expovariate(1 / 0.5), 2) if what < 0.6 else 0
        return JobSpec(kind="noop", params={"seconds": seconds}, need={"ram_mib": 64, "cpu_milli": 100})

    def _trouble(self) -> None:
        """One thing that goes wrong, or is done on purpose, somewhere."""
        at = self.chance.randrange(len(self.nodes))
        node = self.nodes[at]
        spared = at < _SPARED * len(self.nodes)
        troubles: list[tuple[str, Callable[[], None]]] = [
            ("gpu: off the bus", lambda: self._sick(node, lambda idx: gpus.raise_xid(node, idx, 79))),
            ("gpu: application fault", lambda: self._sick(node, lambda idx: gpus.raise_xid(node, idx, 13))),
            ("gpu: hangs", lambda: self._sick(node, lambda idx: gpus.hang(node, idx, 60))),
            ("gpu: lost", lambda: self._sick(node, lambda idx: gpus.fail(node, idx, 15))),
            ("gpu: strangers", lambda: self._sick(node, lambda idx: gpus.occupy(node, idx, 12_000))),
            ("runner killed", lambda: self._kill_runner(node.name)),
        ]
        if not spared:
            troubles += [
                ("agent killed", lambda: self._signal(node.name, signal.SIGKILL)),
                ("agent stops for 15 s", lambda: self._freeze(node.name)),
                ("node leaves, and joins", lambda: self._signal(node.name, signal.SIGTERM)),
            ]
        name, act = self.chance.choice(troubles)
        self.troubles[name] += 1
        act()

    def _sick(self, node: MockNode, break_it: Callable[[int], None]) -> None:
        idx = self.chance.randrange(sum(line.startswith("gpu") for line in node.lines()))
        break_it(idx)
        self.heals.append((time.monotonic() + self.chance.random() * _HEAL_S, lambda: gpus.heal(node, idx)))

    def _signal(self, node: str, number: signal.Signals) -> None:
        process = self.fleet.agents[node].process
        if process is not None and process.poll() is None:
            process.send_signal(number)

    def _freeze(self, node: str) -> None:
        """Longer than its lease: it comes back to leases that are others' by now."""
        self._signal(node, signal.SIGSTOP)
        self.heals.append((time.monotonic() + 15.0, lambda: self._signal(node, signal.SIGCONT)))

    def _kill_runner(self, node: str) -> None:
        process = self.fleet.agents[node].process
        if process is None:
            return
        try:
            below = psutil.Process(process.pid).children(recursive=True)
            runners = [each for each in below if each.parent() and each.parent().pid != process.pid]
            if runners:
                self.chance.choice(runners).kill()
        except psutil.NoSuchProcess:
            return

    def _weigh(self) -> None:
        """Memory of the agents that are spared and of the scheduler; and whether anything is overbooked (I3)."""
        spared = [node.name for node in self.nodes[: max(1, int(_SPARED * len(self.nodes)))]]
        agents = {name: self.fleet.agents[name].process for name in spared}
        found = {name: _uss_mib(process.pid) for name, process in agents.items() if process is not None}
        found["scheduler"] = _uss_mib(_scheduler().pid)
        self.weights.append(found)
        row = self.conn.execute(
            "select count(*) from fleet.v_devices where kind = 'gpu' and booked_mib > total_mib"
        ).fetchone()
        assert row is not None
        self.overbooked += row[0]

    def _all_ended(self, now: float, end: float) -> bool:
        row = self.conn.execute("select count(*) from fleet.jobs where outcome is null").fetchone()
        assert row is not None
        if row[0] and now > end + _PATIENCE_S:
            raise RuntimeError(f"{row[0]} jobs have not ended {_PATIENCE_S:.0f} s after the last trouble")
        return self.submitted == self.size.soak_jobs and not row[0]

    def judged(self) -> dict[str, Any]:
        """What the history says.

        Raises:
            RuntimeError: It says that something is wrong.
        """
        ends = self.conn.execute(
            """
            select n.ends, count(*)
              from fleet.jobs as j
             cross join lateral (select count(*) as ends from fleet.v_events as e
                                  where e.job_id = j.job_id and e.event in ('succeeded', 'failed', 'cancelled')) as n
             group by n.ends
            """
        ).fetchall()
        outcomes = dict(
            self.conn.execute("select outcome::text, count(*) from fleet.jobs group by 1").fetchall()
        )
        attempts = dict(
            self.conn.execute(
                "select coalesce(cause::text, outcome::text), count(*) from fleet.attempts group by 1"
            ).fetchall()
        )
        left = self.conn.execute("select count(*) from fleet.leases").fetchone()
        if ends != [(1, self.size.soak_jobs)] or self.overbooked or left != (0,):
            raise RuntimeError(f"ends {ends}, leases left {left}, overbooked {self.overbooked} times")
        wrong = violations(self.conn, self.jobs, Journal(), told_tokens=False)
        if wrong:
            raise RuntimeError(f"the checker found: {wrong[:20]}")
        if set(outcomes) != {"succeeded"}:
            raise RuntimeError(f"not all of them succeeded: {outcomes}; attempts: {attempts}")
        return {
            "jobs": self.size.soak_jobs,
            "nodes": self.size.soak_nodes + 1,
            "seconds": self.size.soak_s,
            "seed": SEED,
            "troubles": dict(sorted(self.troubles.items())),
            "attempts": attempts,
            "ended_once": ends[0][1],
            "memory_mib": {
                "agents": _growth(
                    [[w[name] for w in self.weights] for name in self.weights[0] if name != "scheduler"]
                ),
                "scheduler": _growth([[w["scheduler"] for w in self.weights]]),
            },
        }


def _scheduler() -> psutil.Process:
    for each in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # an agent that was killed just now
            if each.cmdline()[-1:] == ["scheduler"]:
                return each
    raise RuntimeError("the scheduler is not there")


def _uss_mib(pid: int) -> float:
    """What would be free without it: shared libraries are nobody's growth."""
    return float(psutil.Process(pid).memory_full_info().uss) / 2**20


def _growth(series: list[list[float]]) -> dict[str, float]:
    """Of each process the median of its second quarter and of its last; the growth is that of the one that grew most."""
    quarters = [
        (
            statistics.median(each[len(each) // 4 : len(each) // 2]),
            statistics.median(each[3 * len(each) // 4 :]),
        )
        for each in series
    ]
    return {
        "before": round(statistics.median(before for before, _ in quarters), 1),
        "after": round(statistics.median(after for _, after in quarters), 1),
        "growth": round(max(after / before for before, after in quarters), 3),
    }
