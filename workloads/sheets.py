"""Pictures about pictures: labelled contact sheets and loss curves, drawn with PIL alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

PAPER, INK, FAINT, LINE = (250, 250, 248), (34, 36, 40), (120, 124, 130), (40, 96, 176)
GRID = (226, 227, 229)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a contact sheet."""

    title: str
    note: str
    images: Sequence[Image.Image]


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """PIL's own font, the same on every host."""
    return ImageFont.load_default(size)


def contact_sheet(heading: str, rows: Sequence[Row], side: int = 112) -> Image.Image:
    """Rows of square pictures with a title and a note on the left of each.

    Args:
        heading: One line above everything.
        rows: May differ in length.
        side: Pixels each picture is shown at.
    """
    gap, margin, label, top = 6, 24, 190, 64
    columns = max(len(row.images) for row in rows)
    width = margin * 2 + label + columns * (side + gap) - gap
    height = top + len(rows) * (side + gap * 2) + margin
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((margin, 22), heading, INK, font(22))
    for index, row in enumerate(rows):
        y = top + index * (side + gap * 2)
        pen.line([margin, y - gap, width - margin, y - gap], GRID)
        pen.text((margin, y + 6), row.title, INK, font(17))
        pen.multiline_text((margin, y + 32), _wrapped(row.note, label - 14), FAINT, font(13), spacing=5)
        for column, image in enumerate(row.images):
            shown = image.convert("RGB").resize((side, side), _filter(image, side))
            sheet.paste(shown, (margin + label + column * (side + gap), y))
    return sheet


def _filter(image: Image.Image, side: int) -> Image.Resampling:
    return Image.Resampling.BICUBIC if image.width < side else Image.Resampling.LANCZOS


def _wrapped(text: str, width: int) -> str:
    lines, face = [""], font(13)
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if face.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def loss_chart(
    title: str, points: Sequence[tuple[int, float]], size: tuple[int, int] = (720, 360)
) -> Image.Image:
    """A curve of (step, loss), thin as measured and thick as a running mean."""
    width, height = size
    chart = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(chart)
    left, top, right, bottom = 70, 50, width - 24, height - 44
    pen.text((left, 16), title, INK, font(18))
    last = max((step for step, _ in points), default=1)
    highest = max((loss for _, loss in points), default=1.0) or 1.0

    def place(step: float, loss: float) -> tuple[float, float]:
        return left + (right - left) * step / last, bottom - (bottom - top) * loss / highest

    for part in range(5):
        y = bottom - (bottom - top) * part / 4
        pen.line([left, y, right, y], GRID)
        pen.text((left - 8, y), f"{highest * part / 4:.3f}", FAINT, font(12), anchor="rm")
        x = left + (right - left) * part / 4
        pen.text((x, bottom + 8), str(round(last * part / 4)), FAINT, font(12), anchor="ma")
    pen.text(((left + right) / 2, height - 6), "step", FAINT, font(12), anchor="ms")
    mean, smooth = None, []
    for step, loss in points:
        mean = loss if mean is None else 0.7 * mean + 0.3 * loss
        smooth.append(place(step, mean))
    if len(points) > 1:
        pen.line([place(*point) for point in points], (190, 206, 228), 1)
        pen.line(smooth, LINE, 3, joint="curve")
    return chart
