"""Two kinds without any use but to try a fleet: wait, and eat memory."""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated, Any

import msgspec

from workloads.context import Context
from workloads.errors import GivenBack
from workloads.gpus import gpus
from workloads.steps import Stepwise

PAGE_BYTES = 4096
MIB = 1 << 20


class NoopParams(msgspec.Struct, forbid_unknown_fields=True):
    """What `noop` takes."""

    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    values: dict[str, Any] = {}


@Stepwise
def noop(context: Context) -> Generator[float, bool, dict[str, Any]]:
    """Wait so long, unless asked to stop, and answer with the given values."""
    params = context.params_as(NoopParams)
    if params.seconds and (yield params.seconds):
        raise GivenBack
    return params.values


class AllocateParams(msgspec.Struct, forbid_unknown_fields=True):
    """What `selftest.allocate` takes."""

    mib: Annotated[int, msgspec.Meta(ge=1)]
    hold_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0


def allocate(context: Context) -> dict[str, Any]:
    """Allocate memory 16 MiB at a time, on its GPUs or else touching every page of the host's, and hold it."""
    params = context.params_as(AllocateParams)
    on_gpus = [device.index for device in context.spec.devices if device.kind == "gpu"]
    held: list[object] = []
    for done in range(0, params.mib, 16):
        size = min(16, params.mib - done)
        held += [gpus().hold(index, size) for index in on_gpus] or [_touched(size)]
        context.progress(done + size, params.mib)
        context.give_back_if_asked()
    if context.channel.wait_for_stop(params.hold_s):
        raise GivenBack
    return {"allocated_mib": params.mib}


def _touched(mib: int) -> bytearray:
    block = bytearray(mib * MIB)
    block[::PAGE_BYTES] = b"\1" * len(range(0, len(block), PAGE_BYTES))
    return block
