"""Kind `diffusion.train_lora`: a few photos of somebody to LoRA weights that draw them when named.

Standard diffusers and peft. Prior preservation keeps "a person" anybody: see `prior`. Killed anywhere, a
training goes on from its last checkpoint as if nothing had happened: see `checkpoints`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from diffusers import DDPMScheduler, StableDiffusionPipeline
from diffusers.training_utils import cast_training_params
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image
from torch import Tensor
from torch.nn import functional

from workloads import sheets
from workloads.context import Context
from workloads.diffusion import checkpoints, photos, pipelines
from workloads.diffusion.prior import Examples, Prior, even_times, make_prior, noise_like, step_generator
from workloads.errors import GivenBack, UserError

TARGETS = [
    *("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out"),
    *("ff.net.0.proj", "ff.net.2", "conv1", "conv2"),
]
TEXT_TARGETS = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]
WARM_STEPS, METRICS_EVERY, SAMPLES = 20, 10, 8
Word = Annotated[str, msgspec.Meta(pattern=r"^[^\W_][\w-]{0,31}$")]
Some = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Few = Annotated[int, msgspec.Meta(ge=1, le=64)]


class TrainParams(msgspec.Struct, forbid_unknown_fields=True):
    """What `diffusion.train_lora` takes; None lets the base model's preset decide."""

    trigger: Word = "sks"
    """The new word; together with `class_word` it names the person."""
    class_word: Word = "person"
    captions: dict[str, str] | str = "a portrait of a {who}"
    """One per photo by input name, or a template with {who}."""
    base_model: str = pipelines.PORTRAITS
    steps: Some | None = None
    rank: Annotated[int, msgspec.Meta(ge=1, le=256)] = 16
    lr: Annotated[float, msgspec.Meta(gt=0, le=0.1)] | None = None
    batch: Few | None = None
    """Photos a step."""
    prior_batch: Annotated[int, msgspec.Meta(ge=0, le=64)] | None = None
    """Pictures of other people a step; 0 trains without prior preservation."""
    prior: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    """How many pictures of other people the base draws."""
    prior_prompts: Annotated[list[str], msgspec.Meta(min_length=1)] | None = None
    """What it draws; templates with {who}."""
    text_encoder: bool | None = None
    """Also adapt the text encoder, where it would not tell the trigger from other words."""
    seed: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)] = 0
    checkpoint_every: Some = 100
    resolution: Annotated[int, msgspec.Meta(ge=8, le=2048, multiple_of=8)] | None = None


def captions_of(params: TrainParams, names: list[str]) -> list[str]:
    """The caption of each photo.

    Raises:
        UserError: A photo has no caption, or a caption does not name the person.
    """
    who = f"{params.trigger} {params.class_word}"
    if isinstance(params.captions, str):
        if "{who}" not in params.captions:
            raise UserError("`params.captions` as a template must contain {who}")
        return [params.captions.replace("{who}", who)] * len(names)
    missing = [name for name in names if name not in params.captions]
    if missing:
        raise UserError(f"`params.captions` has no caption for input {missing[0]!r}")
    for name in names:
        if who not in params.captions[name]:
            raise UserError(f"`params.captions[{name!r}]` must contain {who!r}: trigger and class_word")
    return [params.captions[name] for name in names]


def run(context: Context) -> dict[str, Any]:
    """Train; write lora.safetensors, loss.json, loss.png and samples.png."""
    params = context.params_as(TrainParams)
    inputs = photos.photo_inputs(context)
    captions = captions_of(params, list(inputs))
    usual = pipelines.preset(params.base_model)
    context.progress(0, params.steps or usual.steps, "loading the base model")
    with context.span("load model"):
        pipe = pipelines.load(params.base_model)
    side = params.resolution or pipe.unet.config.sample_size * pipe.vae_scale_factor
    images = [photos.read_photo(name, path, side) for name, path in inputs.items()]
    trainer = Trainer(context, params, usual, pipe)
    with context.span("train"):
        losses = trainer.train(encode_photos(pipe, images, captions), captions)
    with context.span("write"):
        write_lora(context, pipe)
        write_loss(context, losses)
        drawn = write_samples(context, pipe, params, images, captions)
    return {
        "steps": trainer.steps,
        "loss_first": losses[0][1],
        "loss_last": losses[-1][1],
        "base_model": params.base_model,
        "trigger": params.trigger,
        "who": f"{params.trigger} {params.class_word}",
        "rank": params.rank,
        "photos": len(images),
        "samples": drawn,
    }


@torch.no_grad()
def encode_photos(pipe: StableDiffusionPipeline, images: list[Image.Image], captions: list[str]) -> Examples:
    """Scaled latents of the photos with the text of their captions."""
    pixels = photos.to_tensor(images).to(pipe.device, pipe.vae.dtype)
    means = torch.cat([pipe.vae.encode(x).latent_dist.mean for x in pixels.split(4)])
    return Examples(means * pipe.vae.config.scaling_factor, pipelines.token_ids(pipe, captions))


