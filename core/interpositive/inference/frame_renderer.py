"""One frame through a model: plate in, plate with the model's layers out, everything else untouched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import DamagedModelError, SizeMismatchError
from ..images.image import Image, ImageFile, Window, placed
from ..models.manifest import Manifest
from .mixing import BadPixels, find_bad_pixels, keep_bad_pixels, mix
from .session import Pixels
from .tiles import FrameRunner

# Where a matte is looked for, best first: an alpha, a matte layer, a grey picture, a coloured one.
_MATTE_CHANNELS = ("A", "matte.A", "mask.A", "Y", "R")
_NOTHING: Pixels = np.zeros((1, 1, 1), np.float32)  # what an added layer is mixed with


@dataclass(frozen=True)
class RenderedFrame:
    """A finished frame and what was wrong with its plate. Positions are pixels of the display window."""

    image_file: ImageFile
    bad_pixels: BadPixels | None


class FrameRenderer:
    """Applies one model with one strength to frames that are already scene-linear.

    A layer of kind "rgb" replaces its channels of the plate; "matte" and "data" layers are added, and RGB
    is then left alone. With strength 0 the frame comes back as it is.
    """

    def __init__(self, manifest: Manifest, runner: FrameRunner | None, strength: float = 1.0) -> None:
        """`runner` may be None for strength 0, which needs no model."""
        self._inputs = [name for layer in manifest.inputs for name in layer.channels]
        self._outputs = manifest.outputs
        self._runner = runner
        self._strength = strength

    def render(
        self, frame: ImageFile, matte: Pixels | None = None, between_tiles: Callable[[], None] = lambda: None
    ) -> RenderedFrame:
        """Render one frame. `matte` is (H, W) on the plate's data window, see `matte_on`.

        Raises `ChannelError`, `SizeMismatchError`.
        """
        window, display = frame.main.data_window, frame.main.display_window
        plate = frame.select(self._inputs)  # (H, W, C_in)
        if plate.shape[:2] != (window.height, window.width):
            raise SizeMismatchError(
                f"{frame.path}: the model's input channels are {plate.shape[1]}x{plate.shape[0]}, the main "
                f"part is {window.width}x{window.height}. Write them in one data window."
            )
        bad = find_bad_pixels(plate)
        if self._runner is not None and not self._leaves_plate(matte):
            origin = (float(window.x - display.x), float(window.y - display.y))
            extent = (float(display.width), float(display.height))
            # A network spreads a NaN over all that it reaches; the result gets the plate's own values back.
            finite = plate if bad is None else np.nan_to_num(plate)
            result = self._runner.run(finite, origin, extent, between_tiles)  # (H, W, C_out)
            frame = self._merged(frame, plate, result, matte, bad is not None)
        if bad is not None:
            bad = BadPixels(bad.count, bad.first_x + window.x - display.x, bad.first_y + window.y - display.y)
        return RenderedFrame(frame, bad)

    def _leaves_plate(self, matte: Pixels | None) -> bool:
        if self._strength == 0.0:
            return True
        # Added layers are added, empty, to every frame: a sequence has the same channels throughout.
        only_rgb = all(layer.kind == "rgb" for layer in self._outputs)
        return only_rgb and matte is not None and not matte.any()

    def _merged(
        self, frame: ImageFile, plate: Pixels, result: Pixels, matte: Pixels | None, has_bad: bool
    ) -> ImageFile:
        first = 0
        for layer in self._outputs:
            end = first + len(layer.channels)
            change = result[..., first:end]
            if layer.kind != "rgb":
                mix(_NOTHING, change, self._strength, matte)
            else:
                base = plate if list(layer.channels) == self._inputs else frame.select(layer.channels)
                mix(base, change, self._strength, matte)
                if has_bad:
                    keep_bad_pixels(base, change)
            frame = frame.replace(layer.channels, change)
            first = end
        if first != result.shape[2]:
            raise DamagedModelError(
                f"The model gives {result.shape[2]} channels, its manifest names {first}."
            )
        return frame


def matte_on(matte: ImageFile, plate: Image) -> Pixels:
    """A matte frame as (H, W) on the data window of `plate`; zero where the matte has no pixels.

    Raises `SizeMismatchError` when the two have display windows of different sizes.
    """
    image = matte.main
    ours, theirs = plate.display_window, image.display_window
    if (ours.width, ours.height) != (theirs.width, theirs.height):
        raise SizeMismatchError(
            f"Matte {matte.path} is {theirs.width}x{theirs.height}, the plate is {ours.width}x{ours.height}. "
            "Render the matte in the plate's size."
        )
    name = next((name for name in _MATTE_CHANNELS if name in image.channels), image.channels[0])
    values = image.select([name])[..., 0]
    window = Window(
        image.data_window.x - theirs.x + ours.x,
        image.data_window.y - theirs.y + ours.y,
        image.width,
        image.height,
    )
    if window == plate.data_window:
        return values
    return placed(values, window, plate.data_window)
