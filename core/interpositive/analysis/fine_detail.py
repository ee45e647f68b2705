"""Fine detail held still: what a surface shows in the frames before and after, at full size.

Grain, compression and half pixels make the plate's detail flicker, and with it albedo and normals that are
made of one frame. Each frame's are averaged with its neighbours', moved along optical flow, wherever albedos
agree; where they do not, the frame keeps its own. What the mean leaves of the plate goes to the residual, so
grain stays in the picture and is not lit anew.
Flow: dense inverse search (T. Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .prediction import Map, unit

FLOW_PX = 960  # widest picture that motion is searched in
_TOLERANCE = 0.15  # relative difference at which a neighbour counts 1/e
_TOE = 0.04  # of albedo, under which differences are grain
_SUM = np.ones((1, 3), np.float32)
_BLUR_PX = 5  # over which agreement is judged


@dataclass(frozen=True, eq=False)
class FineFrame:
    """Fine `albedo`, `normal` and `shading` (H, W, 3) of a frame, and `grey` (h, w) to search motion in."""

    albedo: Map
    normal: Map
    shading: Map
    grey: NDArray[np.uint8]


def grey_of(guide: Map) -> NDArray[np.uint8]:
    """The picture to search motion in, of a log plate (H, W, 3); 8 bit, as the search takes it."""
    height, width = guide.shape[:2]
    grey = guide[..., 1]
    if width > FLOW_PX:
        grey = cv2.resize(
            grey, (FLOW_PX, max(1, round(height * FLOW_PX / width))), interpolation=cv2.INTER_AREA
        )
    low, high = np.percentile(grey[::4, ::4], [0.5, 99.5])
    levels: NDArray[np.uint8] = cv2.convertScaleAbs(
        np.clip(grey, low, high) - low, alpha=255.0 / max(float(high - low), 1e-3)
    )
    return levels


def held_still(frame: FineFrame, neighbours: Sequence[FineFrame]) -> FineFrame:
    """`frame` with its albedo and normals averaged with those of its `neighbours` where albedos agree."""
    albedo, normal = frame.albedo.copy(), frame.normal.copy()
    weights = np.ones(albedo.shape[:2], np.float32)
    scale = 1.0 / (cv2.transform(frame.albedo, _SUM) + np.float32(3 * _TOE))
    for other in neighbours:
        place = _places(frame.grey, other.grey, albedo.shape)
        moved = cv2.remap(other.albedo, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        difference = cv2.transform(cv2.absdiff(moved, frame.albedo), _SUM)
        difference *= scale
        agreement = cv2.blur(difference, (_BLUR_PX, _BLUR_PX))
        weight = cv2.exp(-np.square(agreement * np.float32(1 / _TOLERANCE)))
        moved *= weight[..., None]
        albedo += moved
        moved = cv2.remap(other.normal, *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        moved *= weight[..., None]
        normal += moved
        weights += weight
    albedo /= weights[..., None]
    return FineFrame(albedo, unit(normal), frame.shading, frame.grey)


def _places(grey: NDArray[np.uint8], other: NDArray[np.uint8], shape: tuple[int, ...]) -> tuple[Map, Map]:
    """Columns and rows (H, W) of `other`, at full size, where the pixels of `grey` are."""
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow = search.calc(grey, other, None)  # (h, w, 2) px of its own size
    height, width = shape[:2]
    scale = (width / flow.shape[1], height / flow.shape[0])
    full = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    x = full[..., 0] * np.float32(scale[0]) + np.arange(width, dtype=np.float32)
    y = full[..., 1] * np.float32(scale[1]) + np.arange(height, dtype=np.float32)[:, None]
    return x, y
