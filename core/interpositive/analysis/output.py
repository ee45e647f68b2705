"""What analysis writes: passes as EXR layers, the light as JSON and lat-long EXR, the contact sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from ..images.colour import PlateColour, display_view
from ..images.contact_sheet import contact_sheet
from ..images.image import Block, Image, Window
from ..images.writing import write_exr
from ..relight.lighting_file import ShotLighting, write_lighting
from ..relight.passes import LAYERS, Passes
from .prediction import Map
from .probes import light_latlong

SHEET_TITLES = ("plate", "normal", "albedo", "shading", "residual", "depth")
_SHEET_WIDTH_PX = 320
_GREY = 0.18
# Entries that describe the picture's channels or file, not the shot.
_OF_THE_PICTURE = ("view", "multiView", "name", "chunkCount")


def passes_image(passes: Passes, plate: Image, canvas: Window) -> Image:
    """The passes as float channels on the plate's data window, with its display window and metadata."""
    window = plate.data_window
    top, left = window.y - canvas.y, window.x - canvas.x
    blocks = []
    for name, channels in LAYERS.items():
        values = getattr(passes, name).reshape(passes.height, passes.width, -1)
        blocks.append(Block(channels, values[top : top + window.height, left : left + window.width]))
    metadata = {name: value for name, value in plate.metadata.items() if name not in _OF_THE_PICTURE}
    return Image.from_blocks(
        blocks,
        window,
        plate.display_window,
        ["float"] * sum(len(channels) for channels in LAYERS.values()),
        metadata,
        "",
        plate.metadata_types,
    )


def write_light(lighting_path: Path, environment_path: Path, lighting: ShotLighting, plate: Image) -> None:
    """Both files of the light. Raises OutputError."""
    picture = Image(light_latlong(lighting.light), ("R", "G", "B"), channel_formats=["float"] * 3)
    kept = {name: value for name, value in plate.metadata.items() if name == "chromaticities"}
    types = {name: kind for name, kind in plate.metadata_types.items() if name in kept}
    write_exr(environment_path, picture.with_metadata(kept, types), "float")
    write_lighting(lighting_path, lighting)


def sheet_pictures(passes: Passes, plate: Map, colour: PlateColour, gain: float) -> list[Map]:
    """Small display-referred pictures (h, w, 3) of one frame, in the order of `SHEET_TITLES`."""
    height = max(1, round(passes.height * _SHEET_WIDTH_PX / passes.width))

    def small(values: Map) -> Map:
        shrunk = cv2.resize(values, (_SHEET_WIDTH_PX, height),
                            interpolation=cv2.INTER_AREA)  # fmt: skip
        return np.ascontiguousarray(shrunk, np.float32)

    def shown(values: Map, exposure: float) -> Map:
        return display_view(small(values) * np.float32(exposure), colour)

    depth = small(passes.depth)
    near, far = np.percentile(depth, [2, 98])
    closeness = np.clip((far - depth) / max(float(far - near), 1e-9), 0, 1)
    light = small(passes.shading)
    bright = _GREY * 2 / max(float(np.median(light)), 1e-9)
    return [
        shown(plate, gain),
        small(passes.normal) * 0.5 + 0.5,
        shown(passes.albedo, 1.0),
        shown(passes.shading, bright),
        shown(passes.residual, gain),
        np.repeat(closeness[..., None], 3, 2).astype(np.float32),
    ]


def write_sheet(path: Path, rows: Mapping[int, Sequence[Map]], legend: str) -> None:
    """The contact sheet of some frames. Raises OutputError."""
    labelled = [(str(frame), rows[frame]) for frame in sorted(rows)]
    contact_sheet(path, labelled, SHEET_TITLES, legend, _SHEET_WIDTH_PX)
