"""What is reached without a network, measured in the same run so that a number can be judged."""

from __future__ import annotations

import time
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .metrics import Picture, psnr_8bit
from .pictures import display_picture, eight_bit

_DEGREE = 3
_EVERY = 4  # rows and columns that are fitted: more change nothing in the second decimal


def untouched_psnr(plate: dict[int, Path], target: dict[int, Path], scored: list[int]) -> float:
    """Mean dB of the plate against the target."""
    return float(np.mean([psnr_8bit(display_picture(plate[f]), display_picture(target[f])) for f in scored]))


def polynomial_psnr(
    plate: dict[int, Path], target: dict[int, Path], keyframes: list[int], scored: list[int]
) -> tuple[float, float]:
    """Mean dB of one global cubic polynomial of sRGB code values, and the CPU-seconds of fitting it."""
    pairs = [(display_picture(plate[f]), display_picture(target[f])) for f in keyframes]
    start = time.process_time()
    weights = fit_polynomial(pairs)
    seconds = time.process_time() - start
    scores = []
    for frame in scored:
        picture = display_picture(plate[frame])
        fitted = _monomials(picture) @ weights
        scores.append(psnr_8bit(eight_bit(fitted.reshape(picture.shape)), display_picture(target[frame])))
    return float(np.mean(scores)), seconds


def fit_polynomial(pairs: list[tuple[Picture, Picture]]) -> NDArray[np.float32]:
    """Least squares by the normal equations: (20, 3) weights from pairs of plate and target."""
    normal, moment = np.zeros((20, 20)), np.zeros((20, 3))
    for plate, target in pairs:
        terms = _monomials(plate[::_EVERY, ::_EVERY])
        normal += (terms.T @ terms).astype(np.float64)
        moment += (terms.T @ (target[::_EVERY, ::_EVERY].reshape(-1, 3).astype(np.float32) / 255)).astype(
            np.float64
        )
    ridge = 1e-6 * np.trace(normal) / len(normal) * np.eye(len(normal))
    return np.linalg.solve(normal + ridge, moment).astype(np.float32)


def _monomials(picture: Picture) -> NDArray[np.float32]:
    """(H * W, 20) float32: all products of up to three of R, G, B."""
    flat = picture.reshape(-1, 3).astype(np.float32) / 255
    columns = [np.ones(len(flat), np.float32)]
    for degree in range(1, _DEGREE + 1):
        columns += [
            flat[:, c].prod(axis=1) for c in map(list, combinations_with_replacement(range(3), degree))
        ]
    return np.stack(columns, axis=1)
