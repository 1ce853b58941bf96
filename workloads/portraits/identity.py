"""Who is in this portrait? A tiny CNN embedding of drawn people, and the rank-1 score made from it.

Trained contrastively: two photos of a person are near, photos of others are far, and a photo that went
through the VAE is still its person. `make_base` trains it, `score` uses it; no other project's weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from workloads.portraits.draw import Photos, person_photos

WEIGHTS = Path(__file__).with_name("identity.safetensors")
DECOYS = 20
SAME = 0.7
"""Least cosine of a photo to its person: 0.71 to 1 among unseen people, at most 0.44 between two people."""
PEOPLE_A_STEP, TEMPERATURE = 96, 0.1


class IdentityNet(nn.Module):
    """64x64 photo to a unit vector of 64."""

    def __init__(self) -> None:
        super().__init__()
        widths, layers = (3, 24, 40, 64, 80), []
        for a, b in pairwise(widths):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(8, b), nn.SiLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1] * 16, 64)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, 64, 64) in -1..1 to (n, 64)."""
        return functional.normalize(self.head(self.body(x).flatten(1)), dim=1)


def load(path: Path = WEIGHTS) -> IdentityNet:
    """The shipped net, in fp32."""
    net = IdentityNet()
    net.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    return net.eval()


def to_tensor(photos: Photos) -> Tensor:
    """uint8 photos (n, 64, 64, 3) to floats in -1..1, channels first."""
    return torch.from_numpy(photos).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def embed(net: IdentityNet, photos: Photos) -> Tensor:
    """Unit vectors (n, 64)."""
    return torch.cat([net(part) for part in to_tensor(photos).split(256)])


def mean_embedding(net: IdentityNet, photos: Photos) -> Tensor:
    """The one vector of a person seen in several photos."""
    return functional.normalize(embed(net, photos).mean(0), dim=0)


def decoy_means(net: IdentityNet, seeds: Iterable[int]) -> Tensor:
    """(len(seeds), 64): one vector a stranger."""
    return torch.stack([mean_embedding(net, person_photos(seed)[2]) for seed in seeds])


def rank_one(net: IdentityNet, portraits: Photos, user: Photos, decoys: Tensor) -> tuple[float, float]:
    """Share of portraits nearer to the user than to any decoy, and the mean cosine to the user."""
    means = torch.cat([mean_embedding(net, user)[None], decoys])
    cosine = embed(net, portraits) @ means.T
    return (cosine.argmax(1) == 0).float().mean().item(), cosine[:, 0].mean().item()


def recognised(net: IdentityNet, portraits: Photos, user: Photos, decoys: Tensor) -> float:
    """Share of portraits that are nearest to the user and as like them as their own photos are.

    Rank-1 alone must choose somebody: of pictures of nobody it gives one in 21 to the user, by chance, and three
    times that to a user of average looks.
    """
    means = torch.cat([mean_embedding(net, user)[None], decoys])
    cosine = embed(net, portraits) @ means.T
    return ((cosine.argmax(1) == 0) & (cosine[:, 0] >= SAME)).float().mean().item()


def disturb(x: Tensor) -> Tensor:
    """Blur, light and noise: what must not change who it is."""
    n = len(x)
    soft = functional.interpolate(functional.avg_pool2d(x, 2), scale_factor=2, mode="bilinear")
    x = torch.lerp(x, soft, torch.rand(n, 1, 1, 1))
    x = x * (0.9 + 0.2 * torch.rand(n, 1, 1, 1)) + 0.06 * torch.randn(n, 3, 1, 1)
    return x + 0.08 * torch.rand(n, 1, 1, 1) * torch.randn_like(x)


def train(photos: Photos, reconstructed: Photos, each: int, path: Path, steps: int = 900) -> None:
    """Train the net and write it in fp16.

    Args:
        photos: (people * each, 64, 64, 3), the photos of a person one after another.
        reconstructed: The first of them, seen through the VAE.
        each: Photos of a person.
        path: Where the weights go.
        steps: Of 96 pairs; every second step looks at reconstructions.
    """
    torch.manual_seed(2)
    net = IdentityNet()
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-3)
    target = torch.arange(PEOPLE_A_STEP)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 2e-3 * min(1, (step + 1) / 50) * max(0.02, 1 - step / steps)
        rng = np.random.default_rng(step)
        second_photos = reconstructed if step % 2 else photos
        who = rng.choice(len(second_photos) // each, PEOPLE_A_STEP, replace=False)
        views = rng.permuted(np.tile(np.arange(each), (PEOPLE_A_STEP, 1)), axis=1)
        first = net(disturb(to_tensor(photos[who * each + views[:, 0]])))
        second = net(disturb(to_tensor(second_photos[who * each + views[:, 1]])))
        logits = first @ second.T / TEMPERATURE
        loss = functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    save_file({k: v.half().contiguous() for k, v in net.state_dict().items()}, path)


def check(net: IdentityNet, people: int = 60) -> float:
    """Rank-1 among 21 on photos of people no net was trained on."""
    pool = decoy_means(net, range(700_000, 700_100))
    shares = []
    for seed in range(people):
        _, _, photos = person_photos(500_000 + seed, 20)
        some = np.random.default_rng(seed).choice(len(pool), DECOYS, replace=False)
        shares.append(rank_one(net, photos[12:], photos[:12], pool[some])[0])
    return float(np.mean(shares))
