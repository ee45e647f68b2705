"""Painted corrections of the normals: this region is flat, this one faces that way.

A hint is a picture in the plate's frame with a matte (alpha) where it says something. Its colour says which
way the surface faces, coded as normals are in pictures: R, G, B = (n + 1) / 2, so that (0.5, 0.5, 1) faces
the camera. A hint without colour (one channel, or black where the matte is white) says that the region is
flat: all of it faces the way it faces on average. Hints are paint, so 8 bit values are taken as they are,
without a colour space.

Inside the matte the hint holds; around it the same turn is carried along the surface, weaker with distance
and stopped by the plate's edges (E. Gastal, M. Oliveira, "Domain transform for edge-aware image and video
processing", SIGGRAPH 2011, the recursive filter of section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ChannelError
from ..images.image import ImageFile, Window, placed
from .prediction import Map, unit

REACH = 0.06  # of the picture's width: how far a correction is carried over an even surface
_EDGE_WEIGHT = 12.0  # distance, in reaches, that a step of one log unit of the plate adds
_ROUNDS = 2
_ANCHOR = 0.15  # weight that every pixel gives to staying as it is
_BLACK = 1e-3


@dataclass(frozen=True, eq=False)
class Hint:
    """`matte` (h, w) 0 to 1; `normal` (h, w, 3) is unit where the paint says one; `is_flat` where it says
    none."""

    matte: Map
    normal: Map
    is_flat: NDArray[np.bool_]  # (h, w)


def read_hint(image_file: ImageFile, display: Window, data: Window) -> Hint:
    """The hint of a picture on the plate's `data` window; it is placed by its display window's corner.

    Raises ChannelError for a picture that has neither an alpha nor a single channel.
    """
    image = image_file.main
    theirs = image.display_window
    window = Window(
        image.data_window.x - theirs.x + display.x,
        image.data_window.y - theirs.y + display.y,
        image.width,
        image.height,
    )
    channels = image.channels
    if len(channels) == 1:
        matte = placed(image.select(channels)[..., 0], window, data)
        colour = np.zeros((*matte.shape, 3), np.float32)
    elif {"R", "G", "B", "A"}.issubset(channels):
        pixels = placed(image.select(("R", "G", "B", "A")), window, data)
        colour, matte = pixels[..., :3], pixels[..., 3]
    else:
        raise ChannelError(
            f"Hint {image_file.path} has channels {', '.join(channels)}. A hint needs R, G, B, A "
            "(colour says "
            "where the surface faces, alpha where the hint counts) or one channel (this region is flat)."
        )
    matte = np.clip(np.nan_to_num(matte), 0, 1)
    colour = np.nan_to_num(colour)
    is_flat = colour.max(2) < _BLACK
    return Hint(matte.astype(np.float32), unit((colour * 2 - 1).astype(np.float32)), is_flat)


def shrunk_hint(hint: Hint, size: tuple[int, int]) -> Hint:
    """The hint at the working `size` (width, height)."""
    matte = cv2.resize(hint.matte, size, interpolation=cv2.INTER_AREA)
    weighted = cv2.resize(
        hint.normal * (hint.matte * ~hint.is_flat)[..., None], size, interpolation=cv2.INTER_AREA
    )
    flat = cv2.resize((hint.matte * hint.is_flat).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return Hint(matte, unit(weighted), flat > 0.5 * np.maximum(matte, 1e-6))


def corrected(normal: Map, guide: Map, hint: Hint) -> Map:
    """`normal` (h, w, 3) with the hint in force; `guide` (h, w, 3) is the log plate.

    Where the matte is empty and far away the normals come back as they are.
    """
    if not (hint.matte > 0).any():
        return normal
    wanted = np.where(hint.is_flat[..., None], _flat_normals(normal, hint), hint.normal)
    turn = (wanted - normal) * hint.matte[..., None]
    total = np.concatenate([turn, hint.matte[..., None]], 2)
    spread = edge_aware_blur(total, guide, REACH * normal.shape[1])
    carried = spread[..., :3] / (spread[..., 3:] + _ANCHOR)
    carried[spread[..., 3] < 1e-4] = 0
    inside = hint.matte[..., None]
    return unit((normal + inside * (wanted - normal) + (1 - inside) * carried).astype(np.float32))


def edge_aware_blur(values: Map, guide: Map, reach_px: float) -> Map:
    """Blur (h, w, C) over `reach_px` that does not cross edges of `guide` (h, w, 3): a recursive filter along
    rows, then columns, both ways, with a base that shrinks by the distance in picture and guide."""
    result = values.astype(np.float32)
    for axis in (1, 0) * _ROUNDS:
        step = np.abs(np.diff(guide, axis=axis)).sum(2)
        base = np.exp(-np.float32(2**0.5 / reach_px) * (1 + np.float32(_EDGE_WEIGHT * reach_px / 10) * step))
        if axis == 0:
            result = _both_ways(result.transpose(1, 0, 2), base.T).transpose(1, 0, 2)
        else:
            result = _both_ways(result, base)
    return result


def _both_ways(values: Map, base: Map) -> Map:
    """Recursive filter along axis 1; `base` (h, w - 1) is what one pixel hands to the next."""
    result = np.ascontiguousarray(values)
    for k in range(1, result.shape[1]):
        result[:, k] += base[:, k - 1, None] * (result[:, k - 1] - result[:, k])
    for k in range(result.shape[1] - 2, -1, -1):
        result[:, k] += base[:, k, None] * (result[:, k + 1] - result[:, k])
    return result


def _flat_normals(normal: Map, hint: Hint) -> Map:
    """For each connected region of a flat hint the mean of the normals in it."""
    result = normal.copy()
    count, labels = cv2.connectedComponents((hint.is_flat & (hint.matte > 0.1)).astype(np.uint8))
    for label in range(1, count):
        region = labels == label
        weight = hint.matte[region][:, None]
        mean = (normal[region] * weight).sum(0)
        result[region] = mean / max(float(np.linalg.norm(mean)), 1e-6)
    return result
