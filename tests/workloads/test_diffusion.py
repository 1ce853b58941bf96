from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from workloads.diffusion.train_lora import Trainer
from workloads.protocol import Checkpoint, Failure, Progress, Result, Span, Stopped

SHORT = {"steps": 20, "prior": 2, "prior_batch": 2, "batch": 2, "rank": 4, "checkpoint_every": 10}
PROMPTS = [f"a portrait of a person on a {b} background" for b in ("blue", "beach", "night")]


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def _files(result):
    return {o.name: hashlib.sha256(Path(o.path).read_bytes()).hexdigest() for o in result.outputs}


def test_the_split_into_batches_changes_no_pixel(perform):
    """Same seed, same bytes: one at a time, two at a time, or another job for the first picture."""
    params = {"prompts": PROMPTS, "seed": 5, "steps": 4}
    single, pairs = (perform("diffusion.generate", {**params, "batch": b}).last for b in (1, 2))
    first = perform("diffusion.generate", {"prompt": PROMPTS[0], "seed": 5, "steps": 4}).last

    assert list(_files(single)) == ["000.png", "001.png", "002.png"]
    assert _files(single) == _files(pairs)
    assert _files(first)["000.png"] == _files(single)["000.png"]
    assert [image["seed"] for image in single.values["images"]] == [5, 6, 7]


def test_every_step_is_progress(perform):
    """Progress counts the steps of all batches and ends at the total."""
    channel = perform("diffusion.generate", {"prompts": PROMPTS, "steps": 2, "batch": 2})

    assert [(i, 4) for i in (1, 2, 3, 4)] == [(p.step, p.total) for p in channel.of(Progress)]


def test_a_pickle_is_refused(perform, tmp_path):
    """Weights that could run code are refused, by name and by content."""
    evil = tmp_path / "weights"
    evil.write_bytes(pickle.dumps({"w": 1}))
    for name, told in (("lora.bin", "pickle"), ("lora.safetensors", "not a safetensors file")):
        failure = perform("diffusion.generate", {"prompt": "x"}, inputs={name: str(evil)}).last

        assert isinstance(failure, Failure)
        assert failure.cause == "user_error"
        assert told in failure.message
        assert repr(name) in failure.message


def test_foreign_weights_are_refused(perform, tmp_path):
    """A safetensors file that is no LoRA for this base is a user error."""
    save_file({"some.weight": torch.zeros(3)}, tmp_path / "x")
    failure = perform("diffusion.generate", {"prompt": "x"}, inputs={"lora.safetensors": str(tmp_path / "x")})

    assert failure.last.cause == "user_error"
    assert "not a LoRA" in failure.last.message


def test_weights_for_another_kind_of_model_are_refused(perform, tmp_path):
    """Diffusers passes over them, and the pictures would be those of the bare base."""
    low, high = torch.zeros(4, 8), torch.zeros(8, 4)
    weights = {
        "transformer.blocks.0.to_q.lora_A.weight": low,
        "transformer.blocks.0.to_q.lora_B.weight": high,
    }
    save_file(weights, tmp_path / "x")
    failure = perform("diffusion.generate", {"prompt": "x"}, inputs={"flux.safetensors": str(tmp_path / "x")})

    assert failure.last.cause == "user_error"
    assert failure.last.message == "input 'flux.safetensors' has no weights for this base model"


def test_pictures_are_written_as_they_are_made(perform, tmp_path):
    """And not kept: a thousand of them take more memory than a job has."""
    there = []

    def look(message):
        if isinstance(message, Progress):
            there.append(len(list(tmp_path.glob("*/outputs/*.png"))))
        return False

    perform("diffusion.generate", {"prompts": PROMPTS, "steps": 1, "batch": 1}, until=look)

    assert there == [0, 1, 2]


