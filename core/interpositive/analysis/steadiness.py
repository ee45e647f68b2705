"""Passes that hold still: each frame's prediction averaged with its neighbours', along the plate's motion.

Two recursive passes, one from the first frame to the last and one back, each of which carries a running mean
and its weight from frame to frame along optical flow; their sum, less the frame that both counted, is a
window that falls off exponentially on both sides. Where flow and plate disagree - something was uncovered, a
light changed - the weight that is carried falls to zero, and the mean begins anew.
Flow: dense inverse search (T. Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ..training.motion import frame_flow
from ..training.perception import perceived
from .frame_store import FrameStore
from .prediction import PACKED_PLANES, Map

_TOE = 0.01
_FLOW_TOLERANCE_PX = 0.7  # forward-backward disagreement at which a neighbour counts 1/e
_PLATE_TOLERANCE = 0.06  # perceived difference of plates at which it does
_TRUST_BLUR_PX = 1.5
_LEAST_WEIGHT = 0.05  # of a pixel that the prior has no confidence in


@dataclass(frozen=True)
class SteadinessSettings:
    """`memory` is how much of a neighbour's running mean is carried on: 0 none, below 1."""

    memory: float = 0.88


def steady(
    plates: FrameStore,
    passes: FrameStore,
    gain: float,
    settings: SteadinessSettings | None = None,
    report: Callable[[int], None] = lambda done: None,
) -> None:
    """Replace packed `passes` (h, w, PACKED_PLANES) by their means along the motion of `plates` (h, w, 3).

    `gain` is the shot's exposure. `report` is called with the steps done, of twice as many as frames.
    """
    settings = settings or SteadinessSettings()
    count = len(passes)
    if count < 2 or settings.memory <= 0:
        return

    def combine(k: int, total: Map) -> None:
        passes.put(k, total[..., :-1] / np.maximum(total[..., -1:], np.float32(1e-4)))

    carried_both_ways(
        plates, gain, settings.memory, lambda k: _weighted(passes.get(k)), combine, PACKED_PLANES + 1, report
    )


def carried_both_ways(
    plates: FrameStore,
    gain: float,
    memory: float,
    own: Callable[[int], Map],
    use: Callable[[int, Map], None],
    channels: int,
    report: Callable[[int], None] = lambda done: None,
) -> None:
    """Give `use` for each frame, from the last to the first, the sum (h, w, channels) of what all frames have
    as their `own`, carried to it along the motion.

    Each step multiplies by `memory` and by the trust in the motion. The last channel is a weight and stays
    above zero. `own` of a frame is asked for once before and once just before its `use`.
    """
    count = len(plates)
    with plates.alike(channels, np.float32) as forward:
        carried = _Carried(plates, gain, memory)
        for k in range(count):
            forward.put(k, carried.onto(k, own(k)))
            report(k + 1)
        carried = _Carried(plates, gain, memory)
        for k in range(count - 1, -1, -1):
            mine = own(k)
            use(k, forward.get(k) + carried.onto(k, mine) - mine)  # both directions counted the frame itself
            report(2 * count - k)


def motion_between(plate: Map, other: Map) -> tuple[Map, Map]:
    """Flow (h, w, 2) px from `plate` to `other`, both exposed (h, w, 3), and trust in it (h, w), 0 to 1."""
    here, there = perceived(plate, _TOE), perceived(other, _TOE)
    onward, back = frame_flow(here, there), frame_flow(there, here)
    disagreement = np.linalg.norm(onward + warped(back, onward), axis=2)
    difference = np.abs(here - warped(there, onward)).mean(2)
    difference = cv2.GaussianBlur(difference, (0, 0), _TRUST_BLUR_PX)
    height, width = plate.shape[:2]
    x = np.arange(width) + onward[..., 0]
    y = np.arange(height)[:, None] + onward[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    exponent = np.square(disagreement / _FLOW_TOLERANCE_PX) + np.square(difference / _PLATE_TOLERANCE)
    return onward, (np.exp(-exponent) * inside).astype(np.float32)


def warped(values: Map, flow: Map) -> Map:
    """`values` (h, w, C) or (h, w) sampled at each pixel's place plus `flow` (h, w, 2), by bicubic
    interpolation, which stays sharp when repeated."""
    height, width = flow.shape[:2]
    x = np.arange(width, dtype=np.float32) + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    if values.ndim == 2:
        return _sampled(values, x, y)
    groups = [values[..., first : first + 4] for first in range(0, values.shape[2], 4)]
    moved = [_sampled(np.ascontiguousarray(group), x, y).reshape(height, width, -1) for group in groups]
    return np.concatenate(moved, 2)


class _Carried:
    """The running weighted sum of one direction, (h, w, P + 1) with the weight last."""

    def __init__(self, plates: FrameStore, gain: float, memory: float) -> None:
        self._plates, self._gain, self._memory = plates, np.float32(gain), np.float32(memory)
        self._sum: Map | None = None
        self._plate: Map | None = None

    def onto(self, k: int, own: Map) -> Map:
        """Move the sum to frame `k` and add the frame's `own`."""
        plate = self._plates.get(k) * self._gain
        if self._sum is None or self._plate is None:
            self._sum = own
        else:
            flow, trust = motion_between(plate, self._plate)
            moved = warped(self._sum, flow)
            np.maximum(moved[..., -1], 0, out=moved[..., -1])  # bicubic weights may undershoot
            self._sum = own + moved * (self._memory * trust)[..., None]
        self._plate = plate
        return self._sum


def _weighted(planes: Map) -> Map:
    """Planes times their confidence, and the confidence: what the sums are made of."""
    weight = np.maximum(planes[..., 12:13], _LEAST_WEIGHT)
    return np.concatenate([planes * weight, weight], 2)


def _sampled(values: Map, x: Map, y: Map) -> Map:
    moved: Map = cv2.remap(values, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return moved
