"""Load Stable Diffusion pipelines: our own small one by name, or any other by folder or hub id.

Device and precision come from what is there: bf16 on a GPU that has it, else fp32. Weights are read from
safetensors only; a pickle can run code.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

# Before the import below: transformers warns about an image processor we never use.
transformers.utils.logging.set_verbosity_error()
diffusers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
diffusers.utils.logging.disable_progress_bar()
# Its usual lock is one between processes, and begins a process to look after that: a runner with a child does not stay.
tqdm.set_lock(threading.RLock())

from diffusers import StableDiffusionPipeline  # noqa: E402
from peft.tuners.tuners_utils import BaseTunerLayer  # noqa: E402

from workloads.diffusion import hub  # noqa: E402
from workloads.errors import Unavailable, UserError  # noqa: E402
from workloads.failures import cause_of, says_out_of_memory  # noqa: E402

LORA_NAME = "lora.safetensors"
ROWS = 8
"""Of the UNet at once on a CPU: four pictures with guidance. More gains 20 %, fewer cost one picture's wait."""
PICKLES = {".bin", ".ckpt", ".pkl", ".pickle", ".pt", ".pth"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What suits a base model where the job says nothing."""

    steps: int
    lr: float
    batch: int
    prior_batch: int
    prior: int
    sampling_steps: int
    guidance: float
    text_encoder: bool
    prior_prompts: tuple[str, ...] = ()


PORTRAITS = "argosy/portraits-64"
BUILTIN = {PORTRAITS: Path(__file__).parents[1] / "portraits" / "base"}
PORTRAIT_BACKGROUNDS = (
    *("blue", "green", "yellow", "pink", "white", "orange"),
    *("beach", "forest", "night", "mountain"),
)
PRESETS = {
    PORTRAITS: Preset(
        steps=400,
        lr=3e-3,
        batch=6,
        prior_batch=8,
        prior=40,
        sampling_steps=25,
        guidance=2.0,
        text_encoder=True,
        prior_prompts=tuple(f"a portrait of a {{who}} on a {b} background" for b in PORTRAIT_BACKGROUNDS),
    )
}
STABLE_DIFFUSION = Preset(
    steps=800, lr=1e-4, batch=1, prior_batch=1, prior=60, sampling_steps=30, guidance=7.5, text_encoder=False
)


def preset(base_model: str) -> Preset:
    """Ours for our own base, a usual one for any other."""
    return PRESETS.get(base_model, STABLE_DIFFUSION)


def device_and_dtype() -> tuple[torch.device, torch.dtype]:
    """The first GPU if there is one; bf16 only where the hardware has it."""
    if not torch.cuda.is_available():
        return torch.device("cpu"), torch.float32
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.device("cuda", 0), torch.bfloat16 if has_bf16 else torch.float32


def load(base_model: str) -> StableDiffusionPipeline:
    """The pipeline, on its device, in evaluation mode.

    Raises:
        UserError: There is no such base model, or it has no safetensors weights.
        Unavailable: The hub it would come from is away.
        OSError: The disk it goes to is full, or broken.
    """
    device, dtype = device_and_dtype()
    name: str | Path = BUILTIN.get(base_model, base_model)
    try:
        pipe = StableDiffusionPipeline.from_pretrained(
            name, dtype=dtype, use_safetensors=True, local_files_only=base_model in BUILTIN
        )
    except Exception as exc:
        reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        text = (
            f"`params.base_model` {base_model!r} cannot be loaded ({reason}); built in: {', '.join(BUILTIN)}"
        )
        if hub.is_away(exc):
            if hub.has_network():
                raise Unavailable(text) from exc
            raise UserError(
                f"{text}. It is not on this node, and jobs of this kind have no network here"
            ) from exc
        if cause_of(exc) != "user_error" or not isinstance(exc, OSError | ValueError):
            raise
        raise UserError(text) from exc
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)


class Warm:
    """A pipeline that stays loaded from job to job, with one LoRA at a time merged into it.

    What a LoRA changes is kept aside and put back bit by bit: to subtract what was added rounds, and the next pictures
    would not be those of a fresh start.
    """

    def __init__(self, base_model: str) -> None:
        self.pipe = load(base_model)
        if self.pipe.device.type == "cpu":
            fix_unet_shape(self.pipe, ROWS)
        self._lora: str | None = None
        self._plain: list[tuple[Tensor, Tensor]] = []

    def wear(self, lora: str | None, name: str, path: Path | None, scratch: Path) -> None:
        """Merge this LoRA, or none, in the place of the one before; which makes generation as fast as without.

        Args:
            lora: What tells it from others, its sha256; None: the bare base.
            name: Of the input, for what is said to people.
            path: Of the file, whatever it is called on this host.
            scratch: A folder to make a link in.

        Raises:
            UserError: Not safetensors, or not a LoRA for this base. It may be half changed then, and of no use.
        """
        if lora == self._lora:
            return
        self._take_off()
        if lora is not None and path is not None:
            add_lora(self.pipe, name, path, scratch, self._plain)
            self._lora = lora

    def _take_off(self) -> None:
        if self._lora is None:
            return
        self.pipe.unfuse_lora()
        with torch.no_grad():
            for weight, plain in self._plain:
                weight.copy_(plain)
        self.pipe.unload_lora_weights()
        self._plain.clear()
        self._lora = None


def add_lora(
    pipe: StableDiffusionPipeline, name: str, path: Path, scratch: Path, plain: list[tuple[Tensor, Tensor]]
) -> None:
    """Load LoRA weights and merge them into the base.

    Args:
        pipe: Changed in place.
        name: Of the input, for what is said to people.
        path: Of the file, whatever it is called on this host.
        scratch: A folder to make a link in.
        plain: Gets each weight that is changed, and a copy of what it was, in host memory.

    Raises:
        UserError: Not safetensors, or not a LoRA for this base.
    """
    check_safetensors(name, path)
    scratch.mkdir(parents=True, exist_ok=True)
    link = scratch / LORA_NAME
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    try:
        pipe.load_lora_weights(scratch, weight_name=LORA_NAME, use_safetensors=True)
        for part in (pipe.unet, pipe.text_encoder):
            layers = [
                module.get_base_layer() for module in part.modules() if isinstance(module, BaseTunerLayer)
            ]
            plain += [(p.data, p.data.to("cpu", copy=True)) for layer in layers for p in layer.parameters()]
        if not plain:  # of another kind of model: diffusers passes over it with a word in its log
            raise UserError(f"input {name!r} has no weights for this base model")
        pipe.fuse_lora()
    except (ValueError, KeyError, RuntimeError) as exc:
        if says_out_of_memory(str(exc)):
            raise
        reason = str(exc).splitlines()[0]
        raise UserError(f"input {name!r} is not a LoRA for this base model: {reason}") from exc


def check_safetensors(name: str, path: Path) -> None:
    """Refuse everything else, pickles by their name.

    Raises:
        UserError: The input is no safetensors file.
    """
    if Path(name).suffix.lower() in PICKLES:
        raise UserError(f"input {name!r} is a pickle, which can run code; convert it to safetensors")
    try:
        with safe_open(path, framework="pt") as file:
            if not list(file.keys()):
                raise UserError(f"input {name!r} holds no tensors")
    except (SafetensorError, OSError) as exc:
        if cause_of(exc) != "user_error":
            raise
        raise UserError(f"input {name!r} is not a safetensors file: {exc}") from exc


def fix_unet_shape(pipe: StableDiffusionPipeline, rows: int) -> None:
    """Make the UNet's answer for a row independent of the batch the row came in.

    Libraries choose another kernel for another shape, and kernels round differently: 1e-6 after one step, other
    pixels after 25. In batches of one fixed shape, the last filled up, a row is computed the same wherever it
    stands (measured: difference 0.0 on the CPU, with even threads).
    """
    forward = pipe.unet.forward

    def grouped(sample: Tensor, timestep: Any, encoder_hidden_states: Tensor, **rest: Any) -> tuple[Tensor]:
        parts = []
        for first in range(0, len(sample), rows):
            x, text = sample[first : first + rows], encoder_hidden_states[first : first + rows]
            short = rows - len(x)
            if short:
                x = torch.cat([x, x[-1:].expand(short, *x.shape[1:])])
                text = torch.cat([text, text[-1:].expand(short, *text.shape[1:])])
            parts.append(forward(x, timestep, text, **{**rest, "return_dict": False})[0][: rows - short])
        return (torch.cat(parts),)

    pipe.unet.forward = grouped


def even_threads(pipe: StableDiffusionPipeline) -> None:
    """On a CPU, take a power of two of them: with 3 or 5, some rows are worked on by another kernel than the rest."""
    if pipe.device.type == "cpu":
        torch.set_num_threads(1 << (min(torch.get_num_threads(), ROWS).bit_length() - 1))


def token_ids(pipe: StableDiffusionPipeline, prompts: Sequence[str]) -> Tensor:
    """(n, tokens), on the pipeline's device."""
    length = pipe.tokenizer.model_max_length
    padded = pipe.tokenizer(
        list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    )
    ids: Tensor = padded.input_ids
    return ids.to(pipe.device)


def encode_prompts(pipe: StableDiffusionPipeline, prompts: Sequence[str]) -> Tensor:
    """(n, tokens, width), on the pipeline's device; each prompt alone, for the same reason."""
    known: dict[str, Tensor] = {}
    with torch.no_grad():
        for prompt in prompts:
            if prompt not in known:
                known[prompt] = pipe.encode_prompt(prompt, pipe.device, 1, False)[0]
    return torch.cat([known[prompt] for prompt in prompts])


@torch.no_grad()
def decode(pipe: StableDiffusionPipeline, latents: Tensor) -> Iterator[Image.Image]:
    """Scaled latents to pictures, each when it is asked for, past the base's safety checker if it has one."""
    for latent in latents.split(1):
        pixels = pipe.vae.decode(latent / pipe.vae.config.scaling_factor, return_dict=False)[0]
        pixels, flagged = pipe.run_safety_checker(pixels, pipe.device, pixels.dtype)
        shown = [not flag for flag in flagged] if flagged else [True]
        yield from pipe.image_processor.postprocess(pixels.detach(), output_type="pil", do_denormalize=shown)


@contextlib.contextmanager
def precision(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Autocast where the base is not fp32."""
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        yield
