"""One relit frame after the other: a plate's frame and its passes in, the file to write out.

lighter = FrameLighter(footage, settings, rig, environments, lighting, scale, channels)
inputs = lighter.read(1001)              # any thread
image_file = lighter.lit_file(inputs)    # the caller's thread
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ..errors import ChannelError, SizeMismatchError
from ..images.colour import in_working_space, plate_colour
from ..images.image import Image, ImageFile, Pixels, Window, placed
from ..images.sequence import PlateSequence
from ..relight.compose import EXISTING, FrameLighting, relight
from ..relight.environment import Environment
from ..relight.lighting_file import ShotLighting
from ..relight.lights import Light, LightRig
from ..relight.passes import DEFAULT_FOCAL, LAYERS, Passes
from ..relight.placement import ShotScale, place_rig
from ..relight.view import View
from .frame_renderer import matte_on
from .mixing import BadPixels, find_bad_pixels

_MATTE_ENDINGS = ("", ".A", ".Y", ".R", ".matte", ".mask")


@dataclass(frozen=True)
class LitFootage:
    """What is read for each frame. `light_mattes`: by light name, of the mattes that are files."""

    plate: PlateSequence
    passes: PlateSequence
    matte: PlateSequence | None = None
    light_mattes: Mapping[str, PlateSequence] = field(default_factory=dict)
    input_space: str | None = None
    layer: str | None = None  # of the plate; None: its main picture

    @property
    def sequences(self) -> list[PlateSequence]:
        return [self.plate, self.passes, *([self.matte] if self.matte else []), *self.light_mattes.values()]

    def read_picture(self, frame: int) -> tuple[ImageFile, Pixels]:
        """A frame in the working space, and its picture (H, W, 3)."""
        image_file = self.plate.read(frame)
        image_file = in_working_space(image_file, plate_colour(image_file, self.input_space))
        prefix = f"{self.layer}." if self.layer else ""
        return image_file, image_file.select([f"{prefix}{name}" for name in "RGB"])

    def read_passes(self, frame: int, plate: Image, plate_rgb: Pixels) -> Passes:
        """The passes of a frame on the plate's data window. Raises `SizeMismatchError`, `ChannelError`."""
        image_file = self.passes.read(frame)
        image = image_file.main
        ours, theirs = plate.display_window, image.display_window
        if (ours.width, ours.height) != (theirs.width, theirs.height):
            raise SizeMismatchError(
                f"Passes {image_file.path} are {theirs.width}x{theirs.height}, the plate is "
                f"{ours.width}x{ours.height}. Analyse this plate, or render the passes in its size."
            )
        data = image.data_window
        window = Window(data.x - theirs.x + ours.x, data.y - theirs.y + ours.y, data.width, data.height)
        if window == plate.data_window:
            return Passes.from_image(image_file, plate_rgb)
        found = Passes.from_image(image_file)
        return Passes(**{name: placed(getattr(found, name), window, plate.data_window) for name in LAYERS})

    def read_matte(self, frame: int, image: Image) -> Pixels | None:
        """(H, W) of the matte that limits all changes, on the plate's data window."""
        return matte_on(self.matte.read(frame), image) if self.matte is not None else None

    def read_light_matte(self, light: Light, frame: int, image_file: ImageFile) -> Pixels:
        """(H, W) on the plate's data window: of a sequence, or a layer of the plate or of its passes."""
        if light.name in self.light_mattes:
            return matte_on(self.light_mattes[light.name].read(frame), image_file.main)
        asked = [f"{light.matte}{ending}" for ending in _MATTE_ENDINGS]
        for file in (image_file, self.passes.read(frame)):
            known = {name for channels in file.layers().values() for name in channels}
            channel = next((name for name in asked if name in known), None)
            if channel is not None:
                part = file.main.replace(("A",), file.select([channel]))
                return matte_on(ImageFile((part,), file.path), image_file.main)
        raise ChannelError(
            f"Light {light.name} is linked to matte '{light.matte}', which is no layer of "
            f"{image_file.path} or of its passes. Give a layer's name, or a matte sequence such as "
            "mattes/hero.%04d.exr."
        )


@dataclass(frozen=True)
class LightSettings:
    """How frames are lit and what their files hold; see the fields of the same names in `tools.relight`."""

    strength: float = 1.0
    layers: bool = False
    light_only: bool = False
    bit_depth: Literal["as-plate", "half", "float"] = "as-plate"
    shadow_px: int = 384
    focal: float | None = None  # picture heights; 0: orthographic; None: as the shot's lighting says
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class FrameInputs:
    """One frame as it was read. `passes` is None where nothing is lit."""

    image_file: ImageFile
    passes: Passes | None
    lighting: FrameLighting


