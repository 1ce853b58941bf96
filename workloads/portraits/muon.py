"""Muon for convolution and linear weights, AdamW for the rest: trains small nets in fewer steps.

`torch.optim.Muon` takes two-dimensional weights only, so it refuses every convolution. This one flattens them
and orthogonalises all weights of one shape in a single batched product, which at this size is most of the speed.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def orthogonal(grads: Tensor, rounds: int = 5) -> Tensor:
    """Newton-Schulz iteration towards the nearest orthogonal matrix, for a stack (k, rows, columns)."""
    tall = grads.shape[1] > grads.shape[2]
    x = grads.transpose(1, 2) if tall else grads
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(rounds):
        a = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    nearest: Tensor = x.transpose(1, 2) if tall else x
    return nearest


class Muon:
    """One optimiser over both kinds of weight.

    Args:
        weights: Weights of the net; those of two and more dimensions get orthogonalised momentum.
        plain: Weights for AdamW whatever their shape: embeddings and other small parts.
        momentum: Of the orthogonalised part.
    """

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        plain: Iterable[nn.Parameter] = (),
        momentum: float = 0.95,
    ) -> None:
        every = list(weights)
        self.matrices = [p for p in every if p.dim() >= 2]
        vectors = [p for p in every if p.dim() < 2]
        self.adam = torch.optim.AdamW([*vectors, *plain], 1e-3, weight_decay=0)
        self.momentum = momentum
        self.buffers = [torch.zeros_like(p) for p in self.matrices]
        self.groups: dict[tuple[int, ...], list[int]] = {}
        for index, p in enumerate(self.matrices):
            self.groups.setdefault(tuple(p.flatten(1).shape), []).append(index)

    def zero_grad(self) -> None:
        """Forget the gradients of the last step."""
        for p in self.matrices:
            p.grad = None
        self.adam.zero_grad()

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Move every weight once; one rate serves both parts, because Muon's is scaled to match Adam's."""
        self.adam.param_groups[0]["lr"] = lr
        self.adam.step()
        for (rows, columns), members in self.groups.items():
            stack = []
            for i in members:
                grad = self.matrices[i].grad
                if grad is None:
                    grad = torch.zeros_like(self.matrices[i])
                self.buffers[i].mul_(self.momentum).add_(grad)
                stack.append((grad + self.momentum * self.buffers[i]).flatten(1))
            updates = orthogonal(torch.stack(stack)) * (0.2 * max(rows, columns) ** 0.5 * lr)
            for i, update in zip(members, updates, strict=True):
                self.matrices[i].sub_(update.view_as(self.matrices[i]))
