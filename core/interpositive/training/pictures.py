"""Footage as training holds it: padded tensors, with the error of the closed-form start and the region."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..images.image import Pixels
from ..models.network import ShotNetwork
from .crops import ERROR_STEP_PX, Picture
from .footage import Footage, Keyframe
from .motion import CarriedLabel, carry_label, small_plate
from .perception import perceived

Mask = NDArray[np.bool_]

CARRIED_FRAMES = 2  # on each side of a keyframe
_CLOSED_PX = 9  # holes of the changed pixels up to this size are filled
_EDGE_STEPS = 17  # how wide around an edge of a matte or region errors are expected, in steps of the map
_EDGE_ERROR, _INSIDE_ERROR, _REGION_EDGE_ERROR = 1.0, 0.3, 0.02


def keyframe_pictures(footage: Footage, network: ShotNetwork) -> list[Picture]:
    """One picture a keyframe, in order."""
    return [
        picture(
            network,
            keyframe.plate,
            keyframe.target,
            keyframe.valid.astype(np.float32),
            changed_region(keyframe.changed) if footage.has_region else np.ones_like(keyframe.valid),
            keyframe.origin,
            place,
        )
        for place, keyframe in enumerate(footage.keyframes)
    ]


def picture(
    network: ShotNetwork,
    plate: Pixels,
    target: Pixels,
    weight: NDArray[np.float32],
    region: NDArray[np.float32] | Mask,
    origin: tuple[int, int],
    keyframe: int,
) -> Picture:
    """Pad to the stride (with weight zero) and find where the untrained network is wrong."""
    stride = network.config.stride
    planes = {
        "plate": padded(plate, stride, "edge"),
        "target": padded(target, stride, "edge"),
        "weight": padded(weight[..., None], stride, "constant"),
        "region": padded(region.astype(np.float32)[..., None], stride, "edge"),
    }
    return Picture(**planes, start_error=_start_error(network, planes), origin=origin, keyframe=keyframe)


def changed_region(changed: Mask) -> Mask:
    """The region (H, W) of an artist's change: changed pixels, their holes closed."""
    size = np.ones((_CLOSED_PX, _CLOSED_PX), np.uint8)
    closed: Mask = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, size).astype(bool)
    return closed


def carried_pictures(
    footage: Footage, network: ShotNetwork, report: Callable[[int, int], None]
) -> list[Picture]:
    """Pictures of the unlabelled frames next to keyframes, with labels carried there; see `motion`.

    `report` is called with (done, total) keyframes.
    """
    free = set(footage.unlabelled_frames())
    found: list[Picture] = []
    for place, keyframe in enumerate(footage.keyframes):
        report(place, len(footage.keyframes))
        label = _label_planes(footage, keyframe)
        for step in (-1, 1):
            frames = [keyframe.frame + step * distance for distance in range(1, CARRIED_FRAMES + 1)]
            frames = list(takewhile(free.__contains__, frames))
            read = {frame: footage.read_plate(frame) for frame in frames}
            # A frame of another data window breaks the chain.
            frames = list(takewhile(lambda f: read[f][0].shape == keyframe.plate.shape, frames))  # noqa: B023
            plates = {frame: small_plate(plate[..., :3]) for frame, (plate, _) in read.items()}
            plates[keyframe.frame] = small_plate(keyframe.plate[..., :3])
            for carried in carry_label(keyframe.frame, label, plates, frames, footage.toe):
                found.append(_carried_picture(footage, network, *read[carried.frame], carried, place))
    return found


def _label_planes(footage: Footage, keyframe: Keyframe) -> Pixels:
    """What is carried: the gain instead of the colour, so that the frame's own plate keeps its detail."""
    planes = keyframe.target.copy()
    if footage.changes_rgb:
        rgb = keyframe.plate[..., :3]
        planes[..., :3] = (planes[..., :3] - rgb) / (np.abs(rgb) + footage.toe)
    region = changed_region(keyframe.changed) if footage.has_region else keyframe.valid
    return np.concatenate([planes, region[..., None], keyframe.valid[..., None]], 2).astype(np.float32)


def _carried_picture(
    footage: Footage,
    network: ShotNetwork,
    plate: Pixels,
    origin: tuple[int, int],
    label: CarriedLabel,
    place: int,
) -> Picture:
    target, region, valid = label.planes[..., :-2].copy(), label.planes[..., -2], label.planes[..., -1]
    if footage.changes_rgb:
        rgb = plate[..., :3]
        target[..., :3] = rgb + (np.abs(rgb) + footage.toe) * target[..., :3]
    weight = label.trust * (valid > 0.99)
    return picture(network, plate, target, weight, region, origin, place)


def padded(pixels: Pixels, stride: int, mode: str = "edge") -> Tensor:
    """(H, W, C) -> (C, H', W') with H' and W' multiples of `stride`; `mode` as numpy.pad has it."""
    height, width = pixels.shape[:2]
    padding = ((0, -height % stride), (0, -width % stride), (0, 0))
    filled = np.pad(pixels, padding, mode=mode)  # type: ignore[call-overload]
    return torch.from_numpy(np.ascontiguousarray(filled.transpose(2, 0, 1)))


def _start_error(network: ShotNetwork, planes: dict[str, Tensor]) -> Tensor:
    """(H'/2, W'/2) expected error of every second pixel before training."""
    config = network.config
    plate, target, weight, region = (
        planes[name][:, ::ERROR_STEP_PX, ::ERROR_STEP_PX] for name in ("plate", "target", "weight", "region")
    )
    error = torch.zeros(plate.shape[1:])
    first = 0
    if config.changes_rgb:
        rgb = planes["plate"][None, :3]
        with torch.no_grad():
            start = rgb + (rgb.abs() + config.toe) * network.start_gain(network.shape(rgb))
        start = start[0, :, ::ERROR_STEP_PX, ::ERROR_STEP_PX]
        error += (perceived(start, config.toe) - perceived(target[:3], config.toe)).abs().mean(0)
        first = 3
    for matte in target[first : first + config.matte_outputs]:
        error += _EDGE_ERROR * _edges(matte) + _INSIDE_ERROR * matte
    if config.data_outputs:
        error += target[first + config.matte_outputs :].abs().mean(0)
    if config.has_region:
        error += _REGION_EDGE_ERROR * _edges(region[0])
    return error * weight[0]


def _edges(plane: Tensor) -> Tensor:
    """1 around a change from 0 to 1."""
    padding = _EDGE_STEPS // 2
    high = F.max_pool2d(plane[None, None], _EDGE_STEPS, 1, padding)
    low = -F.max_pool2d(-plane[None, None], _EDGE_STEPS, 1, padding)
    return (high - low)[0, 0]
