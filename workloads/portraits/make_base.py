"""Make the base model and the identity net from nothing, with one command and no download.

`python -m workloads.portraits.make_base --out DIR` draws people, trains the VAE, then on one core the UNet and
on another the decoder and the identity net, and packs the pipeline in fp16: about an hour on two cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL

from workloads.portraits import draw, identity
from workloads.portraits.base_unet import save, train_unet
from workloads.portraits.base_vae import encode, error, polish_decoder, reconstruct, train_vae

PEOPLE, EACH, CAPTIONS = 6000, 4, 3
SHARDS = 24
NAMED = 0.1
RECONSTRUCTED = 4000
START = time.monotonic()


def say(line: str) -> None:
    """Progress, for the person who waits an hour."""
    sys.stdout.write(f"[{time.monotonic() - START:5.0f}s] {line}\n")
    sys.stdout.flush()


def made_up_name(rng: np.random.Generator) -> str:
    """Three letters; never the default trigger, which must stay new to the base."""
    while (name := "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 3))) == "sks":
        pass
    return name


def draw_shard(seed: int) -> tuple[draw.Photos, list[list[str]]]:
    """The photos of some people, person by person, with several captions each."""
    rng = np.random.default_rng(seed)
    photos, captions = [], []
    for _ in range(PEOPLE // SHARDS):
        person, name = draw.random_identity(rng), made_up_name(rng)
        for _ in range(EACH):
            scene = draw.random_scene(rng)
            photos.append(np.asarray(draw.draw(person, scene)))
            several = []
            for _ in range(CAPTIONS):
                keep = float(rng.choice([0, 0.5, 0.9], p=[0.2, 0.2, 0.6]))
                text = draw.caption(person, scene, keep, rng)
                several.append(text.replace(" person", f" {name} person") if rng.random() < NAMED else text)
            captions.append(several)
    return np.stack(photos), captions


def second_core(folder: Path, seconds: float) -> None:
    """What needs only the VAE: its decoder's last touch, and the identity net."""
    torch.set_num_threads(1)
    photos = np.load(folder / "photos.npy")
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    polish_decoder(vae, photos[:12000], 6000, seconds, say)
    vae.save_pretrained(folder / "decoder")
    seen = reconstruct(vae, photos[:RECONSTRUCTED], noise=0.5)
    identity.train(photos, seen, EACH, folder / "identity.safetensors")
    say(f"identity rank-1 {identity.check(identity.load(folder / 'identity.safetensors')):.3f}")


def make(folder: Path, minutes: float) -> None:
    """Everything, into `folder`: `base/`, `identity.safetensors`, and the intermediate files beside them."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    context: Any = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        shards = pool.map(draw_shard, range(1000, 1000 + SHARDS), chunksize=1)
    photos = np.concatenate([p for p, _ in shards])
    captions = [several for _, part in shards for several in part]
    np.save(folder / "photos.npy", photos)
    say(f"drawn {len(photos)}")
    left_s = minutes * 60 - (time.monotonic() - START)
    vae = train_vae(photos, 5000, 0.25 * left_s, say)
    vae.save_pretrained(folder / "vae")
    left_s = minutes * 60 - (time.monotonic() - START)
    other = context.Process(target=second_core, args=(folder, 0.5 * left_s))
    other.start()
    latents = encode(vae, photos) * vae.config.scaling_factor
    text, unet, tokenizer = train_unet(
        latents, captions, folder / "base", steps=12000, seconds=max(30, left_s - 60), say=say
    )
    other.join()
    if other.exitcode:
        raise SystemExit(f"the second process ended with {other.exitcode}")
    polished = AutoencoderKL.from_pretrained(folder / "decoder", torch_dtype=torch.float32)
    polished.register_to_config(_name_or_path="")
    save(folder / "base", polished, text, unet, tokenizer)
    say(f"packed; error on unseen people {error(polished, draw.person_photos(600_000, 48)[2]):.2f} of 255")


def main() -> None:
    """Make everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60, help="stages are cut to fit")
    args = parser.parse_args()
    make(args.out, args.minutes)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
