"""Which kinds of work a runner knows, and what to import before it is needed.

Names only: nothing here is imported until a job asks for it, or the agent's forkserver preloads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from workloads.context import Context
from workloads.errors import UserError

Workload = Callable[[Context], Mapping[str, Any] | None]
BatchWorkload = Callable[[Sequence[Context]], Sequence[Mapping[str, Any]]]

KINDS: dict[str, str] = {
    "command": "workloads.command:run",
    "diffusion.generate": "workloads.diffusion.generate:run",
    "diffusion.train_lora": "workloads.diffusion.train_lora:run",
    "noop": "workloads.trivial:noop",
    "selftest.allocate": "workloads.trivial:allocate",
}

IN_PROCESS: tuple[str, ...] = ("noop",)
"""Kinds that an agent may be set to run inside itself: those whose code is a `workloads.steps.Stepwise`.

By name, since to look at the code of a kind is to import what it needs.
"""

KEEPS: tuple[str, ...] = ("diffusion.generate", "noop")
"""Kinds whose runner stays after a success, with the model it loaded, for the next job of the same project and model.

Only code of ours that leaves the process as it found it.
"""

BATCHES: dict[str, str] = {"diffusion.generate": "workloads.diffusion.generate:run_batch"}
"""What does several jobs of a kind as one: takes their contexts, answers with their values in the same order.

What it raises is nobody's failure: each job is then done alone.
"""

PRELOAD: list[str] = [
    "workloads.runner",
    "workloads.command",
    "workloads.trivial",
    "workloads.diffusion.train_lora",
    "workloads.diffusion.generate",
]
"""For `set_forkserver_preload`: imports only, no tensor is touched, so that a fork stays safe.

The forkserver needs OMP_NUM_THREADS=1 and PYTORCH_NVML_BASED_CUDA_CHECK=1 in its environment: threads do not
survive a fork, and a driver asked for its devices by another way cannot be used in a child.
"""


def resolve(kind: str) -> Workload:
    """Import what runs this kind.

    Raises:
        UserError: No such kind.
    """
    if kind not in KINDS:
        raise UserError(f"kind {kind!r} is unknown here; known: {', '.join(sorted(KINDS))}")
    module, _, name = KINDS[kind].partition(":")
    workload: Workload = getattr(import_module(module), name)
    return workload


def resolve_batch(kind: str) -> BatchWorkload | None:
    """Import what runs several jobs of this kind as one; None where nothing does."""
    if kind not in BATCHES:
        return None
    module, _, name = BATCHES[kind].partition(":")
    workload: BatchWorkload = getattr(import_module(module), name)
    return workload