def test_a_stopped_training_goes_on_exactly(perform, photos, tmp_path):
    """Thirteen steps, a stop, seven more: the same weights and the same curve as of twenty in one go."""
    straight = perform("diffusion.train_lora", SHORT, inputs=photos)
    stopped = perform(
        "diffusion.train_lora",
        SHORT,
        inputs=photos,
        until=lambda m: isinstance(m, Progress) and m.step == 13,
    )
    checkpoint = stopped.of(Checkpoint)[-1]
    resumed = perform(
        "diffusion.train_lora",
        SHORT,
        inputs=photos,
        checkpoint=checkpoint.path,
        checkpoint_step=checkpoint.step,
    )

    assert isinstance(stopped.last, Stopped)
    assert checkpoint.step == 13
    assert min(p.step for p in resumed.of(Progress) if p.step) == 14
    whole, parts = (load_file(_output(run, "lora.safetensors")) for run in (straight, resumed))
    assert whole.keys() == parts.keys()
    assert max((whole[k] - parts[k]).abs().max().item() for k in whole) < 1e-5
    losses = [json.loads(_output(run, "loss.json").read_text()) for run in (straight, resumed)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("again", ["last step", "samples"])
def test_a_training_stopped_at_its_end_goes_on_with_the_samples(perform, photos, again):
    """Asked at the last step, or while samples are drawn: no step is done again, and nobody else is drawn."""
    params = {**SHORT, "steps": 2}

    def until(message):
        if again == "samples":
            return isinstance(message, Span) and message.name == "train"
        return isinstance(message, Progress) and message.step == 2

    straight = perform("diffusion.train_lora", params, inputs=photos)
    stopped = perform("diffusion.train_lora", params, inputs=photos, until=until, trace="00-1-2-01")
    checkpoint = stopped.of(Checkpoint)[-1]
    resumed = perform("diffusion.train_lora", params, inputs=photos, checkpoint=checkpoint.path)

    assert isinstance(stopped.last, Stopped)
    assert checkpoint.step == 2
    assert [p.message for p in resumed.of(Progress)] == ["loading the base model"]
    # Of equal weights: the order of what a safetensors file says of itself is any.
    first, second = (load_file(_output(run, "lora.safetensors")) for run in (straight, resumed))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    files = [_files(run.last) for run in (straight, resumed)]
    assert all(each.pop("lora.safetensors") for each in files)
    assert files[0] == files[1]
    assert resumed.last.values == straight.last.values


def test_a_checkpoint_from_before_goes_on(perform, photos, tmp_path):
    """From when the losses since the last point of the curve were not kept in it."""
    params = {**SHORT, "steps": 4}
    stopped = perform(
        "diffusion.train_lora", params, inputs=photos, until=lambda m: isinstance(m, Progress) and m.step == 2
    )
    path = stopped.of(Checkpoint)[-1].path
    with safe_open(path, framework="pt") as file:
        about = {key: value for key, value in file.metadata().items() if key != "recent"}
    save_file(load_file(path), tmp_path / "before", metadata=about)
    resumed = perform("diffusion.train_lora", params, inputs=photos, checkpoint=str(tmp_path / "before"))

    assert resumed.last.values["steps"] == 4


def _output(channel, name):
    assert isinstance(channel.last, Result), channel.last
    return next(Path(o.path) for o in channel.last.outputs if o.name == name)


def test_a_lora_is_loaded_as_it_was_trained(perform, photos):
    """The weights carry their adapter's configuration, change the pictures, and samples are pictures."""
    trained = perform("diffusion.train_lora", {**SHORT, "steps": 2}, inputs=photos)
    lora = _output(trained, "lora.safetensors")
    with safe_open(lora, framework="pt") as file:
        about = json.loads(file.metadata()["lora_adapter_metadata"])
    plain, with_lora = (
        perform("diffusion.generate", {"prompt": "a sks person", "steps": 2}, inputs=inputs).last
        for inputs in ({}, {"lora.safetensors": str(lora)})
    )

    assert (about["unet.r"], about["unet.lora_alpha"]) == (4, 4)
    assert _files(plain) != _files(with_lora)
    with (
        Image.open(_output(trained, "samples.png")) as sheet,
        Image.open(_output(trained, "loss.png")) as loss,
    ):
        assert sheet.width > 500
        assert loss.size == (720, 360)


def test_a_checkpoint_of_another_training_is_refused(perform, photos):
    """Weights are not poured into a training with other parameters."""
    stopped = perform(
        "diffusion.train_lora", SHORT, inputs=photos, until=lambda m: isinstance(m, Progress) and m.step == 1
    )
    path = stopped.of(Checkpoint)[-1].path
    other = perform("diffusion.train_lora", {**SHORT, "lr": 1e-3}, inputs=photos, checkpoint=path)

    assert other.last.cause == "user_error"
    assert "lr" in other.last.message


def _one_loss_becomes(monkeypatch, step, spoil):
    """`spoil` makes another loss of that of a step, which counts from one, and of a weight that learns."""
    true, steps = Trainer._loss, []

    def loss(self, *args):
        steps.append(true(self, *args))
        weight = next(p for p in self.pipe.unet.parameters() if p.requires_grad)
        return spoil(steps[-1], weight) if len(steps) == step else steps[-1]

    monkeypatch.setattr(Trainer, "_loss", loss)


def test_a_loss_that_is_no_number_ends_the_training(perform, photos, monkeypatch):
    """At once, before it is in a checkpoint: hours of steps would make nothing."""
    _one_loss_becomes(monkeypatch, 2, lambda loss, _: loss * float("nan"))
    channel = perform("diffusion.train_lora", {**SHORT, "steps": 4, "checkpoint_every": 2}, inputs=photos)

    assert channel.last.cause == "user_error"
    assert channel.last.message == "the loss is not a number since step 2; lower `params.lr`"
    assert channel.of(Checkpoint) == []


def test_weights_that_are_no_numbers_are_no_checkpoint(perform, photos, monkeypatch):
    """A gradient may be infinite where its loss is not, as that of a root at zero."""
    _one_loss_becomes(monkeypatch, 2, lambda loss, weight: loss + (weight - weight.detach()).sqrt().sum())
    channel = perform("diffusion.train_lora", {**SHORT, "steps": 4, "checkpoint_every": 2}, inputs=photos)

    assert channel.last.cause == "user_error"
    assert channel.last.message == "the weights are not numbers since step 2; lower `params.lr`"
    assert channel.of(Checkpoint) == []