@dataclass(frozen=True, eq=False)
class LitFile:
    """A finished frame. `lit` tells which lights added anything; `bad` counts the plate's NaN and Inf."""

    image_file: ImageFile
    lit: Mapping[str, bool]
    bad: BadPixels | None


@dataclass(frozen=True)
class FrameLighter:
    """See the module's docstring. `channels` are the plate's red, green and blue."""

    footage: LitFootage
    settings: LightSettings
    rig: LightRig
    environments: Mapping[str, Environment]
    lighting: ShotLighting | None
    scale: ShotScale
    channels: tuple[str, str, str]

    def read(self, frame: int) -> FrameInputs:
        """All that lighting `frame` takes."""
        image_file, rgb = self.footage.read_picture(frame)
        lighting = FrameLighting(
            lights=place_rig(self.rig, frame, self.scale, self.environments),
            existing=self.rig.existing.at(frame),
            shot_light=self.lighting.at(frame) if self.lighting is not None else None,
            strength=self.settings.strength,
            matte=self.footage.read_matte(frame, image_file.main),
        )
        if lighting.is_empty:  # nothing to light: the passes are not looked at
            return FrameInputs(image_file, None, lighting)
        passes = self.footage.read_passes(frame, image_file.main, rgb)
        mattes = {
            light.name: self.footage.read_light_matte(light, frame, image_file)
            for light in self.rig.lights
            if light.matte
        }
        return FrameInputs(image_file, passes, replace(lighting, mattes=mattes))

    def lit_file(self, inputs: FrameInputs, between_bands: Callable[[], None] = lambda: None) -> LitFile:
        """The frame's file with the relit picture and, where asked for, the layers.

        `between_bands` is called often and may raise to stop.
        """
        settings, image_file = self.settings, inputs.image_file
        plate = image_file.select(self.channels)
        bad = find_bad_pixels(plate)
        if inputs.passes is None:
            return LitFile(self._unlit_file(image_file, plate), {}, bad)
        found = relight(
            plate,
            inputs.passes,
            self.view(image_file.main),
            inputs.lighting,
            layers=self._layer_format(image_file) if settings.layers else "none",
            light_only=settings.light_only,
            shadow_px=settings.shadow_px,
            device=settings.device,
            between_bands=between_bands,
        )
        lit_file = self._with_layers(image_file.replace(self.channels, found.result), found.layers)
        return LitFile(lit_file, found.lit, bad)

    def view(self, image: Image) -> View:
        """Where the camera looks from."""
        data, display = image.data_window, image.display_window
        return View(display.width, display.height, self.focal, data.x - display.x, data.y - display.y)

    @property
    def focal(self) -> float | None:
        """In picture heights; None: orthographic."""
        if self.settings.focal is not None:
            return self.settings.focal or None
        return self.lighting.focal if self.lighting is not None else DEFAULT_FOCAL

    def _unlit_file(self, image_file: ImageFile, plate: Pixels) -> ImageFile:
        """A frame to which nothing is added, with the same layers as the others of the sequence."""
        if self.settings.light_only:
            image_file = image_file.replace(self.channels, np.zeros_like(plate))
        if not self.settings.layers:
            return image_file
        black = np.zeros(plate.shape, np.float16)
        layers: dict[str, Any] = {light.name: black for light in self.rig.lights}
        if not self.settings.light_only:
            layers[EXISTING] = plate
        return self._with_layers(image_file, layers)

    def _layer_format(self, image_file: ImageFile) -> Literal["half", "float"]:
        """What the layers are written as: like the picture."""
        if self.settings.bit_depth != "as-plate":
            return self.settings.bit_depth
        part = next((p for p in image_file.parts if self.channels[0] in p.channels), image_file.main)
        formats = dict(zip(part.channels, part.channel_formats, strict=True))
        return "float" if formats.get(self.channels[0]) == "float" else "half"

    def _with_layers(self, image_file: ImageFile, layers: Mapping[str, Any]) -> ImageFile:
        """The file with a layer a light. `existing` is float beside half lights: it holds what their
        rounding leaves of the picture, so that the layers still sum to it."""
        if not layers:
            return image_file
        kind = self._layer_format(image_file)
        main = image_file.main
        for name, pixels in layers.items():
            names = [f"{name if name == EXISTING else 'light_' + name}.{channel}" for channel in "RGB"]
            main = main.replace(names, pixels, "float" if name == EXISTING else kind)
        depth = self.settings.bit_depth
        if depth == "as-plate":
            return image_file.with_main(main)
        formats = [
            own if own == "uint32" or channel.startswith(f"{EXISTING}.") else depth
            for channel, own in zip(main.channels, main.channel_formats, strict=True)
        ]
        return image_file.with_main(
            Image.from_blocks(
                main.blocks,
                main.data_window,
                main.display_window,
                formats,
                main.metadata,
                main.part_name,
                main.metadata_types,
            )
        )
