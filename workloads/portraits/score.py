"""Judge a personalisation: does "sks person" show the user, and does "a person" still show anybody?

Reads `inputs/`: photo-*.png of the user, and before-*.png, after-*.png, plain-*.png whose asked backgrounds are
`draw.BACKGROUNDS` in turn. Writes `outputs/score.json` and `outputs/sheet.png`. Runs as a `command` job.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from workloads import sheets
from workloads.portraits import draw, identity
from workloads.portraits.draw import BACKGROUNDS, PHOTOGRAPHED, Photos

GROUPS = ("photo", "before", "after", "plain")
SHOWN = 10


def read_group(folder: Path, group: str) -> Photos:
    """All pictures of a group in order of their names; (0, 64, 64, 3) where there are none."""
    return read_pictures(sorted(folder.glob(f"{group}-*.png")))


def read_pictures(paths: Sequence[Path]) -> Photos:
    """Pictures of 64x64 from disk; (0, 64, 64, 3) of none."""
    photos = np.zeros((len(paths), draw.SIZE, draw.SIZE, 3), np.uint8)
    for index, path in enumerate(paths):
        with Image.open(path) as image:
            photos[index] = np.asarray(image.convert("RGB"))
    return photos


def obeyed(portraits: Photos) -> tuple[float, float]:
    """Share of portraits on the background asked for: of all, and of those the user was never photographed on.

    A portrait is on the background its upper side strips look most like.
    """

    def strips(images: Photos) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.concatenate([images[:, :36, :7], images[:, :36, -7:]], 2).astype(float)

    size = (draw.SIZE, draw.SIZE)
    plain = np.stack([np.asarray(draw.paint_background(b).resize(size)) for b in BACKGROUNDS])
    distance = np.abs(strips(portraits)[:, None] - strips(plain)[None]).mean((2, 3, 4))
    asked = np.arange(len(portraits)) % len(BACKGROUNDS)
    right = distance.argmin(1) == asked
    new = np.array([BACKGROUNDS[i] not in PHOTOGRAPHED for i in asked])
    return float(right.mean()), float(right[new].mean())


def score(groups: dict[str, Photos], user_seed: int) -> dict[str, float | int]:
    """Every number of the verdict; decoys are twenty people drawn for this user alone.

    `score_before`, `score_after` and `leak_rank1` are shares by rank-1 among 21. `leak` is the share of "a person"
    that really shows the user: nearest, and as like them as their own photos are.
    """
    net = identity.load()
    first = draw.DECOY_SEEDS + 100 * user_seed
    decoys = identity.decoy_means(net, range(first, first + identity.DECOYS))
    verdict: dict[str, float | int] = {"user_seed": user_seed, "people": identity.DECOYS + 1}
    for group, name in (("before", "score_before"), ("after", "score_after"), ("plain", "leak_rank1")):
        if len(groups[group]):
            rank, cosine = identity.rank_one(net, groups[group], groups["photo"], decoys)
            verdict[name] = round(rank, 3)
            verdict[f"{name}_cosine"] = round(cosine, 3)
            seen = identity.recognised(net, groups[group], groups["photo"], decoys)
            verdict["leak" if group == "plain" else f"recognised_{group}"] = round(seen, 3)
    if len(groups["after"]) >= len(BACKGROUNDS):
        every, new = obeyed(groups["after"])
        verdict |= {"backgrounds": round(every, 3), "new_backgrounds": round(new, 3)}
    return verdict


def sheet(groups: dict[str, Photos], verdict: dict[str, float | int]) -> Image.Image:
    """Photos, before, after and other people, one above the other."""

    def percent(name: str) -> str:
        return f"{100 * verdict[name]:.0f} %" if name in verdict else "not scored"

    def row(title: str, note: str, photos: Photos) -> sheets.Row:
        return sheets.Row(title=title, note=note, images=[Image.fromarray(p) for p in photos])

    after = groups["after"]
    rows = [row("photos", f"{len(groups['photo'])} given", groups["photo"][:SHOWN])]
    recognised = "recognised among 21 people"
    if len(groups["before"]):
        rows.append(row("before", f"{percent('score_before')} {recognised}", groups["before"][:SHOWN]))
    if len(after):
        note = f"{percent('score_after')} {recognised}"
        rows.append(row("after", note, after[:SHOWN]))
        asked = f"{percent('backgrounds')} on the background asked for"
        rows += [row("after", asked, after[SHOWN : 2 * SHOWN])] if len(after) > SHOWN else []
    if len(groups["plain"]):
        rows.append(row("a person", f"{percent('leak')} look like the user", groups["plain"][:SHOWN]))
    return sheets.contact_sheet("Twelve photos, one LoRA: before and after", rows)


def main() -> None:
    """Read inputs/, write outputs/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--user-seed", type=int, default=0, help="which decoys")
    parser.add_argument("--inputs", type=Path, default=Path("inputs"))
    parser.add_argument("--outputs", type=Path, default=Path("outputs"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    groups = {group: read_group(args.inputs, group) for group in GROUPS}
    if not len(groups["photo"]):
        raise SystemExit("inputs/ has no photo-*.png to compare with")
    verdict = score(groups, args.user_seed)
    args.outputs.mkdir(parents=True, exist_ok=True)
    (args.outputs / "score.json").write_text(json.dumps(verdict, indent=1) + "\n")
    sheet(groups, verdict).save(args.outputs / "sheet.png")
    sys.stdout.write(json.dumps(verdict) + "\n")


if __name__ == "__main__":
    main()
