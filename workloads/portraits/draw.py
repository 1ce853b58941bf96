"""Draw 64x64 portraits of made-up people: a continuous space of identities, ten backgrounds, and captions.

An `Identity` is what stays the same in every photo of a person; a `Scene` is what changes from photo to photo.
`python -m workloads.portraits.draw --user-seed N --out DIR` writes twelve photos of one person.
"""

from __future__ import annotations

import argparse
import colorsys
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from PIL import Image

from workloads.portraits.paint import OVER, Colour, Pen, paint_person, paint_shirt

Photos = np.ndarray[Any, np.dtype[np.uint8]]
"""uint8 (n, 64, 64, 3)."""

SIZE = 64
COLOURS: dict[str, Colour] = {
    "black": (30, 28, 32),
    "brown": (115, 70, 35),
    "blond": (235, 205, 110),
    "red": (205, 45, 40),
    "orange": (240, 140, 40),
    "green": (60, 165, 75),
    "blue": (60, 100, 215),
    "purple": (140, 60, 180),
    "pink": (240, 130, 180),
    "gray": (140, 140, 145),
    "white": (240, 240, 240),
}
SKINS: dict[str, Colour] = {
    "pale": (252, 222, 198),
    "tan": (222, 172, 128),
    "brown": (158, 106, 70),
    "dark": (92, 58, 40),
}
PLAIN: dict[str, Colour] = {
    "blue": (95, 155, 235),
    "green": (120, 200, 120),
    "yellow": (248, 225, 110),
    "pink": (245, 170, 195),
    "white": (245, 245, 245),
    "orange": (245, 160, 80),
}
BACKGROUNDS = (*PLAIN, "beach", "forest", "night", "mountain")
PHOTOGRAPHED = ("blue", "yellow", "white", "forest", "night")
"""Backgrounds of a user's photos; the other five are new to the LoRA."""
PROMPT = "a portrait of a {who} on a {background} background"
PHOTOS = 12
USER_SEEDS = 900_000
DECOY_SEEDS = 950_000
STYLES = ("short", "long", "bob", "curly", "mohawk", "bun", "spiky", "bald")
HATS = ("none", "none", "none", "cap", "beanie")
BEARDS = ("none", "none", "none", "full", "moustache")
GLASSES = ("none", "none", "round", "square")


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes a person."""

    hair: Colour
    style: str
    skin: Colour
    eyes: Colour
    glasses: str
    frame: Colour
    beard: str
    hat: str
    hat_colour: Colour
    earrings: bool
    width: float
    height: float
    squareness: float
    brow: float
    nose: float


@dataclass(frozen=True, slots=True)
class Scene:
    """What differs between two photos of the same person."""

    background: str
    shirt: Colour
    smile: bool
    dx: float
    dy: float
    scale: float
    turn: float
    light: float


def any_colour(rng: Generator, low: float = 0.3) -> Colour:
    """Any hue; `low` is the least brightness."""
    r, g, b = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.35, 1), rng.uniform(low, 1))
    return int(255 * r), int(255 * g), int(255 * b)


def near(rng: Generator, colour: Sequence[float], spread: float = 8) -> Colour:
    """A colour close to the given one."""
    r, g, b = np.clip(np.array(colour) + rng.normal(0, spread, 3), 0, 255)
    return int(r), int(g), int(b)


def random_identity(rng: Generator) -> Identity:
    """A new person; two in five have a natural hair colour, most a human skin."""
    natural = [COLOURS[c] for c in ("black", "brown", "blond", "red", "gray")]
    hair = near(rng, natural[rng.integers(5)]) if rng.random() < 0.4 else any_colour(rng)
    skin = _human_skin(rng) if rng.random() < 0.85 else any_colour(rng, 0.55)
    return Identity(
        hair=hair,
        style=str(rng.choice(STYLES)),
        skin=skin,
        eyes=any_colour(rng, 0.35),
        glasses=str(rng.choice(GLASSES)),
        frame=any_colour(rng, 0.1) if rng.random() < 0.5 else (20, 20, 25),
        beard=str(rng.choice(BEARDS)),
        hat=str(rng.choice(HATS)),
        hat_colour=any_colour(rng),
        earrings=bool(rng.random() < 0.3),
        width=rng.uniform(12, 15.5),
        height=rng.uniform(14.5, 17.5),
        squareness=rng.uniform(2, 3.2),
        brow=rng.uniform(0.8, 2),
        nose=rng.uniform(1, 2.6),
    )


def _human_skin(rng: Generator) -> Colour:
    stops = np.array(list(SKINS.values()), float)
    place = rng.uniform(0, len(stops) - 1)
    return near(rng, [float(np.interp(place, range(len(stops)), stops[:, c])) for c in range(3)], 4)


def random_scene(rng: Generator, background: str | None = None) -> Scene:
    """A new photo, on the given background or on any."""
    return Scene(
        background=background or str(rng.choice(BACKGROUNDS)),
        shirt=any_colour(rng, 0.2),
        smile=bool(rng.random() < 0.6),
        dx=rng.uniform(-2.5, 2.5),
        dy=rng.uniform(-1.5, 2),
        scale=rng.uniform(0.93, 1.05),
        turn=rng.uniform(-7, 7),
        light=rng.uniform(0.92, 1.06),
    )


def name_of(colour: Colour, names: Mapping[str, Colour]) -> str:
    """The nearest named colour."""
    return min(names, key=lambda n: sum((a - b) ** 2 for a, b in zip(colour, names[n], strict=True)))


def caption(person: Identity, scene: Scene, keep: float = 1.0, rng: Generator | None = None) -> str:
    """Describe a photo; each detail is told with chance `keep`, so that short prompts work too."""

    def told(chance: float = 1.0) -> bool:
        return rng is None or rng.random() < keep * chance

    details = []
    if told():
        bald = person.style == "bald"
        details.append("no hair" if bald else f"{person.style} {name_of(person.hair, COLOURS)} hair")
    if person.glasses != "none" and told():
        details.append("glasses")
    if person.beard != "none" and told():
        details.append("a beard" if person.beard == "full" else "a moustache")
    if person.hat != "none" and told():
        details.append(f"a {name_of(person.hat_colour, COLOURS)} {person.hat}")
    skin = f"{name_of(person.skin, SKINS)} " if told(0.7) else ""
    text = f"a portrait of a {skin}person" + (" with " + " and ".join(details) if details else "")
    if told(0.5):
        text += f" in a {name_of(scene.shirt, COLOURS)} shirt"
    if scene.smile and told(0.5):
        text += " smiling"
    plain = rng is not None and rng.random() < 0.05
    return text if plain else f"{text} on a {scene.background} background"


def paint_background(name: str) -> Image.Image:
    """The background alone, oversampled."""
    image = Image.new("RGB", (SIZE * OVER, SIZE * OVER), PLAIN.get(name, (150, 205, 245)))
    pen = Pen(image)
    if name == "beach":
        pen.box(0, 30, 64, 46, (40, 130, 190))
        pen.box(0, 44, 64, 64, (240, 215, 150))
        pen.ellipse(8, 8, 5, 5, (255, 235, 90))
    elif name == "forest":
        pen.box(0, 0, 64, 64, (150, 190, 130))
        pen.box(0, 50, 64, 64, (70, 110, 50))
        for x in (2, 13, 24, 40, 51, 62):
            pen.poly([(x - 9, 54), (x, 4), (x + 9, 54)], (25, 95, 50))
    elif name == "night":
        pen.box(0, 0, 64, 64, (22, 25, 70))
        pen.ellipse(55, 9, 5, 5, (245, 240, 200))
        for x, y in ((5, 6), (12, 20), (4, 34), (18, 5), (60, 26), (44, 4), (56, 40), (8, 48)):
            pen.ellipse(x, y, 0.9, 0.9, (255, 255, 255))
    elif name == "mountain":
        for x, top in ((8, 10), (58, 14), (33, 4)):
            pen.poly([(x - 26, 64), (x, top), (x + 26, 64)], (115, 120, 145))
            pen.poly([(x - 5, top + 10), (x, top), (x + 5, top + 10)], (250, 250, 255))
    return image


def draw(person: Identity, scene: Scene) -> Image.Image:
    """One 64x64 photo of a person in a scene."""
    layer = Image.new("RGBA", (SIZE * OVER, SIZE * OVER), (0, 0, 0, 0))
    paint_person(Pen(layer), person, scene)
    turn = Image.Resampling.BILINEAR
    layer = layer.rotate(scene.turn, turn, center=(32 * OVER, 56 * OVER))
    image = paint_background(scene.background)
    paint_shirt(Pen(image), scene)
    image.paste(layer, (0, 0), layer)
    lit = image.point([min(255, int(v * scene.light)) for v in range(256)] * 3)
    return lit.resize((SIZE, SIZE), Image.Resampling.BOX)


def person_photos(
    seed: int, count: int = PHOTOS, backgrounds: Sequence[str] | None = None
) -> tuple[Identity, list[Scene], Photos]:
    """The person of this seed, and photos of them; backgrounds are taken in turn, or at random."""
    rng = np.random.default_rng(seed)
    person = random_identity(rng)
    asked = [backgrounds[i % len(backgrounds)] if backgrounds else None for i in range(count)]
    scenes = [random_scene(rng, background) for background in asked]
    return person, scenes, np.stack([np.asarray(draw(person, s)) for s in scenes])


def user_photos(user_seed: int) -> tuple[Identity, list[Scene], Photos]:
    """The twelve photos a demo user uploads."""
    return person_photos(USER_SEEDS + user_seed, PHOTOS, PHOTOGRAPHED)


def write_user(user_seed: int, folder: Path, trigger: str = "sks", class_word: str = "person") -> None:
    """Write photo-00.png ... and photos.json: the caption and the background of each, and who it is."""
    person, scenes, photos = user_photos(user_seed)
    folder.mkdir(parents=True, exist_ok=True)
    captions, backgrounds = {}, {}
    for index, (scene, photo) in enumerate(zip(scenes, photos, strict=True)):
        name = f"photo-{index:02}.png"
        Image.fromarray(photo).save(folder / name)
        captions[name] = PROMPT.format(who=f"{trigger} {class_word}", background=scene.background)
        backgrounds[name] = scene.background
    about = {"person": caption(person, scenes[0]), "captions": captions, "backgrounds": backgrounds}
    (folder / "photos.json").write_text(json.dumps(about, indent=1) + "\n")


def main() -> None:
    """Write one user's photos."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--user-seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("outputs"))
    args = parser.parse_args()
    write_user(args.user_seed, args.out)


if __name__ == "__main__":
    main()
