"""Guided filtering: values at a small size, brought to the plate's size with the plate's edges.

In a window around each small pixel a value is fitted as a linear function of the guide's three channels; the
fit, not the value, is enlarged and applied to the large guide. So an edge of the value that coincides with an
edge of the guide becomes as sharp as the guide's, and where the guide is flat the value stays smooth.
K. He, J. Sun, X. Tang, "Guided image filtering" (ECCV 2010), eqs. 14 to 16 for a colour guide; the small fit:
K. He, J. Sun, "Fast guided filter" (2015).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

RADIUS_PX = 3  # of the window, in small pixels
SMOOTHNESS = 0.004  # variance of the guide (natural log units squared) that counts as flat


@dataclass(frozen=True, eq=False)
class GuidedFilter:
    """The part of the fit that depends on the guide alone, so that several values can share it.

    `guide` (h, w, 3); `weight` (h, w) says how much each small pixel counts.
    """

    guide: Map
    weight: Map
    _mean: Map  # (h, w, 3) of the guide
    _inverse: tuple[Map, ...]  # six planes of the inverse covariance: xx, xy, xz, yy, yz, zz
    _total: Map
    _radius_px: int

    @classmethod
    def of(
        cls,
        guide: Map,
        weight: Map | None = None,
        radius_px: int = RADIUS_PX,
        smoothness: float = SMOOTHNESS,
    ) -> GuidedFilter:
        """`weight` (h, w) above zero somewhere in each window; None counts every pixel the same."""
        even = np.ones(guide.shape[:2], np.float32) if weight is None else np.maximum(weight, 1e-3)
        total = _box(even, radius_px)
        mean = _box(guide * even[..., None], radius_px) / total[..., None]
        pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
        products = np.stack([guide[..., a] * guide[..., b] for a, b in pairs], 2) * even[..., None]
        moments = np.concatenate([_box(products[..., :3], radius_px), _box(products[..., 3:], radius_px)], 2)
        covariance: list[Map] = [
            (moments[..., k] / total - mean[..., a] * mean[..., b]).astype(np.float32)
            for k, (a, b) in enumerate(pairs)
        ]
        for diagonal in (0, 3, 5):
            covariance[diagonal] = covariance[diagonal] + np.float32(smoothness)
        return cls(guide, even, mean, _inverse_of(covariance), total, radius_px)

    def fit(self, values: Map) -> Map:
        """Coefficients (h, w, C, 4) of `values` (h, w, C): three slopes on the guide and an offset."""
        height, width, channels = values.shape
        fitted = np.empty((height, width, channels, 4), np.float32)
        xx, xy, xz, yy, yz, zz = self._inverse
        for channel in range(channels):
            plane = values[..., channel]
            weighted = plane * self.weight
            mean = _box(weighted, self._radius_px) / self._total
            cross = _box(self.guide * weighted[..., None], self._radius_px) / self._total[..., None]
            cross -= self._mean * mean[..., None]
            x, y, z = cross[..., 0], cross[..., 1], cross[..., 2]
            slope = np.stack(
                [xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z], 2
            )
            offset = mean - (slope * self._mean).sum(2)
            fitted[:, :, channel] = self._averaged(np.concatenate([slope, offset[..., None]], 2))
        return fitted

    def _averaged(self, coefficients: Map) -> Map:
        """The mean of all windows that a pixel lies in, each with its weight."""
        spread = _box(coefficients * self._total[..., None], self._radius_px)
        return spread / _box(self._total, self._radius_px)[..., None]


def enlarged(fitted: Map, guide: Map) -> list[Map]:
    """C planes (H, W) of coefficients (h, w, C, 4) on a large `guide` (H, W, 3) of the same units."""
    height, width = guide.shape[:2]
    homogeneous = cv2.cvtColor(guide, cv2.COLOR_RGB2RGBA)  # the fourth channel is one
    everything = np.ones((1, 4), np.float32)
    planes: list[Map] = []
    for channel in range(fitted.shape[2]):
        small = np.ascontiguousarray(fitted[:, :, channel])  # (h, w, 4)
        large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        cv2.multiply(large, homogeneous, large)
        planes.append(cv2.transform(large, everything))
    return planes


def _box(values: Map, radius_px: int) -> Map:
    size = 2 * radius_px + 1
    filtered: Map = cv2.boxFilter(values, -1, (size, size), borderType=cv2.BORDER_REFLECT)
    return filtered


def _inverse_of(covariance: list[Map]) -> tuple[Map, ...]:
    """Inverse of symmetric 3x3 matrices given as six planes, by cofactors."""
    a, b, c, d, e, f = covariance
    xx, xy, xz = d * f - e * e, c * e - b * f, b * e - c * d
    yy, yz, zz = a * f - c * c, b * c - a * e, a * d - b * b
    scale = 1.0 / np.maximum(a * xx + b * xy + c * xz, 1e-12)
    return tuple((plane * scale).astype(np.float32) for plane in (xx, xy, xz, yy, yz, zz))
