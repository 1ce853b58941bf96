"""Measure personalisation end to end, through the real kinds: photos, before, training, after, score.

`python -m workloads.portraits.evaluate --users 0..9` prints one JSON line a user; `--keep DIR` keeps all files.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from workloads.channel import LocalChannel
from workloads.context import Context
from workloads.diffusion import generate, pipelines, train_lora
from workloads.portraits import draw, score
from workloads.protocol import Spec

PICTURES_EACH = 4
WHO = "sks person"


def run_kind(kind: Any, name: str, params: dict[str, Any], inputs: dict[str, Path], folder: Path) -> float:
    """Run one kind in this process, into `folder`/outputs; answers with the seconds it took."""
    folder.mkdir(parents=True)
    spec = Spec(
        job_id=name,
        attempt=1,
        kind=name,
        params=params,
        inputs={k: str(v) for k, v in inputs.items()},
        work_dir=str(folder),
        devices=[],
        ram_mib=0,
        cpu_milli=1000,
    )
    start = time.monotonic()
    kind(Context(spec, LocalChannel(io.StringIO())))
    return time.monotonic() - start


def pictures(folder: Path) -> draw.Photos:
    """What `diffusion.generate` left."""
    return score.read_pictures(sorted((folder / "outputs").glob("*.png")))


def evaluate(user: int, base_model: str, extra: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One user, from photos to verdict."""
    draw.write_user(user, folder / "photos")
    about = json.loads((folder / "photos" / "photos.json").read_text())
    photos = {p.name: p for p in sorted((folder / "photos").glob("*.png"))}

    def prompts(who: str) -> dict[str, Any]:
        asked = [draw.PROMPT.format(who=who, background=b) for b in draw.BACKGROUNDS] * PICTURES_EACH
        return {"prompts": asked, "base_model": base_model, "seed": 1}

    train = {"captions": about["captions"], "base_model": base_model, "seed": user, **extra}
    run_kind(generate.run, "diffusion.generate", prompts(WHO), {}, folder / "before")
    train_s = run_kind(train_lora.run, "diffusion.train_lora", train, photos, folder / "train")
    lora = {pipelines.LORA_NAME: folder / "train" / "outputs" / pipelines.LORA_NAME}
    after_s = run_kind(generate.run, "diffusion.generate", prompts(WHO), lora, folder / "after")
    run_kind(generate.run, "diffusion.generate", prompts("person"), lora, folder / "plain")
    groups = {g: pictures(folder / g) for g in ("before", "after", "plain")}
    groups["photo"] = draw.user_photos(user)[2]
    verdict: dict[str, Any] = dict(score.score(groups, user))
    score.sheet(groups, verdict).save(folder / "sheet.png")
    size_mb = lora[pipelines.LORA_NAME].stat().st_size / 1e6
    return verdict | {
        "train_s": round(train_s, 1),
        "generate_s": round(after_s, 1),
        "lora_mb": round(size_mb, 2),
    }


def users_of(text: str) -> list[int]:
    """`3`, `0..9` or `1,4,7`."""
    first, dots, last = text.partition("..")
    return list(range(int(first), int(last) + 1)) if dots else [int(part) for part in text.split(",")]


def main() -> None:
    """One line a user."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=users_of, default="0..9")
    parser.add_argument("--base-model", default=pipelines.PORTRAITS)
    parser.add_argument("--params", type=json.loads, default={}, help="JSON, more for train_lora")
    parser.add_argument("--keep", type=Path, help="a new folder for pictures, weights and sheets")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for user in args.users:
        with tempfile.TemporaryDirectory() as name:
            verdict = evaluate(user, args.base_model, args.params, Path(name))
            if args.keep:
                shutil.copytree(name, args.keep / f"user-{user}")
        sys.stdout.write(json.dumps(verdict) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
