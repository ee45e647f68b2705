"""How close a picture is to the exact one, and how steady a sequence is.

Pictures are uint8 (H, W, 3) in a display encoding, mattes float32 (H, W) in 0..1; nothing here knows about
files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import SizeMismatchError

Picture = NDArray[np.uint8]
Matte = NDArray[np.float32]

_SSIM_SIGMA, _SSIM_TAPS, _SSIM_CROP_PX = 1.5, 11, 5
_CONSISTENT_PX = 0.75  # forward and backward flow must cancel to within this


def psnr_8bit(result: Picture, target: Picture) -> float:
    """Peak signal-to-noise ratio in dB, peak 255, over all pixels and channels; infinity for equal
    pictures."""
    _same_size(result, target)
    difference = result.astype(np.float64) - target.astype(np.float64)
    mean_square = float(np.mean(difference * difference))
    return float("inf") if mean_square == 0 else 10 * float(np.log10(255.0**2 / mean_square))


def ssim(result: Picture, target: Picture) -> float:
    """Structural similarity, mean over channels, with an 11-tap Gaussian window and a 5 px border left out.

    Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13 (2004), eq. 13: sigma 1.5, K1 0.01, K2 0.03, L 255.
    """
    _same_size(result, target)
    a, b = result.astype(np.float64), target.astype(np.float64)
    mean_a, mean_b = _window(a), _window(b)
    variance_a = _window(a * a) - mean_a * mean_a
    variance_b = _window(b * b) - mean_b * mean_b
    covariance = _window(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a * mean_a + mean_b * mean_b + c1) * (variance_a + variance_b + c2)
    )
    inside = score[_SSIM_CROP_PX:-_SSIM_CROP_PX, _SSIM_CROP_PX:-_SSIM_CROP_PX]
    return float(inside.mean())


def iou(result: Matte, target: Matte, threshold: float = 0.5) -> float:
    """Intersection over union of two mattes cut at `threshold`; two empty mattes agree fully."""
    _same_size(result, target)
    a, b = result >= threshold, target >= threshold
    union = int(np.count_nonzero(a | b))
    return 1.0 if union == 0 else int(np.count_nonzero(a & b)) / union


def sad(result: Matte, target: Matte) -> float:
    """Sum of absolute differences of two mattes, in thousands, as matting benchmarks quote it."""
    _same_size(result, target)
    return float(np.abs(result.astype(np.float64) - target.astype(np.float64)).sum()) / 1000


@dataclass(frozen=True)
class Motion:
    """Where each pixel of a frame was one frame before, and where that is certain.

    sources (H, W, 2) float32, x and y in px in the earlier frame; certain (H, W) bool.
    """

    sources: NDArray[np.float32]
    certain: NDArray[np.bool_]


def motion_between(earlier: Picture, later: Picture) -> Motion:
    """Dense motion by DIS optical flow (Kroeger et al., ECCV 2016), checked forward against backward."""
    _same_size(earlier, later)
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey_earlier, grey_later = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (earlier, later))
    back = np.asarray(flow.calc(grey_later, grey_earlier, None))
    forth = np.asarray(flow.calc(grey_earlier, grey_later, None))
    height, width = grey_later.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    sources = np.stack([x + back[..., 0], y + back[..., 1]], axis=-1).astype(np.float32)
    returned = back + cv2.remap(
        forth, sources[..., 0], sources[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    inside = (sources >= 0).all(axis=-1) & (sources[..., 0] <= width - 1) & (sources[..., 1] <= height - 1)
    return Motion(sources, inside & (np.hypot(returned[..., 0], returned[..., 1]) < _CONSISTENT_PX))


def warped_difference(earlier: Picture, later: Picture, motion: Motion) -> float:
    """Mean absolute difference, in 0..255, between `later` and `earlier` moved to it, where motion is
    certain."""
    moved = cv2.remap(
        earlier.astype(np.float32),
        motion.sources[..., 0], motion.sources[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    difference = np.abs(moved - later.astype(np.float32)).mean(axis=-1)
    return float(difference[motion.certain].mean()) if motion.certain.any() else 0.0


def flicker_ratio(results: Sequence[Picture], targets: Sequence[Picture], plates: Sequence[Picture]) -> float:
    """Frame-to-frame change of the results along the plate's motion, relative to that of the exact targets.

    1.0 is as steady as the truth; above is flicker. The sequences are neighbouring frames in order.
    """
    if not len(results) == len(targets) == len(plates) >= 2:
        raise SizeMismatchError(
            f"Flicker needs at least two frames of all three: found {len(results)} results, "
            f"{len(targets)} targets, "
            f"{len(plates)} plates. Render the missing frames."
        )
    measured = exact = 0.0
    for i in range(1, len(plates)):
        motion = motion_between(plates[i - 1], plates[i])
        measured += warped_difference(results[i - 1], results[i], motion)
        exact += warped_difference(targets[i - 1], targets[i], motion)
    if exact == 0:
        return 1.0 if measured == 0 else float("inf")
    return measured / exact


def identical_share(
    result: NDArray[np.float32], plate: NDArray[np.float32], target: NDArray[np.float32]
) -> float:
    """Share of the pixels that the target leaves untouched in which the result equals the plate to the bit.

    Arrays (H, W, C) as stored in the files; 1.0 where the target touches everything.
    """
    untouched = (target == plate).all(axis=-1)
    if not untouched.any():
        return 1.0
    return float((result == plate).all(axis=-1)[untouched].mean())


def _window(values: NDArray[np.float64]) -> NDArray[np.float64]:
    taps = (_SSIM_TAPS, _SSIM_TAPS)
    return np.asarray(cv2.GaussianBlur(values, taps, _SSIM_SIGMA, borderType=cv2.BORDER_REFLECT))


def _same_size(a: NDArray[Any], b: NDArray[Any]) -> None:
    if a.shape != b.shape:
        raise SizeMismatchError(
            f"Cannot compare pictures of {a.shape} and {b.shape}. Render both at one size."
        )
