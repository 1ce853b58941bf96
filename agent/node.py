"""The whole agent: its parts, how they are joined, and in which order they start and stop."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from functools import partial
from uuid import UUID

import structlog

from agent import boot, shutdown
from agent.attempt import Attempt
from agent.checkpoints import Checkpoints
from agent.claims import Claims
from agent.devices import DeviceSource
from agent.disk import Ballast, Disk
from agent.eraser import Eraser
from agent.files.cache import Cache
from agent.files.models import Models
from agent.files.transfer import Transfer
from agent.gauge import Gauge
from agent.health import Infirmary
from agent.in_process import InProcess
from agent.isolation import Isolation, Means
from agent.keeper import Keeper
from agent.leases import Ending, Lease, Leases
from agent.line import DatabaseAway, Line
from agent.measures import Measures
from agent.membership import Membership
from agent.owner import Owner
from agent.reporter import Reporter
from agent.runners.forkserver import Forkserver, batched_kinds, known_kinds, wanted_preload
from agent.runners.records import Records
from agent.sampling import Sampler
from agent.settings import AgentSettings
from agent.settler import Settler
from agent.spool import Settlement, Spool
from agent.state import StateDir
from agent.systemd import Systemd
from agent.together import Together, sorted_out
from agent.tracing import Tracing
from agent.warm import Warm
from agent.watchdog import Watchdog
from agent.work import Work
from agent.workshop import Workshop
from queue_schema.calls import agents
from queue_schema.errors import FleetError
from queue_schema.shapes import HeldLease, Join, Released
from queue_schema.signals import Signals

log = structlog.get_logger(__name__)

SETTLE_S = 10.0
"""How long a leaving agent waits for the database to take its last results; the spool keeps the rest."""


class Node:
    """Built whole, then run once."""

    def __init__(
        self,
        settings: AgentSettings,
        signals: shutdown.Signals,
        means: Means,
        devices: Sequence[DeviceSource],
        *,
        told: Signals | None = None,
        manager: Systemd | None = None,
    ) -> None:
        """Build it.

        Args:
            settings: How it behaves.
            signals: Ask it to leave.
            means: To keep jobs apart.
            devices: What it has.
            told: Where its traces and metrics go; None: nowhere.
            manager: Hears that we are ready, alive and leaving; None: whoever the environment names.
        """
        self._settings = settings
        measures = Measures(told, settings.node)
        self._signals = signals
        self._manager = manager or Systemd()
        self._state = StateDir(settings.state_dir)
        self._isolation = Isolation(settings, means, self._state.instance())
        ballast = Ballast(settings.state_dir / "ballast")
        self._spool = Spool(settings.state_dir / "spool", make_room=ballast.drop)
        self._records = Records(settings.state_dir / "runners")
        self.leases = Leases()
        self._forkserver = Forkserver(preload=settings.preload or wanted_preload(), entry=settings.entry)
        owner = Owner(settings.state_dir, settings.hours)
        self._warm = Warm(
            self.leases,
            most=settings.warm_most,
            rest_s=settings.warm_s,
            faults=lambda: self._sampler.faults(),  # noqa: PLW0108  # not made yet
        )
        self._sampler = Sampler(
            devices,
            self.leases,
            self._forkserver,
            self._warm,
            disk=settings.state_dir,
            reasons=[owner.faults],
        )
        self.membership = Membership(self._declared(), self.leases)
        self._keeping = Line(settings.database_url, "keeper", silence_s=5.0)
        self._telling = Line(settings.database_url, "settler", answer_s=settings.answer_s)
        self._transfer = Transfer(settings.api_url, self.membership, patience_s=settings.transfer_s)
        self._reporter = Reporter(self._telling, self.membership, every_s=settings.report_s, lost=self._lost)
        self.settler = Settler(
            self._telling,
            self.membership,
            self.leases,
            self._spool,
            self._reporter,
            settled=self._settled,
            measures=measures,
        )
        self._in_process = InProcess(
            settings.in_process,
            work_dir=settings.state_dir / "work",
            leases=self.leases,
            reporter=self._reporter,
            settler=self.settler,
        )
        self.claims = Claims(
            settings,
            Line(settings.database_url, "claims", answer_s=settings.answer_s),
            self.membership,
            self.leases,
            self._sampler,
            begin=self._begin,
            measures=measures,
            tracing=Tracing(told, settings.node),
        )
        cache = Cache(settings.state_dir / "cache", budget_mib=settings.cache_mib)
        models = Models(settings.state_dir / "models", budget_mib=settings.models_mib)
        self._eraser = Eraser(self._telling, self.membership, cache, models, self._warm)
        self.keeper = Keeper(
            self._keeping,
            self.membership,
            self.leases,
            look=self.claims.look,
            erase=self._eraser.look,
            measures=measures,
        )
        self._watchdog = Watchdog(
            settings, self.leases, self._forkserver, lease_s=lambda: self.membership.terms.lease_s
        )
        self._disk = Disk(
            settings.state_dir,
            self.leases,
            cache,
            models,
            ballast,
            floor_mib=settings.disk_floor_mib,
            allowance_mib=settings.disk_allowance_mib,
            unused_s=settings.unused_days * 86_400.0,
        )
        self._sampler.add_reason(self._disk.faults)
        self._infirmary = Infirmary(self._telling, self.membership, self.leases)
        self._gauge = Gauge(
            self._sampler,
            self.leases,
            self._infirmary,
            every_s=settings.gauge_s,
            allowance_mib=settings.gpu_allowance_mib,
            came_back=self._gpus_came_back,
        )
        self._shop = Workshop(
            settings=settings,
            leases=self.leases,
            sampler=self._sampler,
            forkserver=self._forkserver,
            records=self._records,
            cache=cache,
            transfer=self._transfer,
            checkpoints=Checkpoints(self._telling, self.membership, self._transfer),
            reporter=self._reporter,
            settler=self.settler,
            isolation=self._isolation,
            warm=self._warm,
            measures=measures,
            starting=threading.Lock(),
        )
        self.membership.unknown = self._hand_back
        measures.observe(
            self._sampler, self.leases, self._warm, folder=settings.state_dir, slots=settings.slots
        )

    def run(self) -> None:
        """Work until a signal asks to leave, then leave in good order.

        Raises:
            BadRequest: The database will not take what we declare.
        """
        boot.clear_leftovers(self._records, self._isolation, self._settings.state_dir)
        boot.forget_another_node(self._settings.state_dir, self._settings.node)
        self._manager.status("joins the fleet")
        self._forkserver.warm()
        spooled = self._spool.load()
        boot.hold_spooled(self.leases, spooled)
        try:
            if boot.first_join(self._keeping, self.membership, self._signals):
                self._work(spooled)
        finally:
            self._transfer.close()
            self._forkserver.close()
            self._sampler.close()
            self._state.close()
            log.info("agent.left", unsettled=len(self.leases.tokens()))

    def _work(self, spooled: list[Settlement]) -> None:
        if spooled:
            self.settler.resume(spooled)
        parts = (
            self._in_process,
            self._reporter,
            self.settler,
            self.keeper,
            self._disk,
            self._infirmary,
            self._gauge,
            self._watchdog,
            self._warm,
            self._eraser,
        )
        # What was imported stays for good. Without this each full collection walks it again, and with claims of
        # hundreds of jobs that comes often.
        gc.collect()
        gc.freeze()
        for thread in (*reversed(parts), self.claims):
            thread.start()
        log.info("agent.ready", slots=self._settings.slots, spooled=len(spooled))
        self._manager.ready(f"node {self._settings.node} takes work")
        self._wait()
        self._manager.stopping("drains")
        self.claims.stop()
        self.claims.join(timeout=5.0)
        self._warm.stop()
        shutdown.drain(self._settings, self.leases, self._signals)
        self.leases.wait_until_empty(SETTLE_S if self._signals.count < 3 else 1.0)
        for part in parts:
            part.stop()
        for part in parts:
            part.join(timeout=5.0)
        for lease in self.leases.all():
            lease.trail.end("left", well=False)
        self._leave()

    def _wait(self) -> None:
        """Until a signal asks to leave; as long as the keeper moves, the service manager hears that we live."""
        while not self._signals.wait(self._manager.every_s):
            if self.keeper.moves(within_s=self._manager.watchdog_s):
                self._manager.alive()
            else:
                log.error("keeper.stands_still", within_s=self._manager.watchdog_s)

    def _leave(self) -> None:
        try:
            self._keeping.do(lambda conn: agents.leave(conn, self.membership.session))
        except (DatabaseAway, FleetError) as exc:
            log.warning("leave.failed", error=str(exc))
        finally:
            self._keeping.close()
            self._telling.close()

    def _begin(self, leases: list[Lease]) -> None:
        here: list[Lease] = []
        apart: list[Lease] = []
        for lease in leases:
            if lease.claimed is not None and self._in_process.takes(lease.claimed):
                here.append(lease)
            else:
                apart.append(lease)
        if here:
            self._in_process.begin(here)
        for some in sorted_out(apart, batched_kinds(), self._settings.batch_most):
            together = Together(len(some), partial(Work, self._shop))
            for place, lease in enumerate(some):
                Attempt(self._shop, lease, together, place).start()

    def _declared(self) -> Join:
        kinds = self._settings.kinds or known_kinds()
        declared = boot.declare(
            self._settings,
            self._sampler,
            self._isolation.means,
            instance=self._state.instance(),
            kinds=kinds,
        )
        boot.tell_owner(self._settings.state_dir, declared)
        return declared

    def _gpus_came_back(self) -> None:
        declared = self._declared()
        log.info("devices.came_back", gpus=sum(device.kind == "gpu" for device in declared.devices))
        self.membership.declare_again(declared)

    def _settled(self) -> None:
        self.claims.look()

    def _lost(self, tokens: list[UUID]) -> None:
        # A report may cross the settle of its attempt; only who still works is told.
        for token in tokens:
            lease = self.leases.get(token)
            if lease is not None and not lease.settling and self.leases.end([token], Ending.LOST):
                log.warning("lease.lost", token=str(token), job_id=str(lease.job_id), told_by="report")

    def _hand_back(self, unknown: list[HeldLease]) -> None:
        for held in unknown:
            lease = Lease(held.job_id, held.token, None, 0.0)
            lease.settling = True
            self.leases.add(lease)
            self.settler.settle(Released(held.job_id, held.token, "the agent started anew"))
