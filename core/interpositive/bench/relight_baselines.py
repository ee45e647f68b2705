"""What relighting reaches without the prior's full answer, measured in the same run for comparison.

The plate as it is; and the ratio image (Riklin-Raviv and Shashua, "The quotient image", PAMI 23, 2001):
the plate times new over old shading of some normals - flat ones, those of the matte blown up like a balloon,
or given ones.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..images.image import Pixels
from .real_objects import KnownLight
from .relight_scores import Mask

_FLOOR_SHARE = 0.08  # of the key's colour: keeps the ratio finite where the old light does not reach
_MOST_GAIN = 6.0


def ratio_image(plate: Pixels, normals: Pixels, old: KnownLight, new: KnownLight) -> Pixels:
    """`plate` times the new over the old shading of `normals`, the gain held below 6."""
    before = old.shading(normals) + _FLOOR_SHARE * old.colour
    after = new.shading(normals) + _FLOOR_SHARE * new.colour
    return np.asarray(plate * np.clip(after / np.maximum(before, 1e-6), 0, _MOST_GAIN), np.float32)


def flat_normals(matte: Mask) -> Pixels:
    """Everything faces the camera."""
    normals = np.zeros((*matte.shape, 3), np.float32)
    normals[..., 2] = 1
    return normals


def inflated_normals(matte: Mask) -> Pixels:
    """The matte as a balloon: round at the outline, flat deep inside.

    The height over the outline follows a quarter circle of the largest distance to it.
    """
    padded = cv2.copyMakeBorder(matte.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    radius = max(float(distance.max()), 1.0)
    height = np.sqrt(np.maximum(radius**2 - (radius - distance) ** 2, 0)).astype(np.float32)
    height = cv2.GaussianBlur(height, (0, 0), max(1.5, 0.06 * radius))
    down, right = np.gradient(height)
    normals = np.stack([-right, down, np.ones_like(height)], axis=-1)
    return np.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True), np.float32)
