"""Labels for the frames between keyframes: the change itself, carried along optical flow.

They are not good enough to be results - they tear where something is uncovered - but where forward and
backward flow agree and the plates match they are right, and they hold still as the shot does. Trained on
beside the keyframes, with that trust as weight, they make the model steady over time.
Flow: dense inverse search (Kroeger et al. 2016), by OpenCV.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .perception import perceived

Map = NDArray[np.float32]

FLOW_WIDTH_PX = 480
_PLATE_TOLERANCE = 0.05  # perceived difference of plates at which a label counts 1/e
_FLOW_TOLERANCE_PX = 1.0  # forward-backward disagreement at which it counts 1/e
_LABEL_TOLERANCE = 0.2  # disagreement of the labels carried from both sides, likewise


@dataclass(frozen=True, eq=False)
class CarriedLabel:
    """`planes` (H, W, P) carried to a frame and `trust` (H, W), 0 to 1."""

    frame: int
    planes: Map
    trust: Map


def carry_labels(
    frames: Sequence[int],
    plates: Mapping[int, Map],
    labels: Mapping[int, Map],
    toe: float,
    each_step: Callable[[int], None],
) -> list[CarriedLabel]:
    """Carry `labels` {keyframe: (H, W, P)} to the `frames` between keyframes.

    `plates` {frame: (h, w, 3) scene-linear} are small pictures of every frame of the shot from the first to
    the last keyframe, see `small_plate`; frames whose plate is absent break the chain. `each_step` is called
    with the number of flows computed.
    """
    pictures = {frame: perceived(plate, toe) for frame, plate in plates.items()}
    flows = _Flows(pictures, each_step)
    carried: dict[int, list[tuple[Map, Map]]] = {frame: [] for frame in frames}
    for before, after in zip(sorted(labels), sorted(labels)[1:], strict=False):
        for keyframe, step in ((before, -1), (after, 1)):
            for frame, motion, agreement in flows.chain(keyframe, step, before, after):
                if frame in carried:
                    distance = abs(frame - keyframe)
                    trust = _trust(pictures[frame], pictures[keyframe], motion, agreement) / distance**0.5
                    carried[frame].append(_moved(labels[keyframe], motion, trust))
    return [_merged(frame, found) for frame, found in carried.items() if found]


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
    """Flow (H, W, 2) px from each pixel of `source` to where it is in `target`; pictures (H, W, 3) as `perceived`."""
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    flow: Map = search.calc(_grey(source), _grey(target), None)
    return flow


def _grey(picture: Map) -> NDArray[np.uint8]:
    # The flow search takes 8 bit; this is a picture for matching, not pixels of a result.
    return np.rint(np.clip(picture.mean(2) * 200.0, 0, 255)).astype(np.uint8)


class _Flows:
    """Flows between neighbouring frames, each computed once."""

    def __init__(self, pictures: Mapping[int, Map], each_step: Callable[[int], None]) -> None:
        self._pictures = pictures
        self._each_step = each_step
        self._known: dict[tuple[int, int], Map] = {}

    def chain(self, keyframe: int, step: int, before: int, after: int) -> list[tuple[int, Map, Map]]:
        """(frame, flow from the frame to the keyframe, worst disagreement px) going away from the keyframe."""
        found: list[tuple[int, Map, Map]] = []
        frame = keyframe - step
        motion: Map | None = None
        disagreement: Map | None = None
        while before < frame < after and frame in self._pictures and frame + step in self._pictures:
            onward, back = self._between(frame, frame + step), self._between(frame + step, frame)
            newest = np.linalg.norm(onward + warp(back, onward), axis=2).astype(np.float32)
            if motion is None or disagreement is None:
                motion, disagreement = onward, newest
            else:
                motion = onward + warp(motion, onward)
                disagreement = np.maximum(warp(disagreement, onward), newest)
            found.append((frame, motion, disagreement))
            frame -= step
        return found

    def _between(self, source: int, target: int) -> Map:
        if (source, target) not in self._known:
            self._known[source, target] = frame_flow(self._pictures[source], self._pictures[target])
            self._each_step(len(self._known))
        return self._known[source, target]


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


def _moved(label: Map, motion: Map, trust: Map) -> tuple[Map, Map]:
    """A keyframe's label and the trust, at the label's size."""
    height, width = label.shape[:2]
    scale = np.asarray([width / motion.shape[1], height / motion.shape[0]], np.float32)
    full = cv2.resize(motion, (width, height), interpolation=cv2.INTER_LINEAR) * scale
    planes = [warp(np.ascontiguousarray(label[..., plane]), full) for plane in range(label.shape[2])]
    return np.stack(planes, 2), cv2.resize(trust, (width, height), interpolation=cv2.INTER_LINEAR)


def _merged(frame: int, found: Sequence[tuple[Map, Map]]) -> CarriedLabel:
    """Labels from both sides, weighted by trust; less trusted where they disagree."""
    if len(found) == 1:
        return CarriedLabel(frame, *found[0])
    (one, trust_one), (other, trust_other) = found
    total = trust_one + trust_other + 1e-6
    planes = (one * trust_one[..., None] + other * trust_other[..., None]) / total[..., None]
    most, least = np.maximum(trust_one, trust_other), np.minimum(trust_one, trust_other)
    # Disagreement says little where only one side is trusted at all.
    disagreement = np.abs(one - other).mean(2) * least / np.maximum(most, 1e-6)
    trust = most * np.exp(-((disagreement / _LABEL_TOLERANCE) ** 2))
    return CarriedLabel(frame, planes.astype(np.float32), np.clip(trust, 0.0, 1.0).astype(np.float32))
