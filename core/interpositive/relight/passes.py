"""What a plate is made of, pixel by pixel, and the EXR layers that hold it.

Camera space: x right, y up, z towards the camera. Depth is a positive distance along the view axis in any
unit. Colours are scene-linear in the plate's own primaries; albedo * shading + residual is the plate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from ..errors import ChannelError, SizeMismatchError
from ..images.image import Image, ImageFile, Pixels, Window

# Field of `Passes` to EXR channels, in the order in which they are written.
LAYERS: Mapping[str, tuple[str, ...]] = {
    "normal": ("normal.X", "normal.Y", "normal.Z"),
    "depth": ("depth.Z",),
    "albedo": ("albedo.R", "albedo.G", "albedo.B"),
    "shading": ("shading.R", "shading.G", "shading.B"),
    "residual": ("residual.R", "residual.G", "residual.B"),
    "roughness": ("roughness.Y",),
    "visibility": ("visibility.Y",),
    "confidence": ("confidence.Y",),
}
NEEDED = ("normal", "depth", "albedo")  # without these there is nothing to light

# Other names under which renderers and artists write the same thing, tried after ours.
_OTHER_NAMES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "normal": (
        ("normal.x", "normal.y", "normal.z"),
        ("N.X", "N.Y", "N.Z"),
        ("normal.R", "normal.G", "normal.B"),
    ),
    "depth": (("Z",), ("depth.z",), ("depth.Y",), ("depth.R",)),
    "albedo": (("diffuse_albedo.R", "diffuse_albedo.G", "diffuse_albedo.B"),),
    "roughness": (("roughness.R",), ("roughness.A",)),
    "visibility": (("visibility.R",), ("visibility.A",)),
    "confidence": (("confidence.R",), ("confidence.A",)),
}
_DEFAULTS = {"roughness": 0.6, "visibility": 1.0, "confidence": 1.0}
DEFAULT_FOCAL = 1.5  # picture heights: about 37 degrees from top to bottom


@dataclass(frozen=True, eq=False)
class Passes:
    """Passes of one frame, float32, all of one size.

    normal (H, W, 3) unit, camera space; depth (H, W) > 0; albedo, shading, residual (H, W, 3) scene-linear;
    roughness (H, W) 0..1 (perceptual: GGX alpha is its square); visibility (H, W) 0..1 of the shot's key
    light; confidence (H, W) 0..1.
    """

    normal: Pixels
    depth: Pixels
    albedo: Pixels
    shading: Pixels
    residual: Pixels
    roughness: Pixels
    visibility: Pixels
    confidence: Pixels

    def __post_init__(self) -> None:
        size = self.depth.shape
        for field in fields(self):
            expected = size if len(LAYERS[field.name]) == 1 else (*size, 3)
            found = getattr(self, field.name).shape
            if found != expected:
                raise SizeMismatchError(f"Pass {field.name} is {found}, expected {expected} like the depth.")

    @property
    def height(self) -> int:
        return int(self.depth.shape[0])

    @property
    def width(self) -> int:
        return int(self.depth.shape[1])

    def beauty(self) -> Pixels:
        """albedo * shading + residual, (H, W, 3): the plate."""
        return self.albedo * self.shading + self.residual

    def to_image(self, data_window: Window | None = None, display_window: Window | None = None) -> Image:
        """All passes as one float image of the channels in `LAYERS`."""
        planes = [getattr(self, name).reshape(self.height, self.width, -1) for name in LAYERS]
        channels = [channel for layer in LAYERS.values() for channel in layer]
        pixels = np.concatenate(planes, axis=2, dtype=np.float32)
        return Image(pixels, channels, data_window, display_window, ["float"] * len(channels))

    @classmethod
    def from_image(cls, image: ImageFile | Image, plate: Pixels | None = None) -> Passes:
        """The passes that an image holds, under our names or the usual other ones.

        Depth, normal and albedo are needed. Missing roughness, visibility and confidence are constants;
        without shading and residual, shading is `plate` (H, W, 3; else zero) over albedo. The arrays may be
        views of the image's samples: do not write into them.
        Raises `ChannelError` naming what is missing.
        """
        file = image if isinstance(image, ImageFile) else ImageFile((image,))
        known = {name for layer in file.layers().values() for name in layer}
        found = {name: channels for name in LAYERS if (channels := _channels(name, known)) is not None}
        missing = [name for name in NEEDED if name not in found]
        if missing:
            wanted = "; ".join(", ".join(LAYERS[name]) for name in missing)
            raise ChannelError(
                f"{file.path} has no {' and no '.join(missing)} pass: expected channels {wanted}, found "
                f"{', '.join(sorted(known)[:24])}. Pass what `interpositive analyse` wrote, or add the layer."
            )
        read = {name: _plane(file, channels) for name, channels in found.items()}
        return cls(**_completed(read, plate))


def _channels(name: str, known: set[str]) -> tuple[str, ...] | None:
    spellings = (LAYERS[name], *_OTHER_NAMES.get(name, ()))
    return next((channels for channels in spellings if known.issuperset(channels)), None)


def _plane(file: ImageFile, channels: tuple[str, ...]) -> Pixels:
    """(H, W, n), or (H, W) of one channel; not a copy where float samples lie side by side."""
    for block in (block for part in file.parts for block in part.blocks):
        if block.samples.dtype == np.float32 and channels[0] in block.channels:
            first = block.channels.index(channels[0])
            if block.channels[first : first + len(channels)] == channels:
                view: Pixels = block.samples[..., first : first + len(channels)]
                return view[..., 0] if len(channels) == 1 else view
    pixels = file.select(channels)
    return pixels[..., 0] if len(channels) == 1 else pixels


def _completed(read: dict[str, Pixels], plate: Pixels | None) -> dict[str, Pixels]:
    size, albedo = read["depth"].shape, read["albedo"]
    for name, value in _DEFAULTS.items():
        if name not in read:
            read[name] = np.broadcast_to(np.float32(value), size)
    if "shading" not in read:
        seen = np.zeros_like(albedo) if plate is None else plate
        dark = albedo < 1e-3
        read["shading"] = np.where(dark, 0, seen / np.where(dark, 1, albedo)).astype(np.float32)
        read["residual"] = (seen - albedo * read["shading"]).astype(np.float32)
    elif "residual" not in read:
        seen = albedo * read["shading"] if plate is None else plate
        read["residual"] = (seen - albedo * read["shading"]).astype(np.float32)
    return read
