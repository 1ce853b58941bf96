"""Train the UNet and the text encoder of the base model together, and save the pipeline.

v-prediction with zero terminal SNR; captions by a byte-level BPE tokenizer trained on them. One person in ten
is called by a made-up name, so that the text encoder keeps unknown words apart and a LoRA can bind one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from workloads.portraits.base_vae import Say, Schedule
from workloads.portraits.muon import Muon

TOKENS = 40
"""Longest prompt, in tokens."""
BATCH, EMA, NO_CAPTION = 48, 0.998, 0.1
SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "set_alpha_to_one": True,
    "steps_offset": 1,
}


def make_tokenizer(corpus: Iterable[str], folder: Path) -> CLIPTokenizer:
    """A CLIP tokenizer (byte-level BPE) trained on our own captions."""
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))  # noqa: S106 - no password
    bpe.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.train_from_iterator(
        corpus,
        trainers.BpeTrainer(
            vocab_size=700,
            min_frequency=500,  # words of the captions, no pieces of made-up names
            special_tokens=["<|startoftext|>", "<|endoftext|>"],
            end_of_word_suffix="</w>",
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    learnt = json.loads(bpe.to_str())["model"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(learnt["vocab"]))
    pairs = [" ".join(m) if isinstance(m, list) else m for m in learnt["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(pairs) + "\n")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=TOKENS)


def new_text_encoder(vocabulary: int) -> CLIPTextModel:
    """About 96k parameters."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return CLIPTextModel(config)


def new_unet() -> UNet2DConditionModel:
    """1.82M parameters."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=8,
        out_channels=8,
        layers_per_block=1,
        block_out_channels=(48, 80),
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=64,
        attention_head_dim=8,
        norm_num_groups=8,
    )


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """(n, TOKENS) ids."""
    padded = tokenizer(
        captions, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt"
    )
    ids: Tensor = padded.input_ids
    return ids


def save(
    folder: Path,
    vae: AutoencoderKL,
    text: CLIPTextModel,
    unet: UNet2DConditionModel,
    tokenizer: CLIPTokenizer,
) -> None:
    """Write the pipeline in fp16 and leave the nets in fp32."""
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(**SCHEDULE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.to(torch.float16).save_pretrained(folder)
    pipe.to(torch.float32)


def even_times(count: int) -> Tensor:
    """Time steps spread evenly over the schedule: less noise in the gradient than independent ones."""
    return ((torch.randperm(count) + torch.rand(count)) / count * 1000).long()


def train_unet(
    latents: Tensor, captions: list[list[str]], folder: Path, *, steps: int, seconds: float, say: Say
) -> tuple[CLIPTextModel, UNet2DConditionModel, CLIPTokenizer]:
    """Train on scaled latents; of the captions of a photo one is taken each time.

    Returns:
        Text encoder and UNet with their weights averaged over the last steps, and the tokenizer.
    """
    torch.manual_seed(1)
    tokenizer = make_tokenizer((c for several in captions for c in several), folder / "tokenizer")
    ids = torch.stack([tokenize(tokenizer, list(column)) for column in zip(*captions, strict=True)], 1)
    empty = tokenize(tokenizer, [""])[0]
    text, unet = new_text_encoder(len(tokenizer)), new_unet()
    sizes = [sum(p.numel() for p in net.parameters()) for net in (text, unet)]
    say(f"unet vocabulary {len(tokenizer)} longest {int((ids != 1).sum(-1).max()) + 1} parameters {sizes}")
    unet.to(memory_format=torch.channels_last)
    scheduler = DDIMScheduler(**SCHEDULE)
    live: list[nn.Parameter] = [*unet.parameters(), *text.parameters()]
    average = [p.detach().clone() for p in live]
    optimiser = Muon(unet.parameters(), plain=text.parameters())
    schedule, total = Schedule(steps, seconds, peak=2e-3), 0.0
    for step in range(steps):
        if not (rate := schedule.rate(step)):
            break
        rng = np.random.default_rng((1, step))
        pick = rng.integers(0, len(latents), BATCH)
        prompt = ids[pick, rng.integers(0, ids.shape[1], BATCH)]
        prompt[torch.rand(BATCH) < NO_CAPTION] = empty
        z, t = latents[pick], even_times(BATCH)
        noise = torch.randn_like(z)
        noisy = scheduler.add_noise(z, noise, t)
        guess = unet(noisy, t, encoder_hidden_states=text(prompt)[0]).sample
        loss = functional.mse_loss(guess, scheduler.get_velocity(z, noise, t))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step(rate)
        weight = 1 - min(EMA, (1 + step) / (10 + step))
        torch._foreach_lerp_(average, [p.detach() for p in live], weight)
        total += loss.item()
        if step % 200 == 199:
            say(f"unet {step + 1} {schedule.spent_s():.0f}s loss {total / 200:.4f}")
            total = 0.0
    for p, mean in zip(live, average, strict=True):
        p.data.copy_(mean)
    return text.eval(), unet.eval(), tokenizer
