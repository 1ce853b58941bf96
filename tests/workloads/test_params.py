from __future__ import annotations

import pytest

from workloads.protocol import Failure

BAD = [
    ("command", {}, "argv"),
    ("command", {"argv": []}, "params.argv"),
    ("command", {"argv": ["a"], "timeout_s": 3}, "timeout_s"),
    ("noop", {"seconds": -1}, "params.seconds"),
    ("selftest.allocate", {"mib": "many"}, "params.mib"),
    ("diffusion.generate", {}, "params.prompt"),
    ("diffusion.generate", {"prompt": "a", "prompts": ["b"]}, "params.prompts"),
    ("diffusion.generate", {"prompt": "a", "width": 65}, "params.width"),
    ("diffusion.generate", {"prompt": "a", "batch": 0}, "params.batch"),
    ("diffusion.generate", {"prompt": "a", "images_per_prompt": 1000, "prompts": None, "x": 1}, "x"),
    ("diffusion.generate", {"prompt": "a", "base_model": "/no/such/folder"}, "params.base_model"),
    ("diffusion.train_lora", {"rank": 0}, "params.rank"),
    ("diffusion.train_lora", {"trigger": "two words"}, "params.trigger"),
    ("diffusion.train_lora", {"lr": 1}, "params.lr"),
    ("diffusion.train_lora", {"step": 10}, "step"),
]


@pytest.mark.parametrize(("kind", "params", "field"), BAD)
def test_a_bad_parameter_is_named(perform, kind, params, field):
    """Whoever submitted the job reads which field to correct."""
    failure = perform(kind, params).last

    assert isinstance(failure, Failure)
    assert failure.cause == "user_error"
    assert field in failure.message
    assert failure.traceback is None


@pytest.mark.parametrize(
    ("captions", "told"),
    [
        ("a portrait", "{who}"),
        ({"photo-00.png": "a sks person"}, "photo-01.png"),
        ({f"photo-{i:02}.png": "a person" for i in range(4)}, "sks person"),
    ],
)
def test_captions_must_name_everybody(perform, photos, captions, told):
    """A caption that is missing, or does not name the person, is told."""
    failure = perform("diffusion.train_lora", {"captions": captions}, inputs=photos).last

    assert failure.cause == "user_error"
    assert "params.captions" in failure.message
    assert told in failure.message
