"""Real objects photographed under one known light after another, as `.npz` files in a folder.

imgs     uint16 (N, H, W, 3)  scene-linear times 65535
mask     (H, W)               where the object is
dirs     (N, 3)               unit vectors towards the light: x right, y up, z to the camera
rgb, amb (N, 3)               its colour, and that of the light from everywhere
normals  (H, W, 3)            measured, or empty
albedo   uint16 (H, W, 3)     measured, times 65535, or empty
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import PlateError
from ..images.image import Pixels
from .relight_scores import Mask

SOURCES = 3
MOST_TARGETS = 12
_FACING = 0.15  # z of a light that is used: lower ones graze
_BRIGHT_ENOUGH = 0.25  # of the median brightness
_KEYS = ("imgs", "mask", "dirs", "rgb", "amb", "normals", "albedo")
_MEASURED_ALBEDO = "mit"  # that of the others was computed from the pictures
_FULL_SCALE = np.float32(65535)


@dataclass(frozen=True)
class KnownLight:
    """One distant light and an even ambient: direction (3,) unit, towards it; colour and ambient (3,) RGB.

    A white Lambert patch with normal n shows colour * max(n . direction, 0) + ambient.
    """

    direction: NDArray[np.float32]
    colour: NDArray[np.float32]
    ambient: NDArray[np.float32]

    def shading(self, normals: Pixels) -> Pixels:
        """(H, W, 3) of unit normals (H, W, 3), without cast shadows."""
        facing = np.maximum(normals @ self.direction, 0)[..., None]
        return np.asarray(facing * self.colour + self.ambient, np.float32)


@dataclass(frozen=True)
class LitObject:
    """Pictures (N, H, W, 3) float32 scene-linear, the matte (H, W), a light a picture, and what is true.

    `albedo_is_measured`: it was not merely computed from the pictures, as that of the `uw_*` objects.
    """

    name: str
    pictures: NDArray[np.float32]
    matte: Mask
    lights: tuple[KnownLight, ...]
    normals: Pixels | None
    albedo: Pixels | None
    albedo_is_measured: bool


def object_files(folder: Path) -> list[Path]:
    """The folder's objects, by name. Raises PlateError when there is none."""
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise PlateError(
            f"{folder} holds no .npz files of objects under known lights. Name a folder that does: "
            "--data DIR."
        )
    return files


def read_object(path: Path) -> LitObject:
    """Raises PlateError when the file is damaged or something is missing in it."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            missing = [key for key in _KEYS if key not in stored]
            if missing:
                raise PlateError(
                    f"{path} holds {', '.join(stored)} but not {', '.join(missing)}: it is no object under "
                    "known lights. Take it out of the folder."
                )
            arrays = {key: np.asarray(stored[key]) for key in _KEYS}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise PlateError(f"{path} cannot be read as .npz: {error}. Copy it again.") from error
    lights = tuple(
        KnownLight(*(np.asarray(v, np.float32) for v in light))
        for light in zip(arrays["dirs"], arrays["rgb"], arrays["amb"], strict=True)
    )
    normals, albedo = arrays["normals"], arrays["albedo"]
    return LitObject(
        name=path.stem,
        pictures=arrays["imgs"].astype(np.float32) / _FULL_SCALE,
        matte=arrays["mask"].astype(bool),
        lights=lights,
        normals=normals.astype(np.float32) if normals.size else None,
        albedo=albedo.astype(np.float32) / _FULL_SCALE if albedo.size else None,
        albedo_is_measured=bool(albedo.size) and path.stem.startswith(_MEASURED_ALBEDO),
    )


def tasks(item: LitObject) -> list[tuple[int, int]]:
    """Pairs (source, target): three source pictures, from the most frontal light to the most grazing one,
    each with up to twelve others as targets.

    Lights from the side or from behind, and pictures that are much darker than the others, are left out.
    """
    brightness = item.pictures[:, item.matte].mean(axis=(1, 2))
    floor = _BRIGHT_ENOUGH * np.median(brightness)
    frontal = np.array([light.direction[2] for light in item.lights], np.float64)
    usable = [k for k in range(len(frontal)) if frontal[k] > _FACING and brightness[k] > floor]
    if len(usable) < 2:
        raise PlateError(
            f"{item.name} has {len(usable)} usable picture(s) of {len(frontal)}; relighting needs two."
        )
    by_angle = sorted(usable, key=lambda k: -frontal[k])
    sources = sorted({by_angle[0], by_angle[len(by_angle) // 2], by_angle[-1]})
    return [(s, t) for s in sources for t in _spread([k for k in usable if k != s])]


def _spread(indices: list[int]) -> list[int]:
    """At most `MOST_TARGETS` of them, evenly from first to last."""
    if len(indices) <= MOST_TARGETS:
        return indices
    last = len(indices) - 1
    return [indices[round(k * last / (MOST_TARGETS - 1))] for k in range(MOST_TARGETS)]
