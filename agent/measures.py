"""What this agent measures of itself: claims, beats, starts, ends, and its devices. By itself it goes nowhere.

What decides anything is never read from here. Labels are few: kinds, causes, devices of this node; never a job.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from opentelemetry.metrics import CallbackOptions, Histogram, Observation

from agent.devices.host import RAM_IDX
from agent.leases import Leases
from agent.sampling import Sampler, booked_mib
from agent.warm import Warm
from queue_schema.shapes import Claimed, DeviceDeclared, DeviceSample
from queue_schema.signals import Signals

_CALL_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_START_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WAIT_S = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
_STALE_S = 15.0
"""A look older than this is not shown: a new one is taken."""
_MIB = 2**20

Look = Callable[[], Iterable[tuple[float, dict[str, str]]]]


class Measures:
    """The instruments of one agent."""

    def __init__(self, signals: Signals | None = None, node: str = "") -> None:
        signals = signals or Signals()
        self._meter = meter = signals.meter
        self._on = signals.metering
        self._node = {"node": node}
        self._claims = self._timed("argosy.claim.duration", "A claim, from the call to its answer.", _CALL_S)
        self._claimed = meter.create_counter("argosy.claimed.jobs", "{job}", "Jobs that claims were given.")
        self._waits = self._timed(
            "argosy.job.wait",
            "From a job's submission to its first claim, what it had to wait for included; by this host's clock.",
            _WAIT_S,
        )
        self._beats = self._timed(
            "argosy.heartbeat.duration", "A heartbeat, from the call to its answer.", _CALL_S
        )
        self._settles = self._timed("argosy.settle.duration", "One call that ends attempts.", _CALL_S)
        self._errors = meter.create_counter(
            "argosy.verb.errors",
            "{call}",
            "Calls of the database that did not work, by verb; code `away`: it is not to be reached.",
        )
        self._starts = meter.create_counter(
            "argosy.runner.starts",
            "{start}",
            "Jobs that began, on a runner that rested with its model (warm) or on a new one (cold).",
        )
        self._started = self._timed(
            "argosy.runner.start.duration", "Until a runner had its work, by warm and cold.", _START_S
        )
        self._ended = meter.create_counter(
            "argosy.agent.attempts", "{attempt}", "Attempts that ended here, by kind, outcome and cause."
        )

    def claimed(self, took_s: float, jobs: Sequence[Claimed]) -> None:
        """A claim was answered."""
        self._claims.record(took_s, {**self._node, "outcome": "jobs" if jobs else "nothing"})
        now_ms = time.time() * 1000
        for job in jobs:
            facts = {**self._node, "kind": job.kind}
            self._claimed.add(1, facts)
            if job.attempt == 1:
                submitted_ms = job.job_id.int >> 80  # the id is a time-ordered UUID
                self._waits.record(max(0.0, (now_ms - submitted_ms) / 1000), facts)

    def beat(self, took_s: float) -> None:
        """A heartbeat was answered."""
        self._beats.record(took_s, self._node)

    def settled(self, took_s: float) -> None:
        """A settle was answered."""
        self._settles.record(took_s, self._node)

    def failed(self, verb: str, code: str) -> None:
        """A call of the database did not work."""
        self._errors.add(1, {**self._node, "verb": verb, "code": code})

    def began(self, kind: str, took_s: float, *, jobs: int, warm: bool) -> None:
        """A runner was found, or made, and given work."""
        facts = {**self._node, "kind": kind, "start": "warm" if warm else "cold"}
        self._starts.add(jobs, facts)
        self._started.record(took_s, facts)

    def ended(self, kind: str, outcome: str, cause: str) -> None:
        """The database has answered how an attempt ended."""
        self._ended.add(1, {**self._node, "kind": kind, "outcome": outcome, "cause": cause})

    def observe(self, sampler: Sampler, leases: Leases, warm: Warm, *, folder: Path, slots: int) -> None:
        """Tell of these whenever somebody asks. Nobody does, so nothing is looked at, where nothing is told."""
        if not self._on:
            return
        sampler.busy()  # looks find out from here on
        devices = _Devices(sampler, leases)
        gauge = self._gauge
        gauge(
            "argosy.device.memory.used",
            "By",
            "Memory in use, by jobs, runners at rest, others.",
            devices.used,
        )
        gauge(
            "argosy.agent.device.memory.booked", "By", "Memory that running jobs have booked.", devices.booked
        )
        gauge(
            "argosy.device.utilization.ratio",
            "1",
            "How busy a GPU was of late, as NVML has it.",
            devices.busy,
        )
        gauge("argosy.agent.leases", "{lease}", "Attempts held here.", lambda: [(leases.held(), {})])
        gauge(
            "argosy.agent.settling",
            "{attempt}",
            "Ended, and not settled yet.",
            lambda: [(leases.held() - leases.busy(), {})],
        )
        gauge("argosy.agent.slots", "{slot}", "Most attempts at once.", lambda: [(slots, {})])
        gauge("argosy.runners.resting", "{runner}", "Runners at rest.", lambda: [(len(warm.models()), {})])
        gauge(
            "argosy.node.disk.free",
            "By",
            "Free where the agent keeps its files.",
            lambda: [(psutil.disk_usage(str(folder)).free, {})],
        )
        self._meter.create_observable_counter(
            "argosy.lease.losses",
            [lambda _: [Observation(leases.lost, self._node)]],
            "{lease}",
            "Leases that somebody else may have now, so that their runners were ended.",
        )

    def _timed(self, name: str, description: str, bounds: Sequence[float]) -> Histogram:
        return self._meter.create_histogram(
            name, "s", description, explicit_bucket_boundaries_advisory=bounds
        )

    def _gauge(self, name: str, unit: str, description: str, look: Look) -> None:
        def observed(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(value, {**self._node, **labels}) for value, labels in look()]

        self._meter.create_observable_gauge(name, [observed], unit, description)


class _Devices:
    """What the last look saw, as numbers."""

    def __init__(self, sampler: Sampler, leases: Leases) -> None:
        self._sampler = sampler
        self._leases = leases

    def used(self) -> Iterable[tuple[float, dict[str, str]]]:
        """Of each device that can be measured, by who holds it."""
        declared = {device.idx: device for device in self._sampler.declare()}
        held = set(self._leases.tokens())
        for device in self._measured():
            known = declared.get(device.idx)
            if known is None or device.fault is not None:
                continue
            jobs = sum(each.mib for each in device.leases if each.token in held)
            resting = sum(each.mib for each in device.leases if each.token not in held)
            others = max(0, known.total_mib - device.free_mib - jobs - resting)
            for by, mib in (("jobs", jobs), ("resting", resting), ("others", others)):
                yield mib * _MIB, {**_labels(known), "by": by}

    def booked(self) -> Iterable[tuple[float, dict[str, str]]]:
        """Of each device."""
        grants = [lease.claimed.grant for lease in self._leases.all() if lease.claimed is not None]
        for device in self._sampler.declare():
            yield sum(booked_mib(grant, device.idx) for grant in grants) * _MIB, _labels(device)

    def busy(self) -> Iterable[tuple[float, dict[str, str]]]:
        """Of each GPU whose driver says."""
        self._measured()
        busy = self._sampler.busy()
        for device in self._sampler.declare():
            if device.idx in busy:
                yield busy[device.idx], _labels(device)

    def _measured(self) -> Sequence[DeviceSample]:
        at, _ = self._sampler.measured
        if at is None or time.monotonic() - at > _STALE_S:
            self._sampler.look()
        return self._sampler.measured[1]


def _labels(device: DeviceDeclared) -> dict[str, str]:
    return {"device": str(device.idx), "kind": "ram" if device.idx == RAM_IDX else "gpu"}
