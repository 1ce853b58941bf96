"""Read the photos a job was given, trusting none of them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from workloads.context import Context
from workloads.errors import UserError
from workloads.failures import cause_of

EXTENSIONS = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
MAX_PIXELS = 64_000_000
"""More than any phone makes in 2026, and 192 MB decoded."""
FEWEST, MOST = 4, 30


def photo_inputs(context: Context) -> dict[str, Path]:
    """The photos among the inputs, by name, in order of their names.

    Raises:
        UserError: Too few, too many, or an input that is no photo.
    """
    photos = {}
    for name, path in sorted(context.inputs.items()):
        if not (Path(name).name.startswith("photo") or Path(name).suffix.lower() in EXTENSIONS):
            raise UserError(f"input {name!r} is not a photo; give {FEWEST} to {MOST} images and nothing else")
        photos[name] = path
    if not FEWEST <= len(photos) <= MOST:
        raise UserError(f"{len(photos)} photos given; give {FEWEST} to {MOST} images, 10 to 12 are good")
    return photos


def read_photo(name: str, path: Path, side: int) -> Image.Image:
    """One photo, upright, cut to its central square, `side` pixels wide.

    Raises:
        UserError: Not an image, broken, or of absurd size; names the input.
        OSError: The disk is broken.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked right here
            opened = Image.open(path, formats=FORMATS)
        with opened as image:
            if image.width * image.height > MAX_PIXELS:
                size = f"{image.width}x{image.height}"
                raise UserError(f"input {name!r} is {size} pixels; at most {MAX_PIXELS // 1_000_000} million")
            upright = _as_seen(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as exc:
        text = f"input {name!r} would unpack to too many pixels; at most {MAX_PIXELS // 1_000_000} million"
        raise UserError(text) from exc
    except UnidentifiedImageError as exc:
        raise UserError(f"input {name!r} is not an image; give {', '.join(FORMATS)}") from exc
    except (OSError, SyntaxError, ValueError) as exc:
        if cause_of(exc) != "user_error":
            raise
        raise UserError(f"input {name!r} is a broken image: {exc}") from exc
    if upright.size == (side, side):
        return upright
    return ImageOps.fit(upright, (side, side), Image.Resampling.LANCZOS)


def _as_seen(image: Image.Image) -> Image.Image:
    """In 8 bits of red, green and blue; on white where it is transparent."""
    if image.mode.startswith("I"):  # grey of 16 bits, which a plain conversion cuts off at 255
        grey = np.asarray(image).astype(np.int64) >> 8
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        above = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above).convert("RGB")
    return image.convert("RGB")


def to_tensor(images: list[Image.Image]) -> Tensor:
    """(n, 3, side, side) in -1..1."""
    stack = np.stack([np.asarray(image) for image in images])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 127.5 - 1
