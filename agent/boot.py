"""The first seconds of an agent: what there is on this host, what the last life left, and the first join."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pynvml
import structlog

from agent import __version__, owner, processes
from agent.backoff import Backoff
from agent.devices import DeviceSource
from agent.devices.absent import AbsentGpus
from agent.devices.host import HostMemory, physical_mib
from agent.devices.nvml import NvmlDevices
from agent.isolation import Isolation, Means, clear
from agent.leases import Lease, Leases
from agent.line import DatabaseAway, Line
from agent.membership import Membership
from agent.runners.records import Records
from agent.sampling import Sampler
from agent.settings import AgentSettings
from agent.shutdown import Signals
from agent.spool import Settlement
from agent.state import write_whole
from queue_schema.errors import BadRequest, FleetError, NodeNameTaken
from queue_schema.shapes import Join

log = structlog.get_logger(__name__)

UNIFIED_SHARE = 0.75
"""Of host memory, for a GPU that has none of its own; the rest is for the host's side of the jobs."""


def find_devices(settings: AgentSettings) -> list[DeviceSource]:
    """The host's memory always, and its GPUs where NVML shows any.

    A machine without NVML has no GPU, and its memory takes the bookings. One whose NVML does not initialise has GPUs
    that do not work: to run their jobs in its memory would help nobody.
    """
    alone: list[DeviceSource] = [HostMemory(budget_mib=settings.ram_mib, takes_vram=True)]
    if settings.gpus == "none":
        return alone
    unified_mib = int(physical_mib() * UNIFIED_SHARE)
    opened = partial(NvmlDevices, unified_mib=unified_mib, patience_s=settings.device_patience_s)
    try:
        gpus = opened()
    except pynvml.NVMLError_LibraryNotFound as exc:
        log.info("devices.no_gpu", why=str(exc))
        return alone
    except pynvml.NVMLError as exc:
        fix = "Repair the driver; or --gpus none, if this machine has no GPU."
        log.error("devices.absent", why=str(exc), fix=fix)  # noqa: TRY400  # expected: the text says it all
        return [HostMemory(budget_mib=settings.ram_mib, takes_vram=False), AbsentGpus(str(exc), opened)]
    if not gpus.declare():
        gpus.close()
        return alone
    budget_mib = settings.ram_mib
    if gpus.unified:
        rest_mib = physical_mib() - unified_mib
        budget_mib = min(budget_mib or rest_mib, rest_mib)
    return [HostMemory(budget_mib=budget_mib, takes_vram=False), gpus]


def declare(
    settings: AgentSettings, sampler: Sampler, means: Means, *, instance: str, kinds: tuple[str, ...]
) -> Join:
    """What this agent says of itself when it joins."""
    own = processes.look_up(os.getpid())
    return Join(
        node=settings.node,
        instance=instance,
        boot=f"{os.getpid()}@{own.started if own else 0}",
        version=__version__,
        kinds=list(kinds),
        devices=sampler.declare(),
        cpu_milli=settings.cpu_milli or len(os.sched_getaffinity(0)) * 1000,
        disk_mib=psutil.disk_usage(str(settings.state_dir)).total >> 20,
        slots=settings.slots,
        labels=sampler.facts() | means.facts() | dict(settings.labels),
    )


def tell_owner(state_dir: Path, declared: Join) -> None:
    """Which GPUs there are to keep off; a driver that is away has none to tell of, and those of its last life stay."""
    gpus = [device.idx for device in declared.devices if device.kind == "gpu"]
    if not gpus and "gpu_fault" in declared.labels:
        return
    try:
        owner.tell_gpus(state_dir, gpus)
    except OSError as exc:  # a full disk is told of as a fault of the node
        log.warning("owner.not_told", error=str(exc))


def clear_leftovers(records: Records, isolation: Isolation, state_dir: Path) -> None:
    """End the runners of the last life, and remove their work folders.

    Before the join, for what it hands back must not still be running.
    """
    ended = records.end_leftovers()
    if ended:
        log.warning("runner.leftovers_ended", processes=ended)
    isolation.end_leftovers()
    clear(state_dir / "work")


def forget_another_node(state_dir: Path, node: str) -> None:
    """Under another name this machine is not told what was erased under the old one: it begins without copies."""
    path = state_dir / "node"
    was = path.read_text() if path.exists() else None
    if was == node:
        return
    if was is not None:
        log.warning("node.renamed", was=was, now=node)
        for folder in ("cache", "models"):
            for each in (state_dir / folder).glob("*"):
                clear(each)
    write_whole(path, node)


def hold_spooled(leases: Leases, settlements: list[Settlement]) -> None:
    """Hold the leases of results from the last life, so that heartbeats name them until they are settled."""
    for settlement in settlements:
        lease = Lease(settlement.job_id, settlement.token, None, 0.0)
        lease.settling = True
        leases.add(lease)


def first_join(line: Line, membership: Membership, signals: Signals) -> bool:
    """Join, however long the database or the node's name is taken.

    Returns:
        False when a signal asked to leave first.

    Raises:
        BadRequest: What we declare will never be usable.
    """
    backoff = Backoff(0.3, 10.0)
    while not signals.asked:
        try:
            line.do(membership.join)
        except BadRequest:
            raise
        except NodeNameTaken as exc:
            log.error("join.name_taken", error=str(exc), fix=exc.fix)  # noqa: TRY400  # expected: the text says it all
        except DatabaseAway as exc:
            log.warning("join.waits", error=str(exc))
        except FleetError as exc:
            log.error("join.refused", code=exc.code, error=str(exc), fix=exc.fix)  # noqa: TRY400  # expected: the text says it all
        else:
            return True
        signals.wait(backoff.next_s())
    return False
