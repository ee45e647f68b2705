"""Places that two shots share, found by their texture whatever the grade.

Scale-invariant features (D. Lowe, IJCV 60(2), 2004) of log luminance spread over its own range, so that
neither exposure nor contrast counts. A match need not be the very same place: another square of the same
checker has the same colours. Whether pairs agree on one grade is left to the fit that follows.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..images.image import Pixels
from .cdl import LUMA_WEIGHTS

Array = np.ndarray

_SIDE_CELLS, _SAMPLES = 3, 4  # of a patch, along each side; samples of a cell
CELLS = _SIDE_CELLS**2
_PATCH_SIZES = 1.6  # side of a patch, in diameters of the feature
_RATIO = 0.92  # distance to the best match over that to the second best, Lowe's test
_SURE_RATIO = 0.8
_MOST_FEATURES = 1500
_EPIPOLAR_PX = 1.5
_MOST_CLIPPED = 0.05  # of a cell


@dataclass(frozen=True)
class Features:
    """Descriptors (N, 128) and, of each, the colours (N, 9, 3) of a patch turned and scaled with it, which of
    those are free of clipped pixels (N, 9), and where it is (N, 2) px."""

    descriptors: Array
    colours: Array
    usable: Array
    positions: Array


@dataclass(frozen=True)
class Pairs:
    """Colours of the shot and of the hero that belong together, both (N, 3), how much to trust each, and
    which come from matches that agree on one camera move; `CELLS` neighbouring rows are one match."""

    shot: Array
    hero: Array
    weights: Array
    geometric: Array

    @classmethod
    def none(cls) -> Pairs:
        return cls(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros(0, bool))

    @property
    def matches(self) -> int:
        return len(self.weights) // CELLS

    def join(self, other: Pairs) -> Pairs:
        return Pairs(
            np.concatenate([self.shot, other.shot]),
            np.concatenate([self.hero, other.hero]),
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.geometric, other.geometric]),
        )


def find_features(encoded: Pixels, usable: Array | None = None) -> Features:
    """Features of a picture in a log encoding (H, W, 3); `usable` (H, W) is False at clipped pixels."""
    luma = np.asarray(encoded, np.float32) @ np.asarray(LUMA_WEIGHTS, np.float32)
    low, high = np.percentile(luma, (0.5, 99.5))
    levels = np.clip((luma - low) / max(float(high - low), 1e-6), 0, 1) * np.float32(255)
    detector = cv2.SIFT_create(nfeatures=_MOST_FEATURES, contrastThreshold=0.01, edgeThreshold=20)
    found, descriptors = detector.detectAndCompute(np.rint(levels).astype(np.uint8), None)
    if not found:
        return Features(
            np.zeros((0, 128)), np.zeros((0, CELLS, 3)), np.zeros((0, CELLS), bool), np.zeros((0, 2))
        )
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    place = np.array([[p.pt[0], p.pt[1], p.size, np.radians(p.angle)] for p in found], np.float32)
    clipped = np.zeros(luma.shape, np.float32) if usable is None else (~usable).astype(np.float32)
    patches = _patches(np.dstack([encoded, clipped]), place)
    return Features(root.astype(np.float32), patches[..., :3], patches[..., 3] < _MOST_CLIPPED, place[:, :2])


def match_features(hero: Features, shot: Features) -> Pairs:
    """Pairs of patches that are each other's best match."""
    if len(hero.descriptors) < 2 or len(shot.descriptors) < 2:
        return Pairs.none()
    likeness = shot.descriptors @ hero.descriptors.T  # (N, M), 1 for equal
    best = likeness.argmax(axis=1)
    mutual = likeness.argmax(axis=0)[best] == np.arange(len(best))
    distance = np.sqrt(np.maximum(2 - 2 * likeness, 0))
    nearest = np.partition(distance, 1, axis=1)[:, :2]
    ratio = nearest[:, 0] / np.maximum(nearest[:, 1], 1e-6)
    kept = np.flatnonzero(mutual & (ratio < _RATIO))
    if not kept.size:
        return Pairs.none()
    geometric = _agreeing(hero.positions[best[kept]], shot.positions[kept])
    trust = np.where(ratio[kept] < _SURE_RATIO, 1.0, 0.4) * np.where(geometric, 1.5, 0.6)
    usable = shot.usable[kept] & hero.usable[best[kept]]
    return Pairs(
        shot.colours[kept].reshape(-1, 3),
        hero.colours[best[kept]].reshape(-1, 3),
        (trust[:, None] * usable).ravel(),
        np.repeat(geometric, CELLS),
    )


def _agreeing(hero: Array, shot: Array) -> np.ndarray:
    """Which matches fit one fundamental matrix (MAGSAC++, D. Barath et al., CVPR 2020)."""
    if len(hero) < 12:
        return np.zeros(len(hero), bool)
    cv2.setRNGSeed(1)
    matrix, inside = cv2.findFundamentalMat(hero, shot, cv2.USAC_MAGSAC, _EPIPOLAR_PX, 0.999, 2000)
    return np.zeros(len(hero), bool) if matrix is None else inside.ravel() > 0


def _patches(encoded: Pixels, place: Array) -> Array:
    """(N, 9, C) mean values of the cells of a square patch about each feature."""
    side = _SIDE_CELLS * _SAMPLES
    along = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    v, u = np.meshgrid(along, along, indexing="ij")
    reach, turn = place[:, 2, None, None] * _PATCH_SIZES, place[:, 3, None, None]
    x = place[:, 0, None, None] + reach * (np.cos(turn) * u - np.sin(turn) * v)
    y = place[:, 1, None, None] + reach * (np.sin(turn) * u + np.cos(turn) * v)
    sampled = cv2.remap(
        np.asarray(encoded, np.float32),
        x.reshape(-1, side).astype(np.float32), y.reshape(-1, side).astype(np.float32),
        cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    cells = sampled.reshape(len(place), _SIDE_CELLS, _SAMPLES, _SIDE_CELLS, _SAMPLES, -1)
    return np.asarray(cells.mean(axis=(2, 4)).reshape(len(place), CELLS, -1), np.float32)
