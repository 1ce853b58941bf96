"""A training's state in one safetensors file: adapter weights, optimiser moments, step and losses so far.

The losses are the points of the curve, and those of the steps since the last point, of which the next is the mean.

No generator state: every step seeds its own from the job's seed. No pickle, since anybody may hand one in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from workloads.errors import UserError

Losses = list[tuple[int, float]]


def save(
    path: Path,
    weights: list[torch.nn.Parameter],
    optimiser: torch.optim.Optimizer,
    *,
    step: int,
    losses: Losses,
    recent: list[float],
    fingerprint: dict[str, str],
) -> None:
    """Write whole or not at all."""
    tensors: dict[str, Tensor] = {}
    for index, weight in enumerate(weights):
        tensors[f"weight.{index:04}"] = weight.detach().contiguous()
        for name, value in optimiser.state[weight].items():
            tensors[f"optimiser.{index:04}.{name}"] = value.contiguous()
    about = {
        **fingerprint,
        "step": str(step),
        "losses": json.dumps(losses),
        "recent": json.dumps(recent),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    save_file(tensors, unfinished, metadata=about)
    unfinished.replace(path)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file holds."""

    step: int
    """How many are done."""
    losses: Losses
    recent: list[float]
    """Since the last of `losses`; empty in files from before it was kept."""
    tensors: dict[str, Tensor]

    @torch.no_grad()
    def put_back(self, weights: list[torch.nn.Parameter], optimiser: torch.optim.Optimizer) -> None:
        """Into a training that has its adapter and its optimiser, but no step done."""
        for index, weight in enumerate(weights):
            weight.copy_(self.tensors[f"weight.{index:04}"])
            prefix = f"optimiser.{index:04}."
            optimiser.state[weight] = {
                name.removeprefix(prefix): value if name.endswith(".step") else value.to(weight.device)
                for name, value in self.tensors.items()
                if name.startswith(prefix)
            }


def load(path: Path, fingerprint: dict[str, str]) -> Saved:
    """Read a saved state.

    Raises:
        UserError: The file is no checkpoint, or one of another training.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as exc:
        raise UserError(f"the checkpoint is not a safetensors file: {exc}") from exc
    for key, value in fingerprint.items():
        if about.get(key) != value:
            raise UserError(f"the checkpoint was made with {key} {about.get(key)}, the job says {value}")
    losses = [(int(a), float(b)) for a, b in json.loads(about["losses"])]
    return Saved(int(about["step"]), losses, json.loads(about.get("recent", "[]")), tensors)
