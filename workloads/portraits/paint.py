"""Paint the layers of one cartoon person, back to front, with a pen in 64-unit coordinates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from workloads.portraits.draw import Identity, Scene

OVER = 4
"""Pixels per unit while painting; the picture is shrunk afterwards, which smooths every edge."""
Colour = tuple[int, int, int]


class Pen:
    """Draws in 64-unit coordinates on an oversampled image."""

    def __init__(self, image: Image.Image) -> None:
        self.draw = ImageDraw.Draw(image)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, fill: Colour | None = None, **style: Any
    ) -> None:
        """Around (x, y)."""
        box = [(x - rx) * OVER, (y - ry) * OVER, (x + rx) * OVER, (y + ry) * OVER]
        self.draw.ellipse(box, fill=fill, **style)

    def box(  # noqa: PLR0917 shapes are positions
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        fill: Colour | None = None,
        radius: float = 0,
        **style: Any,
    ) -> None:
        """From corner to corner, with rounded corners."""
        corners = [x0 * OVER, y0 * OVER, x1 * OVER, y1 * OVER]
        self.draw.rounded_rectangle(corners, radius * OVER, fill=fill, **style)

    def poly(self, points: list[tuple[float, float]], fill: Colour) -> None:
        """A filled polygon."""
        self.draw.polygon([(x * OVER, y * OVER) for x, y in points], fill=fill)

    def chord(self, x: float, y: float, rx: float, ry: float, start: float, end: float, fill: Colour) -> None:  # noqa: PLR0917 shapes are positions
        """The part of an ellipse cut off by a line; angles in degrees, clockwise from the right."""
        box = [(x - rx) * OVER, (y - ry) * OVER, (x + rx) * OVER, (y + ry) * OVER]
        self.draw.chord(box, start, end, fill=fill)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made lighter (above 1) or darker."""
    r, g, b = (int(min(255, v * factor)) for v in colour)
    return r, g, b


def head_outline(p: Identity, cx: float, cy: float, w: float, h: float) -> list[tuple[float, float]]:
    """A superellipse that narrows towards the chin."""
    angles = np.linspace(0, 2 * np.pi, 72)
    x, y = np.cos(angles), np.sin(angles)
    x = np.sign(x) * np.abs(x) ** (2 / p.squareness)
    y = np.sign(y) * np.abs(y) ** (2 / p.squareness)
    xs, ys = cx + w * x * (1 - 0.14 * np.clip(y, 0, 1)), cy + h * y
    return [(float(a), float(b)) for a, b in zip(xs, ys, strict=True)]


def paint_shirt(pen: Pen, scene: Scene) -> None:
    """Shoulders and collar."""
    pen.ellipse(32 + scene.dx, 70, 23, 16, scene.shirt)
    pen.ellipse(32 + scene.dx, 55, 7, 4, shade(scene.shirt, 0.75))


def paint_person(pen: Pen, p: Identity, scene: Scene) -> None:
    """Everything but the shirt."""
    s = scene.scale
    cx, cy, w, h = 32 + scene.dx, 31 + scene.dy, p.width * s, p.height * s
    _back_hair(pen, p, cx, cy, w, h)
    pen.box(cx - 5 * s, cy + h * 0.7, cx + 5 * s, cy + h + 7, shade(p.skin, 0.82), radius=3)
    for side in (-1, 1):
        pen.ellipse(cx + side * w, cy + 2, 2.6, 3.6, shade(p.skin, 0.9))
        if p.earrings:
            pen.ellipse(cx + side * (w + 0.8), cy + 7.5, 2, 2, (250, 205, 60))
    pen.poly(head_outline(p, cx, cy, w, h), p.skin)
    _beard(pen, p, cx, cy, w, h)
    _face(pen, p, scene, cx, cy)
    _front_hair(pen, p, cx, cy, w, h)
    _hat(pen, p, cx, cy, w, h)


def _back_hair(pen: Pen, p: Identity, cx: float, cy: float, w: float, h: float) -> None:  # noqa: PLR0917 shapes are positions
    dark = shade(p.hair, 0.85)
    if p.style == "long":
        pen.box(cx - w - 4, cy - h - 2, cx + w + 4, cy + h + 7, dark, radius=11)
    elif p.style == "bob":
        pen.box(cx - w - 4.5, cy - h - 2, cx + w + 4.5, cy + h * 0.55, dark, radius=9)
    elif p.style == "curly":
        for angle in range(150, 391, 24):
            a = math.radians(angle)
            pen.ellipse(cx + (w + 1) * math.cos(a), cy + (h - 1) * math.sin(a), 6, 6, dark)
    elif p.style == "bun":
        pen.ellipse(cx, cy - h - 4, 6.5, 6, dark)


