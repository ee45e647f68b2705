"""Pictures to match: a made-up wall seen by two cameras, scene-linear ACEScg."""

from __future__ import annotations

import cv2
import numpy as np

from interpositive.grade.cdl import CDL, apply
from interpositive.grade.grading_space import GradingSpace

SPACE = GradingSpace("ACEScct", "ACEScg")
GRADE = CDL((1.05, 0.97, 1.0), (0.06, -0.02, -0.03), (1.04, 0.98, 1.02), 0.9)


def wall(seed: int = 1, size: tuple[int, int] = (420, 640)) -> np.ndarray:
    """(H, W, 3) of coloured blots and bricks, 0.01 to 1.2, no two places alike."""
    rng = np.random.default_rng(seed)
    height, width = size
    picture = np.full((height, width, 3), 0.2, np.float32) * np.float32([1.1, 1.0, 0.85])
    for _ in range(260):
        colour = np.exp(rng.uniform(np.log(0.03), np.log(0.9))) * np.exp(rng.normal(0, 0.35, 3))
        x, y = (int(v) for v in rng.uniform((0, 0), (width, height)))
        axes = tuple(int(v) for v in rng.uniform(5, 34, 2))
        cv2.ellipse(
            picture, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, colour.tolist(), -1, cv2.LINE_AA
        )
    cloud = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 5)
    return np.asarray(picture * np.exp(2.0 * cloud)[..., None], np.float32)


def view(picture: np.ndarray, step: int, size: tuple[int, int] = (180, 280)) -> np.ndarray:
    """What camera `step` sees of the wall: 0 the middle, others from the side and closer, with some grain."""
    height, width = picture.shape[:2]
    left, top, wide = (
        width * (0.05 + 0.05 * step),
        height * (0.05 + 0.04 * step),
        width * (0.85 - 0.08 * step),
    )
    tall = wide * size[0] / size[1]
    tilt = 0.05 * step * tall
    corners = [[left, top], [left + wide, top + tilt], [left + wide, top + tall - tilt], [left, top + tall]]
    target = [[0, 0], [size[1], 0], [size[1], size[0]], [0, size[0]]]
    move = cv2.getPerspectiveTransform(np.float32(corners), np.float32(target))
    seen = cv2.warpPerspective(picture, move, (size[1], size[0]), flags=cv2.INTER_AREA)
    grain = np.random.default_rng(step).standard_normal(seen.shape).astype(np.float32)
    return np.asarray(seen * (1 + 0.01 * grain), np.float32)


def graded(picture: np.ndarray, cdl: CDL = GRADE) -> np.ndarray:
    return SPACE.decode(apply(cdl, SPACE.encode(picture)))


def stops_apart(result: np.ndarray, wanted: np.ndarray) -> float:
    """Mean absolute difference of the channels, in stops, where there is light."""
    lit = wanted.min(axis=-1) > 0.01
    return float(np.abs(np.log2(np.maximum(result[lit], 1e-4) / wanted[lit])).mean())
