"""What the prior says about a frame, at the working size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..prior.predictor import Prepared, merged, orientations, prepared
from ..relight.shot_light import ShotLight
from .exposure import seen

Map = NDArray[np.float32]

_BLACK = 0.01  # of the guide: a twentieth of the mean, where grain takes over


class Looks(Protocol):
    """The network as it is used here: `prior.predictor.Prior`, or the same adapted to a shot."""

    def run(self, look: Prepared) -> Mapping[str, Map]: ...


@dataclass(frozen=True, eq=False)
class WorkingPasses:
    """Passes of one frame at the working size, float32. Shading is in plate units.

    normal, albedo, shading (h, w, 3); depth, roughness, visibility, confidence (h, w).
    """

    normal: Map
    depth: Map
    albedo: Map
    shading: Map
    roughness: Map
    visibility: Map
    confidence: Map

    def packed(self) -> Map:
        """(h, w, 14): normal, log depth, log albedo, log shading, roughness, visibility, confidence, zero."""
        single = [self.roughness, self.visibility, self.confidence, np.zeros_like(self.depth)]
        return np.concatenate(
            [
                self.normal,
                np.log(np.maximum(self.depth, 1e-6))[..., None],
                np.log(np.maximum(self.albedo, 1e-4)),
                np.log(np.maximum(self.shading, 1e-12)),
                np.stack(single, 2),
            ],
            2,
        ).astype(np.float32)

    @classmethod
    def unpacked(cls, planes: Map) -> WorkingPasses:
        """The inverse of `packed`; normals are made unit length."""
        planes = np.asarray(planes, np.float32)
        return cls(
            unit(planes[..., :3]),
            np.exp(planes[..., 3]),
            np.exp(planes[..., 4:7]),
            np.exp(planes[..., 7:10]),
            np.clip(planes[..., 10], 0, 1),
            np.clip(planes[..., 11], 0, 1),
            np.clip(planes[..., 12], 0, 1),
        )


PACKED_PLANES = 14


def working_size(width: int, height: int, working_px: int) -> tuple[int, int]:
    """(width, height) with the long side at most `working_px` and at least one pixel each way."""
    scale = min(1.0, working_px / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrunk(picture: Map, size: tuple[int, int]) -> Map:
    """(H, W, C) or (H, W) to `size` (width, height), each pixel the mean of what it covers."""
    if (picture.shape[1], picture.shape[0]) == size:
        return np.ascontiguousarray(picture, np.float32)
    small: Map = cv2.resize(np.ascontiguousarray(picture, np.float32), size, interpolation=cv2.INTER_AREA)
    return small


def small_plate(plate: Map, working_px: int) -> Map:
    """`plate` (H, W, 3) as the prior is shown it before exposure: finite, not negative, at the working
    size."""
    return shrunk(seen(plate), working_size(plate.shape[1], plate.shape[0], working_px))


def predict(
    prior: Looks,
    plate: Map,
    gain: float | None = None,
    matte: Map | None = None,
    key_direction: Map | None = None,
    views: int = 2,
) -> tuple[WorkingPasses, ShotLight]:
    """Passes and light of a small `plate` (h, w, 3), at its size and in its units.

    `gain` is the exposure of the shot (None: the picture's own). Without a `key_direction` (3,) the prior
    finds it first and then looks again, knowing it. `views` mirrored looks are averaged.
    """
    if key_direction is None:
        light = _look(prior, plate, gain, matte, None, 1)[1]
        key_direction = light.direction.numpy()
    return _look(prior, plate, gain, matte, key_direction, views)


def predicted_light(prior: Looks, plate: Map, gain: float | None, matte: Map | None = None) -> ShotLight:
    """Only the light that the prior sees in a small plate, by one look."""
    return _look(prior, plate, gain, matte, None, 1)[1]


def exposed(look: Prepared, gain: float | None) -> Prepared:
    """The look with the shot's exposure rather than its own."""
    if gain is None:
        return look
    return replace(look, picture=look.picture * np.float32(gain / look.gain), gain=gain)


def _look(
    prior: Looks, plate: Map, gain: float | None, matte: Map | None, direction: Map | None, views: int
) -> tuple[WorkingPasses, ShotLight]:
    longest = max(plate.shape[:2])
    looks = [
        exposed(prepared(plate, matte, direction, longest, orientation), gain)
        for orientation in orientations(direction, views)
    ]
    found, light = merged([(look, prior.run(look)) for look in looks], plate)
    passes = WorkingPasses(
        unit(found["normal"]),
        np.maximum(_single(found["depth"]), 1e-6),
        np.clip(found["albedo"], 1e-3, 4.0),
        np.maximum(found["shading"], 1e-9),
        np.clip(_single(found["roughness"]), 0, 1),
        np.clip(_single(found["visibility"]), 0, 1),
        np.clip(_single(found["confidence"]), 0, 1),
    )
    return passes, light


def scaled_light(light: ShotLight, factor: float) -> ShotLight:
    """The light with its brightness times `factor`."""
    return ShotLight(light.direction, light.colour * factor, light.environment_sh * factor)


def guide_of(plate: Map, gain: float) -> Map:
    """The guide (H, W, 3) for plates of any size: log of the exposed plate with a foot in the blacks."""
    guide: Map = cv2.log(seen(plate) * np.float32(gain) + np.float32(_BLACK))
    return guide


def unit(vectors: Map) -> Map:
    """(..., 3) of length one; what has no direction faces the camera."""
    length = np.sqrt(np.einsum("...c,...c->...", vectors, vectors))[..., None]
    none = length[..., 0] <= 1e-6
    result = np.asarray(vectors / np.maximum(length, np.float32(1e-6)), np.float32)
    if none.any():
        result[none] = (0, 0, 1)
    return result


def _single(values: Map) -> Map:
    """(h, w) of (h, w) or (h, w, 1)."""
    return values.reshape(values.shape[:2])
