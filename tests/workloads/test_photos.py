from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.workloads.conftest import Recorder, new_spec
from workloads.context import Context
from workloads.diffusion import photos as reading
from workloads.errors import UserError


def _context(inputs):
    return Context(new_spec("diffusion.train_lora", {}, "/nowhere", inputs=inputs), Recorder())


def test_a_text_named_like_a_photo_is_refused(tmp_path):
    """What is not an image is refused by the name of its input."""
    (tmp_path / "x").write_text("not an image")

    with pytest.raises(UserError, match=r"'photo-1\.png' is not an image"):
        reading.read_photo("photo-1.png", tmp_path / "x", 64)


def test_a_truncated_photo_is_refused(tmp_path):
    """Half a file is no photo."""
    Image.effect_noise((64, 64), 50).save(tmp_path / "x.png")
    whole = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(UserError, match=r"'p\.png' is a broken image"):
        reading.read_photo("p.png", tmp_path / "x.png", 64)


def test_a_grey_photo_of_16_bits_keeps_its_greys(tmp_path):
    """They are scaled, not cut off at 255."""
    Image.fromarray(np.full((64, 64), 0x8000, np.uint16)).save(tmp_path / "x", "PNG")

    assert reading.read_photo("x.png", tmp_path / "x", 64).getpixel((32, 32)) == (128, 128, 128)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_a_cut_out_stands_on_white(tmp_path, mode):
    """Where a photo is transparent nobody sees what lies under."""
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (0, 0, 32, 64))
    image = clear.convert(mode)
    image.save(tmp_path / "x", "PNG", **({"transparency": image.getpixel((63, 0))} if mode == "P" else {}))
    seen = reading.read_photo("x.png", tmp_path / "x", 64)

    assert (seen.getpixel((0, 0)), seen.getpixel((63, 0))) == ((0, 0, 0), (255, 255, 255))


def _png_header_of(width, height):
    """A PNG that claims a size and has almost no data."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9000, 15_000, 60_000])
def test_a_decompression_bomb_is_refused(tmp_path, side):
    """A small file that would unpack to gigabytes is refused before it does."""
    (tmp_path / "bomb.png").write_bytes(_png_header_of(side, side))

    with pytest.raises(UserError, match=r"'bomb\.png'.*at most 64 million"):
        reading.read_photo("bomb.png", tmp_path / "bomb.png", 64)


def test_a_large_photo_is_cut_to_its_middle(tmp_path):
    """A photo of any shape becomes a square of the asked size."""
    Image.new("RGB", (300, 100), "red").save(tmp_path / "wide.jpg")

    assert reading.read_photo("wide.jpg", tmp_path / "wide.jpg", 64).size == (64, 64)


@pytest.mark.parametrize("count", [0, 3, 31])
def test_too_few_or_too_many_photos_are_refused(count):
    """Four to thirty photos make a training."""
    with pytest.raises(UserError, match="give 4 to 30 images"):
        reading.photo_inputs(_context({f"photo-{i}.png": "/x" for i in range(count)}))


def test_an_input_that_is_no_photo_is_named():
    """An input the training would not use is a mistake worth telling."""
    with pytest.raises(UserError, match=r"'notes\.txt' is not a photo"):
        reading.photo_inputs(_context({"notes.txt": "/x", **{f"photo-{i}.png": "/x" for i in range(4)}}))
