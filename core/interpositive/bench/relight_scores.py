"""How close a relit picture, its normals and its albedo are to measured ones.

Pictures and albedo are scene-linear float (H, W, 3), 1.0 the top of the measured range; normals (H, W, 3) in
any length; mattes bool (H, W). Every score is over the matte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SizeMismatchError
from ..images.image import Pixels

Mask = NDArray[np.bool_]

LMSE_WINDOW_PX = 20
_LEAST_WINDOW_PIXELS = 20
_LEAST_MEAN_SQUARE = 1e-9


def gain_free_psnr(result: Pixels, target: Pixels, matte: Mask) -> float:
    """PSNR in dB, peak 1, after the one gain over all channels that brings the result closest (siPSNR).

    The result is held in 0..1 afterwards, since the measured pictures are.
    """
    made, exact = _inside(result, target, matte)
    made = np.maximum(made, 0)
    return _psnr(np.clip(made * _closest_gain(made, exact), 0, 1) - exact)


def plain_psnr(result: Pixels, target: Pixels, matte: Mask) -> float:
    """PSNR in dB, peak 1, of the result as it is, held in 0..1."""
    made, exact = _inside(result, target, matte)
    return _psnr(np.clip(made, 0, 1) - exact)


def normal_error_deg(normals: Pixels, exact: Pixels, matte: Mask) -> float:
    """Mean angle in degrees between two fields of normals."""
    made, wanted = _inside(normals, exact, matte)
    lengths = np.linalg.norm(made, axis=-1) * np.linalg.norm(wanted, axis=-1)
    cosine = (made * wanted).sum(axis=-1) / np.maximum(lengths, 1e-9)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def local_mean_squared_error(
    albedo: Pixels, exact: Pixels, matte: Mask, window_px: int = LMSE_WINDOW_PX
) -> float:
    """LMSE: squared error in windows that overlap by half, each with a gain of its own, over all energy.

    Grosse, Johnson, Adelson, Freeman, "Ground truth dataset and baseline evaluations for intrinsic image
    algorithms" (ICCV 2009), section 4; 0 is exact, and black everywhere gives 1. Windows that hold fewer than
    20 px of the matte are left out. NaN where none is left.
    """
    _inside(albedo, exact, matte)
    step = window_px // 2
    error = energy = 0.0
    for top in range(0, matte.shape[0], step):
        for left in range(0, matte.shape[1], step):
            window = np.s_[top : top + window_px, left : left + window_px]
            where = matte[window]
            if np.count_nonzero(where) < _LEAST_WINDOW_PIXELS:
                continue
            wanted = exact[window][where].astype(np.float64)
            made = np.maximum(albedo[window][where].astype(np.float64), 0)
            error += float(np.square(made * _closest_gain(made, wanted) - wanted).sum())
            energy += float(np.square(wanted).sum())
    return error / energy if energy > 0 else float("nan")


def _closest_gain(made: NDArray[Any], exact: NDArray[Any]) -> float:
    """The factor on `made` with the least squared error."""
    return float((made * exact).sum() / max(float((made * made).sum()), _LEAST_MEAN_SQUARE))


def _psnr(difference: NDArray[Any]) -> float:
    return -10 * float(np.log10(max(float(np.square(difference).mean()), _LEAST_MEAN_SQUARE)))


def _inside(made: Pixels, exact: Pixels, matte: Mask) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as float64 (N, 3) over the matte."""
    if made.shape != exact.shape or matte.shape != made.shape[:2]:
        raise SizeMismatchError(
            f"Cannot compare pictures of {made.shape} and {exact.shape} over a matte of {matte.shape}. "
            "Render all of them at one size."
        )
    return made[matte].astype(np.float64), exact[matte].astype(np.float64)
