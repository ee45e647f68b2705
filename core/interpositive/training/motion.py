"""Labels for frames beside the keyframes: the change itself, carried along optical flow.

They are not good enough to be results - they tear where something is uncovered - but where forward and
backward flow agree and the plates match they are right, and they move as the shot does. Trained on beside
the keyframes, with that trust as weight, they teach the model to give moving detail the same change in every
frame.
Flow: dense inverse search (Kroeger et al. 2016), by OpenCV.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .perception import perceived

Map = NDArray[np.float32]

FLOW_WIDTH_PX = 480
_PLATE_TOLERANCE = 0.05  # perceived difference of plates at which a label counts 1/e
_FLOW_TOLERANCE_PX = 1.0  # forward-backward disagreement at which it counts 1/e


@dataclass(frozen=True, eq=False)
class CarriedLabel:
    """`planes` (H, W, P) carried to a frame and `trust` (H, W), 0 to 1."""

    frame: int
    planes: Map
    trust: Map


def carry_label(
    keyframe: int, label: Map, plates: Mapping[int, Map], frames: Sequence[int], toe: float
) -> list[CarriedLabel]:
    """Carry the `label` (H, W, P) of `keyframe` to `frames`, which go away from it one by one.

    `plates` {frame: (h, w, 3) scene-linear} are small pictures of all of them, see `small_plate`.
    """
    pictures = {frame: perceived(plates[frame], toe) for frame in (keyframe, *frames)}
    carried: list[CarriedLabel] = []
    motion: Map | None = None
    disagreement: Map | None = None
    nearer = keyframe
    for frame in frames:
        onward, back = (frame_flow(pictures[a], pictures[b]) for a, b in ((frame, nearer), (nearer, frame)))
        newest = np.linalg.norm(onward + warp(back, onward), axis=2).astype(np.float32)
        if motion is None or disagreement is None:
            motion, disagreement = onward, newest
        else:
            motion = onward + warp(motion, onward)
            disagreement = np.maximum(warp(disagreement, onward), newest)
        trust = _trust(pictures[frame], pictures[keyframe], motion, disagreement)
        carried.append(_moved(frame, label, motion, trust))
        nearer = frame
    return carried


def small_plate(plate: Map) -> Map:
    """(H, W, 3) scene-linear, at most `FLOW_WIDTH_PX` wide."""
    height, width = plate.shape[:2]
    if width <= FLOW_WIDTH_PX:
        return np.ascontiguousarray(plate)
    size = (FLOW_WIDTH_PX, max(1, round(height * FLOW_WIDTH_PX / width)))
    small: Map = cv2.resize(plate, size, interpolation=cv2.INTER_AREA)
    return small


def warp(picture: Map, flow: Map) -> Map:
    """`picture` (H, W, C) or (H, W) sampled at each pixel's place plus `flow` (H, W, 2) px, (x, y)."""
    height, width = flow.shape[:2]
    x = np.arange(width, dtype=np.float32) + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    warped: Map = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return warped


def frame_flow(source: Map, target: Map) -> Map:
    """Flow (H, W, 2) px from each pixel of `source` to where it is in `target`.

    Pictures are (H, W, 3), as `perceived`.
    """
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow: Map = search.calc(_grey(source), _grey(target), None)
    return flow


def _grey(picture: Map) -> NDArray[np.uint8]:
    # The flow search takes 8 bit; this is a picture for matching, not pixels of a result.
    return np.rint(np.clip(picture.mean(2) * 200.0, 0, 255)).astype(np.uint8)


def _trust(picture: Map, keyframe: Map, motion: Map, disagreement: Map) -> Map:
    """(h, w): 1 where plates and flows agree."""
    height, width = picture.shape[:2]
    difference = cv2.GaussianBlur(np.abs(picture - warp(keyframe, motion)).mean(2), (0, 0), 2.0)
    x = np.arange(width) + motion[..., 0]
    y = np.arange(height)[:, None] + motion[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    exponent = (difference / _PLATE_TOLERANCE) ** 2 + (disagreement / _FLOW_TOLERANCE_PX) ** 2
    trust: Map = (np.exp(-exponent) * inside).astype(np.float32)
    return trust


def _moved(frame: int, label: Map, motion: Map, trust: Map) -> CarriedLabel:
    """The label and its trust, at the label's size."""
    height, width = label.shape[:2]
    scale = np.asarray([width / motion.shape[1], height / motion.shape[0]], np.float32)
    full = cv2.resize(motion, (width, height), interpolation=cv2.INTER_LINEAR) * scale
    planes = [warp(np.ascontiguousarray(label[..., plane]), full) for plane in range(label.shape[2])]
    return CarriedLabel(frame, np.stack(planes, 2), cv2.resize(trust, (width, height)))
