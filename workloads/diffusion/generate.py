"""Kind `diffusion.generate`: pictures for prompts, with a LoRA if one is given.

Every picture has a seed and a generator of its own, so how many are made at once changes no pixel; nor does it matter
whether they belong to one job or to several, or what was made with the loaded model before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import torch
from PIL import Image

from workloads.context import Context
from workloads.diffusion import pipelines
from workloads.errors import UserError

Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Pixels = Annotated[int, msgspec.Meta(ge=8, le=2048, multiple_of=8)]
Prompt = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
MOST_PICTURES = 1000


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


@dataclass(frozen=True, slots=True)
class Order:
    """The pictures of one job."""

    context: Context
    params: GenerateParams
    prompts: list[str]
    lora: str | None
    """The sha256 of the LoRA, if one is given."""
    made: list[dict[str, Any]] = field(default_factory=list)
    """For each picture its file, and the prompt and seed it was made of."""

    def keep(self, image: Image.Image) -> None:
        """Write the next one, 000.png, 001.png ...; a thousand of them would not fit into memory."""
        index = len(self.made)
        name = f"{index:03}.png"
        image.save(self.context.output(name, "image/png"))
        self.made.append({"name": name, "prompt": self.prompts[index], "seed": self.params.seed + index})

    def answer(self) -> dict[str, Any]:
        """Which pictures there are."""
        return {"images": self.made, "base_model": self.params.base_model, "lora": self.lora is not None}


def run(context: Context) -> dict[str, Any]:
    """One job."""
    [values] = run_batch([context])
    return values


def run_batch(contexts: Sequence[Context]) -> list[dict[str, Any]]:
    """Several jobs: those that differ in nothing but prompts and seeds are made together."""
    orders = [_order(context) for context in contexts]
    alike: dict[Hashable, list[Order]] = {}
    for order in orders:
        p = order.params
        look = (p.steps, p.guidance, p.width, p.height, p.negative_prompt, p.batch)
        alike.setdefault((p.base_model, order.lora, *look), []).append(order)
    for some in alike.values():
        _make(some)
    return [order.answer() for order in orders]


def _order(context: Context) -> Order:
    params = context.params_as(GenerateParams)
    prompts = params.wanted()
    given = context.inputs
    if len(given) > 1:
        raise UserError(f"give at most one input, {pipelines.LORA_NAME!r}; got {sorted(given)}")
    lora = None
    for name, path in given.items():
        pipelines.check_safetensors(name, path)
        with path.open("rb") as file:
            lora = hashlib.file_digest(file, "sha256").hexdigest()
    return Order(context, params, prompts, lora)


def _make(orders: Sequence[Order]) -> None:
    """The pictures of jobs that can be made together, as many at once as one of them would.

    Raises:
        GivenBack: The agent asked, between two steps.
    """
    context, params = orders[0].context, orders[0].params
    with context.span("load model"):
        warm = context.models.get(params.base_model, lambda: pipelines.Warm(params.base_model))
    name, path = next(iter(context.inputs.items()), ("", None))
    pipelines.even_threads(warm.pipe)
    warm.wear(orders[0].lora, name, path, context.work_dir / "lora")
    usual = pipelines.preset(params.base_model)
    steps = params.steps or usual.sampling_steps
    guidance = usual.guidance if params.guidance is None else params.guidance
    wanted = [
        (order, prompt, order.params.seed + at) for order in orders for at, prompt in enumerate(order.prompts)
    ]
    batches = [wanted[i : i + params.batch] for i in range(0, len(wanted), params.batch)]
    done = 0

    def after_step(_: Any, step: int, __: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        context.give_back_if_asked()
        text = f"{sum(len(order.made) for order in orders)} of {len(wanted)} pictures"
        for order in orders:
            order.context.progress(done * steps + step + 1, len(batches) * steps, text)
        return kwargs

    for batch in batches:
        negative = [params.negative_prompt or ""] * len(batch)
        made = warm.pipe(
            prompt_embeds=pipelines.encode_prompts(warm.pipe, [prompt for _, prompt, _ in batch]),
            negative_prompt_embeds=pipelines.encode_prompts(warm.pipe, negative),
            num_inference_steps=steps,
            guidance_scale=guidance,
            width=params.width,
            height=params.height,
            generator=[torch.Generator().manual_seed(seed) for _, _, seed in batch],
            output_type="latent",
            callback_on_step_end=after_step,
        )
        for (order, _, _), image in zip(batch, pipelines.decode(warm.pipe, made.images), strict=True):
            order.keep(image)
        done += 1
