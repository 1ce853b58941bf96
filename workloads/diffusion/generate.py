"""Kind `diffusion.generate`: pictures for prompts, with a LoRA if one is given.

Every picture has a seed and a generator of its own, so how many are made at once changes no pixel.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from workloads.context import Context
from workloads.diffusion import pipelines
from workloads.errors import UserError

Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Pixels = Annotated[int, msgspec.Meta(ge=8, le=2048, multiple_of=8)]
Prompt = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
MOST_PICTURES = 1000
ROWS = 8
"""Of the UNet at once on a CPU: four pictures with guidance. More gains 20 %, fewer cost one picture's wait."""


class GenerateParams(msgspec.Struct, forbid_unknown_fields=True):
    """What `diffusion.generate` takes."""

    prompt: Prompt | None = None
    prompts: Annotated[list[Prompt], msgspec.Meta(min_length=1)] | None = None
    negative_prompt: str | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)] = 0
    """Of the first picture; the next ones count up."""
    steps: Count | None = None
    guidance: Annotated[float, msgspec.Meta(ge=0, le=50)] | None = None
    width: Pixels | None = None
    height: Pixels | None = None
    images_per_prompt: Count = 1
    batch: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    base_model: str = pipelines.PORTRAITS

    def wanted(self) -> list[str]:
        """One prompt a picture.

        Raises:
            UserError: Neither or both of `prompt` and `prompts`, or too many pictures.
        """
        if (self.prompt is None) == (self.prompts is None):
            raise UserError("give either `params.prompt` or `params.prompts`")
        prompts = [self.prompt] if self.prompt is not None else self.prompts or []
        wanted = [prompt for prompt in prompts for _ in range(self.images_per_prompt)]
        if len(wanted) > MOST_PICTURES:
            text = (
                f"`params.prompts` times `params.images_per_prompt` is {len(wanted)}; at most {MOST_PICTURES}"
            )
            raise UserError(text)
        return wanted


def run(context: Context) -> dict[str, Any]:
    """Write 000.png, 001.png ...; answer which prompt and seed each was made of."""
    params = context.params_as(GenerateParams)
    prompts = params.wanted()
    lora = [name for name in context.inputs if name == pipelines.LORA_NAME or len(context.inputs) == 1]
    if len(lora) != min(1, len(context.inputs)) or len(context.inputs) > 1:
        raise UserError(f"give at most one input, {pipelines.LORA_NAME!r}; got {sorted(context.inputs)}")
    for name in lora:
        pipelines.check_safetensors(name, context.inputs[name])
    pipe = pipelines.load(params.base_model)
    for name in lora:
        pipelines.add_lora(pipe, name, context.inputs[name], context.work_dir / "lora")
    files = []
    for index, image in enumerate(generate(context, pipe, params, prompts)):
        name = f"{index:03}.png"
        image.save(context.output(name, "image/png"))
        files.append({"name": name, "prompt": prompts[index], "seed": params.seed + index})
    return {"images": files, "base_model": params.base_model, "lora": bool(lora)}


def generate(
    context: Context, pipe: StableDiffusionPipeline, params: GenerateParams, prompts: list[str]
) -> list[Image.Image]:
    """The pictures, in order of the prompts; tells progress a step at a time.

    Raises:
        GivenBack: The agent asked, between two steps.
    """
    usual = pipelines.preset(params.base_model)
    steps = params.steps or usual.sampling_steps
    guidance = usual.guidance if params.guidance is None else params.guidance
    if pipe.device.type == "cpu":
        pipelines.fix_unet_shape(pipe, ROWS)
    batches = [prompts[i : i + params.batch] for i in range(0, len(prompts), params.batch)]
    images: list[Image.Image] = []

    def after_step(_: Any, step: int, __: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        context.give_back_if_asked()
        number = len(images) // params.batch
        text = f"{len(images)} of {len(prompts)} pictures"
        context.progress(number * steps + step + 1, len(batches) * steps, text)
        return kwargs

    for batch in batches:
        seeds = [params.seed + len(images) + i for i in range(len(batch))]
        negative = [params.negative_prompt or ""] * len(batch)
        made = pipe(
            prompt_embeds=pipelines.encode_prompts(pipe, batch),
            negative_prompt_embeds=pipelines.encode_prompts(pipe, negative),
            num_inference_steps=steps,
            guidance_scale=guidance,
            width=params.width,
            height=params.height,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            output_type="latent",
            callback_on_step_end=after_step,
        )
        images += pipelines.decode(pipe, made.images)
    return images
