"""Files as the pictures and mattes that the measures compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..images.colour import plate_colour, srgb_encode
from ..images.image import Pixels
from ..images.reading import read_image_file
from ..inference.frame_renderer import matte_on
from .metrics import Matte, Picture

_RGB = ("R", "G", "B")


def display_picture(path: Path) -> Picture:
    """A file as (H, W, 3) uint8: sRGB code values of scene-linear EXR, the stored ones of anything else."""
    image_file = read_image_file(path)
    pixels = image_file.select(_RGB)
    if image_file.file_format == "openexr":
        pixels = srgb_encode(pixels, plate_colour(image_file))
    return eight_bit(pixels)


def eight_bit(pixels: Pixels) -> Picture:
    """Code values 0..1 as 0..255, rounded and held in range."""
    levels = np.rint(np.clip(np.nan_to_num(pixels), 0, 1) * np.float32(255))
    return levels.astype(np.uint8)


def matte_picture(path: Path) -> Matte:
    """The alpha, matte layer or grey channel of a file, (H, W) float32."""
    image_file = read_image_file(path)
    return matte_on(image_file, image_file.main)


def stored_rgb(path: Path) -> Pixels:
    """(H, W, 3) float32 exactly as stored."""
    return read_image_file(path).select(_RGB)