class Trainer:
    """One training: the adapter on the UNet, its optimiser, and the step."""

    def __init__(
        self, context: Context, params: TrainParams, usual: pipelines.Preset, pipe: StableDiffusionPipeline
    ) -> None:
        self.context, self.params, self.usual, self.pipe = context, params, usual, pipe
        self.steps = params.steps or usual.steps
        self.lr = params.lr or usual.lr
        self.batch = params.batch or usual.batch
        self.prior_batch = usual.prior_batch if params.prior_batch is None else params.prior_batch
        self.text_encoder = usual.text_encoder if params.text_encoder is None else params.text_encoder
        self.device, self.dtype = pipelines.device_and_dtype()
        self.scheduler = DDPMScheduler.from_config(pipe.scheduler.config)

    def train(self, user: Examples, captions: list[str]) -> list[tuple[int, float]]:
        """All steps, or those still missing.

        Returns:
            (step, loss) every ten steps since the very first one.

        Raises:
            GivenBack: The agent asked; a checkpoint was sent.
            UserError: The loss, or a weight, is not a number any more.
        """
        start, losses, recent = 0, list[tuple[int, float]](), list[float]()
        saved = checkpoints.load(self.context.resume, self._fingerprint()) if self.context.resume else None
        if saved:
            start, losses, recent = saved.step, saved.losses, saved.recent
        prior = self._prior(user, captions) if self.prior_batch and start < self.steps else None
        weights = self._add_adapter()
        optimiser = torch.optim.AdamW(weights, self.lr, weight_decay=0)
        if saved:
            saved.put_back(weights, optimiser)
        del saved  # on a GPU, a copy in host memory that nobody needs
        self.pipe.unet.train()
        for step in range(start, self.steps):
            optimiser.param_groups[0]["lr"] = self._rate(step)
            loss = self._loss(user, prior, step_generator(self.params.seed, step))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            done = step + 1
            recent.append(loss.item())
            if not math.isfinite(recent[-1]):
                raise UserError(f"the loss is not a number since step {done}; lower `params.lr`")
            self.context.progress(done, self.steps, f"loss {recent[-1]:.4f}")
            if done % METRICS_EVERY == 0 or done == self.steps:
                losses.append((done, round(sum(recent) / len(recent), 6)))
                self.context.metrics(done, loss=losses[-1][1], lr=optimiser.param_groups[0]["lr"])
                recent.clear()
            asked = self.context.stop_requested()
            # Also after the last one: the samples take their time, and may be drawn elsewhere.
            if asked or done == self.steps or done % self.params.checkpoint_every == 0:
                self._checkpoint(weights, optimiser, done, losses, recent)
            if asked:
                raise GivenBack
        self.pipe.unet.eval()
        return losses

    def _prior(self, user: Examples, captions: list[str]) -> Prior:
        class_word, who = self.params.class_word, f"{self.params.trigger} {self.params.class_word}"
        plain = [caption.replace(who, class_word) for caption in captions]
        templates = self.params.prior_prompts or self.usual.prior_prompts
        prompts = [template.replace("{who}", class_word) for template in templates] or plain
        count = self.params.prior or self.usual.prior
        self.context.progress(0, self.steps, f"drawing {count} other people")
        return make_prior(
            self.pipe,
            self.scheduler,
            user=Examples(user.latents, pipelines.token_ids(self.pipe, plain)),
            prompts=[prompts[i % len(prompts)] for i in range(count)],
            guidance=self.usual.guidance,
            seed=self.params.seed,
            stop=self.context.give_back_if_asked,
        )

    def _add_adapter(self) -> list[torch.nn.Parameter]:
        for part in (self.pipe.unet, self.pipe.vae, self.pipe.text_encoder):
            part.requires_grad_(False)
        rank = self.params.rank
        torch.manual_seed(self.params.seed)
        self.pipe.unet.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=TARGETS)
        )
        learning = [self.pipe.unet]
        if self.text_encoder:
            self.pipe.text_encoder.add_adapter(
                LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=TEXT_TARGETS)
            )
            learning.append(self.pipe.text_encoder)
        cast_training_params(learning, dtype=torch.float32)
        return [p for net in learning for p in net.parameters() if p.requires_grad]

    def _rate(self, step: int) -> float:
        return self.lr * min(1, (step + 1) / WARM_STEPS) * max(0.05, 1 - step / self.steps)

    def _loss(self, user: Examples, prior: Prior | None, rng: torch.Generator) -> Tensor:
        """Photos are learnt from noise; of other people the base's own answer is kept."""
        examples = user.pick(self.batch, rng)
        t = even_times(self.batch, self.scheduler.config.num_train_timesteps, rng).to(self.device)
        noise = noise_like(examples.latents, rng)
        noisy = self.scheduler.add_noise(examples.latents, noise, t)
        target = self._target(examples.latents, noise, t)
        ids = examples.ids
        if prior is not None:
            kept = prior.pick(self.prior_batch, rng)
            noisy, t = torch.cat([noisy, kept.noisy]), torch.cat([t, kept.t])
            ids, target = torch.cat([ids, kept.ids]), torch.cat([target, kept.target])
        with pipelines.precision(self.device, self.dtype):
            text = self.pipe.text_encoder(ids)[0]
            guess = self.pipe.unet(noisy, t, encoder_hidden_states=text).sample
        return functional.mse_loss(guess.float(), target.float())

    def _target(self, z: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        match self.scheduler.config.prediction_type:
            case "epsilon":
                return noise
            case "v_prediction":
                velocity: Tensor = self.scheduler.get_velocity(z, noise, t)
                return velocity
            case "sample":
                return z
            case other:
                raise UserError(f"`params.base_model` predicts {other!r}, which cannot be trained here")

    def _fingerprint(self) -> dict[str, str]:
        """What must not change between a checkpoint and its resumption."""
        about = msgspec.to_builtins(self.params)
        keys = (
            *("base_model", "batch", "class_word", "lr", "prior", "prior_batch"),
            *("rank", "seed", "steps", "text_encoder", "trigger"),
        )
        return {key: json.dumps(about[key]) for key in keys}

    def _checkpoint(
        self,
        weights: list[torch.nn.Parameter],
        optimiser: torch.optim.Optimizer,
        step: int,
        losses: list[tuple[int, float]],
        recent: list[float],
    ) -> None:
        # A gradient can be infinite where its loss is not: the next loss would tell, too late for this file.
        if not all(weight.isfinite().all() for weight in weights):
            raise UserError(f"the weights are not numbers since step {step}; lower `params.lr`")
        path = self.context.work_dir / "checkpoints" / f"step-{step:06}.safetensors"
        about = self._fingerprint()
        checkpoints.save(path, weights, optimiser, step=step, losses=losses, recent=recent, fingerprint=about)
        self.context.checkpoint(path, step)


def write_lora(context: Context, pipe: StableDiffusionPipeline) -> None:
    """The weights as `load_lora_weights` reads them.

    With the adapter's configuration as metadata: without it, loading sets alpha back to the rank.
    """
    path = context.output(pipelines.LORA_NAME, "application/vnd.safetensors")
    text: dict[str, Any] = {}
    if pipe.text_encoder.__dict__.get("_hf_peft_config_loaded"):
        layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipe.text_encoder))
        text["text_encoder_lora_layers"] = {k: v.contiguous() for k, v in layers.items()}
        text["text_encoder_lora_adapter_metadata"] = pipe.text_encoder.peft_config["default"].to_dict()
    StableDiffusionPipeline.save_lora_weights(
        path.parent,
        unet_lora_layers={k: v.contiguous() for k, v in get_peft_model_state_dict(pipe.unet).items()},
        unet_lora_adapter_metadata=pipe.unet.peft_config["default"].to_dict(),
        weight_name=path.name,
        **text,
        safe_serialization=True,
    )


