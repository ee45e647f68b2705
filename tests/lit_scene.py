"""Passes of scenes whose geometry is known exactly: a ball in front of a wall, a wall, a tilted plane."""

from __future__ import annotations

import numpy as np

from interpositive.relight.passes import Passes

FOCAL = 1.5
BALL_CENTRE, BALL_RADIUS, WALL_DEPTH = (0.0, 0.0, -1.0), 0.12, 1.3


def ball_and_wall(height: int = 90, width: int = 160, albedo: float = 0.5) -> Passes:
    """A ball before a wall, seen by a camera of focal length `FOCAL` at the origin."""
    row, column = np.mgrid[:height, :width] + 0.5
    x, y = (column - width / 2) / height / FOCAL, (height / 2 - row) / height / FOCAL
    ray = np.stack([x, y, -np.ones_like(x)], -1)
    centre = np.asarray(BALL_CENTRE)
    a, b = (ray**2).sum(-1), ray @ centre
    inside = b * b - a * (centre @ centre - BALL_RADIUS**2)
    near = np.where(inside > 0, (b - np.sqrt(np.maximum(inside, 0))) / a, WALL_DEPTH)
    normal = np.where(
        (inside > 0)[..., None], (ray * near[..., None] - centre) / BALL_RADIUS, [0.0, 0.0, 1.0]
    )
    return passes_of(normal, near, albedo)


def wall(height: int = 60, width: int = 80, depth: float = 1.0, albedo: float = 0.5) -> Passes:
    """A wall that faces the camera."""
    normal = np.broadcast_to([0.0, 0.0, 1.0], (height, width, 3))
    return passes_of(normal, np.full((height, width), depth), albedo)


def tilted_plane(height: int = 90, width: int = 160, slope: float = 1.2) -> Passes:
    """A plane through (0, 0, -1) that falls away upwards: z = -1 - slope * y."""
    row, _ = np.mgrid[:height, :width] + 0.5
    y = (height / 2 - row) / height / FOCAL
    normal = np.broadcast_to(np.array([0.0, slope, 1.0]) / np.hypot(slope, 1.0), (height, width, 3))
    return passes_of(normal, 1 / (1 - slope * y))


def passes_of(normal: np.ndarray, depth: np.ndarray, albedo: float = 0.5, roughness: float = 0.6) -> Passes:
    size = depth.shape
    grey = np.full((*size, 3), albedo, np.float32)
    one = np.ones(size, np.float32)
    return Passes(
        normal=np.ascontiguousarray(normal, np.float32),
        depth=np.ascontiguousarray(depth, np.float32),
        albedo=grey,
        shading=np.ones((*size, 3), np.float32),
        residual=np.zeros((*size, 3), np.float32),
        roughness=one * np.float32(roughness),
        visibility=one,
        confidence=one,
    )