def _beard(pen: Pen, p: Identity, cx: float, cy: float, w: float, h: float) -> None:  # noqa: PLR0917 shapes are positions
    dark = shade(p.hair, 0.8)
    if p.beard == "full":
        pen.poly([(x, y) for x, y in head_outline(p, cx, cy, w, h + 1.5) if y > cy + h * 0.28], dark)
    elif p.beard == "moustache":
        for side in (-1, 1):
            pen.ellipse(cx + side * 3, cy + 7.2, 4, 1.7, dark)


def _face(pen: Pen, p: Identity, scene: Scene, cx: float, cy: float) -> None:
    eye_y, gap = cy - 0.5, 6.2 * scene.scale
    for side in (-1, 1):
        x = cx + side * gap
        pen.ellipse(x, eye_y, 4, 3.3, (255, 255, 255))
        pen.ellipse(x, eye_y, 2.7, 2.9, p.eyes)
        pen.ellipse(x, eye_y, 1.2, 1.3, (10, 10, 15))
        brow_y = eye_y - 5.6
        pen.box(x - 4, brow_y - p.brow / 2, x + 4, brow_y + p.brow / 2, shade(p.hair, 0.7), radius=0.6)
        if p.glasses == "round":
            pen.ellipse(x, eye_y, 5.6, 5.3, outline=p.frame, width=5)
        elif p.glasses == "square":
            pen.box(x - 5.6, eye_y - 4.6, x + 5.6, eye_y + 4.6, radius=1, outline=p.frame, width=5)
    if p.glasses != "none":
        pen.box(cx - 1.2, eye_y - 1, cx + 1.2, eye_y + 0.3, p.frame)
    pen.ellipse(cx, cy + 4, p.nose, 1.5, shade(p.skin, 0.78))
    if scene.smile:
        pen.chord(cx, cy + 9, 5, 4.2, 0, 180, (175, 35, 50))
        pen.box(cx - 3.8, cy + 9, cx + 3.8, cy + 10.2, (255, 255, 255))
    else:
        pen.box(cx - 3.8, cy + 9.6, cx + 3.8, cy + 11.2, (150, 50, 55), radius=0.7)


def _front_hair(pen: Pen, p: Identity, cx: float, cy: float, w: float, h: float) -> None:  # noqa: PLR0917 shapes are positions
    top = cy - h
    if p.style == "short":
        pen.chord(cx, cy - 1, w + 1.5, h + 2.5, 200, 340, p.hair)
    elif p.style == "long":
        pen.chord(cx, cy, w + 2, h + 2.5, 205, 335, p.hair)
        lock = [(cx - w - 2, cy + 4), (cx - w - 1, top + 6), (cx + 1, top + 1), (cx - w + 4, cy - 4)]
        pen.poly(lock, p.hair)
    elif p.style == "bob":
        pen.chord(cx, cy - 1, w + 2.5, h + 2.5, 208, 332, p.hair)
        pen.box(cx - w, cy - 12, cx + w, cy - 6.5, p.hair, radius=1)
    elif p.style == "curly":
        for i in range(7):
            pen.ellipse(cx + (i - 3) * w / 3.3, top + 1 + 0.5 * abs(i - 3) ** 1.5, 4.6, 4.6, p.hair)
    elif p.style == "mohawk":
        pen.box(cx - 4, top - 10, cx + 4, top + 6, p.hair, radius=3.5)
    elif p.style == "bun":
        pen.chord(cx, cy - 1, w + 1.2, h + 2, 196, 344, p.hair)
    elif p.style == "spiky":
        points = [(cx - w - 1, top + 9)]
        for i in range(5):
            x = cx - w + i * w / 2
            points += [(x - 1, top - 7 + 2 * abs(i - 2)), (x + w / 4, top + 1)]
        pen.poly([*points, (cx + w + 1, top + 9), (cx, top + 6)], p.hair)


def _hat(pen: Pen, p: Identity, cx: float, cy: float, w: float, h: float) -> None:  # noqa: PLR0917 shapes are positions
    dark = shade(p.hat_colour, 0.75)
    if p.hat == "cap":
        pen.chord(cx, cy - h + 9, w + 2, 12.5, 180, 360, p.hat_colour)
        pen.box(cx - w - 3, cy - h + 6.8, cx + w + 3, cy - h + 10, dark, radius=1.5)
    elif p.hat == "beanie":
        pen.chord(cx, cy - h + 9, w + 1.5, 14, 180, 360, p.hat_colour)
        pen.box(cx - w - 2, cy - h + 4.5, cx + w + 2, cy - h + 9.5, dark, radius=2)
        pen.ellipse(cx, cy - h - 5.5, 3.2, 3.2, dark)