def write_loss(context: Context, losses: list[tuple[int, float]]) -> None:
    """The curve, for programs and for people."""
    as_json = context.output("loss.json", "application/json")
    as_json.write_text(json.dumps([{"step": step, "loss": loss} for step, loss in losses]) + "\n")
    sheets.loss_chart("Training loss", losses).save(context.output("loss.png", "image/png"))


def write_samples(
    context: Context,
    pipe: StableDiffusionPipeline,
    params: TrainParams,
    images: list[Image.Image],
    captions: list[str],
) -> list[str]:
    """A sheet of photos above pictures made with the new weights; answers with their prompts.

    Raises:
        GivenBack: The agent asked; the checkpoint of the last step was sent.
    """

    def after_step(_: Any, __: int, ___: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        context.give_back_if_asked()
        return kwargs

    usual = pipelines.preset(params.base_model)
    different = list(dict.fromkeys(captions))
    prompts = [different[i % len(different)] for i in range(SAMPLES)]
    with pipelines.precision(*pipelines.device_and_dtype()):
        made = pipe(
            prompt_embeds=pipelines.encode_prompts(pipe, prompts),
            negative_prompt_embeds=pipelines.encode_prompts(pipe, [""] * len(prompts)),
            num_inference_steps=usual.sampling_steps,
            guidance_scale=usual.guidance,
            generator=[torch.Generator().manual_seed(params.seed + i) for i in range(len(prompts))],
            output_type="latent",
            callback_on_step_end=after_step,
        )
        pictures = []
        for picture in pipelines.decode(pipe, made.images.to(pipe.vae.dtype)):
            context.give_back_if_asked()
            pictures.append(picture)
    rows = [
        sheets.Row(title="photos", note=f"{len(images)} given", images=images[:SAMPLES]),
        sheets.Row(title=f"{params.trigger} {params.class_word}", note="after training", images=pictures),
    ]
    sheet = sheets.contact_sheet(f"LoRA on {Path(params.base_model).name}", rows)
    sheet.save(context.output("samples.png", "image/png"))
    return prompts
