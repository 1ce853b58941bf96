"""Does a base model draw what its captions say? A number per attribute, by a classifier of drawn attributes.

`python -m workloads.portraits.obedience --base DIR [--base DIR]` trains the classifier, which takes two minutes
on one core, and prints one JSON line a base, and first one for drawings themselves: the classifier's own limit.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from workloads import sheets
from workloads.diffusion import pipelines
from workloads.portraits import draw
from workloads.portraits.base_vae import reconstruct
from workloads.portraits.identity import IdentityNet, disturb, to_tensor

PEOPLE, STEPS, BATCH = 6000, 900, 96
ANSWERS: dict[str, tuple[str, ...]] = {
    "hair style": draw.STYLES,
    "hair colour": tuple(draw.COLOURS),
    "skin": tuple(draw.SKINS),
    "glasses": ("none", "some"),
    "beard": ("none", "full", "moustache"),
    "hat": ("none", "cap", "beanie"),
}


def answers(person: draw.Identity) -> list[int]:
    """The right answer to each question, as an index."""
    told = {
        "hair style": person.style,
        "hair colour": draw.name_of(person.hair, draw.COLOURS),
        "skin": draw.name_of(person.skin, draw.SKINS),
        "glasses": "none" if person.glasses == "none" else "some",
        "beard": person.beard,
        "hat": person.hat,
    }
    return [ANSWERS[question].index(told[question]) for question in ANSWERS]


def people(seed: int, count: int) -> tuple[draw.Photos, Tensor, list[str]]:
    """Photos of different people, the answers (count, questions), and full captions."""
    rng = np.random.default_rng(seed)
    photos, right, captions = [], [], []
    for _ in range(count):
        person, scene = draw.random_identity(rng), draw.random_scene(rng)
        photos.append(np.asarray(draw.draw(person, scene)))
        right.append(answers(person))
        captions.append(draw.caption(person, scene))
    return np.stack(photos), torch.tensor(right), captions


class AttributeNet(nn.Module):
    """The body of the identity net with one answer a question."""

    def __init__(self) -> None:
        super().__init__()
        self.body = IdentityNet().body
        self.hidden = nn.Linear(1280, 128)
        self.heads = nn.ModuleList([nn.Linear(128, len(options)) for options in ANSWERS.values()])

    def forward(self, x: Tensor) -> list[Tensor]:
        """Logits of each question."""
        hidden = functional.silu(self.hidden(self.body(x).flatten(1)))
        return [head(hidden) for head in self.heads]


def train(vae: AutoencoderKL) -> AttributeNet:
    """Train on drawings, a third of them seen through a VAE."""
    torch.manual_seed(4)
    photos, right, _ = people(40, PEOPLE)
    photos = np.concatenate([photos, reconstruct(vae, photos[: PEOPLE // 2], noise=0.4)])
    right = torch.cat([right, right[: PEOPLE // 2]])
    net = AttributeNet()
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = 2e-3 * max(0.02, 1 - step / STEPS)
        pick = np.random.default_rng(step).integers(0, len(photos), BATCH)
        guess = net(disturb(to_tensor(photos[pick])))
        losses = [functional.cross_entropy(g, r) for g, r in zip(guess, right[pick].T, strict=True)]
        loss = torch.stack(losses).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.eval()


@torch.no_grad()
def shares(net: AttributeNet, photos: draw.Photos, right: Tensor) -> dict[str, float]:
    """Share of right answers to each question, and their mean."""
    guess = torch.stack([logits.argmax(1) for logits in net(to_tensor(photos))], 1)
    each = (guess == right).float().mean(0).tolist()
    named = {question: round(share, 3) for question, share in zip(ANSWERS, each, strict=True)}
    return {**named, "mean": round(sum(each) / len(each), 3)}


def draw_with(pipe: StableDiffusionPipeline, captions: Sequence[str], guidance: float) -> draw.Photos:
    """One picture a caption."""
    images: list[Image.Image] = []
    for first in range(0, len(captions), 8):
        seeds = [torch.Generator().manual_seed(first + i) for i in range(len(captions[first : first + 8]))]
        images += pipe(
            list(captions[first : first + 8]),
            num_inference_steps=25,
            guidance_scale=guidance,
            generator=seeds,
        ).images
    return np.stack([np.asarray(image) for image in images])


def main() -> None:
    """One line for drawings, one a base."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", action="append", help="folder; our own by default")
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--pictures", type=int, default=160)
    parser.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    net = train(pipelines.load(pipelines.PORTRAITS).vae)
    photos, right, captions = people(41, args.pictures)
    sys.stdout.write(json.dumps({"base": "drawings", **shares(net, photos, right)}) + "\n")
    rows = [sheets.Row(title="drawn", note="", images=[Image.fromarray(p) for p in photos[:10]])]
    for base in args.base or [pipelines.PORTRAITS]:
        made = draw_with(pipelines.load(base), captions, args.guidance)
        sys.stdout.write(json.dumps({"base": base, **shares(net, made, right)}) + "\n")
        sys.stdout.flush()
        for first in (0, 10):
            some = [Image.fromarray(p) for p in made[first : first + 10]]
            rows.append(sheets.Row(title=Path(base).name, note="", images=some))
    if args.sheet:
        sheets.contact_sheet("What the captions of the first row say", rows).save(args.sheet)


if __name__ == "__main__":
    main()
