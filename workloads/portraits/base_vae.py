"""Train the VAE of the base model: 64x64 RGB to an 8x8 latent of 8 channels, small enough for one core.

Half the budget goes to encoder and decoder together, the rest to the decoder alone, while the UNet already
learns the latents, which no longer move.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from workloads.portraits.draw import Photos
from workloads.portraits.identity import to_tensor
from workloads.portraits.muon import Muon

BATCH = 16
KL_WEIGHT = 1.5e-3 / 512
Say = Callable[[str], None]


class Schedule:
    """Learning rate over a stage that ends after so many steps, or so many seconds, whichever is first."""

    def __init__(self, steps: int, seconds: float, peak: float, warm: int = 80) -> None:
        self.steps, self.seconds, self.peak, self.warm = steps, seconds, peak, warm
        self.start = time.monotonic()

    def spent_s(self) -> float:
        """Seconds since the stage began."""
        return time.monotonic() - self.start

    def rate(self, step: int) -> float:
        """Zero says: enough."""
        done = max(step / self.steps, self.spent_s() / self.seconds)
        return 0.0 if done >= 1 else self.peak * min(1, (step + 1) / self.warm) * max(0.01, 1 - done)


def picture_loss(y: Tensor, x: Tensor) -> Tensor:
    """Colours and edges."""
    across = functional.l1_loss(y[..., 1:] - y[..., :-1], x[..., 1:] - x[..., :-1])
    down = functional.l1_loss(y[..., 1:, :] - y[..., :-1, :], x[..., 1:, :] - x[..., :-1, :])
    return functional.l1_loss(y, x) + functional.mse_loss(y, x) + across + down


def new_vae() -> AutoencoderKL:
    """866k parameters."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=8,
        sample_size=64,
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 48, 64),
        norm_num_groups=8,
    )


def train_vae(photos: Photos, steps: int, seconds: float, say: Say) -> AutoencoderKL:
    """A new VAE with its scaling factor set."""
    torch.manual_seed(0)
    vae = new_vae()
    optimiser = Muon(vae.parameters())
    schedule, total = Schedule(steps, seconds, peak=3e-3), 0.0
    for step in range(steps):
        if not (rate := schedule.rate(step)):
            break
        x = to_tensor(photos[np.random.default_rng((0, step)).integers(0, len(photos), BATCH)])
        x[:4] = x[:4, torch.randperm(3)]  # any hue anywhere: some photos with their colours exchanged
        with torch.autocast("cpu", torch.bfloat16):
            latent = vae.encode(x).latent_dist
            y = vae.decode(latent.sample()).sample
        loss = picture_loss(y.float(), x) + KL_WEIGHT * latent.kl().float().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step(rate)
        total += loss.item()
        if step % 200 == 199:
            say(f"vae {step + 1} {schedule.spent_s():.0f}s loss {total / 200:.4f}")
            total = 0.0
    vae.eval()
    spread = encode(vae, photos[:512]).std().item()
    vae.register_to_config(scaling_factor=1 / spread)
    say(f"vae latent std {spread:.3f} error {error(vae, photos[:96]):.2f} of 255")
    return vae


@torch.no_grad()
def encode(vae: AutoencoderKL, photos: Photos) -> Tensor:
    """Means of the latents, not scaled."""
    return torch.cat([vae.encode(x).latent_dist.mean for x in to_tensor(photos).split(250)])


@torch.no_grad()
def reconstruct(vae: AutoencoderKL, photos: Photos, noise: float = 0.0) -> Photos:
    """Photos through the VAE, up to `noise` standard deviations off in the latent."""
    parts = []
    for first in range(0, len(photos), 100):
        z = encode(vae, photos[first : first + 100]) * vae.config.scaling_factor
        z = z + noise * torch.rand(len(z), 1, 1, 1) * torch.randn_like(z)
        y = vae.decode(z / vae.config.scaling_factor).sample.clamp(-1, 1)
        parts.append(((y + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    return np.concatenate(parts)


def error(vae: AutoencoderKL, photos: Photos) -> float:
    """Mean absolute error of the pixels, of 255."""
    return float(np.abs(photos.astype(float) - reconstruct(vae, photos)).mean())


def polish_decoder(vae: AutoencoderKL, photos: Photos, steps: int, seconds: float, say: Say) -> None:
    """Go on with the decoder alone, on latents a little off, as a UNet makes them."""
    torch.manual_seed(3)
    latents = encode(vae, photos)
    spread = latents.std()
    vae.train()
    optimiser = Muon([*vae.decoder.parameters(), *vae.post_quant_conv.parameters()])
    schedule, total = Schedule(steps, seconds, peak=1.5e-3), 0.0
    for step in range(steps):
        if not (rate := schedule.rate(step)):
            break
        pick = np.random.default_rng((3, step)).integers(0, len(photos), BATCH)
        x, z = to_tensor(photos[pick]), latents[pick]
        with torch.autocast("cpu", torch.bfloat16):
            y = vae.decode(z + 0.1 * spread * torch.randn_like(z)).sample
        loss = picture_loss(y.float(), x)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step(rate)
        total += loss.item()
        if step % 200 == 199:
            say(f"decoder {step + 1} {schedule.spent_s():.0f}s loss {total / 200:.4f}")
            total = 0.0
    vae.eval()
    say(f"decoder error {error(vae, photos[:96]):.2f} of 255")
