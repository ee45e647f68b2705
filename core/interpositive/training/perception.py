"""Scene-linear values on a scale where equal steps look about equal, for errors and measured quality.

    p(v) = sign(v) * (sqrt(|v| + d) - sqrt(d))

A square root is about the inverse of a display's transfer (ITU-R BT.1886, IEC 61966-2-1); the offset d, a
multiple of the shaper's toe, keeps the slope finite at black. Unlike a display encoding it is defined,
and monotonic, below zero and above one.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

OFFSET_IN_TOES = 1.5

Array = TypeVar("Array", Tensor, NDArray[np.float32])


def perceived(values: Array, toe: float) -> Array:
    """p(v) of scene-linear `values`, any shape."""
    offset = OFFSET_IN_TOES * toe
    if isinstance(values, Tensor):
        return torch.sign(values) * (torch.sqrt(values.abs() + offset) - offset**0.5)
    return (np.sign(values) * (np.sqrt(np.abs(values) + offset) - offset**0.5)).astype(np.float32)


def perceived_slope(values: NDArray[np.float64], toe: float) -> NDArray[np.float64]:
    """dp/dv."""
    return 0.5 / np.sqrt(np.abs(values) + OFFSET_IN_TOES * toe)


def perceived_psnr(result: NDArray[np.float32], target: NDArray[np.float32], toe: float) -> float:
    """PSNR in dB between scene-linear pictures, both `perceived`; the peak is diffuse white, 1.0."""
    error = perceived(result, toe) - perceived(target, toe)
    peak = float(perceived(np.ones(1, np.float32), toe)[0])
    return float(20 * np.log10(peak / max(float(np.sqrt(np.mean(np.square(error, dtype=np.float64)))), 1e-9)))
