"""Colour transfer from the statistics of whole pictures, the published methods that matching is judged by.

Pictures are (H, W, 3) code values 0..1, as public packages take them.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

_TO_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_TO_OPPONENT = np.diag(1 / np.sqrt([3.0, 6.0, 2.0])) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])
_LEAST_CODE = 1 / 255  # of an 8 bit picture, so that there is a logarithm
_LEAST_VARIANCE = 1e-8


def reinhard(source: Array, reference: Array) -> Array:
    """E. Reinhard, M. Ashikhmin, B. Gooch, P. Shirley, "Color Transfer between Images", CG&A 21(5), 2001:
    mean and deviation of each channel of l-alpha-beta."""
    moved, aim = (_opponent(picture) for picture in (source, reference))
    scaled = (moved - moved.mean(axis=0)) * (aim.std(axis=0) / np.maximum(moved.std(axis=0), 1e-9))
    lms = 10 ** ((scaled + aim.mean(axis=0)) @ np.linalg.inv(_TO_OPPONENT).T)
    return np.asarray(np.clip(lms @ np.linalg.inv(_TO_LMS).T, 0, 1)).reshape(source.shape)


def monge_kantorovich(source: Array, reference: Array) -> Array:
    """F. Pitie, A. Kokaram, "The Linear Monge-Kantorovitch Linear Colour Mapping for Example-Based Colour
    Transfer", CVMP 2007: T = A^-1/2 (A^1/2 B A^1/2)^1/2 A^-1/2 of the covariances A, B."""
    x, y = source.reshape(-1, 3).astype(np.float64), reference.reshape(-1, 3).astype(np.float64)
    root = _power(np.cov(x.T), 0.5)
    back = _power(np.cov(x.T), -0.5)
    transform = back @ _power(root @ np.cov(y.T) @ root, 0.5) @ back
    moved = (x - x.mean(axis=0)) @ transform + y.mean(axis=0)
    return np.asarray(np.clip(moved, 0, 1)).reshape(source.shape)


def _opponent(picture: Array) -> Array:
    codes = np.maximum(picture.reshape(-1, 3).astype(np.float64), _LEAST_CODE)
    return np.log10(codes @ _TO_LMS.T) @ _TO_OPPONENT.T


def _power(matrix: Array, exponent: float) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, _LEAST_VARIANCE) ** exponent) @ vectors.T
