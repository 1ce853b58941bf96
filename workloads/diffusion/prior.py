"""Prior preservation: what the base model says of other people, kept as targets for the training.

The usual way trains on pictures the base made, against the noise that was added. Here the target is the
base's own prediction, computed before the adapter exists: the same on average, without the noise's variance.
And half of the examples are the user's own photos under a caption without the trigger: where a LoRA leaks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline
from torch import Tensor

from workloads.diffusion import pipelines

DRAWING_STEPS, DRAWN_AT_ONCE, USES = 15, 8, 8
UNNAMED = 5
"""One example in so many has no caption at all: guidance measures from there, so it must stay the base's too."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Scaled latents with the text that describes them, as token ids: the text encoder may be learning."""

    latents: Tensor
    ids: Tensor

    def pick(self, count: int, rng: torch.Generator) -> Examples:
        """Some, with repetition only where there are not enough."""
        chosen = _choose(len(self.latents), count, rng).to(self.latents.device)
        return Examples(self.latents[chosen], self.ids[chosen])


@dataclass(frozen=True, slots=True)
class Prior:
    """Noisy latents, and what the base answers to them."""

    noisy: Tensor
    t: Tensor
    ids: Tensor
    target: Tensor

    def pick(self, count: int, rng: torch.Generator) -> Prior:
        """Some, without repetition where possible."""
        chosen = _choose(len(self.t), count, rng).to(self.t.device)
        return Prior(self.noisy[chosen], self.t[chosen], self.ids[chosen], self.target[chosen])


def _choose(have: int, count: int, rng: torch.Generator) -> Tensor:
    rounds = [torch.randperm(have, generator=rng) for _ in range(-(-count // have))]
    return torch.cat(rounds)[:count]


def step_generator(seed: int, step: int) -> torch.Generator:
    """All randomness of one step; so a resumed training needs no state of a generator."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % (1 << 62))


def even_times(count: int, times: int, rng: torch.Generator) -> Tensor:
    """Time steps spread evenly over the schedule: less noise in the gradient than independent ones."""
    places = torch.randperm(count, generator=rng) + torch.rand(count, generator=rng)
    return (places / count * times).long().clamp(max=times - 1)  # the last place may round up to the end


def noise_like(latents: Tensor, rng: torch.Generator) -> Tensor:
    """Drawn on the CPU, so that it is the same on every device."""
    return torch.randn(latents.shape, generator=rng).to(latents)


@torch.no_grad()
def make_prior(
    pipe: StableDiffusionPipeline,
    scheduler: DDPMScheduler,
    *,
    user: Examples,
    prompts: list[str],
    guidance: float,
    seed: int,
    stop: Callable[[], None],
) -> Prior:
    """Let the base draw other people, and ask it about them and about the user's photos.

    Args:
        pipe: The base, without an adapter.
        scheduler: Adds the noise.
        user: The photos under captions without the trigger.
        prompts: One picture is drawn of each.
        guidance: Strength of the prompt while drawing.
        seed: Decides every picture.
        stop: Called between pictures; raises to give up.
    """
    drawn = []
    for first in range(0, len(prompts), DRAWN_AT_ONCE):
        stop()
        some = prompts[first : first + DRAWN_AT_ONCE]
        made = pipe(
            prompt_embeds=pipelines.encode_prompts(pipe, some),
            negative_prompt_embeds=pipelines.encode_prompts(pipe, [""] * len(some)),
            num_inference_steps=DRAWING_STEPS,
            guidance_scale=guidance,
            generator=[
                torch.Generator().manual_seed(seed + 7919 * (first + i + 1)) for i in range(len(some))
            ],
            output_type="latent",
        )
        drawn.append(made.images)
    others = Examples(torch.cat(drawn), pipelines.token_ids(pipe, prompts))
    rng = step_generator(seed, -1)
    uses = USES * len(prompts)
    picked, own = others.pick(uses, rng), user.pick(uses, rng)
    z = torch.cat([picked.latents, own.latents]).to(pipe.unet.dtype)
    ids = torch.cat([picked.ids, own.ids])
    ids[::UNNAMED] = pipelines.token_ids(pipe, [""])
    times = scheduler.config.num_train_timesteps
    t = torch.cat([even_times(uses, times, rng), even_times(uses, times, rng)]).to(z.device)
    noisy = scheduler.add_noise(z, noise_like(z, rng), t)
    target = []
    for a, b, c in zip(
        noisy.split(DRAWN_AT_ONCE), t.split(DRAWN_AT_ONCE), ids.split(DRAWN_AT_ONCE), strict=True
    ):
        text = pipe.text_encoder(c)[0]
        target.append(pipe.unet(a, b, encoder_hidden_states=text).sample)
    return Prior(noisy, t, ids, torch.cat(target))
