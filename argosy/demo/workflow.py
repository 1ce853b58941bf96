"""The demo's jobs: train on the photos; generate before, after and other people; judge. One submission, one graph."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argosy import Client, JobSpec
from argosy.job import Job
from argosy.spec import InputValue

# The same words as workloads.portraits.draw; tests/test_demo_words.py holds the two together.
BACKGROUNDS = ("blue", "green", "yellow", "pink", "white", "orange", "beach", "forest", "night", "mountain")
PROMPT = "a portrait of a {who} on a {background} background"
WHO = "sks person"
OTHERS = "person"
LORA = "lora.safetensors"
CHECKPOINT_EVERY = 40
_ROUNDS = {"before": 4, "after": 4, "plain": 4}
"""Forty pictures each: with twenty, one picture is five hundredths of a score."""


@dataclass(frozen=True)
class Workflow:
    """The submitted jobs, by what they are for."""

    train: Job
    before: Job
    after: Job
    plain: Job
    score: Job

    def all(self) -> dict[str, Job]:
        """In the order people read."""
        return {
            "train": self.train,
            "before": self.before,
            "after": self.after,
            "plain": self.plain,
            "score": self.score,
        }


def draw_photos(user_seed: int, folder: Path) -> None:
    """Twelve photos of the user of this seed, and their captions, made up by the project's own script."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "workloads.portraits.draw",
            "--user-seed",
            str(user_seed),
            "--out",
            str(folder),
        ],
        check=True,
    )


def submit(client: Client, user_seed: int, photos: Path) -> Workflow:
    """Upload the photos and submit the whole graph at once."""
    pictures = {path.name: path for path in sorted(photos.glob("photo-*.png"))}
    captions = json.loads((photos / "photos.json").read_text())["captions"]
    train = JobSpec(
        kind="diffusion.train_lora",
        name=f"user {user_seed}: train",
        params={"captions": captions, "seed": user_seed, "checkpoint_every": CHECKPOINT_EVERY},
        inputs=pictures,
    )
    lora = {LORA: train.output(LORA)}
    before = _generate("before", user_seed, WHO)
    after = _generate("after", user_seed, WHO, lora)
    plain = _generate("plain", user_seed, OTHERS, lora)
    score = JobSpec(
        kind="command",
        name=f"user {user_seed}: judge",
        params={"argv": ["python", "-m", "workloads.portraits.score", "--user-seed", str(user_seed)]},
        need={"ram_mib": 1024},
        inputs={
            **pictures,
            **{
                f"{group}-{number:03}.png": spec.output(f"{number:03}.png")
                for group, spec in (("before", before), ("after", after), ("plain", plain))
                for number in range(_ROUNDS[group] * len(BACKGROUNDS))
            },
        },
    )
    return Workflow(*client.submit_many([train, before, after, plain, score]))


def _generate(
    group: str, user_seed: int, who: str, inputs: Mapping[str, InputValue] | None = None
) -> JobSpec:
    prompts = [PROMPT.format(who=who, background=background) for background in BACKGROUNDS] * _ROUNDS[group]
    return JobSpec(
        kind="diffusion.generate",
        name=f"user {user_seed}: {group}",
        params={"prompts": prompts, "seed": 1},
        inputs=inputs or {},
    )
